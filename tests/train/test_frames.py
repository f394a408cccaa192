"""What the picture network sees: one size, one scale, whatever the scanner's pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import Image, untimed_image
from opencmr.train.frames import CHANNELS, HEIGHTS, SIDE_PX, averaging, frames_of


def image_of(values: np.ndarray, row_mm: float = 1.5, column_mm: float = 1.5) -> Image:
    grid = grid_from_spacing(values.shape[1:], (8.0, row_mm, column_mm))
    return untimed_image(values.astype(np.float32), grid)


def disc(rows: int, columns: int, row_mm: float, column_mm: float) -> np.ndarray:
    """A bright off-centre disc on a slope, drawn in mm about the middle of the picture."""
    y = (np.arange(rows) - (rows - 1) / 2)[:, None] * row_mm
    x = (np.arange(columns) - (columns - 1) / 2)[None] * column_mm
    return np.where(np.hypot(y - 20, x + 15) < 40, 500.0, 100.0) + y


@given(st.integers(20, 700), st.floats(0.3, 1.0))
def test_averaging_weights_sum_to_one_and_keep_a_slope(pixels: int, share: float) -> None:
    weights = averaging(pixels, share * pixels)
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)
    middles = weights @ (np.arange(pixels) + 0.5)
    width = share * pixels
    expected = (pixels - width) / 2 + width * (np.arange(SIDE_PX) + 0.5) / SIDE_PX
    # The mean position over an extent is its middle where whole pixels are averaged.
    np.testing.assert_allclose(middles, expected, atol=0.51)


@pytest.mark.parametrize("shape", [(1, 1, 50, 70), (7, 2, 300, 128), (25, 12, 64, 64)])
def test_any_stack_gives_the_same_shape_within_0_and_1(shape: tuple[int, ...]) -> None:
    found = frames_of(image_of(np.random.default_rng(0).normal(100, 50, shape)))
    assert found.shape == (len(HEIGHTS), len(CHANNELS), SIDE_PX, SIDE_PX)
    assert found.dtype == np.float32
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_pixel_size_and_a_longer_side_change_little() -> None:
    fine = image_of(disc(256, 256, 1.0, 1.0)[None, None], 1.0, 1.0)
    stretched = image_of(disc(128, 400, 2.0, 0.8)[None, None], 2.0, 0.8)
    difference = np.abs(frames_of(fine) - frames_of(stretched))
    assert difference.mean() < 0.02


@given(st.floats(0.01, 100.0), st.floats(-1000.0, 1000.0))
def test_the_scale_of_the_values_does_not_matter(gain: float, offset: float) -> None:
    values = np.random.default_rng(1).normal(100, 50, (5, 3, 64, 64))
    np.testing.assert_allclose(
        frames_of(image_of(gain * values + offset)), frames_of(image_of(values)), atol=5e-3
    )


def test_change_is_seen_where_something_changes_and_nowhere_else() -> None:
    values = np.repeat(disc(128, 128, 2.0, 2.0)[None, None], 10, axis=0)
    values[::2, :, 40:60, 40:60] += 300
    change = frames_of(image_of(values, 2.0, 2.0))[:, CHANNELS.index("change")]
    assert (change[:, 21:29, 21:29] > 0.2).all()
    change[:, 19:31, 19:31] = 0
    assert change.max() < 1e-3


def test_first_and_last_are_those_of_a_still_picture() -> None:
    mean, change, first, last = frames_of(image_of(disc(96, 96, 2.0, 2.0)[None, None]))[1]
    np.testing.assert_array_equal(mean, first)
    np.testing.assert_array_equal(mean, last)
    assert change.max() == 0.0


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf, -np.inf])
def test_a_picture_of_nothing_is_zero(value: float) -> None:
    assert not frames_of(image_of(np.full((3, 2, 64, 64), value))).any()


def test_values_that_are_no_numbers_spoil_no_others() -> None:
    values = disc(128, 128, 2.0, 2.0)[None, None]
    spoilt = values.copy()
    spoilt[..., 0, 0] = np.nan
    assert np.isfinite(frames_of(image_of(spoilt))).all()
    difference = np.abs(frames_of(image_of(spoilt)) - frames_of(image_of(values)))
    assert difference.mean() < 1e-2


def test_the_slices_shown_are_those_at_the_heights() -> None:
    values = np.zeros((1, 12, 64, 64))
    for z in range(12):
        values[0, z, : 5 + 4 * z] = 1.0
    shown = frames_of(image_of(values))[:, 0]
    assert [int(one[:, 0].sum()) for one in shown] == [5 + 4 * z for z in (3, 6, 9)]
