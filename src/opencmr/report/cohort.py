"""``cohort.csv``, ``key.csv`` and ``cohort.html``: what a reader of many studies looks at first."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from opencmr import __version__
from opencmr.anatomy.quantities import Quantity
from opencmr.imaging.flag import QualityFlag, Severity
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
    key : str
        Hash that names its folder.
    label : str
        What the user calls it; for the table and the page alone.
    input : str
        Where it lay; for ``key.csv`` alone.
    values, intervals : mapping from symbol
        Of the whole heart.
    flags : tuple of QualityFlag
        Worst first.
    models : tuple of str
        ``name@version``.
    version : str
        Of the opencmr that made it.
    error : str
        Why it failed; empty when it did not.
    """

    key: str
    label: str = field(default="", repr=False)
    input: str = field(default="", repr=False)
    values: Mapping[str, float | None] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    flags: tuple[QualityFlag, ...] = ()
    models: tuple[str, ...] = ()
    version: str = ""
    error: str = ""

    @property
    def is_withheld(self) -> bool:
        """Whether a flag says that it must not be reported."""
        return any(flag.severity is Severity.DO_NOT_REPORT for flag in self.flags)

    @property
    def badness(self) -> tuple[bool, int, int]:
        """Failed, then flags by severity: the greater, the sooner to be looked at."""
        return bool(self.error), self._count(SEVERITIES[0]), self._count(SEVERITIES[1])

    def codes(self, *severities: Severity) -> tuple[str, ...]:
        """Return the codes of its flags, each once, worst first; of all severities by default."""
        asked = severities or tuple(Severity)
        return tuple(dict.fromkeys(f.code for f in self.flags if f.severity in asked))

    def _count(self, severity: Severity) -> int:
        return sum(flag.severity is severity for flag in self.flags)


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
    told = [{"key": row.key, "input": shown(row.input, PATH_LIMIT)} for row in rows]
    return csv_text(("key", "input"), told)


def _symbols(rows: Sequence[CohortRow]) -> tuple[str, ...]:
    """Return every symbol that a study has, in the order of a report."""
    found = dict.fromkeys(symbol for row in rows for symbol in row.values)
    known = [symbol for symbol in QUANTITIES if symbol in found]
    return tuple(dict.fromkeys([*known, *found]))


def _flat(row: CohortRow, symbols: Sequence[str]) -> dict[str, object]:
    flat: dict[str, object] = {
        "key": row.key,
        "label": shown(row.label, PATH_LIMIT),
        "flags": " ".join(row.codes()),
        "error": shown(row.error, PATH_LIMIT),
        "model": " ".join(row.models),
        "opencmr_version": row.version,
    }
    for symbol in symbols:
        low, high = row.intervals.get(symbol, (None, None))
        flat |= {symbol: row.values.get(symbol), f"{symbol}_low": low, f"{symbol}_high": high}
    return flat


def page_of(rows: Sequence[CohortRow]) -> Page:
    """Return the page: how many, how the chief values are distributed, the worst studies first."""
    chief = _chief(rows)
    charts = [_chart(rows, quantity) for quantity in chief]
    return Page(
        subject="Cohort",
        disclaimer=DISCLAIMER,
        made_by=f"opencmr {__version__} · {len(rows)} studies",
        blocks=(
            _facts(rows),
            _counts(rows),
            *beside(charts[::2], charts[1::2]),
            _table(rows, chief),
        ),
        closing="Every number here was computed by a program and confirmed by nobody. " + APART,
    )


def _chief(rows: Sequence[CohortRow]) -> list[Quantity]:
    """Return the chief quantities of which any study has a value."""
    valued = {symbol for row in rows for symbol, value in row.values.items() if value is not None}
    found = (next((one for one in names if one in valued), None) for names in CHIEF)
    return [QUANTITIES[symbol] for symbol in found if symbol is not None]


