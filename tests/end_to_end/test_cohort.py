"""Several studies in one input, as a user of the command meets them."""

import csv
import io
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

CANARY = "Zanzibar"


def pair(folder: Path, name: str, seed: int) -> None:
    """Write ED and ES of a stack without a heart: quick to analyse, and a study none the less."""
    values = np.random.default_rng(seed).normal(400, 100, (48, 48, 3))
    for moment, more in (("ED", 0.0), ("ES", 20.0)):
        image = nibabel.Nifti1Image((values + more).astype(np.float32), np.diag([2, 2, 8, 1.0]))
        image.header.set_xyzt_units("mm")
        nibabel.save(image, folder / f"{name}_sa_{moment}.nii.gz")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cohort") / "in"
    folder.mkdir()
    for number in (1, 2):
        pair(folder, f"{CANARY}{number}", number)
    return folder


@pytest.fixture(scope="module")
def cohort(opencmr, source, tmp_path_factory):
    """Two pairs analysed by two processes: what the command said, its folder, its words."""
    place = tmp_path_factory.mktemp("cohort-result")
    bodies = place / "bodies.csv"
    bodies.write_text(f"path,height_cm,weight_kg\n{CANARY}1_sa,184,95\nnobody,160,60\n")
    words = ("analyze", source, "-o", place / "out", "--demographics", bodies)
    outcome = opencmr(*words, "--label-from", "path", "--jobs", "2", "--json")
    return outcome, place / "out", words


def rows(out: Path, name: str) -> dict[str, dict[str, str]]:
    lines = csv.DictReader(io.StringIO((out / name).read_text("utf-8")))
    return {row["key"]: row for row in lines}


def test_each_pair_is_a_study_with_its_row_its_folder_and_its_key(cohort, source):
    outcome, out, _ = cohort
    keys = {study["key"] for study in outcome.json["studies"]}
    assert {path.name for path in out.iterdir()} == keys | {
        "cohort.csv", "cohort.html", "key.csv", "run.json"
    }  # fmt: skip
    table, inputs = rows(out, "cohort.csv"), rows(out, "key.csv")
    assert set(table) == set(inputs) == keys
    assert {row["label"] for row in table.values()} == {f"{CANARY}1_sa", f"{CANARY}2_sa"}
    for key, row in table.items():
        assert inputs[key]["input"] == str(source / row["label"])
        assert (out / key / "report.html").is_file()
    assert "bodies" not in outcome.err
    assert "no study for line 3" in outcome.err


def test_labels_and_paths_stand_in_their_own_files_alone(cohort):
    outcome, out, _ = cohort
    assert CANARY not in outcome.out + outcome.err
    for path in out.rglob("*"):
        assert CANARY not in path.name
        if path.is_file() and path.parent != out:
            assert CANARY.encode() not in path.read_bytes(), path.name


def test_a_body_is_that_of_its_own_row(cohort):
    _, out, _ = cohort
    given = {
        row["label"]: json.loads((out / key / "run.json").read_bytes())["configuration"]
        for key, row in rows(out, "cohort.csv").items()
    }
    assert given[f"{CANARY}1_sa"]["given_by_the_caller"] == ["height_cm", "weight_kg"]
    assert given[f"{CANARY}2_sa"]["given_by_the_caller"] == []


def test_a_study_measures_the_same_in_a_cohort_and_alone(cohort, opencmr, source, tmp_path):
    _, out, _ = cohort
    lone = tmp_path / "in"
    lone.mkdir()
    for path in source.glob(f"{CANARY}2*"):
        shutil.copy(path, lone)
    opencmr("analyze", lone, "-o", tmp_path / "alone")
    keys = {row["label"]: key for key, row in rows(out, "cohort.csv").items()}
    together = out / keys[f"{CANARY}2_sa"] / "measurements.json"
    assert together.read_bytes() == (tmp_path / "alone" / "measurements.json").read_bytes()


def test_the_same_command_goes_on_where_it_stopped(cohort, opencmr):
    outcome, out, words = cohort
    first, second = (study["key"] for study in outcome.json["studies"])
    shutil.rmtree(out / second)
    kept = (out / first / "run.json").read_bytes()
    again = opencmr(*words)
    assert again.status == outcome.status
    assert "1 of 2 studies are finished already" in again.err
    assert f"study 2 of 2, {second}: done" in again.err
    assert (out / first / "run.json").read_bytes() == kept
    assert (out / second / "report.html").is_file()
    assert list(out.glob(".opencmr*")) == []
    assert list(out.parent.glob(".opencmr*")) == []


def test_a_single_study_does_not_replace_a_cohort_unasked(cohort, opencmr, source):
    _, out, _ = cohort
    before = sorted(out.rglob("*"))
    refused = opencmr("analyze", next(source.glob("*1_sa_ED*")), "-o", out)
    assert refused.status == 2
    assert "--overwrite" in refused.err
    assert sorted(out.rglob("*")) == before


def test_a_table_of_bodies_that_cannot_be_meant_is_refused_before_the_work(
    opencmr, source, tmp_path
):
    bodies = tmp_path / "bodies.csv"
    bodies.write_text(f"path,height_cm\n{CANARY}1_sa,tall\n")
    refused = opencmr("analyze", source, "-o", tmp_path / "out", "--demographics", bodies)
    assert refused.status == 2
    assert "line 2, column height_cm" in refused.err
    assert CANARY not in refused.err
    assert not (tmp_path / "out").exists()
