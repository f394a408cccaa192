"""How sure: the worst flag in plain words, then every flag, worst first."""

from collections.abc import Iterable

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.report.blocks import Block, Remark, Remarks
from opencmr.report.contents import Report
from opencmr.report.plain_text import shown
from opencmr.report.rows import TEXT_LIMIT, number

_ORDER = {Severity.DO_NOT_REPORT: 0, Severity.REVIEW: 1, Severity.INFO: 2}


def tell(report: Report) -> tuple[Block, ...]:
    """Return the banner."""
    return (banner(report),)


def banner(report: Report) -> Remarks:
    """Return what the flags come to, and the flags."""
    remarks = tuple(_remark(flag) for flag in _worst_first(report.flags))
    severities = {flag.severity for flag in report.flags}
    to_check = len({f for f in report.flags if f.severity is Severity.REVIEW})
    if not len(report.measurements) and not report.measured_series() and not report.maps:
        return Remarks(
            "withheld",
            "Nothing was measured",
            "No series could be segmented. What was found, and why it was not used, is below.",
            remarks,
        )
    if _only_absent(report):
        return Remarks(
            "review",
            "Only a part was measured",
            "Something that is usually measured is not in this study; see below. What was measured "
            "needs a reader’s eye.",
            remarks,
        )
    if Severity.DO_NOT_REPORT in severities:
        return Remarks(
            "withheld",
            "Do not report these results",
            "At least one check failed. The numbers concerned are withheld; see why below.",
            remarks,
        )
    if to_check:
        points = "1 point needs" if to_check == 1 else f"{to_check} points need"
        return Remarks(
            "review",
            "Look before use",
            f"{points} a reader’s eye before these numbers are used.",
            remarks,
        )
    return Remarks(
        "clear",
        "Automatic checks found nothing amiss",
        "That is no proof: look at the contours before the numbers are used."
        f"{_by_the_base(report)}",
        remarks,
    )


def _only_absent(report: Report) -> bool:
    """Whether all that may not be reported is of analyses that did not run, for want of a series.

    What did run stands: a study of maps alone is no spoilt study.
    """
    not_run = {planned.analysis.name for planned in report.plan if not planned.runs}
    grave = [flag for flag in report.flags if flag.severity is Severity.DO_NOT_REPORT]
    return bool(grave) and all(flag.about.analysis in not_run for flag in grave)


def _worst_first(flags: Iterable[QualityFlag]) -> list[QualityFlag]:
    return sorted(dict.fromkeys(flags), key=lambda flag: _ORDER[flag.severity])


def _remark(flag: QualityFlag) -> Remark:
    return Remark(
        severity=flag.severity.value,
        message=shown(flag.message, TEXT_LIMIT),
        evidence=shown(flag.evidence, TEXT_LIMIT),
        code=flag.code,
    )


def _by_the_base(report: Report) -> str:
    """Return how far the LVEF depends on the base; empty where the number shown stays the same."""
    found = report.measurements.of(FUNCTION).find("LVEF")
    if found is None or found.interval is None:
        return ""
    low, high = (number(end, found.quantity.decimals) for end in found.interval)
    return f" LVEF {low}–{high} % {shown(found.evidence, TEXT_LIMIT)}." if low != high else ""
