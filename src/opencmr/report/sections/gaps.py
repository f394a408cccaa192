"""What is not here: input that was left out, and recommended elements that are missing."""

from opencmr.report.blocks import Block, Line, Notes, beside
from opencmr.report.contents import Report
from opencmr.report.plain_text import prose, shown
from opencmr.report.reporting_elements import CITATION, missing_elements
from opencmr.report.rows import TEXT_LIMIT


def tell(report: Report) -> tuple[Block, ...]:
    """Return both lists, side by side."""
    left_out = tuple(
        Line(
            f"{shown(item.what)}: {prose(item.reason, TEXT_LIMIT)}",
            f"{item.count} ×",
            item.reason.code,
        )
        for item in report.study.left_out
    )
    nothing = () if left_out else ("Nothing in the input was left out.",)
    lacking = tuple(Line(", ".join(names), f"{why}:") for why, names in missing(report).items())
    recommended = f"Of the elements that {CITATION}, recommend."
    return beside(
        (Notes(left_out, "Left out", nothing),),
        (Notes(lacking, "Not in this report", (recommended,)),),
    )


def missing(report: Report) -> dict[str, list[str]]:
    """Return the recommended elements that are not here, by the reason why."""
    groups: dict[str, list[str]] = {}
    for element in missing_elements(report):
        in_chamber = element.section in {"LV", "RV"} and not element.name.startswith(
            element.section
        )
        name = f"{element.section}: {element.name.lower()}" if in_chamber else element.name
        groups.setdefault(element.why(report), []).append(name)
    return groups
