"""The Lake Louise criteria of simulated studies with a site's own limits, to every output."""

import json
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from opencmr.analyses import function
from opencmr.simulate import (
    HeartParameters,
    Protocol,
    TissueParameters,
    simulate_study,
    write_dicom,
)

from .test_machine_interface import DIAGNOSE, require, require_folder

TABLE = "2018 Lake Louise criteria"
PROTOCOL = replace(
    Protocol.small(), pixel_mm=1.8, rows=144, columns=128, phases=6, gap_mm=2.0, scouts=False,
    long_axis=False,
)  # fmt: skip
LIMITS = "symbol,low,high,source\nT1,900,1090,our MOLLI\nT2,40,60,our T2prep\nECV,20,30,ours\n"
"""Above what the small study's MOLLI and T2 preparations read in healthy muscle."""
DIFFUSE = {"t1_ms": 1250.0, "t2_ms": 65.0, "ecv_percent": 36.0}


@pytest.fixture
def analysed(opencmr, true_labels, monkeypatch, tmp_path):
    """Simulate, write and analyse a study, with its true labels in the network's place."""

    def of(*words: object, **muscle: float) -> Path:
        series = ("molli", "post-molli", "t2")
        study = simulate_study(
            HeartParameters(seed=3), protocol=PROTOCOL, tissue=TissueParameters(series, **muscle)
        )
        write_dicom(study, tmp_path / "study")
        (tmp_path / "ranges.csv").write_text(LIMITS)
        monkeypatch.setattr(function, "segment_short_axis", true_labels(study))
        done = opencmr(
            "analyze", tmp_path / "study", "-o", tmp_path / "result", "--haematocrit", 0.42, *words
        )
        assert done.status == 0, done.err
        return tmp_path / "result"

    return of


def rules(finding) -> dict[str, str]:
    return {
        row["criterion"].split(":")[0]: row["outcome"]
        for row in finding["rules"]
        if row["table"] == TABLE
    }


def findings(folder: Path):
    (finding,) = json.loads((folder / "run.json").read_text())["findings"]
    return finding


@pytest.mark.long
def test_a_diffuse_rise_of_t1_and_t2_is_met_by_the_sites_limits_in_every_output(
    opencmr, analysed, tmp_path
) -> None:
    folder = analysed("--ranges", tmp_path / "ranges.csv", **DIFFUSE)
    finding = findings(folder)
    require_folder(folder)
    assert rules(finding) == {
        "T2-based main criterion": "met",
        "T1-based main criterion": "met",
        "Both main criteria": "met",
        "One main criterion alone": "not met",
        "Supportive": "not met",
    }
    command = opencmr("diagnose", folder / "measurements.json", "--json").json
    require(command, DIAGNOSE)
    assert rules(command) == rules(finding)
    content = json.loads((folder / "measurements.json").read_text())
    for row in content["measurements"]:
        row["range"] = None
    (tmp_path / "unlimited.json").write_text(json.dumps(content))
    unlimited = rules(opencmr("diagnose", tmp_path / "unlimited.json", "--json").json)
    assert list(unlimited.values()) == [*["not assessable"] * 4, "not met"]
    page = (folder / "report.html").read_text()
    assert f"{TABLE} (decision support, research use only)" in page
    assert "strong evidence of acute inflammation" in page
    bundle = json.loads((folder / "fhir" / "bundle.json").read_text())
    resources = {one["fullUrl"]: one["resource"] for one in bundle["entry"]}
    (told,) = [one for one in resources.values() if "component" in one]
    strong = [
        one["valueCodeableConcept"]["coding"][0]["code"]
        for one in told["component"]
        if one["code"]["text"].startswith(f"{TABLE}: Both")
    ]
    assert strong == ["MET"]
    sources = [resources[one["reference"]] for one in told["derivedFrom"]]
    names = {one["code"]["text"] for one in sources if one["resourceType"] == "Observation"}
    assert {"Myocardial T1", "Myocardial T2", "Extracellular volume"} <= names
    if (folder / "dicom" / "sr.dcm").exists():
        report = pydicom.dcmread(folder / "dicom" / "sr.dcm")
        texts = [one.value for one in report.iterall() if one.keyword == "TextValue"]
        assert any(text.startswith(f"{TABLE}: Both main criteria") for text in texts)


@pytest.mark.long
def test_a_healthy_heart_meets_no_criterion_by_the_sites_limits(analysed, tmp_path) -> None:
    """Blood beside its thin apex lifts one segment's T2, which alone is near."""
    finding = findings(analysed("--ranges", tmp_path / "ranges.csv"))
    found = rules(finding)
    assert "met" not in found.values()
    assert found["Supportive"] == "not met"
    t2_based, t1_based = [one for one in finding["rules"] if one["table"] == TABLE][:2]
    assert t2_based["evidence"].endswith(("above it: 13", "above it: none"))
    assert t1_based["outcome"] == "not assessable"
    assert "late enhancement was not read" in t1_based["reason"]
    assert "native T1 10" in t1_based["evidence"]
