"""An earlier result named on the command line: compared, or refused before any work."""

import json

import nibabel
import numpy as np
import pytest


def test_the_same_study_twice_changes_in_nothing(opencmr, phantom_dicom, analysed, tmp_path):
    _, earlier = analysed
    out = tmp_path / "out"
    assert opencmr("analyze", phantom_dicom, "-o", out, "--previous", earlier, "-q").status in (
        0,
        3,
    )
    told = json.loads((out / "measurements.json").read_bytes())
    facts = {name: told["previous"][name] for name in ("is_same_study", "same_patient_by")}
    assert facts == {"is_same_study": True, "same_patient_by": "identifier"}
    changes = {row["symbol"]: row for row in told["changes"]}
    compared = {symbol for symbol, row in changes.items() if row["change"] is not None}
    assert {"LVEDV", "LVEF", "RVEDV"} <= compared
    assert {changes[symbol]["change"] for symbol in compared} == {0.0}
    assert changes["LVEF"]["verdict"] == "within repeatability"
    page = (out / "report.html").read_text("utf-8")
    assert "Since the earlier study" in page
    record = json.loads((out / "run.json").read_bytes())["configuration"]
    assert record["previous_study"] == json.loads((earlier / "run.json").read_bytes())["study"]


def test_a_study_without_identifiers_is_refused_before_it_is_segmented(
    opencmr, phantom_nifti, analysed, tmp_path
):
    _, earlier = analysed
    image = phantom_nifti / "sax.nii.gz"
    outcome = opencmr("analyze", image, "-o", tmp_path / "out", "--previous", earlier)
    assert outcome.status == 2
    assert "--same-patient" in outcome.err
    assert "segmenting" not in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_labels_of_a_reader_are_compared_with_an_earlier_result_of_the_same_reader(
    opencmr, phantom_dicom, analysed, stack_labels, tmp_path
):
    first, out = tmp_path / "first", tmp_path / "out"
    words = ("measure", phantom_dicom, "--labels", stack_labels, "--author", "Reader 1", "-q")
    opencmr(*words, "-o", first, "--previous", analysed[1])
    told = json.loads((first / "measurements.json").read_bytes())
    # The network drew the labels of the earlier result, a reader these.
    assert {row["change"] for row in told["changes"]} == {None}
    opencmr(*words, "-o", out, "--previous", first)
    told = json.loads((out / "measurements.json").read_bytes())
    changes = {row["symbol"]: row["change"] for row in told["changes"]}
    assert changes["LVEDV"] == changes["LVEF"] == 0.0
    assert "Since the earlier study" in (out / "report.html").read_text("utf-8")


def test_a_result_is_not_written_over_the_earlier_one_that_it_is_compared_with(
    opencmr, phantom_dicom, analysed, stack_labels
):
    _, earlier = analysed
    before = (earlier / "run.json").read_bytes()
    for words in (("analyze", phantom_dicom), ("measure", phantom_dicom, "--labels", stack_labels)):
        outcome = opencmr(*words, "-o", earlier, "--previous", earlier, "--overwrite")
        assert outcome.status == 2
    assert (earlier / "run.json").read_bytes() == before


@pytest.mark.parametrize("verb", ["analyze", "measure"])
@pytest.mark.parametrize("words", [("--same-patient",), ("--previous", "nowhere")])
def test_words_that_name_no_earlier_result_are_a_mistake_of_usage(
    opencmr, phantom_dicom, stack_labels, tmp_path, verb, words
):
    given = ("--labels", stack_labels) if verb == "measure" else ()
    outcome = opencmr(verb, phantom_dicom, *given, "-o", tmp_path / "out", *words)
    assert outcome.status == 2
    assert "--previous" in outcome.err
    assert not (tmp_path / "out").exists()


def test_several_studies_have_no_one_earlier_result(opencmr, analysed, tmp_path):
    _, earlier = analysed
    source = tmp_path / "in"
    source.mkdir()
    for number in (1, 2):
        values = np.random.default_rng(number).normal(400, 100, (48, 48, 3)).astype(np.float32)
        for moment in ("ED", "ES"):
            image = nibabel.Nifti1Image(values, np.diag([2, 2, 8, 1.0]))
            image.header.set_xyzt_units("mm")
            nibabel.save(image, source / f"case{number}_sa_{moment}.nii.gz")
            values = values + 20
    outcome = opencmr("analyze", source, "-o", tmp_path / "out", "--previous", earlier)
    assert outcome.status == 2
    assert "the input holds 2" in outcome.err
    assert not (tmp_path / "out").exists()
