"""The measurement report: every value comes back with unit, code, site and range."""

import importlib.util
import shutil
import subprocess
from dataclasses import replace

import highdicom
import pydicom
import pytest
from pydicom.dataset import Dataset

from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.report import dicom_seg, dicom_sr, run_record
from opencmr.report.contents import DISCLAIMER

KINDS = ("one series", "a series a slice", "enhanced", "an enhanced instance a slice")


def numbers_of(item: Dataset) -> list[Dataset]:
    """Return every NUM item of a measurement group, by pydicom alone."""
    found = []
    for child in item.get("ContentSequence", ()):
        is_group = child.ValueType == "CONTAINER"
        found += numbers_of(child) if is_group else [child] if child.ValueType == "NUM" else []
    return found


def children(item: Dataset, code: str) -> list[Dataset]:
    return [one for one in item.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == code]


def test_every_value_comes_back_with_its_unit_code_site_and_range(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    document = pydicom.dcmread(dicom_sr.write(report, tmp_path)[0])
    found = numbers_of(document)
    expected = [
        m for m in report.measurements if isinstance(m, Measurement) and m.value is not None
    ]
    expected.sort(key=lambda one: one.series == "")  # the body's come in a group of their own
    assert len(found) == len(expected) > 40
    for item, one in zip(found, expected, strict=True):
        measured = item.MeasuredValueSequence[0]
        assert float(measured.NumericValue) == pytest.approx(one.value, abs=1e-5)
        assert measured.MeasurementUnitsCodeSequence[0].CodeValue == one.quantity.unit
        name = item.ConceptNameCodeSequence[0]
        code = one.quantity.code
        assert (name.CodeValue, name.CodingSchemeDesignator) == (code.value, code.scheme)
        if one.reference is not None:
            limits = [children(item, limit) for limit in ("385524004", "371933006")]
            said = [float(row[0].MeasuredValueSequence[0].NumericValue) for row in limits]
            assert said == [one.reference.low, one.reference.high]
    by_symbol = {one.quantity.symbol: item for item, one in zip(found, expected, strict=True)}
    for symbol, moment, site in (
        ("LVEDV", "416190007", "87878005"),
        ("RVESV", "416430001", "53085002"),
    ):
        item = by_symbol[symbol]
        assert children(item, "272518008")[0].ConceptCodeSequence[0].CodeValue == moment
        assert children(item, "363698007")[0].ConceptCodeSequence[0].CodeValue == site
    assert not children(by_symbol["LVEF"], "272518008")


def test_segments_are_finding_sites(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    document = pydicom.dcmread(dicom_sr.write(report, tmp_path)[0])
    meanings = [
        children(item, "363698007")[0].ConceptCodeSequence[0].CodeMeaning
        for item in numbers_of(document)
        if item.ConceptNameCodeSequence[0].CodeValue == "WTH"
    ]
    assert len(meanings) == 16  # the apex has no value
    assert meanings[8] == "left ventricle mid inferoseptal segment"


def test_it_is_unverified_partial_and_for_research(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    document = pydicom.dcmread(dicom_sr.write(report, tmp_path)[0])
    assert (document.VerificationFlag, document.CompletionFlag) == ("UNVERIFIED", "PARTIAL")
    assert DISCLAIMER in str(document)
    whole = tuple(
        one for one in report.measurements if isinstance(one, Measurement) and not one.reason
    )
    complete = replace(report, measurements=Measurements(whole))
    other = pydicom.dcmread(dicom_sr.write(complete, tmp_path / "other")[0])
    assert other.CompletionFlag == "COMPLETE"


def test_it_refers_to_the_segs_and_the_pictures(dicom_report, tmp_path) -> None:
    report, folder = dicom_report("a series a slice")
    document = highdicom.sr.srread(dicom_sr.write(report, tmp_path)[0])
    evidence = {(str(series), str(sop)) for _, series, sop, _ in document.get_evidence()}
    segs = {
        (str(d.SeriesInstanceUID), str(d.SOPInstanceUID))
        for d in map(pydicom.dcmread, dicom_seg.write(report, tmp_path))
    }
    pictures = {
        (str(d.SeriesInstanceUID), str(d.SOPInstanceUID))
        for d in map(pydicom.dcmread, sorted(folder.iterdir()))
    }
    assert segs < evidence
    assert evidence - segs < pictures
    groups = document.content.get_image_measurement_groups()
    assert [len(group.source_images) for group in groups] == [3 * 3 + 3, 0]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
@pytest.mark.parametrize("kind", KINDS)
def test_an_independent_validator_finds_no_error(dicom_report, tmp_path, kind) -> None:
    report, _ = dicom_report(kind)
    (path,) = dicom_sr.write(report, tmp_path)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr, said.stderr


def test_without_highdicom_there_is_no_report_and_the_record_says_why(
    dicom_report, tmp_path, monkeypatch
) -> None:
    report, _ = dicom_report()
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "highdicom" else found(name)
    )
    assert dicom_sr.write(report, tmp_path) == []
    assert run_record.not_written(report) == [
        {"what": "dicom/sr.dcm", "reason": dicom_sr.WITHOUT_HIGHDICOM}
    ]
