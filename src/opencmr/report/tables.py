"""The measurements as JSON and as CSV: the same numbers, no identity."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from opencmr.imaging.change import Change
from opencmr.imaging.measurements import finite
from opencmr.report.authorship import authorship
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.plain_text import identifying_words, redacted, shown
from opencmr.storage import write_bytes, write_json

TEXT_LIMIT = 2000
"""Characters kept of a reason or of evidence."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet take a text for a formula (OWASP, CSV injection)."""
TEXTS = ("reason", "range_reason", "evidence")
"""Columns of free text."""
COLUMNS = (
    "symbol",
    "name",
    "value",
    "unit",
    "interval_low",
    "interval_high",
    "reason",
    "structure",
    "phase",
    "segment",
    "series",
    "code_value",
    "code_scheme",
    "code_meaning",
    "range_low",
    "range_high",
    "z_score",
    "verdict",
    "population",
    "citation",
    "range_reason",
    "policy",
    "evidence",
)


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``measurements.json`` and ``measurements.csv``."""
    rows = measurement_rows(report)
    words = identifying_words(report.study.identity)
    drawn = [(one.key, report.segmentations[one.key]) for one in report.measured_series()]
    content = {
        "measurements": rows,
        "segmentations": [authorship(key, one, words) for key, one in drawn],
        **_comparison(report, words),
        "disclaimer": DISCLAIMER,
    }
    json_path = write_json(folder / "measurements.json", content)
    csv_path = write_bytes(folder / "measurements.csv", as_csv(rows).encode("utf-8"))
    return [json_path, csv_path]


def measurement_rows(report: Report) -> list[dict[str, object]]:
    """Return every measurement as plain values, a curve as a row for each cardiac phase.

    A number that is not finite has no value.
    """
    words = identifying_words(report.study.identity)
    return [_told(row, words) for row in report.measurements.rows()]


def _comparison(report: Report, words: tuple[str, ...]) -> dict[str, object]:
    """Return the changes since an earlier result; nothing where there is none, and no date."""
    found = report.comparison
    if found is None:
        return {}
    previous = {
        "study": redacted(shown(found.earlier.study), words),
        "measurements_sha256": found.earlier.sha256,
        "opencmr": redacted(shown(found.earlier.version), words),
        "is_later": found.is_later,
        "is_same_study": found.is_same_study,
        "same_patient_by": "identifier" if found.by_identifier else "caller",
    }
    return {"previous": previous, "changes": [_change(one, words) for one in found.changes]}


def _change(one: Change, words: tuple[str, ...]) -> dict[str, object]:
    return {
        "symbol": one.quantity.symbol,
        "name": one.quantity.name,
        "unit": one.quantity.unit,
        "then": finite(one.then),
        "now": finite(one.now),
        "change": finite(one.change),
        "interval": [finite(end) for end in one.interval] if one.interval else None,
        "limit": finite(one.limit),
        "verdict": one.verdict.value if one.verdict else None,
        "reason": redacted(shown(str(one.reason or ""), TEXT_LIMIT), words),
    }


def _told(row: dict[str, object], words: tuple[str, ...]) -> dict[str, object]:
    """Return a row whose texts name nobody."""
    return row | {name: redacted(shown(str(row[name]), TEXT_LIMIT), words) for name in TEXTS}


def as_csv(rows: list[dict[str, object]]) -> str:
    """Return rows of :func:`measurement_rows` as comma-separated values with a header line."""
    return csv_text(COLUMNS, [_flat(row) for row in rows])


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as comma-separated values with a header line; None is an empty cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return stream.getvalue()


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    flat = {key: value for key, value in row.items() if key not in {"interval", "code", "range"}}
    interval = row["interval"]
    low, high = interval if isinstance(interval, list) else (None, None)
    flat |= {"interval_low": low, "interval_high": high}
    for name, prefix in (("code", "code_"), ("range", "")):
        nested = row[name]
        for key, value in nested.items() if isinstance(nested, dict) else ():
            flat[("range_" if key in {"low", "high"} else prefix) + key] = value
    return {column: flat.get(column) for column in COLUMNS}


def _cell(value: object) -> object:
    """Text that a spreadsheet would run is prefixed with an apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return "" if value is None else value
