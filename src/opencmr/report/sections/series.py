"""The series that were found, and what became of each."""

from opencmr.imaging.study import Series
from opencmr.report import contact_sheet
from opencmr.report.blocks import Block, Cell, Column, Table, TableRow
from opencmr.report.contents import Report
from opencmr.report.plain_text import shown
from opencmr.report.rows import spacing_text

COLUMNS = (
    Column(),
    Column("Description", share=1.3),
    Column("View"),
    Column("Sequence"),
    Column("Sure", "number", hint="share of the votes for sequence and view; no probability"),
    Column("Slices × phases", "number"),
    Column("Spacing"),
    Column("What became of it", share=1.1),
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return the contact sheet and the table of series."""
    rows = tuple(_row(series, report) for series in report.study.series)
    table = Table(COLUMNS, rows, "Series found", otherwise="none")
    sheet = contact_sheet.of_stacks(report.study)
    return (table,) if sheet is None else (sheet, table)


def _row(series: Series, report: Report) -> TableRow:
    measured = series.key in report.segmentations
    codes = ", ".join(flag.code for flag in series.flags)
    verdict = "measured" if measured else "mapped" if series.key in report.maps else "not measured"
    sure = min(series.view_confidence, series.sequence_confidence)
    texts = (
        series.key,
        shown(series.header.series_description, 80) or "–",
        series.view.value,
        series.sequence.value,
        f"{100 * sure:.0f} %",
        f"{series.image.grid.shape[0]} × {series.image.phases}",
        spacing_text(series),
    )
    because = "; ".join(shown(fact) for fact in series.because)
    return TableRow(
        (*(Cell(text) for text in texts), Cell(verdict, small=codes)),
        under=f"because {because}" if because else "no evidence noted",
        is_strong=measured or series.key in report.maps,
    )
