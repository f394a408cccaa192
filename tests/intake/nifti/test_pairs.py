"""End-diastole and end-systole in a file each: joined where they are one heart, never otherwise."""

import shutil
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.imaging.flag import Severity
from opencmr.intake.studies import read_studies

HEARTS = np.random.default_rng(8).normal(400, 100, (4, 40, 40, 5))


def stack(path: Path, heart: int = 0, *, phase: float = 0.0, zooms=(1.5, 1.5, 8.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = HEARTS[heart] + 20 * phase * np.roll(HEARTS[heart], 5, 0) / 400
    write(path, values, zooms)


def write(path: Path, values: np.ndarray, zooms) -> None:
    image = nibabel.Nifti1Image(values.astype(np.float32), np.diag([*zooms[:3], 1.0]))
    image.header.set_zooms((*zooms, 30.0)[: values.ndim])
    image.header.set_xyzt_units("mm", "msec")
    nibabel.save(image, path)


def cine(path: Path, heart: int = 0) -> None:
    phases = [HEARTS[heart] + 20 * t / 12 * np.roll(HEARTS[heart], 5, 0) / 400 for t in range(12)]
    write(path, np.stack(phases, axis=-1), (1.5, 1.5, 8.0))


def remarks(study) -> list[Severity]:
    flags = study.series[0].flags
    return [flag.severity for flag in flags if flag.code == "SERIES_PER_PHASE"]


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ("patient007_{}.nii.gz", "patient007"),
        ("A0S9V9_sa_{}.nii.gz", "A0S9V9_sa"),
        ("site 2/007/007_SA_{}.nii.gz", "site 2/007/007_SA"),
        ("imagesTr/case_{}_0000.nii.gz", "imagesTr/case"),
        ("007/{}.nii.gz", "007"),
        ("{}.nii.gz", "."),
    ],
)
@pytest.mark.parametrize("words", [("ED", "ES"), ("ed", "es")])
def test_two_files_that_names_and_pictures_show_to_be_one_heart_are_one_study(
    tmp_path, names, place, words
):
    stack(tmp_path / names.format(words[0]), phase=0.0)
    stack(tmp_path / names.format(words[1]), phase=1.0)
    studies = read_studies(tmp_path)
    (study,) = studies
    (entry,) = studies.entries
    image = study.series[0].image
    assert image.values.shape == (2, 5, 40, 40)
    assert image.values[0, 0, 0, 0] == pytest.approx(HEARTS[0][0, 0, 0])
    assert remarks(study) == [Severity.INFO]
    assert entry.place == place
    assert (entry.key, entry.input_sha256) == (study.key, study.input_sha256)


def acdc(folder: Path, heart: int, info: str | None) -> None:
    name = folder.name
    stack(folder / f"{name}_frame01.nii.gz", heart)
    stack(folder / f"{name}_frame12.nii.gz", heart, phase=1.0)
    if info is not None:
        (folder / "Info.cfg").write_text(info)


def test_frames_are_ed_and_es_as_info_cfg_says_whichever_comes_first(tmp_path):
    acdc(tmp_path / "patient001", 0, "ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\n")
    acdc(tmp_path / "patient002", 1, "ES: 1\r\nED: 12\r\n")
    studies = read_studies(tmp_path)
    first = {e.place: s.series[0].image for e, s in zip(studies.entries, studies, strict=True)}
    assert set(first) == {"patient001/patient001", "patient002/patient002"}
    assert first["patient001/patient001"].values[0, 0, 0, 0] == pytest.approx(HEARTS[0][0, 0, 0])
    assert first["patient002/patient002"].values[1, 0, 0, 0] == pytest.approx(HEARTS[1][0, 0, 0])


@pytest.mark.parametrize("info", [None, "ED: 1\n", "ED: 1\nES: 11\n", "ED: 1\nES: 1\n", "\xff\x00"])
def test_frames_that_nothing_names_ed_and_es_stay_apart(tmp_path, info):
    acdc(tmp_path / "patient001", 0, info)
    assert len(read_studies(tmp_path)) == 2


