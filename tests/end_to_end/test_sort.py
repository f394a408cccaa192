"""`opencmr sort`: every scanner's series gets a row, whatever became of its pictures."""

import hashlib
import json
import zipfile
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image as Photograph
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from opencmr.anatomy.techniques import SequenceName
from opencmr.anatomy.views import ViewName

CANARY = "Kanarienvogel"
SCHEMA = json.loads(
    (
        Path(__file__).resolve().parents[2] / "docs" / "reference" / "schemas" / "sort.schema.json"
    ).read_text()
)


def rows_of(outcome):
    assert outcome.status == 0, outcome.err
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(outcome.json, SCHEMA, jsonschema.Draft202012Validator)
    return outcome.json


def test_the_schema_lists_the_words_of_the_vocabulary():
    properties = SCHEMA["items"]["properties"]
    assert properties["sequence"]["enum"] == [name.value for name in SequenceName]
    assert properties["view"]["enum"] == [name.value for name in ViewName]


def test_every_series_of_the_phantom_is_named(opencmr, phantom_dicom):
    rows = rows_of(opencmr("sort", phantom_dicom, "--json"))
    named = {row["description"]: (row["sequence"], row["view"]) for row in rows}
    assert named == {
        "LOCALIZER": ("scout", "several"),
        "CINE SAX STACK": ("cine bSSFP", "SAX"),
        "CINE 2CH": ("cine bSSFP", "2CH"),
        "CINE 3CH": ("cine bSSFP", "3CH"),
        "CINE 4CH": ("cine bSSFP", "4CH"),
    }
    assert [row["role"] for row in rows if row["role"]] == ["short-axis cine (measured)"]
    files = list(phantom_dicom.rglob("*.dcm"))
    assert sum(row["instances"] for row in rows) == len(files)


def test_people_read_a_table_and_what_is_missing(opencmr, phantom_dicom):
    outcome = opencmr("sort", phantom_dicom)
    assert outcome.status == 0
    assert "short-axis cine (measured)" in outcome.out
    assert "not found of a standard examination: short-axis late enhancement" in outcome.out


def captured(source: Path, target: Path, **stated: str) -> str:
    """Write a picture anew as a secondary capture of a series of its own."""
    dataset = pydicom.dcmread(source)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    for keyword, value in stated.items():
        setattr(dataset, keyword, value)
    dataset.save_as(target)
    return str(dataset.SeriesInstanceUID)


def test_a_series_that_intake_leaves_out_has_a_row_with_the_reason(
    opencmr, phantom_dicom, tmp_path
):
    pictures = sorted(phantom_dicom.rglob("*.dcm"))
    (tmp_path / "a.dcm").write_bytes(pictures[-1].read_bytes())
    uid = captured(
        pictures[0],
        tmp_path / "b.dcm",
        PatientName="Doe^Jane",
        SeriesDescription="Screen shot of Jane",
    )
    rows = {row["series_instance_uid"]: row for row in rows_of(opencmr("sort", tmp_path, "--json"))}
    assert len(rows) == 2
    row = rows[uid]
    assert row["sequence"] == "derived"
    assert row["description"] == "Screen shot of [redacted]"
    assert any("NOT_MEASURABLE_PIXELS" in why for why in row["evidence"])


def test_an_input_of_captures_alone_is_named_and_one_of_nothing_ends_with_4(
    opencmr, phantom_dicom, tmp_path
):
    captured(sorted(phantom_dicom.rglob("*.dcm"))[0], tmp_path / "b.dcm")
    (row,) = rows_of(opencmr("sort", tmp_path, "--json"))
    assert row["sequence"] == "derived"
    (tmp_path / "b.dcm").write_text("no image")
    assert opencmr("sort", tmp_path, "--json").status == 4


def test_a_nifti_file_is_a_row_by_its_geometry_and_pictures(opencmr, phantom_nifti):
    rows = rows_of(opencmr("sort", phantom_nifti, "--json"))
    assert {row["series_instance_uid"] for row in rows} == {""}
    assert all(row["view"] == "SAX" for row in rows)


