"""The shape of hearts whose shape is known by formula."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.diagnose.shape import shape_values
from opencmr.diagnose.wall_shape import wall_values
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure.ventricles import Unmeasurable, Ventricles

RV, WALL, CAVITY = 1, 2, 3
SLICES = 9


def heart(
    inner_mm: tuple[float, float],
    outer_mm: tuple[float, float],
    *,
    flat: float = 1.0,
    bulge_mm: float = 0.0,
    mirror: bool = False,
    septum_deg: float = 50.0,
) -> Ventricles:
    """A tube of nine slices of 10 mm at ED and ES, septum towards falling columns.

    ``flat`` is the width across the septum over that along it; ``bulge_mm`` thickens the septum.
    """
    rows, columns = np.mgrid[0:120, 0:120] - 60.3
    angle = np.abs(np.arctan2(rows, -columns))
    far = np.hypot(rows * np.sqrt(flat), columns / np.sqrt(flat))
    septum = angle < np.deg2rad(septum_deg)
    phases = []
    for inner, outer in zip(inner_mm, outer_mm, strict=True):
        plane = np.zeros((120, 120), dtype=np.uint8)
        plane[septum & (np.hypot(rows, columns) < outer + bulge_mm + 18)] = RV
        plane[far < outer + bulge_mm * septum] = WALL
        plane[far < inner] = CAVITY
        phases.append(plane[::-1] if mirror else plane)
    labels = np.stack([np.repeat(plane[None], SLICES, 0) for plane in phases])
    # Base and apex must be told: the last slices lose the right ventricle.
    labels[:, -2:][labels[:, -2:] == RV] = 0
    grid = grid_from_spacing(labels.shape[1:], (10.0, 1.0, 1.0))
    author = Author(AuthorKind.READER, "phantom")
    image = untimed_image(np.zeros(labels.shape, dtype=np.float32), grid)
    return Ventricles(
        Segmentation(labels, ACDC, grid, ACDC_POLICY, author), image, Demographics(), "s01"
    )


def test_an_even_tube_is_even() -> None:
    found = shape_values(heart((25, 18), (33, 31)))
    assert found["wth_poor"] == 0
    assert found["wt_es_sd"] < 0.2
    assert found["wth_sd"] < 5
    assert found["inward_sd"] < 1
    for symbol in ("septum_ratio", "wt_septum_lateral"):
        assert found[symbol] == pytest.approx(1, abs=0.04)


def test_a_wall_that_stands_still_on_one_side_moves_unevenly() -> None:
    """The cavity's centre moves away from it, so the motion is that about both centres."""
    moving = heart((25, 18), (33, 31))
    still = np.array(moving.segmentation.labels)
    rows, columns = np.mgrid[0:120, 0:120] - 60.3
    stuck = (np.hypot(rows, columns) < 25) & (columns > 12) & (still[1] != RV)
    still[1][stuck] = CAVITY
    segmentation = replace(moving.segmentation, labels=still)
    found = shape_values(replace(moving, segmentation=segmentation))
    assert found["inward_sd"] > 5
    assert found["wth_sd"] > 15


def test_the_sphericity_is_that_of_the_tube() -> None:
    """Volume pi 25² 90 over that of a ball of 90 mm across."""
    expected = np.pi * 25**2 * 90 / (np.pi / 6 * 90**3)
    assert shape_values(heart((25, 18), (33, 31)))["lv_sphericity"] == pytest.approx(
        expected, rel=0.02
    )


def test_a_flattened_septum_makes_the_cavity_narrow_across_it() -> None:
    found = shape_values(heart((25, 18), (33, 31), flat=0.7))
    assert found["septum_ratio"] == pytest.approx(0.7, abs=0.05)


def test_a_thick_septum_is_thicker_than_the_lateral_wall() -> None:
    found = shape_values(heart((22, 16), (30, 27), bulge_mm=8))
    assert found["wt_septum_lateral"] == pytest.approx(2.0, abs=0.35)


def test_a_mirrored_heart_has_the_same_shape() -> None:
    """The patient's axes are unknown, so the side must not matter."""
    one, other = (
        shape_values(heart((22, 16), (30, 29), bulge_mm=6, mirror=mirror))
        for mirror in (False, True)
    )
    assert {k: pytest.approx(v, abs=0.5, rel=0.05) for k, v in one.items()} == other


def test_without_a_right_ventricle_there_is_no_septum() -> None:
    with pytest.raises(Unmeasurable):
        shape_values(heart((25, 18), (33, 31), septum_deg=0.0))


def test_too_few_segments_give_no_spread() -> None:
    even = dict.fromkeys(range(1, 17), 8.0)
    assert wall_values(even, dict.fromkeys(range(1, 6), 12.0)) == {}
    assert wall_values(even, even)["wt_es_sd"] == 0
