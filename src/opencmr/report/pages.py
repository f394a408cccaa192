"""``report.html`` and ``report.pdf``: the same blocks, drawn once, on screen and on A4.

The PDF is set by typst, which comes with the extra ``pdf``.  For archives it goes into DICOM, too:
as it is, and as pictures of its pages.
"""

from pathlib import Path

from opencmr.report import dicom_page, dicom_pdf, html, pdf
from opencmr.report.contents import Report
from opencmr.report.dicom_study import why_none
from opencmr.report.sections.table import page_of
from opencmr.report.typesetting import why_no_pdf
from opencmr.storage import write_bytes


def write(report: Report, folder: Path) -> list[Path]:
    """Write the page and, where it can be set, the PDF; of a DICOM study as DICOM, too."""
    page = page_of(report)
    written = [write_bytes(folder / "report.html", html.markup(page).encode("utf-8"))]
    if why_no_pdf():
        return written
    if why_none(report):
        return [*written, write_bytes(folder / "report.pdf", pdf.document(page))]
    document, pictures = pdf.document_with_pictures(page, dicom_page.PIXELS_PER_INCH)
    return [
        *written,
        write_bytes(folder / "report.pdf", document),
        dicom_pdf.write(report, document, folder),
        *dicom_page.write(report, pictures, folder),
    ]
