"""Left ventricular function on long-axis cines: a check of the short-axis stack by other planes."""

from collections.abc import Callable, Sequence

import numpy as np

from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.imaging.measurement import Measurement
from opencmr.measure.function.area_length import area_length_ml
from opencmr.measure.function.long_axis_view import LongAxisView
from opencmr.measure.function.valve import find_valve
from opencmr.measure.reference import NO_RANGE
from opencmr.measure.scalars import private
from opencmr.measure.ventricles import Unmeasurable

_FORMULA = (
    "8 A1 A2 / (3 pi L), of the two- and the four-chamber view with the shorter length, or of one "
    "of them twice (Dodge et al., Am Heart J 1960; 60:762)"
)


def _quantity(symbol: str, name: str, unit: str, meaning: str) -> Quantity:
    return Quantity(symbol, name, unit, 0, private(symbol, name), meaning)


LVEDV_LAX = _quantity(
    "LVEDV_LAX",
    "LV end-diastolic volume, long axes",
    "mL",
    f"By area and length, each view at its largest area: {_FORMULA}.",
)
LVESV_LAX = _quantity(
    "LVESV_LAX",
    "LV end-systolic volume, long axes",
    "mL",
    f"By area and length, each view at its smallest area: {_FORMULA}.",
)
LVEF_LAX = _quantity(
    "LVEF_LAX",
    "LV ejection fraction, long axes",
    "%",
    "LVEDV_LAX less LVESV_LAX, over LVEDV_LAX.",
)
LV_LENGTH = _quantity(
    "LV_LENGTH",
    "LV length at end-diastole",
    "mm",
    "From the middle of the mitral valve to the apex of the cavity; mean of the views.",
)
MAPSE = _quantity(
    "MAPSE",
    "Mitral annular plane systolic excursion",
    "mm",
    "How far the valve's hinge points move towards the apex along the long axis, from end-diastole "
    "to end-systole; mean of all four, where two views agree on the plane of the valve.",
)
LONG_AXIS_QUANTITIES = (LVEDV_LAX, LVESV_LAX, LVEF_LAX, LV_LENGTH, MAPSE)


def measure_long_axes(views: Sequence[LongAxisView]) -> tuple[Measurement, ...]:
    """Return volumes, ejection fraction, length and excursion from one view or two.

    The excursion is told only where both views agree on the valve's plane.

    Parameters
    ----------
    views : one or two of the two- and the four-chamber view
    """
    names = " and ".join(one.name for one in views)

    def measured(quantity: Quantity, value: Callable[[], float]) -> Measurement:
        found: float | None = None
        reason: Reason | None = None
        try:
            found = value()
        except Unmeasurable as unfit:
            reason = unfit.reason
        return Measurement(
            quantity,
            found,
            reason,
            structure=Structure.LV,
            series=views[0].series,
            policy=views[0].segmentation.policy,
            reference_reason=NO_RANGE if reason is None else reason,
            evidence="" if found is None else names,
        )

    def edv_ml() -> float:
        return area_length_ml(*(one.diastole for one in views))

    def esv_ml() -> float:
        return area_length_ml(*(one.systole for one in views))

    def excursion_mm() -> float:
        excursions = [one.excursions_mm for one in views]
        find_valve(views)  # raises where they do not agree
        return float(np.mean(excursions))

    return (
        measured(LVEDV_LAX, edv_ml),
        measured(LVESV_LAX, esv_ml),
        measured(LVEF_LAX, lambda: 100 * (1 - esv_ml() / edv_ml())),
        measured(LV_LENGTH, lambda: float(np.mean([one.diastole.length_mm for one in views]))),
        measured(MAPSE, excursion_mm),
    )
