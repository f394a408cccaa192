"""A cohort as plain rows, the same numbers in JSON and CSV; None where there is no value."""

from collections.abc import Iterator
from dataclasses import fields

from opencmr.validate.agreement import Estimate
from opencmr.validate.cohort import Cohort, Part, VolumeAgreement

DECIMALS = 6
RESULT_COLUMNS = (
    "metric",
    "statistic",
    "unit",
    "structure",
    "phase",
    "level",
    "group_by",
    "group",
    "cases",
    "without_value",
    "value",
    "low",
    "high",
)
CASE_COLUMNS = (
    "case",
    "phase",
    "structure",
    "level",
    "dice",
    "iou",
    "hausdorff_mm",
    "hausdorff95_mm",
    "nsd",
    "average_mm",
    "slices_with",
    "slices_without",
    "missed_slices",
    "invented_slices",
)
VOLUME_COLUMNS = ("case", "symbol", "unit", "reference", "measured", "difference")

Row = dict[str, object]


def result_rows(cohort: Cohort) -> list[Row]:
    """Return one row a number of the whole cohort and of each group."""
    return [*_overlap_rows(cohort), *_presence_rows(cohort), *_agreement_rows(cohort)]


def case_rows(cohort: Cohort) -> list[Row]:
    """Return one row a comparison: a structure at a phase, whole or at a level."""
    return [
        {f.name: _plain(getattr(score, f.name)) for f in fields(score)} for score in cohort.scores
    ]


def volume_rows(cohort: Cohort) -> list[Row]:
    """Return one row a quantity of a patient."""
    return [
        {
            "case": one.case,
            "symbol": one.quantity.symbol,
            "unit": one.quantity.unit,
            "reference": _plain(one.reference),
            "measured": _plain(one.measured),
            "difference": None
            if one.reference is None or one.measured is None
            else _plain(one.measured - one.reference),
        }
        for one in cohort.measured
    ]


def _overlap_rows(cohort: Cohort) -> Iterator[Row]:
    for one in cohort.summaries:
        counted = {"cases": one.cases, "without_value": one.undefined}
        about = _about(one.metric.field, one.metric.unit, one.part) | counted
        yield about | {"statistic": "mean"} | _estimate(one.mean)
        for statistic, value in (("sd", one.sd), ("median", one.median)):
            yield about | {"statistic": statistic} | _value(value)


def _presence_rows(cohort: Cohort) -> Iterator[Row]:
    for one in cohort.presence:
        for metric, value, among in (
            ("missed_slices", one.missed, one.slices_with),
            ("invented_slices", one.invented, one.slices_without),
        ):
            about = _about(metric, "1", one.part) | {"cases": len(cohort.cases), "without_value": 0}
            yield about | {"statistic": "count"} | _value(value)
            yield about | {"statistic": "among"} | _value(among)


def _agreement_rows(cohort: Cohort) -> Iterator[Row]:
    for found in cohort.agreements:
        about = {
            **_about(found.quantity.symbol, found.quantity.unit, Part("", "", "")),
            "group_by": found.column,
            "group": found.group,
            "cases": len(found.cases),
            "without_value": found.without,
        }
        for statistic, unit, estimate in _statistics(found):
            yield about | {"statistic": statistic, "unit": unit} | estimate


def _statistics(found: VolumeAgreement) -> Iterator[tuple[str, str, Row]]:
    agreed, unit = found.agreement, found.quantity.unit
    if agreed is None:
        return
    yield "bias", unit, _estimate(agreed.bias)
    yield "sd of differences", unit, _value(agreed.sd)
    yield "lower limit of agreement", unit, _estimate(agreed.lower)
    yield "upper limit of agreement", unit, _estimate(agreed.upper)
    yield "mean absolute difference", unit, _value(agreed.mean_absolute)
    yield "ICC(2,1)", "1", _estimate(agreed.icc)
    yield "CV", "%", _value(agreed.cv_percent)
    yield "Pearson r", "1", _value(agreed.pearson)
    yield "Passing-Bablok slope", "1", _estimate(agreed.slope)
    yield "Passing-Bablok intercept", unit, _estimate(agreed.intercept)


def _about(metric: str, unit: str, part: Part) -> Row:
    return {
        "metric": metric,
        "unit": unit,
        "structure": part.structure,
        "phase": part.phase,
        "level": part.level,
        "group_by": part.column,
        "group": part.group,
    }


def _estimate(one: Estimate | None) -> Row:
    low, high = (one.interval or (None, None)) if one else (None, None)
    return {
        "value": _plain(one.value) if one else None,
        "low": _plain(low),
        "high": _plain(high),
    }


def _value(value: float | None) -> Row:
    return {"value": _plain(value), "low": None, "high": None}


def _plain(value: object) -> object:
    return round(value, DECIMALS) if isinstance(value, float) else value
