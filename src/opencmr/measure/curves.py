"""Volume curves: the blood pool of each ventricle at every cardiac phase."""

from collections.abc import Callable

from opencmr.anatomy.quantities import Quantity
from opencmr.imaging.measurement import Measurement
from opencmr.measure.scalars import Measure, null, private
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


def _curve(
    ventricles: Ventricles, quantity: Quantity, chamber_of: Callable[[Ventricles], Chamber]
) -> tuple[Measurement, ...]:
    try:
        chamber = chamber_of(ventricles)
        chamber.require_pool()
    except Unmeasurable as unfit:
        return (null(ventricles, quantity, str(unfit)),)
    return tuple(
        Measurement(
            quantity,
            float(volume_ml),
            structure=chamber.structure,
            phase=phase,
            series=ventricles.series,
            policy=ventricles.segmentation.policy,
        )
        for phase, volume_ml in enumerate(chamber.curve_ml)
    )


def measure(ventricles: Ventricles) -> tuple[Measurement, ...]:
    """Measure both curves, one measurement a phase."""
    return (
        *_curve(ventricles, LVV, lambda v: v.lv),
        *_curve(ventricles, RVV, lambda v: v.rv),
    )


CURVES = Measure((LVV, RVV), measure)
