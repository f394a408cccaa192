"""What a new result supersedes: named in its measurement report, read back by pydicom alone."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from opencmr.archive.node import AnalyzeReceived
from opencmr.batch import one_study
from opencmr.cli.application import application
from opencmr.door import write_report
from opencmr.imaging.image import Instance
from opencmr.imaging.measurements import Measurements
from opencmr.intake.studies import read_studies
from opencmr.pipeline import Configuration
from opencmr.report import dicom_seg, dicom_sr, fhir, tables, writers
from opencmr.report.contents import Report
from opencmr.report.dicom_study import uid_of
from opencmr.report.superseded import REPORT_FILE, predecessors_of, superseded_reports

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
DIAGNOSTIC_REPORT_REPLACES = "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"
Runs = Callable[[str], Dataset]


def configured(report: Report, model: str) -> Report:
    """Return the result that another configuration gives."""
    made = replace(report.provenance, configuration=Configuration(model=model).record)
    return replace(report, provenance=made)


def named(document: Dataset) -> list[tuple[str, str, str, str]]:
    """Return study, series, class and instance of every predecessor, in their order."""
    return [
        (
            study.StudyInstanceUID,
            series.SeriesInstanceUID,
            one.ReferencedSOPClassUID,
            one.ReferencedSOPInstanceUID,
        )
        for study in document.get("PredecessorDocumentsSequence", [])
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]


def names_of(*documents: Dataset) -> list[tuple[str, str, str, str]]:
    """Return by what a later document names these."""
    return [
        (d.StudyInstanceUID, d.SeriesInstanceUID, COMPREHENSIVE_SR, d.SOPInstanceUID)
        for d in documents
    ]


@pytest.fixture
def run(dicom_report, tmp_path) -> Runs:
    """Write the result of a configuration over what is in one folder; returns its report."""
    report, _ = dicom_report()
    report = replace(report, measurements=Measurements(tuple(report.measurements)[:3]))

    def write(model: str) -> Dataset:
        over = superseded_reports(tmp_path / "out", report.study.uid)
        made = replace(configured(report, model), superseded=over)
        (path,) = dicom_sr.write(made, tmp_path / "out")
        return pydicom.dcmread(path)

    return write


def test_a_first_result_names_no_predecessor(run: Runs) -> None:
    assert "PredecessorDocumentsSequence" not in run("a")


def test_a_changed_result_has_new_uids_and_names_the_earlier_report(run: Runs) -> None:
    first, second = run("a"), run("b")
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert named(second) == names_of(first)
    (study,) = second.PredecessorDocumentsSequence
    (why,) = (
        study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].PurposeOfReferenceCodeSequence
    )
    assert (why.CodeValue, why.CodingSchemeDesignator) == ("121360", "DCM")  # CID 7009


@pytest.mark.parametrize("models", ["aabb", "aba", "abcbca"])
def test_the_same_result_is_the_same_bytes_whenever_it_is_made(
    run: Runs, tmp_path: Path, models: str
) -> None:
    """Of one folder; nothing ever names itself, and no two name each other."""
    seen: dict[str, bytes] = {}
    line: dict[str, list[str]] = {}
    for model in models:
        document = run(model)
        content = (tmp_path / "out" / REPORT_FILE).read_bytes()
        assert seen.setdefault(model, content) == content
        line[document.SOPInstanceUID] = [one[3] for one in named(document)]
    assert len(line) == len({*models})
    for uid, before in line.items():
        assert uid not in before
        assert all(uid not in line[other] for other in before)


def test_every_earlier_report_stays_named_newest_first(run: Runs) -> None:
    first, second, third = run("a"), run("b"), run("c")
    assert named(third) == names_of(second, first)
    assert len(third.PredecessorDocumentsSequence) == 1  # one item a study


def test_masks_and_uids_stay_as_they_are(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    earlier = Instance(COMPREHENSIVE_SR, "2.25.7", 1, "2.25.8", report.study.uid)
    later = replace(report, superseded=(earlier,))
    for one, other in zip(
        dicom_seg.write(report, tmp_path / "one"),
        dicom_seg.write(later, tmp_path / "other"),
        strict=True,
    ):
        assert one.read_bytes() == other.read_bytes()
    for role in ("SR", "series SR", "anything"):
        assert uid_of(report, role) == uid_of(later, role)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
def test_an_independent_validator_finds_no_error(run: Runs, tmp_path) -> None:
    for model in "abc":
        run(model)
    words = ["dciodvfy", "-new", tmp_path / "out" / REPORT_FILE]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr, said.stderr


def test_the_bundle_names_the_diagnostic_report_before_it(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    first = configured(report, "a")
    second = configured(report, "b")
    dicom_sr.write(first, tmp_path)
    second = replace(second, superseded=superseded_reports(tmp_path, report.study.uid))
    before, after = fhir.bundle(first), fhir.bundle(second)
    Bundle.model_validate(after)
    assert "extension" not in before["entry"][0]["resource"]
    (extension,) = after["entry"][0]["resource"]["extension"]
    assert extension["url"] == DIAGNOSTIC_REPORT_REPLACES
    assert extension["valueReference"]["reference"] == before["entry"][0]["fullUrl"]
    assert after["entry"][0]["fullUrl"] != before["entry"][0]["fullUrl"]
    again = replace(first, superseded=superseded_reports(tmp_path, report.study.uid))
    assert fhir.bundle(again) == before


def foreign_study(d: Dataset) -> None:
    d.StudyInstanceUID = "1.2.4"


def foreign_maker(d: Dataset) -> None:
    d.Manufacturer = "other"


def foreign_model(d: Dataset) -> None:
    d.ManufacturerModelName = "other"


def foreign_class(d: Dataset) -> None:
    d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.22"


def foreign_uid(d: Dataset) -> None:
    d.SOPInstanceUID = "1.2.3.4.5"


def uid_of_no_uuid(d: Dataset) -> None:
    d.SOPInstanceUID = "2.25.999999999999999999999999999999999999999"


def no_series(d: Dataset) -> None:
    del d.SeriesInstanceUID


def two_uids(d: Dataset) -> None:
    d.SOPInstanceUID = ["2.25.1", "2.25.2"]


def foreign_predecessor(d: Dataset) -> None:
    d.PredecessorDocumentsSequence[0].StudyInstanceUID = "1.2.4"


def empty_predecessor(d: Dataset) -> None:
    d.PredecessorDocumentsSequence = [Dataset()]


@pytest.mark.parametrize(
    "changed",
    [
        foreign_study,
        foreign_maker,
        foreign_model,
        foreign_class,
        foreign_uid,
        uid_of_no_uuid,
        no_series,
        two_uids,
        foreign_predecessor,
        empty_predecessor,
    ],
)
def test_what_is_not_of_this_study_or_not_ours_is_not_named(
    run: Runs, tmp_path: Path, changed: Callable[[Dataset], None]
) -> None:
    run("a")
    document = run("b")
    path = tmp_path / "out" / REPORT_FILE
    assert len(superseded_reports(tmp_path / "out", "1.2.3")) == 2
    changed(document)
    document.save_as(path)
    assert superseded_reports(tmp_path / "out", "1.2.3") == ()
    assert named(run("c")) == []


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_report_is_no_error(damaged_folder: Path, data: st.DataObject) -> None:
    path = damaged_folder / REPORT_FILE
    content = bytearray(path.with_suffix(".whole").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for one in superseded_reports(damaged_folder, "1.2.3"):
        assert one.study_instance_uid == "1.2.3"
        assert one.sop_instance_uid.startswith("2.25.")


@pytest.fixture(scope="module")
def damaged_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small report, whole under another suffix."""
    folder = tmp_path_factory.mktemp("damaged")
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID = COMPREHENSIVE_SR, "2.25.1"
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.2.3", "2.25.2"
    d.Manufacturer = d.ManufacturerModelName = "opencmr"
    d.file_meta = pydicom.dataset.FileMetaDataset()
    d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    path = folder / REPORT_FILE
    path.parent.mkdir()
    d.save_as(path, enforce_file_format=True)
    assert len(superseded_reports(folder, "1.2.3")) == 1
    path.rename(path.with_suffix(".whole"))
    return folder


