"""How large the heart is decides the grid, and only where it is certain."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, EMIDEC, LabelScheme, Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import Image, untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.models.card import SegmentationInput, SegmentationOutput
from opencmr.segment.heart import (
    LEAST_AREA_CM2,
    LEAST_AREA_OF_A_PHASE_CM2,
    LEAST_SCALE,
    USUAL_AREA_CM2,
    HeartBox,
    box_of,
    find_heart,
    heart_window,
)
from opencmr.segment.window import whole_window

SLICE_MM = 8.0


class Seer:
    """A network that sees all that is bright, if it covers enough pixels, and counts its looks."""

    def __init__(
        self,
        least_px: int = 1,
        swells_beyond_px: int | None = None,
        scheme: LabelScheme = ACDC,
    ) -> None:
        self.card = SimpleNamespace(
            input=SegmentationInput(
                spacing_mm=1.4,
                window_px=160,
                intensity_percentiles=(0.0, 100.0),
                view=View.SAX,
                technique=Technique.CINE,
                stride_px=16,
                context_slices=0,
            ),
            output=SegmentationOutput(
                label_scheme=scheme.name,
                papillary_rule=ACDC_POLICY.papillary,
                basal_rule=ACDC_POLICY.basal,
            ),
        )
        self.least_px, self.swells_beyond_px = least_px, swells_beyond_px
        self.looks = self.pixels = 0

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.looks += 1
        self.pixels += windows[:, 0].size
        seen = (windows[:, 0] > 0.5).astype(np.float32)
        if seen.sum() < self.least_px:
            seen[:] = 0
        elif self.swells_beyond_px and seen.sum() > self.swells_beyond_px:
            seen[:] = 1
        return np.stack([1 - seen, seen], axis=1)


def stack(area_cm2: float, slices: int = 10, phases: int = 2) -> Image:
    """A bright column of ``area_cm2`` over all slices but one at each end, on 1 mm pixels."""
    rows, columns = np.indices((220, 200))
    disc = np.hypot(rows - 108, columns - 96) <= 10 * np.sqrt(area_cm2 / np.pi)
    values = np.zeros((phases, slices, *disc.shape), np.float32)
    values[:, 1 : max(slices - 1, 2)] = disc
    if slices == 1:
        values[:] = disc
    return untimed_image(values, grid_from_spacing(values.shape[1:], (SLICE_MM, 1.0, 1.0)))


def test_a_heart_that_the_first_phase_does_not_show_is_found():
    image = stack(80.0, phases=9)
    values = image.values.copy()
    values[0] = 0
    values[0, :, 3, 3] = 1  # a spot, so that intensities have a range
    box = find_heart(untimed_image(values, image.grid), Seer(least_px=20))
    assert box is not None
    assert np.mean(box.rows) == pytest.approx(108, abs=2)


def test_a_stray_part_of_the_first_phase_does_not_hide_the_heart():
    """Larger than the heart, and shown by no other phase."""
    image = stack(60.0, phases=9)
    values = image.values.copy()
    values[0, :, 150:215, 130:195] = 1
    box = find_heart(untimed_image(values, image.grid), Seer())
    assert np.mean(box.rows) == pytest.approx(108, abs=2)
    assert np.mean(box.columns) == pytest.approx(96, abs=2)


def test_phases_after_the_first_are_looked_at_about_the_heart_alone():
    image = stack(60.0, phases=9)
    wide = np.pad(image.values, [(0, 0), (0, 0), (0, 200), (0, 220)])
    seer = Seer()
    find_heart(untimed_image(wide, grid_from_spacing(wide.shape[1:], (SLICE_MM, 1, 1))), seer)
    whole = (-(-420 / 1.4 // 16) * 16) ** 2 * image.grid.shape[0]
    assert seer.looks == 3 * image.grid.shape[0]
    assert seer.pixels < 2 * whole


@pytest.mark.parametrize("column", np.arange(96.0, 99.0, 0.35))
def test_where_the_heart_was_seen_moves_the_window_by_whole_pixels(column):
    image, wanted = stack(60.0), Seer().card.input
    whole = whole_window(image, wanted)
    window = heart_window(image, HeartBox((60.0, 150.0), (50.0, 2 * column - 50.0)), wanted)
    for within, of_whole in (
        (window.source_rows(np.arange(2)), whole.source_rows(np.arange(2))),
        (window.source_columns(np.arange(2)), whole.source_columns(np.arange(2))),
    ):
        apart_px = (within[0] - of_whole[0]) / (of_whole[1] - of_whole[0])
        assert apart_px == pytest.approx(round(apart_px), abs=1e-6)
    assert window.centre[1] == pytest.approx(column, abs=0.71)


@pytest.mark.parametrize("area_cm2", [LEAST_AREA_CM2 + 2, USUAL_AREA_CM2, 120.0])
def test_a_heart_of_a_trained_size_is_looked_at_once_and_on_the_networks_own_grid(area_cm2):
    network, image = Seer(), stack(area_cm2)
    box = find_heart(image, network)
    assert box.scale == 1.0
    assert network.looks == image.phases * image.grid.shape[0]


@pytest.mark.parametrize("area_cm2", [22.0, 28.0, 40.0])
def test_a_small_heart_is_brought_to_the_usual_size(area_cm2):
    image = stack(area_cm2)
    box = find_heart(image, Seer())
    assert box.scale == pytest.approx((area_cm2 / USUAL_AREA_CM2) ** 0.5, rel=0.03)
    wanted = Seer().card.input
    window, usual = heart_window(image, box, wanted), stack(USUAL_AREA_CM2)
    assert window.row_step == pytest.approx(1.4 * box.scale)
    seen = window.cut(image.values[0, 5]) > 0.5
    other = heart_window(usual, find_heart(usual, Seer()), wanted)
    assert seen.sum() == pytest.approx((other.cut(usual.values[0, 5]) > 0.5).sum(), rel=0.05)
    assert (window.rows_px, window.columns_px) == (other.rows_px, other.columns_px)


def test_one_phase_may_be_end_systole_and_is_held_against_smaller_hearts():
    between = (LEAST_AREA_CM2 + LEAST_AREA_OF_A_PHASE_CM2) / 2
    assert find_heart(stack(between), Seer()).scale < 1
    assert find_heart(stack(between, phases=1), Seer()).scale == 1
    assert find_heart(stack(20.0, phases=1), Seer()).scale < 1


def test_a_left_ventricle_alone_is_not_held_against_the_size_of_both():
    network, image = Seer(scheme=EMIDEC), stack(28.0)
    assert find_heart(image, network).scale == 1.0
    assert network.looks == image.phases * image.grid.shape[0]


@pytest.mark.parametrize("slices", [1, 5])
def test_a_few_slices_are_a_part_of_a_heart_and_no_small_one(slices):
    assert find_heart(stack(30.0, slices=slices), Seer()).scale == 1


def test_a_heart_too_small_to_be_seen_is_found_on_a_finer_grid():
    image = stack(20.0)
    blind = Seer(least_px=2000)
    box = find_heart(image, blind)
    assert box.scale == pytest.approx((20.0 / USUAL_AREA_CM2) ** 0.5, abs=0.01)
    assert box.rows[0] == pytest.approx(108 - 25, abs=2)


def test_no_grid_is_finer_than_the_limit():
    assert find_heart(stack(12.0), Seer()).scale == LEAST_SCALE


def test_nothing_stays_nothing():
    assert find_heart(stack(0.0), Seer(least_px=10)) is None


def test_a_spot_that_is_no_small_heart_on_the_finer_grid_changes_nothing():
    image = stack(28.0)
    alone = find_heart(image, Seer(swells_beyond_px=2500))
    assert alone.scale == 1
    assert alone.rows[0] == pytest.approx(108 - 30, abs=2)


class RingSeer(Seer):
    """A network of the left ventricle alone: two brightnesses are cavity and wall to it."""

    def __init__(self) -> None:
        super().__init__(scheme=EMIDEC)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        shares = np.zeros((1, 1 + len(EMIDEC.structures), *windows.shape[2:]), np.float32)
        for level, structure in ((CAVITY, Structure.LV), (WALL, Structure.MYOCARDIUM)):
            shares[0, EMIDEC.label_of(structure)] = np.isclose(windows[0, 0], level)
        shares[0, 0] = 1 - shares[0].sum(0)
        return shares


CAVITY, WALL = 1.0, 0.5


def body(heart_row: int) -> Image:
    """A ventricle of ring and cavity, and larger organs: half a ring, wall alone, cavity alone."""
    rows, columns = np.indices((208, 208))
    values = np.zeros((1, 8, 208, 208), np.float32)

    def disc(row: int, column: int, radius: float) -> np.ndarray:
        return np.hypot(rows - row, columns - column) <= radius

    values[..., disc(heart_row, 50, 22)] = WALL
    values[..., disc(heart_row, 50, 14)] = CAVITY
    values[..., disc(60, 150, 34) & (rows < 60)] = WALL
    values[..., disc(60, 150, 34) & (rows >= 60)] = CAVITY
    values[..., disc(150, 110, 28)] = WALL
    values[..., disc(150, 175, 28)] = CAVITY
    return untimed_image(values, grid_from_spacing(values.shape[1:], (SLICE_MM, 1.4, 1.4)))


@pytest.mark.parametrize("heart_row", [40, 100, 170])
def test_a_network_of_the_left_ventricle_finds_it_where_wall_encloses_cavity(heart_row):
    box = find_heart(body(heart_row), RingSeer())
    assert box is not None
    expected = (heart_row - 22, heart_row + 22, 28, 72)
    assert np.allclose((*box.rows, *box.columns), expected, atol=1.5)


def test_a_ring_that_is_torn_a_little_is_still_the_heart():
    image = body(100)
    values = image.values.copy()
    values[..., 100:104, 66:74] = 0
    box = find_heart(replace(image, values=values), RingSeer())
    assert box is not None
    assert np.allclose(box.rows, (78, 122), atol=1.5)


def test_the_box_of_labels_is_their_extent_over_slices_and_phases():
    labels = np.zeros((2, 3, 40, 50), np.uint8)
    labels[0, 1, 10, 20] = 1
    labels[1, 2, 25, 33] = 3
    grid = grid_from_spacing(labels.shape[1:], (SLICE_MM, 1.0, 1.0))
    author = Author(AuthorKind.READER, "reader")
    found = Segmentation(labels, ACDC, grid, ACDC_POLICY, author, grid_scale=0.8)
    assert box_of(found) == HeartBox((10, 25), (20, 33), 0.8)
    assert box_of(replace(found, labels=np.zeros_like(labels))) is None