def another_heart(folder: Path) -> None:
    stack(folder / "p_ED.nii.gz", 0)
    stack(folder / "p_ES.nii.gz", 1)


def another_grid(folder: Path) -> None:
    stack(folder / "p_ED.nii.gz", 0)
    stack(folder / "p_ES.nii.gz", 0, phase=1.0, zooms=(1.5, 1.5, 9.0))


@pytest.mark.parametrize("made", [another_heart, another_grid])
def test_what_is_named_one_heart_and_does_not_look_so_is_flagged_and_stays_apart(tmp_path, made):
    made(tmp_path)
    studies = list(read_studies(tmp_path))
    assert [remarks(study) for study in studies] == [[Severity.REVIEW]] * 2


def two_patients(folder: Path) -> None:
    stack(folder / "p1_ED.nii.gz", 0)
    stack(folder / "p2_ES.nii.gz", 0, phase=1.0)


def three_files(folder: Path) -> None:
    two_of_one_name(folder)
    stack(folder / "p_ES.nii.gz", 0, phase=1.0)


def two_of_one_name(folder: Path) -> None:
    stack(folder / "p_ED.nii.gz", 0)
    stack(folder / "p_ed.nii.gz", 0, phase=0.1)


def part_of_a_word(folder: Path) -> None:
    stack(folder / "armed.nii.gz", 0)
    stack(folder / "armes.nii.gz", 0, phase=1.0)


@pytest.mark.parametrize("made", [two_patients, three_files, two_of_one_name, part_of_a_word])
def test_what_names_do_not_show_to_be_one_heart_stays_apart(tmp_path, made):
    made(tmp_path)
    studies = list(read_studies(tmp_path))
    assert len(studies) == len(list(tmp_path.iterdir()))
    assert [remarks(study) for study in studies] == [[]] * len(studies)


@pytest.mark.parametrize("name", ["p_sa.nii.gz", "p_SA_4d.nii.gz", "p_sa_cine.nii.gz"])
def test_a_pair_beside_the_cine_that_it_was_taken_from_is_no_second_patient(tmp_path, name):
    word = name[2:4]
    stack(tmp_path / f"p_{word}_ED.nii.gz", 0)
    stack(tmp_path / f"p_{word}_ES.nii.gz", 0, phase=11 / 12)
    cine(tmp_path / name)
    studies = read_studies(tmp_path)
    (study,) = studies
    assert study.series[0].image.phases == 12
    assert [(row.reason.code, row.count) for row in studies.left_out] == [("DUPLICATE", 2)]


def test_a_cine_of_another_patient_keeps_no_pair_from_being_joined(tmp_path):
    stack(tmp_path / "p1_ED.nii.gz", 0)
    stack(tmp_path / "p1_ES.nii.gz", 0, phase=1.0)
    cine(tmp_path / "p10.nii.gz")
    cine(tmp_path / "p2.nii.gz", 1)
    studies = read_studies(tmp_path)
    assert sorted(study.series[0].image.phases for study in studies) == [2, 12, 12]
    assert studies.left_out == ()


def test_pairs_in_an_archive_are_found_and_placed_below_it(tmp_path):
    for heart in (0, 1):
        stack(tmp_path / "files" / f"p{heart}_ED.nii.gz", heart)
        stack(tmp_path / "files" / f"p{heart}_ES.nii.gz", heart, phase=1.0)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in (tmp_path / "files").iterdir():
            archive.write(path, f"in/{path.name}")
    studies = read_studies(tmp_path / "all.zip")
    assert sorted(entry.place for entry in studies.entries) == ["all.zip/in/p0", "all.zip/in/p1"]


@pytest.mark.real_data
def test_every_acdc_patient_is_one_study_of_two_phases(data_folder, tmp_path):
    for path in (data_folder / "acdc").glob("patient00[1-5]_*"):
        shutil.copy(path, tmp_path)
    studies = read_studies(tmp_path)
    assert sorted(entry.place for entry in studies.entries) == [
        f"patient00{n}" for n in range(1, 6)
    ]
    assert {study.series[0].image.phases for study in studies} == {2}