def test_no_folder_no_report_and_no_file_are_no_error(tmp_path: Path) -> None:
    assert superseded_reports(None, "1.2.3") == ()
    assert superseded_reports(tmp_path / "absent", "1.2.3") == ()
    (tmp_path / REPORT_FILE).mkdir(parents=True)
    assert superseded_reports(tmp_path, "1.2.3") == ()


@given(st.lists(st.integers(0, 99), unique=True, max_size=6), st.integers(0, 99))
def test_a_document_that_joins_its_line_again_names_what_stands_behind_it(
    numbers: list[int], new: int
) -> None:
    line = [Instance("1.2", f"2.25.{number}", 1) for number in numbers]
    found = predecessors_of(f"2.25.{new}", line)
    assert found == tuple(line[len(line) - len(found) :])
    assert all(one.sop_instance_uid != f"2.25.{new}" for one in found)
    assert (len(found) == len(line)) == (new not in numbers)


@pytest.fixture
def pictures(dicom_report, monkeypatch) -> Path:
    """The pictures of a study, whose analysis is told and whose result has few files."""
    report, folder = dicom_report()
    few = (("measurements", tables.write), ("DICOM measurements", dicom_sr.write))
    monkeypatch.setattr(writers, "WRITERS", few)
    monkeypatch.setattr(
        one_study, "analyze_study", lambda _, made, **__: configured(report, made.model)
    )
    return folder


def test_a_result_that_is_written_over_another_names_it(pictures, tmp_path) -> None:
    """The command and the function: what is replaced is read before that."""
    out = tmp_path / "result"

    def analyzed(model: str) -> Dataset:
        words = ["analyze", pictures, "-o", out, "--model", model, "--overwrite"]
        said = CliRunner().invoke(application, list(map(str, words)))
        assert (out / REPORT_FILE).is_file(), said.output
        return pydicom.dcmread(out / REPORT_FILE)

    first, second = analyzed("a"), analyzed("b")
    assert named(first) == []
    assert named(second) == names_of(first)
    with read_studies(pictures) as studies:
        study = studies[0]
    report = one_study.analyze_study(study, Configuration(model="c"))
    write_report(report, out, overwrite=True)
    assert named(pydicom.dcmread(out / REPORT_FILE)) == names_of(second, first)


def test_a_study_that_a_node_analyses_again_names_the_result_that_it_is_given(
    pictures, tmp_path
) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    assert AnalyzeReceived("a")(pictures, first, None) == ""
    assert AnalyzeReceived("b")(pictures, second, first) == ""
    documents = [pydicom.dcmread(one / REPORT_FILE) for one in (first, second)]
    assert [named(one) for one in documents] == [[], names_of(documents[0])]
