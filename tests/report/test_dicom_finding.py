"""Findings in the measurement report: evaluations, headed as decision support, or none."""

import shutil
import subprocess
from dataclasses import replace

import highdicom
import pydicom
import pytest
from pydicom.dataset import Dataset

from opencmr.imaging.finding import DISCLAIMER
from opencmr.report import dicom_sr

from .finding_examples import CRITERIA, DOUBT, DOUBTFUL, NAMED, SHARES, WITHHELD, with_finding


def evaluations(report, folder) -> tuple[list[Dataset], Dataset]:
    """Return the evaluations of the finding, read by highdicom, and their group."""
    document = highdicom.sr.srread(dicom_sr.write(report, folder)[0])
    groups = document.content.get_image_measurement_groups()
    (group,) = [one for one in groups if one.get_qualitative_evaluations()]
    assert group.get_measurements() == []
    items = [one for one in group[0].ContentSequence if one.ValueType == "CODE"]
    read = [(one[0].name, one[0].value) for one in group.get_qualitative_evaluations()]
    assert [(one.name, one.value) for one in items if "ContentSequence" in one] == read
    return items, group[0]


def named(items, code: str) -> list[Dataset]:
    return [one for one in items if one.ConceptNameCodeSequence[0].CodeValue == code]


def value(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue)


def test_the_group_its_probabilities_and_the_set_come_back(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    found, group = evaluations(with_finding(report, NAMED), tmp_path)
    (answer,) = named(found, "GROUP")
    assert value(answer) == "GROUP_DCM"
    considered = named(found, "GROUP_CONSIDERED")
    shares = {
        value(one).removeprefix("GROUP_"): float(
            named(one.ContentSequence, "PROBABILITY")[0].MeasuredValueSequence[0].NumericValue
        )
        for one in considered
    }
    assert shares == SHARES
    within = [
        one
        for one in considered
        if value(named(one.ContentSequence, "IN_90_SET")[0]) == "373066001"
    ]
    assert [value(one) for one in within] == ["GROUP_DCM"]
    texts = [one.TextValue for one in named(group.ContentSequence, "121106")]
    assert texts[0] == f"{DISCLAIMER}."
    assert any(NAMED.disagreements[0] in text for text in texts)
    kind = named(group.ContentSequence, "121071")[0].ConceptCodeSequence[0]
    assert kind.CodeMeaning == "Decision support, research use only"


def test_every_criterion_has_its_outcome_and_why(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    found, _ = evaluations(with_finding(report, NAMED), tmp_path)
    said = {
        named(one.ContentSequence, "CRITERION")[0].TextValue: (
            value(one), named(one.ContentSequence, "121106")[0].TextValue,
        )
        for one in named(found, "OUTCOME")
    }  # fmt: skip
    assert {name: outcome for name, (outcome, _) in said.items()} == {
        "LV dilated": "MET", "RV dilated": "NOT_MET", "LVEF low": "NEAR", "iron": "NOT_ASSESSABLE",
    }  # fmt: skip
    assert said["LV dilated"][1].startswith(CRITERIA[0].evidence)
    assert said["iron"][1].startswith("T2* was not measured")


def test_an_indeterminate_finding_names_no_group_and_says_why(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    found, _ = evaluations(with_finding(report, DOUBTFUL), tmp_path)
    (answer,) = named(found, "GROUP")
    assert answer.ConceptCodeSequence[0].CodeMeaning == "Indeterminate"
    assert DOUBT.sentence in answer.ContentSequence[0].TextValue


def test_nothing_is_told_of_a_finding_that_was_withheld(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    without, withheld = (
        pydicom.dcmread(dicom_sr.write(one, tmp_path / name)[0])
        for name, one in (("a", report), ("b", with_finding(report, WITHHELD)))
    )
    assert withheld == without


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (dicom3tools)")
@pytest.mark.parametrize("finding", [NAMED, DOUBTFUL, replace(NAMED, read_from="\x00" * 2000)])
def test_an_independent_validator_finds_no_error(dicom_report, tmp_path, finding) -> None:
    report, _ = dicom_report()
    (path,) = dicom_sr.write(with_finding(report, finding), tmp_path)
    said = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr, said.stderr