def test_an_unknown_stack_that_is_measured_says_why(opencmr, phantom_nifti, tmp_path):
    cine = max(phantom_nifti.rglob("*.nii.gz"), key=lambda path: path.stat().st_size)
    moving = nibabel.load(cine)
    still = nibabel.Nifti1Image(np.asarray(moving.dataobj)[..., 0], moving.affine, moving.header)
    nibabel.save(still, tmp_path / "still.nii.gz")
    (row,) = rows_of(opencmr("sort", tmp_path / "still.nii.gz", "--json"))
    assert row["sequence"] == "unknown"
    assert row["role"] == "short-axis cine (measured)"
    assert any("measured as one phase" in why for why in row["evidence"])


def test_a_folder_of_photographs_and_an_empty_one_end_with_4_and_say_what_was_found(
    opencmr, tmp_path
):
    empty = opencmr("sort", tmp_path, "--json")
    assert (empty.status, empty.out) == (4, "")
    assert "the input is empty" in empty.err
    for number in range(3):
        Photograph.new("L", (64, 64), number).save(tmp_path / f"holiday{number}.png")
    photographs = opencmr("sort", tmp_path, "--json")
    assert (photographs.status, photographs.out) == (4, "")
    assert "3 x file: NOT_AN_IMAGE" in photographs.err
    assert "holiday" not in photographs.err


@pytest.mark.parametrize("how", ["folder", "zip"])
def test_a_canary_in_headers_and_names_of_files_is_nowhere_in_the_copies_or_on_the_screen(
    opencmr, phantom_dicom, tmp_path, how
):
    source = tmp_path / f"{CANARY}_in"
    source.mkdir()
    for number, path in enumerate(sorted(phantom_dicom.rglob("*.dcm"))[:12]):
        dataset = pydicom.dcmread(path)
        dataset.PatientName = dataset.PatientID = dataset.AccessionNumber = CANARY
        dataset.SeriesDescription = f"CINE of {CANARY}"
        dataset.ProtocolName = dataset.ImageComments = dataset.StudyDescription = CANARY
        dataset.private_block(0x0029, f"{CANARY} PRIVATE", create=True).add_new(1, "LO", CANARY)
        dataset.save_as(source / f"{CANARY}_{number}.dcm")
    given = source
    if how == "zip":
        given = tmp_path / f"{CANARY}.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for path in source.iterdir():
                archive.write(path, f"{CANARY}/{path.name}")
    out = tmp_path / "out"
    told = opencmr("sort", given, "-o", out)
    assert told.status == 0, told.err
    assert CANARY.lower() not in (told.out + told.err).lower()
    assert CANARY.lower() not in json.dumps(opencmr("sort", given, "--json").json).lower()
    written = [path for path in out.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".dcm" for path in written) == 12
    for path in written:
        assert CANARY.lower() not in str(path.relative_to(out)).lower()
        assert CANARY.lower().encode() not in path.read_bytes().lower()


@pytest.mark.real_data
def test_the_series_of_a_real_study_are_named_although_its_descriptions_lie(opencmr, data_folder):
    rows = rows_of(opencmr("sort", data_folder / "siemens_multiview" / "patient1.zip", "--json"))
    assert [row["view"] for row in rows].count("SAX") == 6
    assert {row["view"] for row in rows} == {"SAX", "2CH", "3CH", "4CH", "RV 2CH", "RVOT"}
    assert {row["sequence"] for row in rows} == {"cine bSSFP"}
    assert len(rows) == 11


@pytest.mark.real_data
def test_real_maps_and_their_raw_pictures_are_told_apart_where_headers_say_so(
    opencmr, data_folder, tmp_path
):
    with zipfile.ZipFile(data_folder / "t1_t2_phantoms" / "mapping_testdata.zip") as archive:
        for name in archive.namelist():
            if "ShMOLLI_192i_e11_" in name and name.startswith("dicom/") and name[-1] != "/":
                (tmp_path / Path(name).name).write_bytes(archive.read(name))
    rows = rows_of(opencmr("sort", tmp_path, "--json"))
    assert [row["sequence"] for row in rows] == ["T1 raw", "T1 raw", "T1 map", "derived"]
    assert [row["role"] for row in rows] == [""] * 4


