"""Curves over the heartbeat: both blood pools and the LV mass at every cardiac phase."""

from collections.abc import Callable

import numpy as np

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.imaging.measurement import Curve
from opencmr.imaging.phase_times import phase_times_ms
from opencmr.measure.scalars import Measure, private
from opencmr.measure.ventricles import Chamber, Unmeasurable, Ventricles

LVV = Quantity(
    "LVV",
    "LV volume",
    "mL",
    0,
    private("LVV", "Left ventricular volume at a cardiac phase"),
    "Volume of the left ventricular cavity at one cardiac phase.",
)
RVV = Quantity(
    "RVV",
    "RV volume",
    "mL",
    0,
    private("RVV", "Right ventricular volume at a cardiac phase"),
    "Volume of the right ventricular cavity at one cardiac phase.",
)
LVMASS = Quantity(
    "LVMASS",
    "LV mass at a phase",
    "g",
    0,
    private("LVMASS", "Left ventricular mass at a cardiac phase"),
    "Volume of the left ventricular myocardium at one cardiac phase times "
    f"{MYOCARDIUM_G_PER_ML} g/mL.",
)


def _curve(
    ventricles: Ventricles,
    quantity: Quantity,
    structure: Structure,
    values_of: Callable[[Ventricles], np.ndarray],
) -> Curve:
    series, policy = ventricles.series, ventricles.segmentation.policy
    try:
        values = values_of(ventricles)
    except Unmeasurable as unfit:
        return Curve(quantity, np.empty(0), unfit.reason, series=series, policy=policy)
    blank = np.asarray(~ventricles.segmentation.labels.any(axis=(1, 2, 3)))
    if structure is Structure.MYOCARDIUM:  # cavities may be drawn alone: no wall is not 0 g
        blank |= values == 0
    return Curve(
        quantity,
        np.where(blank, np.nan, values),
        _why_blank(blank, "label" if structure is not Structure.MYOCARDIUM else "myocardium"),
        times_ms=phase_times_ms(ventricles.image),
        structure=structure,
        series=series,
        policy=policy,
    )


def _why_blank(blank: np.ndarray, missing: str) -> Reason | None:
    """Return why phases have no value: no label is no heart of 0 mL."""
    if not blank.any():
        return None
    said = f"{int(blank.sum())} of {blank.size} phases hold no {missing}"
    return Reason("PHASE_UNLABELLED", said)


def _pool_ml(chamber: Chamber) -> np.ndarray:
    chamber.require_pool()
    return chamber.curve_ml


def _mass_g(ventricles: Ventricles) -> np.ndarray:
    if not ventricles.myocardium_voxels.any():
        raise Unmeasurable("NO_HEART_FOUND", "the segmentation holds no myocardium")
    return np.asarray(MYOCARDIUM_G_PER_ML * ventricles.myocardium_ml)


def measure(ventricles: Ventricles) -> tuple[Curve, ...]:
    """Measure every curve."""
    return (
        _curve(ventricles, LVV, Structure.LV, lambda v: _pool_ml(v.lv)),
        _curve(ventricles, RVV, Structure.RV, lambda v: _pool_ml(v.rv)),
        _curve(ventricles, LVMASS, Structure.MYOCARDIUM, _mass_g),
    )


CURVES = Measure((LVV, RVV, LVMASS), measure)
