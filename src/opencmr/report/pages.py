"""``report.html`` and ``report.pdf``: the same blocks, drawn once, on screen and on A4."""

from pathlib import Path

from opencmr.report import html, pdf
from opencmr.report.contents import Report
from opencmr.report.sections.table import page_of
from opencmr.storage import write_bytes


def write(report: Report, folder: Path) -> list[Path]:
    """Write the page and the PDF."""
    page = page_of(report)
    return [
        write_bytes(folder / "report.html", html.markup(page).encode("utf-8")),
        write_bytes(folder / "report.pdf", pdf.document(page)),
    ]