def test_the_tree_holds_clean_copies_that_are_sorted_alike(opencmr, phantom_dicom, tmp_path):
    out = tmp_path / "out"
    assert opencmr("sort", phantom_dicom, "-o", out).status == 0
    (study,) = out.iterdir()
    assert study.name == "study-01"
    assert sorted(path.name for path in study.iterdir()) == [
        "cine-bssfp_2ch_01",
        "cine-bssfp_3ch_01",
        "cine-bssfp_4ch_01",
        "cine-bssfp_sax_01",
        "contact_sheet.html",
        "scout_several_01",
        "sort.json",
    ]
    first = pydicom.dcmread(study / "cine-bssfp_sax_01" / "0001.dcm")
    assert str(first.PatientName).startswith("ANON-")
    before = {row["series_instance_uid"] for row in opencmr("sort", phantom_dicom, "--json").json}
    after = rows_of(opencmr("sort", out, "--json"))
    assert not before & {row["series_instance_uid"] for row in after}
    told = json.loads((study / "sort.json").read_text())
    assert {row["series_instance_uid"] for row in told["series"]} == {
        row["series_instance_uid"] for row in after
    }
    assert told["missing"] == ["short-axis late enhancement"]
    assert len(list(out.rglob("*.dcm"))) == len(list(phantom_dicom.rglob("*.dcm")))
    again = opencmr("sort", phantom_dicom, "-o", out)
    assert again.status == 2
    for path in out.rglob("*"):
        assert path.is_dir() or b"Phantom^Digital" not in path.read_bytes()


def two_studies(phantom_dicom: Path, place: Path, uids: tuple[str, str]) -> Path:
    """Write a whole study and one of two series, under the UIDs of studies that are given."""
    paths = sorted(phantom_dicom.rglob("*.dcm"))
    for uid, taken in zip(uids, (paths, paths[: len(paths) // 2]), strict=True):
        for number, path in enumerate(taken):
            dataset = pydicom.dcmread(path)
            dataset.StudyInstanceUID, dataset.PatientID = uid, f"patient of {uid}"
            dataset.SeriesInstanceUID = f"{uid}.{dataset.SeriesNumber}"
            dataset.SOPInstanceUID = f"{uid}.0.{number}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            (place / uid).mkdir(parents=True, exist_ok=True)
            dataset.save_as(place / uid / f"{number}.dcm")
    return place


def names_in(tree: Path) -> list[str]:
    return sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*"))


def test_no_name_in_the_tree_confirms_a_uid_and_the_same_input_gives_the_same(
    opencmr, phantom_dicom, tmp_path
):
    uids = ("1.2.3.4", "1.2.3.5")
    for number, given in enumerate((uids, uids, uids[::-1])):
        source = two_studies(phantom_dicom, tmp_path / f"in{number}", given)
        told = opencmr("sort", source, "-o", tmp_path / f"out{number}")
        assert told.status == 0, told.err
        assert "in study-02" in told.out
    first, again, exchanged = (names_in(tmp_path / f"out{number}") for number in range(3))
    assert first == again == exchanged  # the numbers of studies do not follow their UIDs
    assert {name.split("/")[0] for name in first} == {"study-01", "study-02"}
    out = tmp_path / "out0"
    said = " ".join(
        [
            *first,
            *(path.read_text() for path in out.rglob("*") if path.suffix in (".json", ".html")),
        ]
    ).lower()
    known = [*uids, *(f"patient of {uid}" for uid in uids), *(f"{uid}.1" for uid in uids)]
    for one in known:
        assert one not in said
        for kind in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            assert hashlib.new(kind, one.encode()).hexdigest()[:8] not in said


def test_links_are_the_files_themselves_and_that_is_said(opencmr, phantom_dicom, tmp_path):
    outcome = opencmr("sort", phantom_dicom, "-o", tmp_path / "out", "--link", "symbolic")
    assert outcome.status == 0
    assert "Nothing was de-identified" in outcome.err
    links = list((tmp_path / "out").rglob("*.dcm"))
    assert all(path.is_symlink() for path in links)
    assert {path.resolve() for path in links} == {
        path.resolve() for path in phantom_dicom.rglob("*.dcm")
    }


def test_captures_are_named_and_not_copied(opencmr, phantom_dicom, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    captured(sorted(phantom_dicom.rglob("*.dcm"))[0], source / "b.dcm")
    outcome = opencmr("sort", source, "-o", tmp_path / "out")
    assert outcome.status == 0
    assert "burned-in text" in outcome.err
    assert not list((tmp_path / "out").rglob("*.dcm"))
