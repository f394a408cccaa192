"""``cohort.csv``, ``key.csv`` and ``cohort.html``: what a reader of many studies looks at first."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opencmr import __version__
from opencmr.anatomy.quantities import Quantity
from opencmr.imaging.flag import Severity
from opencmr.measure.registry import EVERY_QUANTITY
from opencmr.report import html
from opencmr.report.blocks import (
    Block,
    Cell,
    Chart,
    Column,
    Fact,
    Facts,
    Number,
    Numbers,
    Page,
    Table,
    TableRow,
    beside,
)
from opencmr.report.contents import DISCLAIMER
from opencmr.report.histogram import histogram
from opencmr.report.outcome import StudyOutcome
from opencmr.report.plain_text import shown
from opencmr.report.rows import number, unit_text
from opencmr.report.tables import csv_text
from opencmr.report.templating import draw
from opencmr.storage import write_bytes

TABLE_FILE, KEY_FILE, PAGE_FILE = "cohort.csv", "key.csv", "cohort.html"
FILES = (TABLE_FILE, KEY_FILE, PAGE_FILE)
PATH_LIMIT = 4096
"""Characters kept of an input's path."""
CHIEF = (("LVEF",), ("LVEDVi", "LVEDV"), ("LVM",), ("RVEF",))
"""Quantities whose distribution is drawn: of each, the first that any study has."""
SEVERITIES = (Severity.DO_NOT_REPORT, Severity.REVIEW)
"""The worst first; what is for information alone stands in the study's own report."""
QUANTITIES: Mapping[str, Quantity] = {one.symbol: one for one in EVERY_QUANTITY}
APART = (
    "key.csv leads from the key of a study to where its input lay. Names of folders and files can "
    "identify a patient, and labels can: keep key.csv apart, and share this page with care."
)


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One study of a cohort.

    Attributes
    ----------
    outcome : StudyOutcome
    label : str
        What the user calls it; for the table and the page alone.
    input : str
        Where it lay; for ``key.csv`` alone.
    """

    outcome: StudyOutcome
    label: str = field(default="", repr=False)
    input: str = field(default="", repr=False)


def write(rows: Sequence[CohortRow], folder: Path) -> list[Path]:
    """Write the table, the keys and the page."""
    contents = (as_csv(rows), keys_as_csv(rows), html.markup(page_of(rows)))
    return [
        write_bytes(folder / name, content.encode("utf-8"))
        for name, content in zip(FILES, contents, strict=True)
    ]


def as_csv(rows: Sequence[CohortRow]) -> str:
    """Return one row a study: key, label, every value with its interval, flags, error, models."""
    symbols = _symbols(rows)
    values = [column for one in symbols for column in (one, f"{one}_low", f"{one}_high")]
    columns = ("key", "label", *values, "flags", "error", "model", "opencmr_version")
    return csv_text(columns, [_flat(row, symbols) for row in rows])


def keys_as_csv(rows: Sequence[CohortRow]) -> str:
    """Return from which input each key came."""
    told = [{"key": row.outcome.key, "input": shown(row.input, PATH_LIMIT)} for row in rows]
    return csv_text(("key", "input"), told)


def _symbols(rows: Sequence[CohortRow]) -> tuple[str, ...]:
    """Return every symbol that a study has, in the order of a report."""
    found = dict.fromkeys(symbol for row in rows for symbol in row.outcome.values)
    known = [symbol for symbol in QUANTITIES if symbol in found]
    return tuple(dict.fromkeys([*known, *found]))


def _flat(row: CohortRow, symbols: Sequence[str]) -> dict[str, object]:
    outcome = row.outcome
    flat: dict[str, object] = {
        "key": outcome.key,
        "label": shown(row.label, PATH_LIMIT),
        "flags": " ".join(outcome.codes()),
        "error": shown(outcome.error, PATH_LIMIT),
        "model": " ".join(outcome.models),
        "opencmr_version": outcome.version,
    }
    for symbol in symbols:
        low, high = outcome.intervals.get(symbol, (None, None))
        flat |= {
            symbol: outcome.values.get(symbol),
            f"{symbol}_low": low,
            f"{symbol}_high": high,
        }
    return flat


def page_of(rows: Sequence[CohortRow]) -> Page:
    """Return the page: how many, how the chief values are distributed, the worst studies first."""
    outcomes = [row.outcome for row in rows]
    chief = _chief(outcomes)
    charts = [_chart(outcomes, quantity) for quantity in chief]
    return Page(
        subject="Cohort",
        disclaimer=DISCLAIMER,
        made_by=f"opencmr {__version__} · {len(rows)} studies",
        blocks=(
            _facts(outcomes),
            _counts(outcomes),
            *beside(charts[::2], charts[1::2]),
            _table(rows, chief),
        ),
        closing="Every number here was computed by a program and confirmed by nobody. " + APART,
    )


def _chief(outcomes: Sequence[StudyOutcome]) -> list[Quantity]:
    """Return the chief quantities of which any study has a value."""
    valued = {
        symbol for one in outcomes for symbol, value in one.values.items() if value is not None
    }
    found = (next((name for name in names if name in valued), None) for names in CHIEF)
    return [QUANTITIES[symbol] for symbol in found if symbol is not None]


def _values(outcomes: Sequence[StudyOutcome], symbol: str) -> list[float]:
    return [value for one in outcomes if (value := one.values.get(symbol)) is not None]


def _facts(outcomes: Sequence[StudyOutcome]) -> Block:
    versions = sorted({one.version for one in outcomes if one.version})
    models = sorted({model for one in outcomes for model in one.models})
    facts = (
        Fact("Models", ", ".join(models)),
        Fact("Analysed by opencmr", ", ".join(versions)),
        Fact("The same numbers", TABLE_FILE),
    )
    count = len(outcomes)
    return Facts(facts, f"{count} {'study' if count == 1 else 'studies'}", is_subject=True)


def _counts(outcomes: Sequence[StudyOutcome]) -> Block:
    failed = sum(bool(one.error) for one in outcomes)
    withheld = sum(one.is_withheld for one in outcomes) - failed
    review = sum(bool(one.codes(Severity.REVIEW)) and not one.is_withheld for one in outcomes)
    return Numbers(
        (
            Number("Analysed", str(len(outcomes) - failed), foot=f"of {len(outcomes)} studies"),
            Number("Failed", str(failed), foot="no result"),
            Number("Not to be reported", str(withheld), foot="values withheld"),
            Number("To be reviewed", str(review), foot="look at the contours"),
        )
    )


def _chart(outcomes: Sequence[StudyOutcome], quantity: Quantity) -> Block:
    values = _values(outcomes, quantity.symbol)
    unit = unit_text(quantity.unit)
    chart = histogram(values, f"{quantity.symbol}, {unit}" if unit else quantity.symbol)
    low, middle, high = np.percentile(values, (25, 50, 75))
    quartiles = " to ".join(number(float(end), quantity.decimals) for end in (low, high))
    return Chart(
        draw("histogram.svg.j2", chart=chart),
        title=quantity.name,
        note=f"{len(values)} of {len(outcomes)} studies",
        hint=f"Median {number(float(middle), quantity.decimals)} {unit}, quartiles {quartiles}; "
        f"mean {number(statistics.fmean(values), quantity.decimals)}. The line is the median.",
    )


def _table(rows: Sequence[CohortRow], chief: Sequence[Quantity]) -> Block:
    worst_first = sorted(rows, key=lambda row: _badness(row.outcome), reverse=True)
    has_labels = any(row.label for row in rows)
    columns = (
        Column("Study", "word"),
        *((Column("Label"),) if has_labels else ()),
        *(Column(_headed(one), "number") for one in chief),
        Column("Not to be reported", "word", share=1.0),
        Column("Review", share=1.0),
    )
    return Table(
        columns,
        tuple(_table_row(row, chief, has_labels=has_labels) for row in worst_first),
        title="Studies, worst first",
        hint="Failed studies, then those with most flags. A key leads to the study's report.",
        otherwise="No study.",
    )


def _badness(outcome: StudyOutcome) -> tuple[bool, int, int]:
    """Failed, then flags by severity: the greater, the sooner to be looked at."""
    worst, next_worst = (sum(f.severity is one for f in outcome.flags) for one in SEVERITIES)
    return bool(outcome.error), worst, next_worst


def _headed(quantity: Quantity) -> str:
    unit = unit_text(quantity.unit)
    return f"{quantity.symbol}, {unit}" if unit else quantity.symbol


def _table_row(row: CohortRow, chief: Sequence[Quantity], *, has_labels: bool) -> TableRow:
    outcome = row.outcome
    key = Cell(outcome.key, link="" if outcome.error else f"{outcome.key}/report.html")
    label = (Cell(shown(row.label)),) if has_labels else ()
    if outcome.error:
        why = Cell(f"failed: {shown(outcome.error, 600)}", look="aside", span=len(chief) + 2)
        return TableRow((key, *label, why))
    cells = [_value_cell(outcome, one) for one in chief]
    codes = [Cell(" ".join(outcome.codes(severity))) for severity in SEVERITIES]
    return TableRow((key, *label, *cells, *codes))


def _value_cell(outcome: StudyOutcome, quantity: Quantity) -> Cell:
    value = outcome.values.get(quantity.symbol)
    if value is None:
        return Cell("no value", look="absent")
    low, high = outcome.intervals.get(quantity.symbol, (None, None))
    ends = [number(end, quantity.decimals) for end in (low, high) if end is not None]
    return Cell(number(value, quantity.decimals), below="–".join(ends), look="strong")
