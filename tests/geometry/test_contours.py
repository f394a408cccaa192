"""Contours: from a mask to its outline and back."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.draw import polygon2mask

from opencmr.geometry.contours import (
    distances_mm,
    mask_of_polygon,
    outline_mm,
    outlines_mm,
    thinned,
)

SHAPE = (90, 110)


def blob(rng: np.random.Generator, spacing_mm: tuple[float, float]) -> np.ndarray:
    """A smooth closed line ``(N, 2)`` in mm about the middle of :data:`SHAPE`."""
    angles = np.linspace(0, 2 * np.pi, 721)
    radius_mm = rng.uniform(12, 28) * np.ones_like(angles)
    for k in (2, 3):
        radius_mm *= 1 + rng.uniform(0, 0.12) * np.cos(k * angles + rng.uniform(0, 2 * np.pi))
    middle = np.array(SHAPE) / 2 * spacing_mm + rng.uniform(-1, 1, 2)
    return middle + radius_mm[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])


def mask_of_lines(lines: Iterable[np.ndarray], spacing_mm: tuple[float, float]) -> np.ndarray:
    """The pixels inside an odd number of lines in mm."""
    mask = np.zeros(SHAPE, dtype=bool)
    for line in lines:
        mask ^= mask_of_polygon(line / spacing_mm, SHAPE)
    return mask


def area_mm2(outline: np.ndarray) -> float:
    ahead, behind = outline[1:], outline[:-1]
    return float(abs((behind[:, 0] * ahead[:, 1] - ahead[:, 0] * behind[:, 1]).sum()) / 2)


spacings = st.tuples(st.floats(0.9, 1.8), st.floats(0.9, 1.8))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), spacing_mm=spacings)
def test_a_mask_comes_back_from_its_outline_but_for_pixels_on_its_edge(seed, spacing_mm) -> None:
    line = blob(np.random.default_rng(seed), spacing_mm)
    mask = mask_of_polygon(line / spacing_mm, SHAPE)
    back = mask_of_lines(outlines_mm(mask, spacing_mm), spacing_mm)
    edge = binary_dilation(mask) & ~binary_erosion(mask)
    assert not ((back != mask) & ~edge).any()
    assert (back != mask).sum() <= 0.05 * edge.sum()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), spacing_mm=spacings)
def test_a_pixel_is_inside_when_the_line_goes_round_its_centre(seed, spacing_mm) -> None:
    line = blob(np.random.default_rng(seed), spacing_mm)
    found = mask_of_polygon(line / spacing_mm, SHAPE)
    assert np.array_equal(found, polygon2mask(SHAPE, line / spacing_mm))
    for row, column in np.random.default_rng(seed).integers(0, SHAPE, (200, 2)):
        seen = np.unwrap(np.arctan2(*(line - (row, column) * np.array(spacing_mm)).T))
        assert found[row, column] == (abs(seen[-1] - seen[0]) > np.pi)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (1.4, 1.4), (1.8, 1.0)])
@pytest.mark.parametrize("radius_mm", [12.0, 25.0])
def test_the_outline_of_a_circle_holds_its_area_within_three_percent(spacing_mm, radius_mm) -> None:
    down, right = np.mgrid[0:90, 0:110] * np.reshape(spacing_mm, (2, 1, 1)) - 45.3
    outline = outline_mm(np.hypot(down, right) < radius_mm, spacing_mm)
    assert outline is not None
    assert area_mm2(outline) == pytest.approx(np.pi * radius_mm**2, rel=0.03)


def test_a_hole_and_a_second_part_are_outlined_and_come_back() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:50, 10:50] = mask[60:80, 70:100] = True
    mask[22:38, 22:38] = False
    lines = outlines_mm(mask, (1.0, 1.0))
    assert len(lines) == 3
    assert (mask_of_lines(lines, (1.0, 1.0)) != mask).sum() <= 12  # the corners


def test_nothing_has_no_outline() -> None:
    nothing = np.zeros(SHAPE, dtype=bool)
    assert outline_mm(nothing, (1.0, 1.0)) is None
    assert outlines_mm(nothing, (1.0, 1.0)) == ()


@pytest.mark.parametrize("tolerance_mm", [0.05, 0.1, 0.3])
def test_a_thinned_outline_stays_within_the_tolerance_and_has_fewer_points(
    tolerance_mm: float,
) -> None:
    angle = np.linspace(0, 2 * np.pi, 481)
    radius = 25 + 2 * np.sin(5 * angle)
    outline = np.column_stack([radius * np.cos(angle), 0.8 * radius * np.sin(angle)])
    outline[-1] = outline[0]
    kept = thinned(outline, tolerance_mm)
    assert distances_mm(outline, kept).max() <= tolerance_mm
    assert np.array_equal(kept[0], kept[-1])
    assert len(kept) < len(outline) / 3


def test_the_corners_of_a_square_are_not_thinned_away() -> None:
    side = np.arange(0, 20, 1.0)
    zero, far = np.zeros(20), np.full(20, 20.0)
    square = np.concatenate(
        [
            np.column_stack(xy)
            for xy in ((side, zero), (far, side), (20 - side, far), (zero, 20 - side))
        ]
    )
    kept = thinned(np.vstack([square, square[:1]]), 0.1)
    assert {(0, 0), (20, 0), (20, 20), (0, 20)} <= {tuple(point) for point in kept}
    assert len(kept) < 20
