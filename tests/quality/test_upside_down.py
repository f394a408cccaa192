"""A heart upside down shows in the shape of its right ventricle, where anything says what is up."""

import csv
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.flag import Severity
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles
from opencmr.quality.upside_down import anterior_skewness, upside_down_flags
from tests.quality.conftest import heart_labels

DOWN = np.array([0.0, 1.0, -1.0]) / np.sqrt(2)
LEFT = np.array([1.0, 0.0, 0.0])


def _grid(labels: np.ndarray, down: np.ndarray, right: np.ndarray, mm: float = 1.5) -> Grid:
    """A grid whose rows run along ``down`` and whose columns run along ``right`` (LPS)."""
    affines = np.tile(np.eye(4), (labels.shape[1], 1, 1))
    affines[:, :3, 0], affines[:, :3, 1] = down * mm, right * mm
    affines[:, :3, 2] = np.cross(down, right)
    affines[:, :3, 3] = 10.0 * np.arange(labels.shape[1])[:, None] * np.cross(down, right)
    return Grid(labels.shape[1:], affines)


def _ventricles(labels: np.ndarray, grid: Grid) -> Ventricles:
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.IMPORT, "phantom"))
    image = untimed_image(np.zeros(labels.shape, np.float32), grid)
    return Ventricles(masks, image, Demographics(), "s01")


def _tapering() -> np.ndarray:
    """Labels of two phases whose right ventricle, left of the left one, tapers to low rows."""
    labels = heart_labels(2)
    rows, columns = np.mgrid[0:96, 0:96]
    tail = (rows < 40) & (rows > 14) & (np.abs(columns - 37) < (rows - 14) / 6)
    shown = (labels == 1).any((2, 3), keepdims=True)
    labels[shown & tail & (labels == 0)] = 1
    return labels


def _codes(labels: np.ndarray, grid: Grid) -> list[str]:
    return [flag.code for flag in upside_down_flags(_ventricles(labels, grid), [0, 1])]


def test_an_upright_heart_tapers_towards_anterior():
    labels = _tapering()
    assert anterior_skewness(_ventricles(labels, _grid(labels, DOWN, LEFT)), 0) > 0.1
    assert _codes(labels, _grid(labels, DOWN, LEFT)) == []


def test_rows_in_the_wrong_order_are_for_review():
    labels = _tapering()[:, :, ::-1]
    (flag,) = upside_down_flags(_ventricles(labels, _grid(labels, DOWN, LEFT)), [0, 1])
    assert (flag.code, flag.severity) == ("UPSIDE_DOWN", Severity.REVIEW)


@pytest.mark.parametrize("axes", [(1,), (2,), (0, 1)])
def test_an_image_turned_with_its_axes_stays_upright(axes):
    """Rows reversed, columns reversed, or both exchanged, and the geometry with them."""
    labels = _tapering()
    turned, down, right = {
        (1,): (labels[:, :, ::-1], -DOWN, LEFT),
        (2,): (labels[..., ::-1], DOWN, -LEFT),
        (0, 1): (labels.swapaxes(2, 3), LEFT, DOWN),
    }[axes]
    turned = np.ascontiguousarray(turned)
    assert _codes(turned, _grid(turned, down, right)) == []


def test_where_nothing_says_what_is_up_nothing_is_said():
    labels = np.ascontiguousarray(_tapering()[:, :, ::-1])
    assert _codes(labels, grid_from_spacing(labels.shape[1:], (10.0, 1.5, 1.5))) == []


def test_a_round_or_a_missing_right_ventricle_tells_nothing():
    labels = heart_labels(2)
    assert _codes(labels, _grid(labels, DOWN, LEFT)) == []
    labels[labels == 1] = 0
    assert _codes(labels, _grid(labels, DOWN, LEFT)) == []
    assert list(upside_down_flags(_ventricles(labels, _grid(labels, DOWN, LEFT)), [])) == []


def _reference_masks(folder: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yield labels ``(T, Z, Y, X)`` at ED and ES, transposed so that anterior is at low rows."""
    with (folder / "metadata.csv").open(newline="") as lines:
        patients = [row["patient"] for row in csv.DictReader(lines)]
    for patient in patients:
        files = [nibabel.load(folder / f"{patient}_{when}_gt.nii.gz") for when in ("ed", "es")]
        stacks = [np.asarray(file.dataobj, dtype=np.uint8).transpose(2, 1, 0) for file in files]
        yield np.stack(stacks), float(files[0].header.get_zooms()[0])


@pytest.mark.real_data
def test_of_readers_hearts_upside_down_four_in_five_are_seen_at_two_percent_false_alarms(
    data_folder: Path,
):
    alarms, seen = [], []
    for labels, mm in _reference_masks(data_folder / "acdc"):
        grid = _grid(labels, DOWN, LEFT, mm)
        alarms.append(bool(_codes(labels, grid)))
        seen.append(bool(_codes(np.ascontiguousarray(labels[:, :, ::-1]), grid)))
    assert np.mean(alarms) <= 0.02
    assert np.mean(seen) >= 0.8
