"""What came in parts: one study a slice, one file a frame."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from opencmr.imaging.flag import Severity
from opencmr.intake.studies import read_studies


def _studies_of_one_slice(folder: Path, change: dict[str, list[str]] | None = None) -> Path:
    """Give every slice of a small cine a study and a series of its own."""
    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        z = round(float(dataset.ImagePositionPatient[2]) / 10)
        dataset.StudyInstanceUID = f"1.2.3.{70 + z}"
        dataset.SeriesInstanceUID = f"1.2.3.{90 + z}"
        for keyword, values in (change or {}).items():
            setattr(dataset, keyword, values[z])
        dataset.save_as(path)
    return folder


def _said(study) -> list[tuple[str, Severity]]:
    return [(f.code, f.severity) for f in study.flags if f.code == "STUDY_SPLIT"]


def test_studies_of_one_slice_each_of_one_patient_and_day_are_one_study(cine_folder):
    (whole,) = read_studies(cine_folder("whole"))
    (study,) = read_studies(_studies_of_one_slice(cine_folder("split")))
    (series,) = study.series
    assert np.array_equal(series.image.values, whole.series[0].image.values)
    assert _said(study) == [("STUDY_SPLIT", Severity.INFO)]
    assert study.left_out == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PatientID": ["", "", ""]}, True),
        ({"StudyDate": ["", "", ""]}, True),
        ({"StudyDate": ["20200102", "20200103", "20200104"]}, True),
        ({"FrameOfReferenceUID": ["", "", ""]}, True),
        ({"PatientID": ["A", "B", "C"]}, False),
        ({"FrameOfReferenceUID": ["1.1", "1.2", "1.3"]}, False),
        ({"PatientBirthDate": ["19700102", "19800102", "19900102"]}, True),
    ],
)
def test_studies_that_nothing_proves_to_be_one_are_not_joined(cine_folder, change, named):
    studies = list(read_studies(_studies_of_one_slice(cine_folder(), change)))
    assert len(studies) == 3
    said = [("STUDY_SPLIT", Severity.REVIEW)] if named else []
    assert [_said(study) for study in studies] == [said] * 3


def test_two_studies_of_the_same_slices_are_two_studies(cine_folder):
    folder = _studies_of_one_slice(
        cine_folder(), {"ImagePositionPatient": [["-10", "-20", "0"]] * 3}
    )
    assert len(read_studies(folder)) == 3


RNG = np.random.default_rng(4)
HEART = RNG.normal(400, 100, (40, 40, 5))


def _frame(path: Path, t: int, heart: np.ndarray = HEART, zooms=(1.5, 1.5, 8.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = heart + 20 * np.sin(t / 3) * np.roll(heart, 5, 0) / 400 + t
    image = nibabel.Nifti1Image(values.astype(np.float32), np.diag([*zooms, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _codes(studies) -> set[tuple[str, Severity]]:
    flags = (flag for study in studies for one in study.series for flag in one.flags)
    return {(flag.code, flag.severity) for flag in flags if flag.code == "SERIES_PER_PHASE"}


@pytest.mark.parametrize(
    "name", ["p7_frame{:02d}", "p7-phase-{}_0000", "time{:03d}", "a/p Frame {}"]
)
def test_files_whose_names_differ_in_a_frame_are_one_cine(tmp_path, name):
    for t in range(2, 12):
        _frame(tmp_path / f"{name.format(t)}.nii", t)
    (study,) = studies = list(read_studies(tmp_path))
    (series,) = study.series
    assert series.image.values.shape == (10, 5, 40, 40)
    assert series.image.values[3, 0, 0, 0] == pytest.approx(
        (HEART + 20 * np.sin(5 / 3) * np.roll(HEART, 5, 0) / 400 + 5)[0, 0, 0], rel=1e-4
    )
    assert _codes(studies) == {("SERIES_PER_PHASE", Severity.INFO)}


def _case_numbers(folder: Path) -> None:
    for t in range(10):
        _frame(folder / f"case_{t:03d}_0000.nii", t)


def _a_gap(folder: Path) -> None:
    for t in (*range(5), *range(6, 12)):
        _frame(folder / f"frame{t}.nii", t)


@pytest.mark.parametrize("made", [_case_numbers, _a_gap])
def test_frames_of_one_heart_that_names_do_not_order_are_named_and_not_joined(tmp_path, made):
    made(tmp_path)
    studies = list(read_studies(tmp_path))
    assert len(studies) >= 10
    assert _codes(studies) == {("SERIES_PER_PHASE", Severity.REVIEW)}


def _another_grid(folder: Path) -> None:
    for t in range(10):
        _frame(folder / f"frame{t}.nii", t, zooms=(1.5, 1.5, 8.0 + t))


def _different_hearts(folder: Path) -> None:
    for t in range(10):
        _frame(folder / f"frame{t}.nii", t, RNG.normal(400, 100, HEART.shape))


def _a_cohort(folder: Path) -> None:
    for t in range(10):
        _frame(folder / f"case_{t:03d}_0000.nii", t, RNG.normal(400, 100, HEART.shape))


def _few(folder: Path) -> None:
    for t in (1, 7):
        _frame(folder / f"patient201_frame{t:02d}.nii", t)


@pytest.mark.parametrize("made", [_another_grid, _different_hearts, _a_cohort, _few])
def test_what_is_not_one_heart_on_one_grid_is_neither_joined_nor_named(tmp_path, made):
    made(tmp_path)
    studies = list(read_studies(tmp_path))
    assert len(studies) == len(list(tmp_path.iterdir()))
    assert _codes(studies) == set()
