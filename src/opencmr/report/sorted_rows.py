"""Named series as programs and people read them: without a word that identifies anybody."""

from collections.abc import Iterable

from opencmr.report.plain_text import identifying_words, redacted, shown
from opencmr.sort.examination import NamedSeries


def plain_row(one: NamedSeries) -> dict[str, object]:
    """Return a row of ``opencmr sort --json``; the keys are a contract."""
    naming, scanned = one.naming, one.scanned
    description = shown(scanned.header.series_description)
    return {
        "series_instance_uid": scanned.uid,
        "description": redacted(description, identifying_words(scanned.identity)),
        "sequence": naming.sequence.value,
        "view": naming.view.value,
        "probability": round(naming.probability, 3),
        "evidence": list(naming.evidence),
        "role": one.role,
        "instances": scanned.instances,
        "sequence_probability": round(naming.sequence_probability, 3),
        "view_probability": round(naming.view_probability, 3),
        "study": scanned.study_key,
    }


def table_text(named: Iterable[NamedSeries]) -> list[str]:
    """Return the lines of a table for people."""
    head = ("images", "sequence", "view", "prob.", "role", "description")
    rows = [head]
    for one in named:
        row = plain_row(one)
        rows.append(
            (
                str(row["instances"]),
                str(row["sequence"]),
                str(row["view"]),
                f"{one.naming.probability:.2f}",
                one.role,
                str(row["description"]),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
