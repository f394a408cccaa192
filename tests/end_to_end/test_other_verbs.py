"""models, doctor, simulate and demo, as a user runs them."""

import json
import shutil

import pytest
from pydicom import dcmread

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.models.library import read_library

DEFAULT = read_library().choose(View.SAX, Technique.CINE).card


def test_models_lists_card_and_terms(opencmr):
    outcome = opencmr("models", "--verbose")
    assert outcome.status == 0
    for said in ("cine_sax", "CC BY-NC-SA", "ACDC", "research"):
        assert said in outcome.out


def test_models_is_a_table_whose_lines_are_whole_where_no_terminal_is(opencmr):
    lines = opencmr("models").out.splitlines()
    (default,) = [line for line in lines if DEFAULT.reference in line]
    assert "yes" in default
    assert default.rstrip().endswith("CC BY-NC-SA 4.0, research only")


def test_models_shows_one_card_whole_and_refuses_a_name_that_is_none(opencmr):
    card = opencmr("models", "cine_sax@0.1.0")
    assert "mean Dice 0.9071" in card.out
    assert DEFAULT.version not in card.out.splitlines()[0]
    missed = opencmr("models", "cine_none")
    assert missed.status != 0
    assert DEFAULT.reference in missed.err


def test_one_model_of_a_kind_is_the_default(opencmr):
    taken = [card["name"] for card in opencmr("models", "--json").json if card["default"]]
    assert sorted(taken) == ["cine_lax", "cine_sax", "diagnosis_acdc", "lge_sax", "lge_wall"]


def test_models_as_json_holds_checksums(opencmr):
    assert all(len(card["sha256"]) == 64 for card in opencmr("models", "--json").json)


def test_doctor_finds_this_installation_healthy(opencmr):
    outcome = opencmr("doctor", "--json")
    assert outcome.status == 0
    assert outcome.json["healthy"]
    assert all(outcome.json["codecs"].values())


def test_a_broken_card_of_the_user_is_named_and_stops_nothing(opencmr, tmp_path, monkeypatch):
    folder = tmp_path / "mine" / "1.0"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{")
    monkeypatch.setenv("OPENCMR_MODELS", str(tmp_path))
    listed = opencmr("models", "--json")
    packaged = {"cine_lax", "cine_sax", "diagnosis_acdc", "lge_sax", "lge_wall"}
    assert {card["name"] for card in listed.json} == packaged
    assert "mine/1.0" in listed.err
    judged = opencmr("doctor")
    assert judged.status == 0
    assert "mine/1.0" in judged.out


def test_version_and_help_stand_alone(opencmr):
    assert opencmr("--version").out.startswith("opencmr ")
    assert "not for diagnosis" in opencmr("--help").out


def test_simulate_writes_a_study_with_its_truth_and_refuses_to_overwrite(opencmr, tmp_path):
    words = ("simulate", "-o", tmp_path / "s", "--small", "--nifti", "--ef", 35)
    assert opencmr(*words).status == 0
    assert round(json.loads((tmp_path / "s" / "truth.json").read_text())["LVEF"]) == 35
    assert opencmr(*words).status == 2


def test_an_impossible_heart_is_refused(opencmr, tmp_path):
    outcome = opencmr("simulate", "-o", tmp_path / "s", "--ef", 99)
    assert outcome.status == 2
    assert "ef_percent" in outcome.err


@pytest.mark.long
def test_simulate_with_tissue_writes_its_series_and_their_truth(opencmr, tmp_path):
    folder = tmp_path / "s"
    words = ("simulate", "-o", folder, "--small", "--with", "LGE, t2", "--scar", "lad")
    outcome = opencmr(*words, "--scar-mass", 9)
    assert outcome.status == 0, outcome.err
    tissue = json.loads((folder / "truth.json").read_text())["tissue"]
    assert round(tissue["truth"]["SCAR_MASS"], 1) == 9
    described = {dcmread(path, True).SeriesDescription for path in folder.glob("*.dcm")}
    assert {one for one in described if one[:4] not in ("CINE", "LOCA")} == {
        "LGE SAX",
        "T2 map T2prep SAX",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--with", "t3"), "expected some of"),
        (("--with", "lge", "--nifti"), "--nifti"),
        (("--scar", "LAD"), "--with"),
        (("--with", "lge", "--scar", "RIVA"), "LAD, RCA, LCX"),
    ],
)
def test_tissue_that_cannot_be_is_refused_and_nothing_written(opencmr, tmp_path, words, said):
    outcome = opencmr("simulate", "-o", tmp_path / "s", "--small", *words)
    assert outcome.status == 2
    assert said in outcome.err
    assert not (tmp_path / "s").exists()


def test_a_demo_shows_truth_beside_measurement_and_replaces_an_earlier_result_whole(
    opencmr, analysed, tmp_path
):
    shutil.copytree(analysed[1], tmp_path / "demo")
    outcome = opencmr("demo", "-o", tmp_path / "demo", "--small", "--overwrite")
    assert outcome.status in (0, 3), outcome.err
    assert "truth" in outcome.err
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "Truth" in page
    assert (tmp_path / "demo" / "simulated-study" / "truth.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("analyze", "one", "other"), ("one INPUT", "one folder that holds all", "--ed and --es")),
        (("sort", "one", "other", "-o", "out"), ("one INPUT", "one folder that holds all")),
        (("segment", "one", "other", "-o", "out.nii"), ("one IN.nii.gz", "once for each")),
        (("diagnose", "one", "other"), ("one MEASUREMENTS", "--ed and --es")),
        (("validate", "one", "two", "other", "-o", "out"), ("PREDICTIONS and REFERENCE",)),
        (("demo", "other"), ("options alone",)),
    ],
)
def test_an_argument_too_many_is_named_with_what_to_do(opencmr, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    outcome = opencmr(*words)
    assert outcome.status == 2
    assert all(one in outcome.err for one in ("'other'", *told)), outcome.err
    assert not any(tmp_path.iterdir())


def test_a_folder_is_advised_only_where_pictures_are_read(opencmr):
    assert "folder" not in opencmr("diagnose", "one", "other").err
    assert "--ed" not in opencmr("sort", "one", "other", "-o", "out").err
