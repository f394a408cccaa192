"""Windows carry pixels to the network's grid and back without moving them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencmr.geometry.grid import grid_from_spacing
from opencmr.geometry.resampling import linear_weights
from opencmr.segment.heart import HeartBox, heart_window
from opencmr.segment.window import LARGEST_WINDOW_PX, Window, whole_window


def disc(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]):
    rows, columns = np.indices(shape)
    distance = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2
    return (distance <= 1).astype(np.float32)


@settings(max_examples=30)
@given(
    row_step=st.floats(0.6, 2.0),
    column_step=st.floats(0.6, 2.0),
    row=st.floats(50, 78),
    column=st.floats(50, 90),
)
def test_a_disc_comes_back_where_it_was(row_step, column_step, row, column):
    window = Window((64.0, 70.0), 160, 160, row_step, column_step, (128, 140))
    image = disc((128, 140), (row, column), (20, 16))
    back = np.zeros_like(image)
    back[window.reached] = window.paste(window.cut(image))
    found = np.argwhere(back > 0.5).mean(0)
    assert found == pytest.approx([row, column], abs=0.35)
    assert (back > 0.5).sum() == pytest.approx(image.sum(), rel=0.03)


@settings(max_examples=30)
@given(
    row_step=st.floats(0.3, 2.5),
    column_step=st.floats(0.3, 2.5),
    row=st.floats(-60, 90),
    column=st.floats(-60, 90),
)
def test_nothing_is_pasted_beside_what_a_window_reaches(row_step, column_step, row, column):
    window = Window((row, column), 32, 16, row_step, column_step, (40, 50))
    rows, columns = np.indices((40, 50))
    away = abs(rows - row) / row_step - 15.5, abs(columns - column) / column_step - 7.5
    blurred = 1 + max(1 / row_step, 1), 1 + max(1 / column_step, 1)  # pixels of the window
    back = np.zeros((40, 50), np.float32)
    back[window.reached] = window.paste(np.ones((32, 16), np.float32))
    assert not back[(away[0] > blurred[0]) | (away[1] > blurred[1])].any()
    within = back[(away[0] < -blurred[0]) & (away[1] < -blurred[1])]
    assert within == pytest.approx(np.ones_like(within), abs=1e-5)


def test_resampling_at_step_one_is_the_identity():
    assert linear_weights(7, 7, step=1.0, start=0.0).toarray() == pytest.approx(np.eye(7))


def test_downsampling_averages_instead_of_aliasing():
    stripes = np.tile([0.0, 1.0], 32)
    weights = linear_weights(64, 14, step=4.0, start=4.0)
    assert weights @ stripes == pytest.approx(np.full(14, 0.5), abs=1e-6)


@settings(max_examples=60)
@given(step=st.floats(0.3, 4.0), start=st.floats(6, 10))
def test_a_constant_stays_constant_at_every_step(step, start):
    weights = linear_weights(400, 80, step=step, start=start)
    assert weights @ np.ones(400) == pytest.approx(np.ones(80), abs=1e-6)


@settings(max_examples=60)
@given(step=st.floats(0.3, 4.0), start=st.floats(6, 10))
def test_a_ramp_stays_a_ramp(step, start):
    ramp = np.arange(400.0)
    weights = linear_weights(400, 80, step=step, start=start)
    assert weights @ ramp == pytest.approx(start + step * np.arange(80), abs=0.26)


def test_outside_the_source_there_is_zero():
    weights = linear_weights(4, 3, step=1.0, start=-5.0)
    assert not weights.toarray().any()


@pytest.mark.parametrize("spacing_mm", [0.05, 0.5, 1.25])
def test_no_image_makes_a_window_that_exhausts_the_machine(spacing_mm):
    wanted = SimpleNamespace(spacing_mm=spacing_mm, stride_px=48)
    grid = grid_from_spacing((1, 40, 30), (8.0, 50.0, 50.0))
    image = SimpleNamespace(grid=grid)
    window = whole_window(image, wanted)
    assert max(window.rows_px, window.columns_px) <= LARGEST_WINDOW_PX
    assert window.rows_px % 48 == window.columns_px % 48 == 0
    box = HeartBox((0, 39), (0, 29))
    assert heart_window(image, box, wanted).rows_px <= LARGEST_WINDOW_PX
