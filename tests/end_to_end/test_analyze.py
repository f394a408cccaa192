"""The main job, from files to a report, as a user runs it."""

import json
import shutil
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest

VOLUMES = ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVEF")


def values(outcome) -> dict[str, float]:
    (study,) = outcome.json["studies"]
    return study["measurements"]


def test_every_promised_file_is_there(analysed):
    outcome, out = analysed
    assert outcome.status == 0, outcome.err
    for name in ("report.html", "report.pdf", "measurements.json", "measurements.csv", "run.json"):
        assert (out / name).stat().st_size > 500, name
    run = json.loads((out / "run.json").read_text())
    labelled = {key for row in run["plan"] if row["runs"] for key in row["series"]}
    found = {path.name for path in (out / "segmentation").glob("*_seg.nii.gz")}
    assert found == {f"{key}_seg.nii.gz" for key in labelled}
    assert len(found) == 3, "the stack, the two- and the four-chamber cine"


def test_the_measured_heart_is_near_the_simulated_one(analysed, phantom):
    found = values(analysed[0])
    assert found["LVEF"] == pytest.approx(phantom.truth["LVEF"], abs=6)
    assert found["LVEDV"] == pytest.approx(phantom.truth["LVEDV"], rel=0.12)
    assert found["LVM"] == pytest.approx(phantom.truth["LVM"], rel=0.2)


def test_the_same_numbers_stand_in_the_command_s_output_and_in_the_files(analysed):
    outcome, out = analysed
    rows = json.loads((out / "measurements.json").read_text())["measurements"]
    in_file = {r["symbol"]: r["value"] for r in rows if r["phase"] is None and not r["segment"]}
    for symbol in VOLUMES:
        assert in_file[symbol] == pytest.approx(values(outcome)[symbol])


def test_a_second_run_refuses_to_overwrite(analysed, opencmr, phantom_dicom):
    _, out = analysed
    before = (out / "run.json").read_bytes()
    again = opencmr("analyze", phantom_dicom, "-o", out)
    assert again.status == 2
    assert "--overwrite" in again.err
    assert (out / "run.json").read_bytes() == before


