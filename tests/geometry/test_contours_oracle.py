"""Lines and polygons are those of scikit-image, point by point and pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon
from skimage.measure import find_contours

from opencmr.geometry.contours import OFF_CENTRE_PX, level_lines, mask_of_polygon

MARGIN = 6
seeds = st.integers(0, 2**32 - 1)


def same_lines(values: np.ndarray) -> bool:
    expected, found = find_contours(values, 0.5), level_lines(values, 0.5)
    return len(found) == len(expected) and all(
        np.allclose(a, b, rtol=0, atol=1e-9) and a.shape == b.shape
        for a, b in zip(found, expected, strict=True)
    )


@settings(max_examples=100)
@given(
    mask=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), sigma=st.floats(0.5, 2)
)
def test_lines_round_any_mask_are_the_same(mask: np.ndarray, sigma: float) -> None:
    assert same_lines(gaussian_filter(np.pad(mask.astype(float), MARGIN), (1.0, sigma)))


@settings(max_examples=60)
@given(seed=seeds, coarse=st.floats(0.4, 3))
def test_lines_of_torn_masks_with_holes_are_the_same(seed: int, coarse: float) -> None:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(40, 50)), coarse)
    assert same_lines(gaussian_filter(np.pad((noise > 0).astype(float), MARGIN), 1.0))


@settings(max_examples=60)
@given(seed=seeds)
def test_lines_through_saddles_are_the_same_and_end_where_they_began(seed: int) -> None:
    values = np.pad(np.random.default_rng(seed).uniform(size=(15, 20)), 1)
    assert same_lines(values)
    assert all(np.array_equal(line[0], line[-1]) for line in level_lines(values, 0.5))


@settings(max_examples=100)
@given(
    points=arrays(float, st.tuples(st.integers(3, 30), st.just(2)), elements=st.floats(-9.5, 50.5))
)
def test_any_polygon_holds_the_same_pixels(points: np.ndarray) -> None:
    expected = np.zeros((40, 45), dtype=bool)
    expected[polygon(*(points + OFF_CENTRE_PX).T, expected.shape)] = True
    assert np.array_equal(mask_of_polygon(points, expected.shape), expected)


@pytest.mark.parametrize("shape", [(0, 2), (1, 2), (2, 2)])
def test_what_is_no_area_holds_no_pixel(shape: tuple[int, int]) -> None:
    assert not mask_of_polygon(np.full(shape, 3.3), (8, 9)).any()
