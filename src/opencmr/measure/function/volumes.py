"""Ventricular volumes at end-diastole and end-systole, stroke volumes and their phases.

Rules of volume, partial volume and slice gaps: :mod:`opencmr.measure.ventricles`.
"""

from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.structures import Structure
from opencmr.measure.function.base import interval
from opencmr.measure.scalars import Scalar, private, table
from opencmr.measure.ventricles import Chamber

_LARGEST = "the largest blood pool of the whole stack, one phase for all slices (JCMR 2020; 22:19)"
_SMALLEST = _LARGEST.replace("largest", "smallest")
_STROKE_VOLUME = Code("90096001", "SCT", "Stroke Volume")

LVEDV = Quantity(
    "LVEDV",
    "LV end-diastolic volume",
    "mL",
    0,
    Code("8821-1", "LN", "Left Ventricular ED Volume"),
    f"Left ventricular cavity at end-diastole: {_LARGEST}.",
)
LVESV = Quantity(
    "LVESV",
    "LV end-systolic volume",
    "mL",
    0,
    Code("8823-7", "LN", "Left Ventricular ES Volume"),
    f"Left ventricular cavity at end-systole: {_SMALLEST}.",
)
LVSV = Quantity("LVSV", "LV stroke volume", "mL", 0, _STROKE_VOLUME, "LVEDV less LVESV.")
RVEDV = Quantity(
    "RVEDV",
    "RV end-diastolic volume",
    "mL",
    0,
    Code("8822-9", "LN", "Right Ventricular ED Volume"),
    f"Right ventricular cavity at its own end-diastole: {_LARGEST}.",
)
RVESV = Quantity(
    "RVESV",
    "RV end-systolic volume",
    "mL",
    0,
    Code("8824-5", "LN", "Right Ventricular ES Volume"),
    f"Right ventricular cavity at its own end-systole: {_SMALLEST}.",
)
RVSV = Quantity("RVSV", "RV stroke volume", "mL", 0, _STROKE_VOLUME, "RVEDV less RVESV.")


def _phase(symbol: str, name: str, extreme: str) -> Quantity:
    meaning = f"Cardiac phase, counted from 0, of {extreme}."
    return Quantity(symbol, name, "1", 0, private(symbol, name), meaning)


LVED_PHASE = _phase("LVED_PHASE", "LV end-diastolic phase", _LARGEST)
LVES_PHASE = _phase("LVES_PHASE", "LV end-systolic phase", _SMALLEST)
RVED_PHASE = _phase("RVED_PHASE", "RV end-diastolic phase", _LARGEST)
RVES_PHASE = _phase("RVES_PHASE", "RV end-systolic phase", _SMALLEST)


def at_end_diastole(chamber: Chamber) -> str:
    """Return where a chamber's end-diastole was found, in words."""
    return _at("largest", chamber.ed_phase, chamber)


def at_end_systole(chamber: Chamber) -> str:
    """Return where a chamber's end-systole was found, in words."""
    return _at("smallest", chamber.es_phase, chamber)


def _at(extreme: str, phase: int, chamber: Chamber) -> str:
    left_out = int((~chamber.eligible).sum())
    words = f"{extreme} blood pool of the stack: phase {phase + 1} of {chamber.phases}"
    return f"{words}; {left_out} phases passed over as incomplete" if left_out else words


VOLUME_ROWS = (
    Scalar(
        LVEDV,
        Structure.LV,
        lambda v: v.lv.edv_ml,
        lambda v: at_end_diastole(v.lv),
        interval(Structure.LV, lambda reading: reading.edv_ml),
    ),
    Scalar(
        LVESV,
        Structure.LV,
        lambda v: v.lv.esv_ml,
        lambda v: at_end_systole(v.lv),
        interval(Structure.LV, lambda reading: reading.esv_ml),
    ),
    Scalar(
        LVSV,
        Structure.LV,
        lambda v: v.lv.sv_ml,
        interval=interval(Structure.LV, lambda reading: reading.sv_ml),
    ),
    Scalar(
        RVEDV,
        Structure.RV,
        lambda v: v.rv.edv_ml,
        lambda v: at_end_diastole(v.rv),
        interval(Structure.RV, lambda reading: reading.edv_ml),
    ),
    Scalar(
        RVESV,
        Structure.RV,
        lambda v: v.rv.esv_ml,
        lambda v: at_end_systole(v.rv),
        interval(Structure.RV, lambda reading: reading.esv_ml),
    ),
    Scalar(
        RVSV,
        Structure.RV,
        lambda v: v.rv.sv_ml,
        interval=interval(Structure.RV, lambda reading: reading.sv_ml),
    ),
    Scalar(LVED_PHASE, Structure.LV, lambda v: v.lv.ed_phase),
    Scalar(LVES_PHASE, Structure.LV, lambda v: v.lv.es_phase),
    Scalar(RVED_PHASE, Structure.RV, lambda v: v.rv.ed_phase),
    Scalar(RVES_PHASE, Structure.RV, lambda v: v.rv.es_phase),
)
VOLUMES = table(*VOLUME_ROWS)
