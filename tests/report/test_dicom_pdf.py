"""The report's PDF in a DICOM envelope."""

import shutil
import subprocess
import sys

import pydicom
import pytest

from opencmr.report import dicom_pdf, pages, run_record
from opencmr.report.typesetting import WITHOUT_TYPST


def test_the_document_comes_back_whole_in_the_study(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    document = b"%PDF-1.7 odd"  # of even length with the byte that is added
    for text in (document, document + b"!"):
        d = pydicom.dcmread(dicom_pdf.write(report, text, tmp_path))
        assert d.EncapsulatedDocument[: d.EncapsulatedDocumentLength] == text
        assert (d.StudyInstanceUID, d.PatientID) == ("1.2.3", "ID-17")
        assert "research use" in d.DocumentTitle


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
def test_an_independent_validator_finds_no_error(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    path = dicom_pdf.write(report, b"%PDF-1.7 x", tmp_path)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert said.stderr.split() == ["EncapsulatedPDF"], said.stderr


def test_pictures_that_are_not_dicom_get_a_page_and_a_document_alone(tiny_report, tmp_path) -> None:
    written = pages.write(tiny_report, tmp_path)
    assert [path.name for path in written] == ["report.html", "report.pdf"]


def test_the_document_in_the_envelope_is_the_one_beside_it(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    pages.write(report, tmp_path)
    d = pydicom.dcmread(tmp_path / "dicom" / "report.dcm")
    document = (tmp_path / "report.pdf").read_bytes()
    assert d.EncapsulatedDocument[: d.EncapsulatedDocumentLength] == document


def test_without_typst_the_record_names_each_missing_document_once(
    dicom_report, tiny_report, tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)  # as if it were not installed
    report, _ = dicom_report()
    assert [path.name for path in pages.write(report, tmp_path)] == ["report.html"]
    documents = ["report.pdf", "dicom/report.dcm", "dicom/report_page"]
    rows = [row for row in run_record.not_written(report) if row["reason"] == WITHOUT_TYPST]
    assert [row["what"] for row in rows] == documents
    rows = [row for row in run_record.not_written(tiny_report) if row["reason"] == WITHOUT_TYPST]
    assert [row["what"] for row in rows] == documents[:1]  # why there is no DICOM is told already
