"""The bundle: its structure by another's rules, its numbers and codes by ours."""

import json
from dataclasses import fields, replace

import pytest
from fhir.resources.R4B.bundle import Bundle

from opencmr.anatomy.quantities import Code
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.study import Identity
from opencmr.measure import QUANTITIES
from opencmr.report import fhir
from opencmr.report.contents import DISCLAIMER


def written(report, folder):
    return json.loads(fhir.write(report, folder)[0].read_text(encoding="utf-8"))


def of_kind(bundle, kind):
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key == "reference" else references(value)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def test_the_structure_is_that_of_fhir(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    bundle = written(report, tmp_path)
    Bundle.model_validate(bundle)
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len({*urls}) == len(urls)
    assert {*references(bundle)} <= {*urls}


def test_every_value_is_an_observation_with_unit_code_and_range(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    found = of_kind(written(report, tmp_path), "Observation")
    expected = [
        one for one in report.measurements if isinstance(one, Measurement) and one.value is not None
    ]
    assert len(found) == len(expected) > 40
    for one, said in zip(expected, found, strict=True):
        assert said["valueQuantity"]["value"] == pytest.approx(one.value, abs=1e-6)
        assert said["valueQuantity"]["code"] == one.quantity.unit
        assert said["code"]["coding"][0]["code"] == one.quantity.code.value
        assert DISCLAIMER in said["note"][0]["text"]
        assert ("referenceRange" in said) == (one.reference is not None)
    by_name = {one["code"]["text"]: one for one in found}
    mass = by_name["LV mass at end-diastole"]
    assert mass["code"]["coding"][0]["system"] == "http://loinc.org"
    assert mass["interpretation"][0]["coding"][0]["code"] == "H"
    assert (
        mass["referenceRange"][0]["low"]["value"],
        mass["referenceRange"][0]["high"]["value"],
    ) == (46, 93)


def test_every_quantity_has_a_coding_system() -> None:
    codes: set[Code] = {one.code for one in QUANTITIES}
    assert {code.scheme for code in codes} <= {*fhir.SYSTEMS}


def test_patient_and_study_are_those_of_the_pictures(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    bundle = written(report, tmp_path)
    (patient,) = of_kind(bundle, "Patient")
    assert patient["identifier"] == [{"value": "ID-17"}]
    assert patient["name"] == [{"family": "Müller", "given": ["Ève"]}]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1970-01-02")
    (study,) = of_kind(bundle, "ImagingStudy")
    assert study["identifier"][0]["value"] == "urn:oid:1.2.3"
    assert study["started"] == "2020-01-02"


def test_the_same_result_has_the_same_ids(dicom_report, tmp_path) -> None:
    report, _ = dicom_report()
    later = replace(
        report, provenance=replace(report.provenance, created="2030-01-01T00:00:00+00:00")
    )
    ids = [[entry["fullUrl"] for entry in fhir.bundle(one)["entry"]] for one in (report, later)]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "text", ["a\\b\x00\x1b[31m\r\nc\ud800", "x" * 70_000, "^^^=^^", "<b>\u202e"]
)
def test_hostile_header_texts_stay_text(dicom_report, tmp_path, text) -> None:
    report, _ = dicom_report()
    identity = Identity(**{field.name: text for field in fields(Identity)})
    identity = replace(identity, patient_id="ID-17")
    bundle = written(replace(report, study=replace(report.study, identity=identity)), tmp_path)
    Bundle.model_validate(bundle)
    assert "birthDate" not in of_kind(bundle, "Patient")[0]


def test_nothing_is_written_for_pictures_that_are_not_dicom(tiny_report, tmp_path) -> None:
    assert fhir.write(tiny_report, tmp_path) == []
