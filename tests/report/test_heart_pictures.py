"""Crops, windows, outlines and the moving picture."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics, Series
from opencmr.measure import Ventricles
from opencmr.measure.wall.profile import WallProfile
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import (
    CINE_FRAMES,
    MARGIN_MM,
    HeartPictures,
    crop_to_heart,
    windowed,
)
from opencmr.report.outlines import outlines

from .conftest import RR_MS, SPACING_MM, make_report

STACK_ORDER = Landmarks(None, None, None, (0, 1))


def _segmentation(labels: np.ndarray, grid: Grid) -> Segmentation:
    return Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.IMPORT, "a test"))


def _disc(radius_mm: float, row_mm: float, column_mm: float) -> Segmentation:
    grid = grid_from_spacing((2, 120, 160), (10.0, row_mm, column_mm))
    y = (np.arange(120) - 60)[:, None] * row_mm
    x = (np.arange(160) - 80)[None] * column_mm
    labels = np.zeros((1, 2, 120, 160), np.uint8)
    labels[0, :, np.hypot(x, y) < radius_mm] = 3
    return _segmentation(labels, grid)


@pytest.mark.parametrize(("row_mm", "column_mm"), [(1.0, 1.0), (1.8, 1.0), (0.8, 1.4)])
def test_the_outline_of_a_disc_is_a_circle_in_millimetres(row_mm: float, column_mm: float) -> None:
    segmentation = _disc(30.0, row_mm, column_mm)
    endo = next(o for o in outlines(segmentation, segmentation.labels[0, 0]) if o.kind == "endo")
    centre = np.array([80.5 * column_mm, 60.5 * row_mm])
    radii = np.linalg.norm(endo.points_mm - centre, axis=1)
    assert radii.mean() == pytest.approx(30.0, abs=0.25)
    assert radii.std() < 0.35


def test_the_crop_holds_the_heart_with_a_margin() -> None:
    segmentation = _disc(40.0, 1.0, 1.0)
    crop = crop_to_heart(segmentation)
    rows, columns = np.nonzero(segmentation.labels.any((0, 1)))
    assert rows.min() - crop.rows.start == pytest.approx(MARGIN_MM, abs=1)
    assert crop.columns.stop - columns.max() - 1 == pytest.approx(MARGIN_MM, abs=1)


def test_the_crop_of_nothing_is_everything() -> None:
    grid = grid_from_spacing((2, 50, 60), (8.0, 1.0, 2.0))
    crop = crop_to_heart(_segmentation(np.zeros((1, 2, 50, 60), np.uint8), grid))
    assert (crop.height_mm, crop.width_mm) == (50.0, 120.0)


def test_pictures_keep_the_true_aspect_of_pixels_that_are_not_square() -> None:
    segmentation = _disc(30.0, 1.8, 1.0)
    values = np.random.default_rng(1).random((1, 2, 120, 160)).astype(np.float32)
    series = Series("s01", untimed_image(values, segmentation.grid))
    tile = HeartPictures(series, segmentation, STACK_ORDER).panel("Outlines", 0).tiles[0]
    with Picture.open(io.BytesIO(tile.jpeg)) as picture:
        assert picture.width / picture.height == pytest.approx(
            tile.width_mm / tile.height_mm, rel=0.02
        )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_slices_are_shown_from_base_to_apex_as_the_landmarks_say(order: tuple[int, int]) -> None:
    segmentation = _disc(30.0, 1.0, 1.0)
    series = Series("s01", untimed_image(np.zeros((1, 2, 120, 160), np.float32), segmentation.grid))
    pictures = HeartPictures(series, segmentation, Landmarks(None, None, None, order))
    assert tuple(tile.slice_number - 1 for tile in pictures.panel("", 0).tiles) == order


def test_the_lines_drawn_are_those_that_were_measured(report: Report) -> None:
    segmentation = report.segmentations["s02"]
    ventricles = Ventricles(segmentation, report.study.series[1].image, Demographics(), "s02")
    ring = WallProfile(ventricles, 0).rings[3]
    drawn = {o.kind: o.points_mm for o in outlines(segmentation, segmentation.labels[0, 3])}
    for kind, measured in (("endo", ring.endocardium), ("epi", ring.epicardium)):
        assert np.allclose(drawn[kind][:, ::-1] - SPACING_MM / 2, measured, atol=1e-9)


def test_every_part_of_a_right_ventricle_is_drawn() -> None:
    segmentation = _disc(30.0, 1.0, 1.0)
    labels = np.zeros((120, 160), np.uint8)
    labels[20:40, 20:40] = labels[60:90, 100:130] = 1
    assert [o.kind for o in outlines(segmentation, labels)] == ["rv", "rv"]


def test_one_window_serves_all_phases_and_bears_numbers_that_are_not_finite() -> None:
    values = np.linspace(0, 1000, 2 * 3 * 20 * 20).reshape(2, 3, 20, 20).astype(np.float32)
    nowhere = np.zeros(values.shape, bool)
    grey = windowed(values, nowhere)
    assert grey.dtype == np.uint8
    assert (np.diff(grey.reshape(-1).astype(int)) >= 0).all()
    values[0, 0, 0, 0] = np.nan
    values[0, 0, 0, 1] = np.inf
    assert windowed(values, nowhere).shape == values.shape
    assert windowed(np.full((1, 1, 4, 4), 7.0), np.zeros((1, 1, 4, 4), bool)).max() == 0


def test_bright_fat_outside_the_heart_does_not_dim_the_blood() -> None:
    values = np.full((1, 1, 40, 40), 20.0, np.float32)
    heart = np.zeros(values.shape, bool)
    heart[0, 0, 10:20, 10:20] = True
    values[heart] = 300.0
    before = windowed(values, heart)[heart].mean()
    values[0, 0, 30:] = 3000.0
    assert windowed(values, heart)[heart].mean() == before > 150


def test_the_moving_picture_plays_in_real_time(report: Report) -> None:
    series = report.study.series[1]
    moving = HeartPictures(series, report.segmentations["s02"], report.landmarks["s02"]).moving()
    assert moving is not None
    assert moving.beat_known
    total_ms = 0.0
    with Picture.open(io.BytesIO(moving.webp)) as picture:
        frames = picture.n_frames  # type: ignore[attr-defined]
        assert 2 < frames <= moving.frames == series.image.phases
        for frame in range(frames):
            picture.seek(frame)
            picture.load()
            total_ms += picture.info["duration"]
    assert total_ms == pytest.approx(RR_MS, rel=0.02)
    assert len(moving.webp) < 2_000_000


def test_a_long_cine_is_thinned_and_still_takes_one_beat() -> None:
    long = make_report(shape=(50, 3, 64, 72))
    moving = HeartPictures(
        long.study.series[1], long.segmentations["s02"], long.landmarks["s02"]
    ).moving()
    assert moving is not None
    assert moving.frames == CINE_FRAMES


def test_a_single_phase_does_not_move(small_report: Report) -> None:
    series, segmentation = small_report.study.series[1], small_report.segmentations["s02"]
    still = replace(series, image=untimed_image(series.image.values[:1], series.image.grid))
    single = _segmentation(segmentation.labels[:1], segmentation.grid)
    assert HeartPictures(still, single, small_report.landmarks["s02"]).moving() is None
