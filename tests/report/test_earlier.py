"""A result is read back as it was written, and what is no result is refused."""

import json
from pathlib import Path

import pytest

from opencmr.errors import ConfigurationError
from opencmr.imaging.measurements import finite
from opencmr.report import fhir, run_record, tables
from opencmr.report.earlier import earlier_result, read_earlier


@pytest.fixture
def written(dicom_report, tmp_path):
    report, _ = dicom_report()
    folder = tmp_path / "result"
    folder.mkdir()
    files = [*tables.write(report, folder), *fhir.write(report, folder)]
    run_record.write(report, folder, files)
    return report, folder


def test_a_result_gives_back_its_values_and_its_patient(written) -> None:
    report, folder = written
    found = read_earlier(folder)
    assert (found.study, found.version) == (report.study.key, "0.1.0")
    assert (found.patient_id, found.issuer_of_patient_id) == ("ID-17", "")
    assert found.study_date == "2020-01-02"
    ef = report.measurements.find("LVEF")
    assert found.values["LVEF"].value == finite(ef.value)
    assert found.values["LVEF"].interval == tuple(map(finite, ef.interval))
    assert found.values["LVEF"].policy == ef.policy.text
    assert found.values["LVEF"].author == "sax_cine 1.0.0"
    assert found.values["PFR"].value is None
    assert "WT" not in found.values
    assert "LVV" not in found.values


def test_neither_the_record_nor_the_measurements_tell_whose_they_are(written) -> None:
    _, folder = written
    for name in ("run.json", "measurements.json", "measurements.csv"):
        text = (folder / name).read_text("utf-8")
        assert not [word for word in ("ID-17", "Müller", "2020-01-02") if word in text]


def test_a_result_without_its_bundle_names_nobody(written) -> None:
    _, folder = written
    (folder / "fhir" / "bundle.json").unlink()
    found = read_earlier(folder)
    assert (found.patient_id, found.study_date) == ("", "")
    assert found.values["LVEF"].value is not None


def test_no_earlier_result_is_asked_for_without_a_word(written, tmp_path: Path) -> None:
    _, folder = written
    assert earlier_result(None, is_same_patient=False) is None
    assert earlier_result(folder, is_same_patient=False) == read_earlier(folder)
    with pytest.raises(ConfigurationError, match="--same-patient goes with --previous"):
        earlier_result(None, is_same_patient=True)
    with pytest.raises(ConfigurationError, match="--previous names no folder") as refused:
        earlier_result(tmp_path / "Zanzibar", is_same_patient=True)
    assert "Zanzibar" not in str(refused.value)


@pytest.mark.parametrize("name", ["measurements.json", "fhir/bundle.json"])
def test_a_file_that_was_changed_is_refused(written, name: str) -> None:
    _, folder = written
    text = (folder / name).read_text("utf-8")
    (folder / name).write_text(text.replace("1", "2", 1), "utf-8")
    with pytest.raises(ConfigurationError, match=f"{name} of the earlier result is not the one"):
        read_earlier(folder)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "holds no run.json"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "not one of opencmr"),
        (b"{}", "not that of one study"),
        (json.dumps({"study": None, "studies": 2, "files": []}).encode(), "not that of one study"),
        (json.dumps({"study": "k", "files": [1, {}]}).encode(), "holds no measurements.json"),
    ],
)
def test_what_is_no_result_of_one_study_is_refused(
    tmp_path: Path, content: bytes | None, named: str
) -> None:
    folder = tmp_path / "Zanzibar"
    folder.mkdir()
    if content is not None:
        (folder / "run.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=named) as refused:
        read_earlier(folder)
    assert "Zanzibar" not in str(refused.value)


@pytest.mark.parametrize(
    "hostile",
    [
        {"measurements": 3},
        {"measurements": [], "segmentations": 5},
    ],
)
def test_measurements_of_another_make_are_refused(written, hostile) -> None:
    _, folder = written
    _forge(folder, "measurements.json", hostile)
    with pytest.raises(ConfigurationError, match="no list"):
        read_earlier(folder)


@pytest.mark.parametrize(
    "bundle",
    [
        {"entry": 3},
        {"entry": [1, {"resource": 2}, {"resource": {}}]},
        {"entry": [{"resource": {"resourceType": "Patient", "identifier": [7]}}]},
        {"entry": [{"resource": {"resourceType": "Patient", "identifier": [{"assigner": 1}]}}]},
    ],
)
def test_a_bundle_of_another_make_names_nobody(written, bundle) -> None:
    _, folder = written
    _forge(folder, "fhir/bundle.json", bundle)
    assert read_earlier(folder).patient_id == ""


def test_odd_rows_of_measurements_give_no_number(written) -> None:
    _, folder = written
    rows = [
        7,
        {"symbol": "LVEF", "value": True, "interval": ["a", 2]},
        {"symbol": "RVEF", "value": float("nan")},
        {"symbol": "LVM", "value": 1, "unit": "g"},
        {"symbol": "LVM", "value": 2, "unit": "g"},
    ]
    _forge(folder, "measurements.json", {"measurements": rows})
    found = read_earlier(folder).values
    assert {symbol: one.value for symbol, one in found.items()} == {"LVEF": None, "RVEF": None}


def _forge(folder: Path, name: str, content: object) -> None:
    """Put a file into a result as if it had been written there."""
    from opencmr.storage import sha256_of

    (folder / name).write_text(json.dumps(content), "utf-8")
    run = json.loads((folder / "run.json").read_bytes())
    for row in run["files"]:
        row["sha256"] = sha256_of(folder / row["path"])
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
