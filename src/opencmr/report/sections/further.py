"""What no other section tells: whole-heart values in a table, segments as bull's-eyes."""

from collections.abc import Collection

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.report.blocks import Beside, Block, Cell, Column, Table, TableRow
from opencmr.report.charts import Bullseye, bullseye, bullseye_block
from opencmr.report.contents import Report
from opencmr.report.rows import Row, row_of
from opencmr.report.sections.ventricles import told_symbols

COLUMNS = (Column(), Column(kind="number"), Column(share=1))
PHASE_SUFFIX = "_PHASE"
"""Quantities that number a cardiac phase: told beside the curves and the pictures."""


def tell(report: Report, told_analyses: Collection[str]) -> tuple[Block, ...]:
    """Return table and bull's-eyes, without analyses that have a section of their own."""
    rows = tuple(_table_row(row) for row in further_rows(report, told_analyses))
    told: tuple[Block, ...] = (Table(COLUMNS, rows, "Further measurements"),) if rows else ()
    drawn = tuple((bullseye_block(one),) for one in _further_bullseyes(report, told_analyses))
    return (*told, Beside(drawn, "Further measurements by AHA segment")) if drawn else told


def further_rows(report: Report, told_analyses: Collection[str]) -> tuple[Row, ...]:
    """Return the rows, in the order of the report."""
    placed = told_symbols(report)
    return tuple(
        row_of(m, m.quantity.name)
        for m in report.measurements.whole_heart
        if (
            m.quantity.symbol not in placed
            if m.analysis == FUNCTION
            else m.analysis not in told_analyses
        )
        and not m.quantity.symbol.endswith(PHASE_SUFFIX)
    )


def _further_bullseyes(report: Report, told_analyses: Collection[str]) -> tuple[Bullseye, ...]:
    analyses = dict.fromkeys(one.analysis for one in report.measurements)
    return tuple(
        bullseye(segments)
        for analysis in analyses
        if analysis != FUNCTION and analysis not in told_analyses
        for segments in report.measurements.of(analysis).by_segment
    )


def _table_row(row: Row) -> TableRow:
    name = Cell(row.name, small=row.symbol)
    return TableRow((name, row.cell, Cell(row.reason or row.evidence, look="aside")))
