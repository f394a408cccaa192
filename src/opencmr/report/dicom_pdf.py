"""``dicom/report.dcm``: the report's PDF in a DICOM envelope, for archives that show no other."""

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from opencmr.anatomy.quantities import Code
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_study import (
    FIRST_SERIES_NUMBER,
    FOLDER,
    as_stated,
    begin,
    coded,
    save,
)

SERIES_NUMBER = FIRST_SERIES_NUMBER + 91
_TITLE = Code("18755-9", "LN", "MRI report")


def write(report: Report, document: bytes, folder: Path) -> Path:
    """Write the PDF of a report on DICOM pictures in its envelope (PS3.3 A.45.1)."""
    with as_stated():
        return save(_dataset(report, document), folder / FOLDER / "report.dcm")


def _dataset(report: Report, document: bytes) -> Dataset:
    d = begin(
        report,
        EncapsulatedPDFStorage,
        "PDF",
        series_role="PDF",
        modality="DOC",
        series_number=SERIES_NUMBER,
        series_description="opencmr report, research use",
    )
    d.ConversionType = "WSD"
    d.AcquisitionDateTime = ""
    d.BurnedInAnnotation = "YES"
    d.RecognizableVisualFeatures = "NO"
    d.DocumentTitle = f"Cardiac MRI, {DISCLAIMER.lower()}"
    d.ConceptNameCodeSequence = [coded(_TITLE)]
    d.MIMETypeOfEncapsulatedDocument = "application/pdf"
    d.EncapsulatedDocumentLength = len(document)
    d.EncapsulatedDocument = document + bytes(len(document) % 2)
    return d
