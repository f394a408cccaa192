"""find, fetch, store and analyze --from, as a user types them."""

import dataclasses
import io
import json
from pathlib import Path

import jsonschema
import pydicom
import pytest

from opencmr.simulate import HeartParameters, Protocol, simulate_study, write_dicom

from .conftest import STUDY, instance, send

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas"


def require(name: str, content: object) -> None:
    jsonschema.validate(content, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))


def test_find_shows_a_table_that_cannot_steer_the_terminal(opencmr, peers_file):
    found = opencmr("find", "here", "--peers", peers_file)
    assert found.status == 0, found.err
    assert "ID-SECRET" in found.out
    assert STUDY in found.out
    assert "\x1b" not in found.out
    assert "SECRET" not in found.err
    rows = json.loads(opencmr("find", "here", "--peers", peers_file, "--json").out)
    assert [row["instances"] for row in rows] == [3]
    require("find", rows)


def test_find_asks_what_is_asked(opencmr, peers_file, archive):
    words = ("--patient-id", "A B&C", "--date", "20260101-", "--study", STUDY)
    assert opencmr("find", "here", "--peers", peers_file, *words).status == 0
    (path, _) = archive.seen[-1]
    assert "PatientID=A+B%26C&StudyDate=20260101-" in path.replace("%20", "+")
    assert "ModalitiesInStudy=MR" in path
    for wrong in (("--date", "yesterday"), ("--study", "../x"), ("--patient-id", "a\\b")):
        assert opencmr("find", "here", "--peers", peers_file, *wrong).status == 2


def test_fetch_leaves_a_private_folder_or_none(opencmr, peers_file, archive, tmp_path):
    out = tmp_path / "study"
    words = ("fetch", "here", "--peers", peers_file, "--study", STUDY, "-o", out)
    archive.odd["wado"] = lambda handler: send(handler, b"", "text/html")
    failed = opencmr(*words)
    assert failed.status == 1
    assert "no multipart" in failed.err
    assert not out.exists()
    archive.odd.clear()
    require("fetch", json.loads(opencmr(*words, "--json").out))
    assert len(list(out.iterdir())) == 3
    assert out.stat().st_mode & 0o077 == 0
    assert opencmr(*words).status == 2  # nothing is replaced


def test_store_tells_what_was_not_stored(opencmr, peers_file, archive, tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.dcm").write_bytes(instance(number))
    words = ("store", "here", tmp_path, "--peers", peers_file)
    assert opencmr(*words).status == 0
    assert len(archive.stored) == 2
    archive.refused = {f"{STUDY}.1"}
    partly = opencmr(*words, "--json")
    assert partly.status == 3
    assert json.loads(partly.out)["failures"][0]["file"].endswith("1.dcm")
    require("store", json.loads(partly.out))
    archive.refused |= {f"{STUDY}.0"}
    assert opencmr(*words).status == 1
    assert opencmr("store", "here", "--echo", "--peers", peers_file).status == 0
    assert opencmr("store", "here", "--peers", peers_file).status == 2
    assert opencmr("store", "here", peers_file, "--peers", peers_file).status == 4


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "here"),
        ("--study", STUDY),
        ("--send-back",),
        ("--from", "here", "--study", "a/b"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(opencmr, tmp_path, peers_file, words):
    peers = ("--peers", peers_file) if "--from" in words else ()
    outcome = opencmr("analyze", "-o", tmp_path / "out", *words, *peers)
    assert outcome.status == 2, outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_a_study_of_an_archive_is_analysed_and_its_results_go_back(
    opencmr, archive, peers_file, tmp_path, monkeypatch
):
    small = Protocol.small()
    protocol = dataclasses.replace(small, pixel_mm=1.8, rows=144, columns=128, phases=6, gap_mm=2.0)
    pictures = tmp_path / "pictures"
    write_dicom(simulate_study(HeartParameters(seed=3), protocol=protocol), pictures)
    archive.files = [path.read_bytes() for path in sorted(pictures.rglob("*.dcm"))]
    archive.study = str(pydicom.dcmread(io.BytesIO(archive.files[0])).StudyInstanceUID)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    out = tmp_path / "out"
    words = ("--from", "here", "--study", archive.study, "--send-back", "--peers", peers_file)
    outcome = opencmr("analyze", "-o", out, *words)
    assert outcome.status == 0, outcome.err
    assert "sent back" in outcome.err
    assert list(temporary.iterdir()) == []
    written = {path.read_bytes() for path in (out / "dicom").iterdir()}
    assert set(archive.stored) == written
    assert written


def test_doctor_lists_what_the_extra_serve_brings(opencmr):
    extras = json.loads(opencmr("doctor", "--json").out)["extras"]
    assert {"httpx", "pynetdicom", "sqlalchemy"} <= set(extras)
    assert all(extras.values())
