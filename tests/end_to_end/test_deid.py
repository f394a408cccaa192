"""``opencmr deid``: nothing that identifies gets out, and everything that is measured does."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from opencmr.intake.studies import read_studies

CANARY = "CanaryJane"
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas" / "deid.schema.json"


def planted(phantom_dicom: Path, source: Path, count: int = 12) -> Path:
    """Copy pictures with a name in headers, preambles, files and folders."""
    place = source / f"{CANARY}_in" / CANARY
    place.mkdir(parents=True)
    for number, path in enumerate(sorted(phantom_dicom.rglob("*.dcm"))[:count]):
        dataset = pydicom.dcmread(path)
        dataset.PatientName = dataset.PatientID = dataset.AccessionNumber = CANARY
        dataset.SeriesDescription = f"CINE of {CANARY}"
        dataset.ProtocolName = dataset.ImageComments = dataset.StudyDescription = CANARY
        dataset.ImageType = ["ORIGINAL", "PRIMARY", CANARY.upper()]
        dataset.private_block(0x0029, f"{CANARY} PRIVATE", create=True).add_new(1, "LO", CANARY)
        dataset.preamble = CANARY.encode().ljust(128, b".")
        dataset.file_meta.SourceApplicationEntityTitle = CANARY
        dataset.save_as(place / f"{CANARY}_{number}.dcm")
    return source / f"{CANARY}_in"


def as_capture(picture: Path, place: Path) -> None:
    dataset = pydicom.dcmread(picture)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.PatientName = CANARY
    dataset.save_as(place)


def dicom_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.dcm"))


def dicom_like(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 10_000]


def holds_canary(folder: Path) -> bool:
    found = CANARY.lower()
    return any(
        found in str(path.relative_to(folder)).lower()
        or (path.is_file() and found.encode() in path.read_bytes().lower())
        for path in folder.rglob("*")
    )


def seen(source: Path) -> list[tuple[object, ...]]:
    """Return all of a source's pictures with place, times and what sorting reads, in an order."""
    rows: list[tuple[object, ...]] = []
    with read_studies(source) as studies:
        for study in studies:
            for one in study.series:
                image, header = one.image, one.header
                digest = hashlib.sha256(np.ascontiguousarray(image.values).tobytes()).hexdigest()
                rows.append(
                    (
                        header.series_number or 0,
                        digest,
                        image.grid.affines.tobytes(),
                        image.trigger_ms.tobytes(),
                        image.rr_ms.tobytes(),
                        header.image_type,
                        header.scanning_sequence,
                        header.sequence_variant,
                        header.sequence_name,
                        header.flip_angle_deg,
                        header.echo_time_ms,
                        header.repetition_time_ms,
                    )
                )
    return sorted(rows, key=repr)


@pytest.mark.parametrize("how", ["folder", "zip"])
def test_a_canary_is_nowhere_in_what_is_written_or_said(opencmr, phantom_dicom, tmp_path, how):
    source = planted(phantom_dicom, tmp_path)
    as_capture(dicom_files(phantom_dicom)[0], source / f"{CANARY}.dcm")
    (source / "DICOMDIR").write_bytes(CANARY.encode() * 40)
    given = source
    if how == "zip":
        given = tmp_path / f"{CANARY}.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for path in source.rglob("*"):
                if path.is_file():
                    archive.write(path, f"{CANARY}/{path.name}")
    told = opencmr("deid", given, "-o", tmp_path / "out", "--keep-characteristics")
    assert told.status == 3
    assert "refused: 1 x Secondary Capture Image: NOT_MEASURABLE_PIXELS" in told.err
    assert "12 files" in told.err
    assert CANARY.lower() not in (told.out + told.err).lower()
    assert len(dicom_files(tmp_path / "out")) == 12
    assert not holds_canary(tmp_path / "out")
    as_json = opencmr("deid", given, "-o", tmp_path / "again", "--json", "--new-id", "P1")
    assert CANARY.lower() not in (as_json.out + as_json.err).lower()
    assert as_json.err == ""
    jsonschema.validate(as_json.json, json.loads(SCHEMA.read_text()))
    assert as_json.json == json.loads((tmp_path / "again" / "deid.json").read_text())
    names = {pydicom.dcmread(path).PatientID for path in dicom_files(tmp_path / "again")}
    assert names == {"P1"}


