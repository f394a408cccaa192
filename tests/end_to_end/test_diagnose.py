"""``opencmr diagnose``: from a result or a pair of stacks to an opinion, or to none."""

import json
from pathlib import Path

import pytest

NAMES = {"NOR", "MINF", "DCM", "HCM", "RV"}
HEART = {
    "LVEDV": 280.0,
    "LVESV": 230.0,
    "LVEF": 100 * 50 / 280,
    "LVM": 160.0,
    "RVEDV": 150.0,
    "RVESV": 90.0,
    "RVEF": 40.0,
    "WT_MEAN": 6.5,
    "WT_MAX": 10.0,
    "WTH_MEAN": 12.0,
}


def written(folder: Path, values: dict[str, float | None]) -> str:
    rows = [{"symbol": s, "value": v, "phase": None, "segment": None} for s, v in values.items()]
    path = folder / "measurements.json"
    path.write_text(json.dumps({"measurements": rows}))
    return str(path)


def test_a_large_heart_that_hardly_moves_is_like_the_dilated_ones(opencmr, tmp_path) -> None:
    words = ("--height-cm", 175, "--weight-kg", 75, "--json")
    found = opencmr("diagnose", written(tmp_path, HEART), *words).json
    shares = found["probabilities"]
    assert set(shares) == NAMES
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert max(shares, key=lambda name: shares[name]) == "DCM"
    assert "not for diagnosis" in str(found["disclaimer"])
    assert found["rules"]
    assert found["reasons"]


def test_without_sex_and_body_size_there_is_an_answer_from_fewer_measurements(
    opencmr, tmp_path
) -> None:
    found = opencmr("diagnose", written(tmp_path, HEART), "--json").json
    assert found["read_from"] == "measurements"


def test_a_withheld_measurement_makes_it_indeterminate(opencmr, tmp_path) -> None:
    outcome = opencmr("diagnose", written(tmp_path, HEART | {"LVEF": None}), "--json")
    found = outcome.json
    assert outcome.status == 3
    assert found["probabilities"] == dict.fromkeys(("NOR", "MINF", "DCM", "HCM", "RV"))
    assert found["indeterminate"]


def test_what_a_check_withheld_in_part_is_concluded_from_in_no_part(opencmr, tmp_path) -> None:
    path = Path(written(tmp_path, HEART | {"LVM": None}))
    content = json.loads(path.read_bytes())
    for one in content["measurements"]:
        one["reason"] = "MISSING_SLICE: withheld" if one["symbol"] == "LVM" else ""
    path.write_text(json.dumps(content))
    outcome = opencmr("diagnose", path, "--json")
    assert outcome.status == 3
    assert {one["outcome"] for one in outcome.json["rules"]} == {"not assessable"}
    assert "MISSING_SLICE" in str(outcome.json["indeterminate"])


def test_people_read_the_same_with_the_warning_first(opencmr, tmp_path) -> None:
    done = opencmr("diagnose", written(tmp_path, HEART))
    assert done.status in (0, 3)
    assert done.out.splitlines()[0].startswith("Research use only, not for diagnosis")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"measurements": 3}', "[" * 100_000, "\xff"])
def test_what_is_no_result_is_refused(opencmr, tmp_path, content) -> None:
    path = tmp_path / "x.json"
    path.write_text(content, encoding="latin-1")
    assert opencmr("diagnose", path).status == 4


@pytest.mark.parametrize("arguments", [[], ["--ed", "a.nii"], ["x.json", "--es", "a.nii"]])
def test_half_an_input_is_refused(opencmr, arguments) -> None:
    assert opencmr("diagnose", *arguments).status == 2


@pytest.mark.real_data
@pytest.mark.parametrize(
    "patient", ["patient022", pytest.param("patient001", marks=pytest.mark.long)]
)
def test_a_pair_of_native_stacks_gets_an_opinion_or_a_doubt(opencmr, data_folder, patient) -> None:
    stem = data_folder / "acdc" / patient
    pair = ("--ed", f"{stem}_ed.nii.gz", "--es", f"{stem}_es.nii.gz", "--json")
    outcome = opencmr("diagnose", *pair)
    status, found = outcome.status, outcome.json
    assert status in (0, 3)
    shares = found["probabilities"]
    assert set(shares) == NAMES
    assert bool(found["indeterminate"]) == (status == 3)
    assert found["group"] is None or found["set"] == [found["group"]]
