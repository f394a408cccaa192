"""Ejection fraction, cardiac output, and the two stroke volumes side by side."""

from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.structures import Structure
from opencmr.measure.function.base import depending, interval
from opencmr.measure.scalars import Scalar, private, scaled, table
from opencmr.measure.ventricles import Chamber, Unmeasurable, Ventricles

ML_PER_L = 1000.0
_OUTPUT = Code("82799009", "SCT", "Cardiac Output")
_NO_VERDICT = (
    "A check of the contours; readers' own contours often differ, "
    "and no valve disease is inferred from it."
)

LVEF = Quantity(
    "LVEF",
    "LV ejection fraction",
    "%",
    0,
    Code("8811-2", "LN", "Left ventricular ejection fraction by MR"),
    "LVSV over LVEDV.",
)
RVEF = Quantity(
    "RVEF",
    "RV ejection fraction",
    "%",
    0,
    Code("8818-7", "LN", "Right ventricular ejection fraction by MR"),
    "RVSV over RVEDV.",
)
LVCO = Quantity("LVCO", "LV cardiac output", "L/min", 1, _OUTPUT, "LVSV times the heart rate (HR).")
RVCO = Quantity("RVCO", "RV cardiac output", "L/min", 1, _OUTPUT, "RVSV times the heart rate (HR).")
HR = Quantity(
    "HR",
    "Heart rate",
    "/min",
    0,
    private("HR", "Heart rate during the short-axis cine"),
    "As the caller gives it, else 60,000 ms over the mean R-R interval of the cine's slices, else "
    "as the headers of the study state it.",
)
SVDIFF = Quantity(
    "SVDIFF",
    "LV minus RV stroke volume",
    "mL",
    0,
    private("SVDIFF", "Left less right ventricular stroke volume"),
    f"LVSV less RVSV. {_NO_VERDICT}",
)
SVDIFF_PERCENT = Quantity(
    "SVDIFF_PERCENT",
    "LV minus RV stroke volume, relative",
    "%",
    0,
    private("SVDIFF_PERCENT", "Left less right ventricular stroke volume, over their mean"),
    f"LVSV less RVSV, over the mean of both. {_NO_VERDICT}",
)


def output_l_min(chamber: Chamber, heart_rate_bpm: float) -> float:
    """Return the cardiac output: stroke volume times heart rate."""
    return chamber.sv_ml * heart_rate_bpm / ML_PER_L


def _l_min_per_ml(ventricles: Ventricles) -> float:
    return ventricles.heart_rate_bpm / ML_PER_L


def _difference_percent(ventricles: Ventricles) -> float:
    left_ml, right_ml = ventricles.lv.sv_ml, ventricles.rv.sv_ml
    if left_ml + right_ml <= 0:
        raise Unmeasurable("NOT_FINITE", "both stroke volumes are zero")
    return 200.0 * (left_ml - right_ml) / (left_ml + right_ml)


def _output_evidence(ventricles: Ventricles) -> str:
    return f"{ventricles.heart_rate_bpm:.0f} beats per minute, {ventricles.heart_rate_source}"


EJECTION_ROWS = (
    Scalar(
        LVEF,
        Structure.LV,
        lambda v: v.lv.ef_percent,
        depending(Structure.LV),
        interval(Structure.LV, lambda reading: reading.ef_percent),
    ),
    Scalar(
        RVEF,
        Structure.RV,
        lambda v: v.rv.ef_percent,
        depending(Structure.RV),
        interval(Structure.RV, lambda reading: reading.ef_percent),
    ),
    Scalar(
        LVCO,
        Structure.LV,
        lambda v: output_l_min(v.lv, v.heart_rate_bpm),
        _output_evidence,
        scaled(interval(Structure.LV, lambda reading: reading.sv_ml), _l_min_per_ml),
    ),
    Scalar(
        RVCO,
        Structure.RV,
        lambda v: output_l_min(v.rv, v.heart_rate_bpm),
        _output_evidence,
        scaled(interval(Structure.RV, lambda reading: reading.sv_ml), _l_min_per_ml),
    ),
    Scalar(HR, None, lambda v: v.heart_rate_bpm, lambda v: v.heart_rate_source),
    Scalar(SVDIFF, None, lambda v: v.lv.sv_ml - v.rv.sv_ml),
    Scalar(SVDIFF_PERCENT, None, _difference_percent),
)
EJECTION = table(*EJECTION_ROWS)