def test_pixels_geometry_timing_and_what_sorting_reads_stay_to_the_bit(
    opencmr, phantom_dicom, tmp_path
):
    assert opencmr("deid", phantom_dicom, "-o", tmp_path / "out", "-q").status == 0
    assert seen(tmp_path / "out") == seen(phantom_dicom)
    before = opencmr("sort", phantom_dicom, "--json").json
    after = opencmr("sort", tmp_path / "out", "--json").json
    keys = ("sequence", "view", "role", "instances", "probability")
    assert [[row[k] for k in keys] for row in after] == [[row[k] for k in keys] for row in before]
    assert not {r["series_instance_uid"] for r in after} & {
        r["series_instance_uid"] for r in before
    }


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("sunnybrook/SC-HF-I-4.zip", id="GE"),
        pytest.param("siemens_multiview/patient1.zip", id="Siemens", marks=pytest.mark.long),
    ],
)
def test_a_real_study_is_read_as_before(opencmr, data_folder, tmp_path, name):
    assert opencmr("deid", data_folder / name, "-o", tmp_path / "out", "-q").status == 0
    assert seen(tmp_path / "out") == seen(data_folder / name)
    if shutil.which("dciodvfy"):
        with zipfile.ZipFile(data_folder / name) as archive:
            archive.extractall(tmp_path / "in")
        before = set().union(*map(errors_of, sorted(dicom_like(tmp_path / "in"))[:20:5]))
        assert errors_of(dicom_files(tmp_path / "out")[0]) <= before


@pytest.mark.long
def test_the_copies_are_measured_as_the_study_is(opencmr, phantom_dicom, analysed, tmp_path):
    words = ("deid", phantom_dicom, "-o", tmp_path / "out", "-q", "--keep-characteristics")
    assert opencmr(*words).status == 0
    opencmr("analyze", tmp_path / "out", "-o", tmp_path / "result", "-q")
    before, after = (
        json.loads((folder / "measurements.json").read_text())["measurements"]
        for folder in (analysed[1], tmp_path / "result")
    )
    assert any(row["value"] is not None for row in before)
    assert after == before


def test_the_same_key_gives_the_same_and_another_does_not(opencmr, phantom_dicom, tmp_path):
    source = planted(phantom_dicom, tmp_path, 3)
    key = tmp_path / "key"
    for out in ("one", "two"):
        assert opencmr("deid", source, "-o", tmp_path / out, "--key", key).status == 0
    assert opencmr("deid", source, "-o", tmp_path / "three").status == 0
    contents = [
        [path.read_bytes() for path in dicom_files(tmp_path / out)]
        for out in ("one", "two", "three")
    ]
    assert contents[0] == contents[1] != contents[2]
    assert key.read_bytes() == key.read_bytes().strip() + b"\n"
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_key_that_is_none_is_neither_used_nor_replaced(opencmr, phantom_dicom, tmp_path):
    key = tmp_path / "key"
    key.write_text("my diary")
    key.chmod(0o600)
    outcome = opencmr("deid", phantom_dicom, "-o", tmp_path / "out", "--key", key)
    assert outcome.status == 2
    assert key.read_text() == "my diary"
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_a_key_that_others_may_read_is_refused(opencmr, phantom_dicom, tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o644)
    outcome = opencmr("deid", phantom_dicom, "-o", tmp_path / "out", "--key", key)
    assert outcome.status == 2
    assert "chmod 600" in outcome.err


def test_a_key_among_the_copies_is_refused(opencmr, phantom_dicom, tmp_path):
    out = tmp_path / "out"
    outcome = opencmr("deid", phantom_dicom, "-o", out, "--key", out / "key")
    assert outcome.status == 2
    assert not out.exists()


def test_wrong_inputs_are_named(opencmr, phantom_nifti, analysed, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for source, said in (
        (empty, "found nothing"),
        (phantom_nifti, "NIfTI file"),
        (analysed[1], "a result of opencmr"),
    ):
        outcome = opencmr("deid", source, "-o", tmp_path / "out")
        assert outcome.status == 4, outcome.err
        assert said in outcome.err
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "told",
    [
        [{"PatientID": "7"}, {"PatientID": "8"}],
        [{"PatientID": "", "PatientBirthDate": one} for one in ("19500101", "19600101")],
    ],
)
def test_one_new_identifier_for_two_patients_is_refused(opencmr, phantom_dicom, tmp_path, told):
    source = tmp_path / "in"
    source.mkdir()
    for path, stated in zip(dicom_files(phantom_dicom), told, strict=False):
        dataset = pydicom.dcmread(path)
        for keyword, value in stated.items():
            setattr(dataset, keyword, value)
        dataset.save_as(source / path.name)
    outcome = opencmr("deid", source, "-o", tmp_path / "out", "--new-id", "P1")
    assert outcome.status == 2
    assert "several" in outcome.err


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_the_copies_have_no_new_errors(opencmr, phantom_dicom, tmp_path):
    source = sorted(phantom_dicom.rglob("*.dcm"))[0]
    for dates in ("shift", "remove"):
        out = tmp_path / dates
        assert opencmr("deid", source, "-o", out, "--dates", dates).status == 0
        assert errors_of(dicom_files(out)[0]) <= errors_of(source)


def errors_of(path: Path) -> set[str]:
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    assert done.stderr
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}
