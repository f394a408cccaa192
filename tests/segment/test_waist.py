"""A left ventricle has no waist; what lies beyond one is none."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.anatomy.structures import ACDC, EMIDEC, LabelScheme, Structure
from opencmr.segment.waist import keep_below_waist
from opencmr.train.emidec import ARCHIVE, read_cases, read_pictures

ROWS, COLUMNS = np.indices((70, 70))
RADIUS = np.hypot(ROWS - 35, COLUMNS - 35)


def stack(radii: list[float], scheme: LabelScheme = EMIDEC) -> np.ndarray:
    """Return rings of walls 6 pixels thick."""
    cavity, wall = scheme.label_of(Structure.LV), scheme.label_of(Structure.MYOCARDIUM)
    return np.stack(
        [np.where(r - 6 > RADIUS, cavity, np.where(r > RADIUS, wall, 0)) for r in radii]
    ).astype(np.uint8)


def slices_left(labels: np.ndarray, scheme: LabelScheme = EMIDEC) -> list[int]:
    return np.flatnonzero(keep_below_waist(labels, scheme).any((1, 2))).tolist()


@pytest.mark.parametrize("radii", [[8, 15, 20, 24, 25, 25], [10, 24, 25, 24, 23], [25], [20, 25]])
def test_a_ventricle_from_apex_to_base_stays_as_it_is(radii: list[float]) -> None:
    for labels in (stack(radii), stack(radii[::-1])):
        assert (keep_below_waist(labels, EMIDEC) == labels).all()


def test_an_atrium_beyond_a_waist_goes_with_it_whichever_end_it_is_at() -> None:
    radii = [12.0, 20, 24, 25, 25, 16, 22]
    assert slices_left(stack(radii)) == [0, 1, 2, 3, 4]
    assert slices_left(stack(radii[::-1])) == [2, 3, 4, 5, 6]


def test_an_atrium_that_is_wider_than_the_ventricle_goes_too() -> None:
    assert slices_left(stack([12, 20, 24, 24, 24, 16, 29])) == [0, 1, 2, 3, 4]


def test_a_slice_without_outline_is_no_waist() -> None:
    labels = stack([12, 20, 24, 25, 25, 24])
    labels[4] = 0
    assert slices_left(labels) == [0, 1, 2, 3, 5]


def test_half_a_ventricle_never_goes_for_one_slice_that_was_hardly_outlined() -> None:
    assert slices_left(stack([15, 20, 24, 12, 25, 24, 20])) == list(range(7))


def test_the_right_ventricle_stays() -> None:
    labels = stack([12, 20, 24, 25, 25, 16, 22], ACDC)
    right = ACDC.label_of(Structure.RV)
    labels[:, :4] = right
    kept = keep_below_waist(labels, ACDC)
    assert (kept[:, :4] == right).all()
    assert not kept[5:, 4:].any()


def test_nothing_is_nothing() -> None:
    labels = np.zeros((3, 70, 70), np.uint8)
    assert (keep_below_waist(labels, EMIDEC) == labels).all()


@pytest.mark.real_data
def test_no_reader_s_ventricle_has_a_waist(data_folder: Path) -> None:
    for path in sorted((data_folder / "acdc").glob("*_gt.nii.gz")):
        labels = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
        assert (keep_below_waist(labels, ACDC) == labels).all(), path.name
    for case in read_cases(data_folder):
        labels = read_pictures(data_folder / ARCHIVE / "label" / case.patient)
        assert (keep_below_waist(labels, EMIDEC) == labels).all(), case.patient
