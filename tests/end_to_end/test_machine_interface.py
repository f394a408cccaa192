"""What programs read is a public contract: its schemas stand in the reference."""

import json
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pytest
import typer

from opencmr.cli.application import application

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"


def schema(name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return content


ANALYZE, RUN, MEASUREMENTS, PLAN, DIAGNOSE = map(
    schema, ("analyze", "run", "measurements", "plan", "diagnose")
)


def require(content: object, schema: dict[str, object]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema, jsonschema.Draft202012Validator)


def require_folder(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    require(run, RUN)
    for finding in run["findings"]:
        require(finding, DIAGNOSE)
    require(json.loads((folder / "measurements.json").read_text()), MEASUREMENTS)
    for path in (folder / "segmentation").glob("*_seg.json"):
        require(json.loads(path.read_text()), schema("labels"))


def test_a_measured_study_keeps_the_contract(analysed):
    outcome, folder = analysed
    require(outcome.json, ANALYZE)
    (study,) = outcome.json["studies"]
    assert study["measurements"]["LVEF"] is not None
    assert study["error"] is None
    require_folder(folder)
    assert len(json.loads((folder / "run.json").read_text())["findings"]) == 1


def test_an_opinion_keeps_the_contract_whether_it_names_a_group_or_not(opencmr, analysed, tmp_path):
    _, folder = analysed
    outcome = opencmr("diagnose", folder / "measurements.json", "--json")
    require(outcome.json, DIAGNOSE)
    assert (outcome.status == 3) == (outcome.json["group"] is None)
    nothing = tmp_path / "measurements.json"
    nothing.write_text('{"measurements": []}')
    outcome = opencmr("diagnose", nothing, "--json")
    require(outcome.json, DIAGNOSE)
    assert outcome.status == 3


def test_a_study_with_nothing_to_measure_keeps_the_contract(opencmr, phantom_dicom, tmp_path):
    picture = next(p for p in sorted(phantom_dicom.rglob("*")) if p.is_file())
    outcome = opencmr("analyze", picture, "-o", tmp_path / "out", "--json")
    require(outcome.json, ANALYZE)
    require_folder(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["findings"] == []
    assert "Decision support" not in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.real_data
def test_several_real_studies_and_what_was_left_out_keep_the_contract(
    opencmr, data_folder, tmp_path
):
    source = data_folder / "sunnybrook" / "localizers.zip"
    outcome = opencmr("analyze", source, "-o", tmp_path / "out", "--json")
    require(outcome.json, ANALYZE)
    assert len(outcome.json["studies"]) == 9
    for study in outcome.json["studies"]:
        require_folder(Path(study["folder"]))


def test_a_plan_keeps_the_contract_and_is_what_the_run_records(opencmr, phantom_dicom, analysed):
    outcome = opencmr("plan", phantom_dicom, "--json")
    assert outcome.status == 0
    require(outcome.json, PLAN)
    (study,) = outcome.json["studies"]
    _, folder = analysed
    assert study["analyses"] == json.loads((folder / "run.json").read_text())["plan"]
    function, long_axes, *others = study["analyses"]
    assert function["runs"]
    assert long_axes["runs"]
    assert long_axes["model"].startswith("cine_lax@")
    assert {row["name"]: row["reason"]["code"] for row in others} == {
        "tissue mapping": "NO_MAPPING",
        "late enhancement": "NO_LGE",
    }
    assert function["model"].startswith("cine_sax@")
    assert opencmr("plan", phantom_dicom).err.count("ventricular function: short-axis cine s") == 1


def test_a_plan_of_a_study_without_a_cine_says_why_and_ends_with_4(
    opencmr, phantom_dicom, tmp_path
):
    picture = next(p for p in sorted(phantom_dicom.rglob("*")) if p.is_file())
    outcome = opencmr("plan", picture, "--json")
    require(outcome.json, PLAN)
    assert outcome.status == 4
    rows = outcome.json["studies"][0]["analyses"]
    assert not any(row["runs"] for row in rows)
    assert rows[0]["reason"]["code"] == "NO_SAX_CINE"
    assert "NO_SAX_CINE" in opencmr("plan", picture).err


def test_what_is_installed_keeps_the_contract(opencmr):
    listed = opencmr("models", "--json").json
    require(listed, schema("models"))
    require(opencmr("models", listed[0]["name"], "--json").json, schema("models"))
    require(opencmr("doctor", "--json").json, schema("doctor"))


@pytest.mark.long
def test_labels_keep_the_contract(opencmr, phantom_nifti, tmp_path):
    """On standard output, and in the file beside them."""
    (cine,) = phantom_nifti.glob("sax.nii.gz")
    asked = ("--precision", "int8", "--json")
    outcome = opencmr("segment", cine, "-o", tmp_path / "labels.nii.gz", *asked)
    require(outcome.json, schema("segment"))
    assert outcome.json["precision"] == "int8"
    require(json.loads((tmp_path / "labels.json").read_text()), schema("labels"))


def test_a_map_keeps_the_contract(opencmr, tmp_path):
    times_ms = [0.0, 25, 55]
    pictures = 900 * np.exp(-np.array(times_ms) / np.full((4, 4, 1, 1), 45.0))
    image = nibabel.Nifti1Image(pictures.astype(np.float32), np.diag([1.5, 1.5, 8, 1]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "t2.nii.gz")
    (tmp_path / "t2.json").write_text(json.dumps({"t2prep_ms": times_ms}))
    words = ("--kind", "t2", "-o", tmp_path / "map.nii.gz", "--json")
    outcome = opencmr("map", tmp_path / "t2.nii.gz", *words)
    require(outcome.json, schema("map"))
    require(json.loads((tmp_path / "map.json").read_text()), schema("map"))


def test_a_validation_keeps_the_contract(opencmr, tmp_path):
    for name, moved in (("found", 0), ("read", 1)):
        (tmp_path / name).mkdir()
        for case in ("one", "two"):
            labels = np.zeros((24, 24, 4), np.uint8)
            labels[6 + moved : 18 + moved, 6:18] = 2
            labels[9:15, 9:15] = 3
            image = nibabel.Nifti1Image(labels, np.diag([1.5, 1.5, 8, 1]))
            image.header.set_xyzt_units("mm")
            nibabel.save(image, tmp_path / name / f"{case}.nii.gz")
    words = (tmp_path / "found", tmp_path / "read", "-o", tmp_path / "out", "--json")
    outcome = opencmr("validate", *words)
    require(outcome.json, schema("validate"))
    require(json.loads((tmp_path / "out" / "results.json").read_text()), schema("results"))


def test_every_command_that_prints_json_has_a_schema():
    commands = typer.main.get_command(application).commands
    prints = {
        name
        for name, command in commands.items()
        if any("--json" in one.opts for one in command.params)
    }
    assert {"analyze", "sort", "doctor"} <= prints
    same = {"measure": "analyze"}
    assert not [n for n in prints if not (SCHEMAS / f"{same.get(n, n)}.schema.json").exists()]


def test_every_schema_is_a_schema_and_promises_to_grow_only():
    for path in sorted(SCHEMAS.glob("*.json")):
        content = json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(content)
        assert "added, never removed or changed" in content["title"]
