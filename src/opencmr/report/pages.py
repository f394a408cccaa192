"""``report.html`` and ``report.pdf``: the same blocks, drawn once, on screen and on A4.

The PDF is set by typst, which comes with the extra ``pdf``.
"""

from pathlib import Path

from opencmr.report import html, pdf
from opencmr.report.contents import Report
from opencmr.report.sections.table import page_of
from opencmr.report.typesetting import why_no_pdf
from opencmr.storage import write_bytes


def write(report: Report, folder: Path) -> list[Path]:
    """Write the page and, where it can be set, the PDF."""
    page = page_of(report)
    written = [write_bytes(folder / "report.html", html.markup(page).encode("utf-8"))]
    if not why_no_pdf():
        written.append(write_bytes(folder / "report.pdf", pdf.document(page)))
    return written
