"""The report's PDF in a DICOM envelope."""

import shutil
import subprocess
import sys

import pydicom
import pytest

from opencmr.report import dicom_page, dicom_pdf, run_record
from opencmr.report.typesetting import WITHOUT_TYPST


def test_the_document_comes_back_whole_in_the_study(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    document = b"%PDF-1.7 odd"  # of even length with the byte that is added
    for text in (document, document + b"!"):
        (tmp_path / "report.pdf").write_bytes(text)
        d = pydicom.dcmread(dicom_pdf.write(report, tmp_path)[0])
        assert d.EncapsulatedDocument[: d.EncapsulatedDocumentLength] == text
        assert (d.StudyInstanceUID, d.PatientID) == ("1.2.3", "ID-17")
        assert "research use" in d.DocumentTitle


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
def test_an_independent_validator_finds_no_error(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 x")
    (path,) = dicom_pdf.write(report, tmp_path)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert said.stderr.split() == ["EncapsulatedPDF"], said.stderr


def test_nothing_is_wrapped_for_pictures_that_are_not_dicom(tiny_report, tmp_path) -> None:
    assert dicom_pdf.write(tiny_report, tmp_path) == []


def test_without_typst_the_record_names_each_missing_document_once(
    dicom_report, tiny_report, tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)  # as if it were not installed
    report, _ = dicom_report()
    assert dicom_pdf.write(report, tmp_path) == dicom_page.write(report, tmp_path) == []
    documents = ["report.pdf", "dicom/report.dcm", "dicom/report_page"]
    rows = [row for row in run_record.not_written(report) if row["reason"] == WITHOUT_TYPST]
    assert [row["what"] for row in rows] == documents
    rows = [row for row in run_record.not_written(tiny_report) if row["reason"] == WITHOUT_TYPST]
    assert [row["what"] for row in rows] == documents[:1]  # why there is no DICOM is told already