def test_overwrite_never_touches_a_folder_of_other_files(opencmr, phantom_dicom, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    refused = opencmr("analyze", phantom_dicom, "-o", tmp_path, "--overwrite")
    assert refused.status == 2
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_missing_input_is_a_usage_error(opencmr, tmp_path):
    outcome = opencmr("analyze", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "does not exist" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_images_has_nothing_analysable(opencmr, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "letter.txt").write_text("Dear colleague")
    outcome = opencmr("analyze", tmp_path / "in", "-o", tmp_path / "out")
    assert outcome.status == 4
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_shuffled_renamed_zipped_and_nested_files_give_the_same_numbers(
    analysed, opencmr, phantom_dicom, tmp_path
):
    files = sorted(phantom_dicom.glob("*.dcm"))
    np.random.default_rng(0).shuffle(files)
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for number, file in enumerate(files):
            target.write(file, f"deep/{number % 3}/IM{number}")
        target.writestr("deep/readme.txt", "no image")
    outcome = opencmr("analyze", archive, "-o", tmp_path / "out", "--json")
    assert outcome.status == 0, outcome.err
    for symbol in VOLUMES:
        assert values(outcome)[symbol] == pytest.approx(values(analysed[0])[symbol], abs=1e-9)


@pytest.mark.long
def test_two_patients_in_one_folder_become_two_reports(opencmr, phantom_dicom, tmp_path):
    source = tmp_path / "in"
    shutil.copytree(phantom_dicom, source)
    other = source / "other"
    other.mkdir()
    for file in phantom_dicom.glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.StudyInstanceUID += ".1"
        dataset.SeriesInstanceUID += ".1"
        dataset.SOPInstanceUID += ".1"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.PatientID = "OTHER"
        dataset.save_as(other / file.name)
    outcome = opencmr("analyze", source, "-o", tmp_path / "out", "--json")
    assert outcome.status == 0, outcome.err
    studies = outcome.json["studies"]
    assert len(studies) == 2
    assert studies[0]["measurements"] == pytest.approx(studies[1]["measurements"], nan_ok=True)
    for study in studies:
        assert (tmp_path / "out" / study["key"] / "report.html").is_file()
        assert "OTHER" not in study["key"]


def test_a_study_of_scouts_alone_is_reported_as_nothing_analysable(
    opencmr, phantom_dicom, tmp_path
):
    source = tmp_path / "in"
    source.mkdir()
    for file in phantom_dicom.glob("*.dcm"):
        if "LOCALIZER" in str(pydicom.dcmread(file, stop_before_pixels=True).SeriesDescription):
            shutil.copy(file, source)
    outcome = opencmr("analyze", source, "-o", tmp_path / "out", "--json")
    assert outcome.status == 4
    (study,) = outcome.json["studies"]
    assert "NO_SAX_CINE" in study["flags"]


def test_no_identifier_reaches_the_output_but_the_report_and_the_hospital_s_objects(
    opencmr, phantom_dicom, tmp_path
):
    canary = "Zanzibar"
    source = tmp_path / canary
    source.mkdir()
    for file in phantom_dicom.glob("*.dcm"):
        dataset = pydicom.dcmread(file)
        dataset.PatientName, dataset.PatientID = f"{canary}^Anna", f"{canary}-1"
        dataset.AccessionNumber = canary
        dataset.save_as(source / f"{canary}-{file.name}")
    outcome = opencmr("analyze", source, "-o", tmp_path / "out", "--json", "-v")
    assert outcome.status == 0, outcome.err
    assert canary not in outcome.out.replace(str(tmp_path), "")
    assert canary not in outcome.err.replace(str(tmp_path), "")
    for path in (tmp_path / "out").rglob("*"):
        assert canary not in path.name
        if path.parent.name in ("dicom", "fhir"):  # for the hospital's own systems
            continue
        if path.is_file() and path.name not in ("report.html", "report.pdf"):
            assert canary.encode() not in path.read_bytes(), path.name


@pytest.mark.long
def test_what_headers_lack_can_be_given(opencmr, phantom_nifti, tmp_path):
    outcome = opencmr(
        "analyze", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "out", "--json",
        "--height-cm", 178, "--weight-kg", 76, "--sex", "m", "--age", 50,
    )  # fmt: skip
    found = values(outcome)
    assert found["LVEDVi"] == pytest.approx(found["LVEDV"] / np.sqrt(178 * 76 / 3600))


def test_a_nifti_cine_gives_what_its_dicom_gives(analysed, opencmr, phantom_nifti, tmp_path):
    outcome = opencmr("analyze", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "out", "--json")
    assert values(outcome)["LVEF"] == pytest.approx(values(analysed[0])["LVEF"], abs=1.5)
    assert values(outcome)["LVEDV"] == pytest.approx(values(analysed[0])["LVEDV"], rel=0.02)


def test_a_single_stack_tells_its_volume_and_no_ejection_fraction(opencmr, phantom_nifti, tmp_path):
    cine = nibabel.load(phantom_nifti / "sax.nii.gz")
    stack = nibabel.Nifti1Image(np.asarray(cine.dataobj)[..., 0], cine.affine)
    stack.header.set_xyzt_units("mm")
    nibabel.save(stack, tmp_path / "ed.nii.gz")
    outcome = opencmr("analyze", tmp_path / "ed.nii.gz", "-o", tmp_path / "out", "--json")
    assert outcome.status == 0, outcome.err
    assert values(outcome)["LVV"] > 50
    assert "SEQUENCE_ASSUMED" in outcome.json["studies"][0]["flags"]
    assert values(outcome)["LVEF"] is None


def test_ed_and_es_go_together(opencmr, phantom_nifti, tmp_path):
    outcome = opencmr("analyze", "--ed", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "out")
    assert outcome.status == 2
    assert "--es" in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ("analyze", "--no-such-option"),
        ("analyze", ".", "--sex", "x"),
        ("analyze", ".", "--height-cm", "1700"),
        ("analyze", ".", "--spacing", "1,2"),
        ("analyze",),
        ("frobnicate",),
    ],
)
def test_a_wrong_command_is_a_usage_error_without_a_traceback(opencmr, tmp_path, words):
    outcome = opencmr(*words, *(("-o", tmp_path / "o") if words[0] == "analyze" else ()))
    assert outcome.status == 2
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("symbol,low,high\nLVEFF,50,70\n", "no quantity has the symbol LVEFF"),
        ("symbol,low,high\nLVEF,70,50\n", "line 2: high"),
        ("quantity;low;high\n", "expected symbol, low, high"),
        ("symbol;low;high;source\nLVEF;57,5;73;Universit\xe4t\n", "CSV UTF-8"),
    ],
)
def test_ranges_that_cannot_be_meant_are_refused_before_anything_runs(
    opencmr, tmp_path, table, said
):
    (tmp_path / "ranges.csv").write_bytes(table.encode("cp1252"))
    outcome = opencmr("analyze", ".", "-o", tmp_path / "o", "--ranges", tmp_path / "ranges.csv")
    assert outcome.status == 2
    assert said in outcome.err


def test_an_unknown_model_is_a_failure_that_names_the_known_ones(opencmr, phantom_nifti, tmp_path):
    outcome = opencmr(
        "analyze", phantom_nifti / "sax.nii.gz", "-o", tmp_path / "out", "--model", "magic"
    )
    assert outcome.status == 1
    assert "cine_sax" in outcome.err
