"""Volumes, function and mass of both ventricles: four great numbers and two tables."""

from collections.abc import Iterable, Iterator

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.report import palette
from opencmr.report.blocks import (
    Block,
    Cell,
    Column,
    Notes,
    Number,
    Numbers,
    Table,
    TableRow,
    beside,
)
from opencmr.report.contents import Report
from opencmr.report.plain_text import prose, shown
from opencmr.report.rows import TEXT_LIMIT, Row, distinct, row_of, told_once
from opencmr.report.sections.method import measured_from

CHAMBERS = (("LV", "Left ventricle"), ("RV", "Right ventricle"))
GIVEN_PHASE = (("V", "Volume at the given phase"), ("MASS", "Mass at the given phase"))
"""Of a stack at one phase, which is neither end-diastole nor end-systole."""
WHOLE_CINE = (
    ("EDV", "End-diastolic volume"),
    ("EDVi", "indexed"),
    ("ESV", "End-systolic volume"),
    ("ESVi", "indexed"),
    ("SV", "Stroke volume"),
    ("SVi", "indexed"),
    ("EF", "Ejection fraction"),
    ("CO", "Cardiac output"),
    ("CI", "indexed"),
    ("M", "Mass, end-diastole"),
    ("Mi", "indexed"),
)
"""A reader's order: ends of a symbol, after LV or RV, and what its row is called."""
KEY_NUMBERS = (("LVEF",), ("LVEDVi", "LVEDV"), ("RVEF",), ("LVMi", "LVM"))
"""The four numbers set large; the first of each that has a value is shown."""
COLUMNS = (
    Column("Quantity"),
    Column("Measured", "number"),
    Column("Normal", "number", share=1),
    Column("", "strip"),
    Column("z", "number", hint="standard deviations from the mean of the normal range"),
)
NOT_HERE = frozenset({"BSA"})
"""Told beside the patient."""


def tell(report: Report) -> tuple[Block, ...]:
    """Return the numbers and tables; nothing where no ventricle was measured."""
    function = report.measurements.of(FUNCTION)
    numbers = key_numbers(function)
    chambers = {chamber: chamber_rows(report, chamber) for chamber, _ in CHAMBERS}
    if not any(chambers.values()):
        return (Numbers(numbers),) if numbers else ()
    tables = (
        (_table(title, chambers[chamber], palette.ON_PAPER[chamber]),)
        for chamber, title in CHAMBERS
    )
    lines = notes(report, tuple(row for rows in chambers.values() for row in rows))
    return (Numbers(numbers),) * bool(numbers) + (*beside(*tables), Notes(small=lines))


def key_numbers(function: Measurements) -> tuple[Number, ...]:
    """Return the numbers set large."""
    chosen = []
    for symbols in KEY_NUMBERS:
        found = [m for symbol in symbols if (m := function.find(symbol))]
        with_value = [m for m in found if m.value is not None]
        if found:
            best = (with_value or found)[0]
            chosen.append(_number(row_of(best, best.quantity.name)))
    return tuple(chosen)


def _number(row: Row) -> Number:
    if row.reason:
        return Number(row.name, "", foot=row.reason)
    foot = f"normal {row.range}" if row.range else "no normal range applied"
    return Number(row.name, row.value, row.unit, foot, row.verdict, row.strip)


def chamber_rows(report: Report, chamber: str) -> tuple[Row, ...]:
    """Return every row of a ventricle that was measured, in a reader's order."""
    function = report.measurements.of(FUNCTION)
    found = ((function.find(f"{chamber}{end}"), label) for end, label in WHOLE_CINE)
    return (
        *at_given_phase(report, chamber),
        *(row_of(measurement, label) for measurement, label in found if measurement),
    )


def at_given_phase(report: Report, chamber: str) -> tuple[Row, ...]:
    """Return the rows of a stack at one phase; none of a cine, whose curves are drawn."""
    still = {series.key for series in report.measured_series() if series.image.phases == 1}
    function = report.measurements.of(FUNCTION)
    curves = ((function.curve(f"{chamber}{end}"), label) for end, label in GIVEN_PHASE)
    return tuple(
        row_of(curve.at(0), label)
        for curve, label in curves
        if curve and curve.values.size and curve.series in still
    )


def told_symbols(report: Report) -> frozenset[str]:
    """Return the symbols of function that this section or the patient's facts tell."""
    rows = (row for chamber, _ in CHAMBERS for row in chamber_rows(report, chamber))
    return NOT_HERE | {row.symbol for row in rows}


def _table(title: str, rows: tuple[Row, ...], colour: str) -> Table:
    shown_rows = tuple(_table_row(row) for row in told_once(rows))
    return Table(COLUMNS, shown_rows, title, colour=colour, otherwise="not measured")


def _table_row(row: Row) -> TableRow:
    name = Cell(row.label, hint=f"{row.symbol}: {row.name}")
    if row.reason:
        why = Cell(row.reason, look="aside", span=len(COLUMNS) - 2)
        return TableRow((name, row.cell, why), is_indented=row.indexed)
    normal = Cell(row.range or "–", look="muted")
    strip = Cell(strip=row.strip, verdict=row.verdict)
    z_score = Cell(row.z_score, look="muted", verdict=row.verdict)
    return TableRow((name, row.cell, normal, strip, z_score), is_indented=row.indexed)


def notes(report: Report, rows: tuple[Row, ...]) -> tuple[str, ...]:
    """Return the small print: sources of ranges, intervals, indices and ranges left out."""
    whole_heart = report.measurements.of(FUNCTION).whole_heart
    sources = distinct(
        f"{m.reference.population}: {m.reference.citation}" for m in whole_heart if m.reference
    )
    whole_reasons = {row.reason for row in rows if not row.indexed}
    not_indexed = distinct(
        row.reason for row in rows if row.indexed and row.reason not in whole_reasons
    )
    told = {row.symbol for row in rows}
    return (
        *(f"Normal range: {source}." for source in sources),
        *_interval_notes(report),
        *(f"Not indexed to body size: {reason}." for reason in not_indexed),
        *_without_range(m for m in whole_heart if m.quantity.symbol in told),
        f"Measured from {measured_from(report, FUNCTION)}.",
    )


def _without_range(whole_heart: Iterable[Measurement]) -> Iterator[str]:
    """Yield why no range is shown, and of what."""
    lacking: dict[str, list[str]] = {}
    for one in whole_heart:
        if one.value is not None and not one.reference and one.reference_reason:
            why = prose(one.reference_reason, TEXT_LIMIT)
            lacking.setdefault(why, []).append(shown(one.quantity.name))
    for why, names in lacking.items():
        yield f"No range shown for {', '.join(dict.fromkeys(names))}: {why}."


def _interval_notes(report: Report) -> tuple[str, ...]:
    """Say what the intervals of the tables are, where there are any."""
    function = report.measurements.of(FUNCTION)
    found = [m for symbol in ("LVEF", "RVEF") if (m := function.find(symbol)) and m.interval]
    chambers = (f"{m.quantity.symbol[:2]} {shown(m.evidence, TEXT_LIMIT)}" for m in found)
    told = ", ".join(chambers)
    said = (
        f"Below a value: its interval over the ways to read the base, {told}. The outlines of the "
        "other slices have an error of their own, which is not in it."
    )
    return (said,) * bool(told)
