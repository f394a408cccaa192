"""When a result counts as finished, and how one that was made otherwise is told."""

import json
from pathlib import Path

import pytest

from opencmr import storage
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.techniques import Technique
from opencmr.batch.finished import GIVEN, is_finished, why_other
from opencmr.imaging.study import Demographics
from opencmr.models.precision import Precision
from opencmr.pipeline import Configuration

PLAIN = Configuration()
TALL, TALLER = (Configuration(demographics=Demographics(height_cm=h)) for h in (170.0, 180.0))


def result(folder: Path, configuration: Configuration = PLAIN) -> None:
    """Write what a study's result is known by."""
    path = storage.write_json(folder / "measurements.json", {"measurements": []})
    record = {
        "input_sha256": "sha-k",
        "configuration": configuration.record,
        "files": [{"path": path.name, "sha256": storage.sha256_of(path)}],
    }
    storage.write_json(folder / "run.json", record)


def test_a_result_is_finished_when_input_configuration_and_files_are_there(tmp_path):
    result(tmp_path)
    assert is_finished(tmp_path, "sha-k", PLAIN)
    assert not is_finished(tmp_path, "sha-other", PLAIN)
    result(tmp_path, TALL)
    assert is_finished(tmp_path, "sha-k", TALL)
    assert not is_finished(tmp_path, "sha-k", TALLER)
    (tmp_path / "measurements.json").unlink()
    assert not is_finished(tmp_path, "sha-k", TALL)
    (tmp_path / "run.json").write_text("[")
    assert not is_finished(tmp_path, "sha-k", TALL)


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (PLAIN, Configuration(model="m@1"), "--model (then newest that fits, now m@1)"),
        (Configuration(seg_type=SegType.LABELMAP), PLAIN, "--seg-type"),
        (PLAIN, Configuration(sequence=Technique.LGE), "--sequence"),
        (PLAIN, Configuration(precision=Precision.AUTO), "--precision (then f32, now auto)"),
        (TALL, PLAIN, "--height-cm (then given, now not given)"),
        (TALL, TALLER, "a value of --height-cm, --spacing"),
        (PLAIN, Configuration(spacing_mm=(8.0, 1.0, 1.0)), "a value of --spacing"),
    ],
)
def test_the_option_that_differs_is_named_without_a_value_of_the_patient(tmp_path, then, now, told):
    result(tmp_path, then)
    why = why_other(tmp_path, "sha-k", now)
    assert told in why
    assert "170" not in why
    assert why.count("--model") == ("--model" in told)


def test_a_result_of_before_precision_could_be_chosen_was_made_in_floats(tmp_path):
    result(tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    del record["configuration"]["precision"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert is_finished(tmp_path, "sha-k", PLAIN)
    integers = Configuration(precision=Precision.INT8)
    assert not is_finished(tmp_path, "sha-k", integers)
    assert "--precision (then f32, now int8)" in why_other(tmp_path, "sha-k", integers)


def test_another_input_and_no_difference_are_told_apart(tmp_path):
    assert why_other(tmp_path, "sha-k", PLAIN) == ""
    result(tmp_path)
    assert why_other(tmp_path, "sha-k", PLAIN) == ""
    assert "input has changed" in why_other(tmp_path, "sha-other", PLAIN)


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"input_sha256": "sha-k", "configuration": 3}'])
def test_a_strange_record_is_no_result_and_says_nothing(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    assert not is_finished(tmp_path, "sha-k", PLAIN)
    assert why_other(tmp_path, "sha-k", PLAIN) == ""


def test_all_that_is_known_of_a_patient_has_its_option():
    known = Demographics("M", 50.0, 170.0, 70.0, 60.0, 0.4, may_use_synthetic_haematocrit=True)
    given = Configuration(demographics=known).record["given_by_the_caller"]
    assert given == sorted(GIVEN)
