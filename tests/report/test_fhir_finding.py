"""Findings in the bundle: observations that rest on others, never a condition."""

import json
from dataclasses import replace

from fhir.resources.R4B.bundle import Bundle

from opencmr.imaging.finding import DISCLAIMER, Outcome
from opencmr.report import fhir

from .finding_examples import DOUBT, DOUBTFUL, NAMED, SHARES, WITHHELD, criterion, with_finding

REAL = replace(NAMED, criteria=(criterion("LVEF reduced (at most 40 %)", Outcome.MET),))


def resources(report):
    bundle = json.loads(json.dumps(fhir.bundle(report)))
    Bundle.model_validate(bundle)
    return {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}


def finding_of(found):
    (one,) = [resource for resource in found.values() if "component" in resource]
    return one


def test_a_finding_is_a_preliminary_observation_and_no_condition(dicom_report) -> None:
    report, _ = dicom_report()
    found = resources(with_finding(report, NAMED))
    assert "Condition" not in {one["resourceType"] for one in found.values()}
    told = finding_of(found)
    assert (told["resourceType"], told["status"]) == ("Observation", "preliminary")
    assert told["category"][0]["coding"][0]["code"] == "imaging"
    assert told["code"]["text"].startswith("Decision support, research use only")
    assert told["valueCodeableConcept"]["coding"][0]["code"] == "GROUP_DCM"
    assert told["valueCodeableConcept"]["coding"][0]["system"].startswith("urn:uuid:")
    assert "dilated cardiomyopathy" in told["interpretation"][0]["text"]
    assert told["note"][0]["text"] == f"{DISCLAIMER}."
    (page,) = [one for one in found.values() if one["resourceType"] == "DiagnosticReport"]
    assert {"reference": f"urn:uuid:{told['id']}"} in page["result"]


def test_probabilities_the_set_and_the_criteria_are_components(dicom_report) -> None:
    report, _ = dicom_report()
    parts = finding_of(resources(with_finding(report, NAMED)))["component"]
    shares = {
        one["code"]["coding"][1]["code"].removeprefix("GROUP_"): one["valueQuantity"]["value"]
        for one in parts
        if "valueQuantity" in one
    }
    assert shares == SHARES
    within = [one for one in parts if one["interpretation"][0]["text"] == "in the 90 % set"]
    assert [one["code"]["coding"][1]["code"] for one in within] == ["GROUP_DCM"]
    outcomes = {
        one["code"]["text"]: one["valueCodeableConcept"]["coding"][0]["code"]
        for one in parts
        if "valueCodeableConcept" in one
    }
    assert outcomes == {
        "LV dilated": "MET", "RV dilated": "NOT_MET", "LVEF low": "NEAR", "iron": "NOT_ASSESSABLE",
    }  # fmt: skip


def test_it_is_derived_from_the_values_that_rules_and_classifier_read(dicom_report) -> None:
    report, _ = dicom_report()
    found = resources(with_finding(report, REAL))
    sources = [found[one["reference"]] for one in finding_of(found)["derivedFrom"]]
    kinds = [one["resourceType"] for one in sources]
    assert kinds == ["ImagingStudy", "Observation"]
    assert sources[1]["code"]["text"] == "LV ejection fraction"


def test_an_indeterminate_finding_is_told_as_such(dicom_report) -> None:
    report, _ = dicom_report()
    told = finding_of(resources(with_finding(report, DOUBTFUL)))
    assert told["valueCodeableConcept"]["text"] == "Indeterminate"
    assert told["interpretation"][0]["coding"][0]["code"] == "IND"
    assert DOUBT.sentence in told["interpretation"][0]["text"]


def test_nothing_is_told_of_a_finding_that_was_withheld(dicom_report) -> None:
    report, _ = dicom_report()
    assert fhir.bundle(with_finding(report, WITHHELD)) == fhir.bundle(report)