def _values(rows: Sequence[CohortRow], symbol: str) -> list[float]:
    return [value for row in rows if (value := row.values.get(symbol)) is not None]


def _facts(rows: Sequence[CohortRow]) -> Block:
    versions = sorted({row.version for row in rows if row.version})
    models = sorted({model for row in rows for model in row.models})
    facts = (
        Fact("Studies", str(len(rows))),
        Fact("Models", ", ".join(models)),
        Fact("Analysed by opencmr", ", ".join(versions)),
        Fact("The same numbers", TABLE_FILE),
    )
    return Facts(facts, "Cohort", is_subject=True)


def _counts(rows: Sequence[CohortRow]) -> Block:
    failed = sum(bool(row.error) for row in rows)
    withheld = sum(row.is_withheld for row in rows)
    review = sum(bool(row.codes(Severity.REVIEW)) and not row.is_withheld for row in rows)
    return Numbers(
        (
            Number("Analysed", str(len(rows) - failed), foot=f"of {len(rows)} studies"),
            Number("Failed", str(failed), foot="no result"),
            Number("Not to be reported", str(withheld), foot="values withheld"),
            Number("To be reviewed", str(review), foot="look at the contours"),
        )
    )


def _chart(rows: Sequence[CohortRow], quantity: Quantity) -> Block:
    values = _values(rows, quantity.symbol)
    unit = unit_text(quantity.unit)
    chart = histogram(values, f"{quantity.symbol}, {unit}" if unit else quantity.symbol)
    low, middle, high = np.percentile(values, (25, 50, 75))
    quartiles = " to ".join(number(float(one), quantity.decimals) for one in (low, high))
    return Chart(
        draw("histogram.svg.j2", chart=chart),
        title=quantity.name,
        note=f"{len(values)} of {len(rows)} studies",
        hint=f"Median {number(float(middle), quantity.decimals)} {unit}, quartiles {quartiles}; "
        f"mean {number(statistics.fmean(values), quantity.decimals)}. The line is the median.",
    )


def _table(rows: Sequence[CohortRow], chief: Sequence[Quantity]) -> Block:
    worst_first = sorted(rows, key=lambda row: row.badness, reverse=True)
    has_labels = any(row.label for row in rows)
    columns = (
        Column("Study"),
        *((Column("Label"),) if has_labels else ()),
        *(Column(_headed(one), "number") for one in chief),
        Column("Not to be reported", share=1.0),
        Column("Review", share=1.0),
    )
    return Table(
        columns,
        tuple(_table_row(row, chief, has_labels=has_labels) for row in worst_first),
        title="Studies, worst first",
        hint="Failed studies, then those with most flags. A key leads to the study's report.",
        otherwise="No study.",
    )


def _headed(quantity: Quantity) -> str:
    unit = unit_text(quantity.unit)
    return f"{quantity.symbol}, {unit}" if unit else quantity.symbol


def _table_row(row: CohortRow, chief: Sequence[Quantity], *, has_labels: bool) -> TableRow:
    key = Cell(row.key, link="" if row.error else f"{row.key}/report.html")
    label = (Cell(shown(row.label)),) if has_labels else ()
    if row.error:
        why = Cell(f"failed: {shown(row.error, 600)}", look="aside", span=len(chief) + 2)
        return TableRow((key, *label, why))
    cells = [_value_cell(row, one) for one in chief]
    codes = [Cell(" ".join(row.codes(severity))) for severity in SEVERITIES]
    return TableRow((key, *label, *cells, *codes))


def _value_cell(row: CohortRow, quantity: Quantity) -> Cell:
    value = row.values.get(quantity.symbol)
    if value is None:
        return Cell("no value", look="absent")
    low, high = row.intervals.get(quantity.symbol, (None, None))
    ends = [number(end, quantity.decimals) for end in (low, high) if end is not None]
    return Cell(number(value, quantity.decimals), below="–".join(ends), look="strong")
