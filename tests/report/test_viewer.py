"""What the viewer is given: every slice and phase, base first, in millimetres and true areas."""

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from opencmr.anatomy.reasons import Reason
from opencmr.geometry.contours import distances_mm
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import untimed
from opencmr.imaging.measurements import Measurements
from opencmr.report import viewer
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import HeartPictures, crop_to_heart
from opencmr.report.outlines import outlines

from .conftest import RR_MS


def _cine_of(report: Report) -> dict[str, Any] | None:
    series = report.study.series[1]
    pictures = HeartPictures(series, report.segmentations[series.key], report.landmarks[series.key])
    return viewer.cine_of(report, series, pictures)


def _cine(report: Report) -> dict[str, Any]:
    found = _cine_of(report)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def cine(small_report: Report) -> dict[str, Any]:
    return _cine(small_report)


def _with_image(report: Report, **changes: object) -> Report:
    scout, series = report.study.series
    changed = replace(series, image=replace(series.image, **changes))  # type: ignore[arg-type]
    return replace(report, study=replace(report.study, series=(scout, changed)))


def _cell(cine: dict[str, Any], place: int, phase: int) -> np.ndarray:
    coded = cine["slices"][place]["picture"].split(",", 1)[1]
    with Picture.open(io.BytesIO(base64.b64decode(coded))) as sheet:
        pixels = np.asarray(sheet)
    (width, height), across = cine["cellPx"], cine["across"]
    top, left = phase // across * height, phase % across * width
    return pixels[top : top + cine["heightPx"], left : left + cine["widthPx"]]


def test_each_cell_of_each_sheet_is_the_picture_of_its_slice_and_phase(
    small_report: Report, cine: dict[str, Any]
) -> None:
    crop = crop_to_heart(small_report.segmentations["s02"])
    values = small_report.study.series[1].image.values[:, :, crop.rows, crop.columns]
    low, high = cine["window"]["low"], cine["window"]["high"]
    grey = np.clip((values - low) / (high - low) * 255, 0, 255)
    for place, z in enumerate(small_report.landmarks["s02"].base_first):
        assert cine["slices"][place]["number"] == z + 1
        for phase in range(values.shape[0]):
            own = np.abs(_cell(cine, place, phase) - grey[phase, z])
            assert own.mean() < 2.5
            assert own[:, [0, -1]].mean() < 4


def test_slices_run_from_the_base_whichever_way_they_were_stacked(small_report: Report) -> None:
    landmarks = small_report.landmarks["s02"]
    turned = replace(landmarks, base_first=landmarks.base_first[::-1])
    there = _cine(small_report)["slices"]
    assert _cine(replace(small_report, landmarks={"s02": turned}))["slices"] == there[::-1]


def test_areas_times_extents_add_up_to_the_volume_curves(
    small_report: Report, cine: dict[str, Any]
) -> None:
    for name, symbol in (("LV", "LVV"), ("RV", "RVV")):
        curve = small_report.measurements.curve(symbol)
        assert curve is not None
        added = sum(
            np.array(one["areasMm2"][name]) * one["extentMm"] / 1000 for one in cine["slices"]
        )
        assert added == pytest.approx(curve.values, abs=0.02)


def test_a_ventricle_whose_volumes_are_withheld_shows_no_areas(small_report: Report) -> None:
    why = Reason("SPARSE_STACK", "too rough")
    found = tuple(
        m.withheld(why) if m.quantity.symbol == "LVV" else m for m in small_report.measurements
    )
    cine = _cine(replace(small_report, measurements=Measurements(found)))
    assert list(cine["chambers"]) == ["RV"]
    assert {tuple(one["areasMm2"]) for one in cine["slices"]} == {("RV",)}


def test_contours_lie_on_those_that_were_measured(
    small_report: Report, cine: dict[str, Any]
) -> None:
    segmentation = small_report.segmentations["s02"]
    crop = crop_to_heart(segmentation)
    slack_mm = viewer.TOLERANCE_MM + 1 / viewer.STEPS_A_MM
    for place, z in enumerate(small_report.landmarks["s02"].base_first):
        labels = segmentation.labels[2, z, crop.rows, crop.columns]
        drawn = cine["slices"][place]["outlines"][2]
        measured = outlines(segmentation, labels)
        assert sum(map(len, drawn.values())) == len(measured)
        for line in measured:
            kept = [np.reshape(one, (-1, 2)) / viewer.STEPS_A_MM for one in drawn[line.kind]]
            closed = [np.vstack([one, one[:1]]) for one in kept]
            nearest = np.min([distances_mm(line.points_mm, one) for one in closed], axis=0)
            assert nearest.max() < slack_mm


def _grid(down: tuple[float, ...], right: tuple[float, ...], *, known: bool = True) -> Grid:
    affines = np.zeros((2, 4, 4))
    affines[:, :3, 0], affines[:, :3, 1] = down, right
    affines[:, :3, 3] = np.arange(2)[:, None] * 8 * np.cross(right, down)
    return Grid((2, 8, 8), affines, orientation_known=known)


def test_letters_follow_the_geometry_and_are_silent_where_it_is_not_known() -> None:
    axial = viewer.edge_letters(_grid((0, 1, 0), (1, 0, 0)), 0)
    assert axial == {"top": "A", "right": "L", "bottom": "P", "left": "R"}
    mirrored = viewer.edge_letters(_grid((0, 1, 0), (-1, 0, 0)), 0)
    assert (mirrored["left"], mirrored["right"]) == ("L", "R")
    coronal = viewer.edge_letters(_grid((0, 0, -1), (1, 0, 0)), 1)
    assert (coronal["top"], coronal["bottom"]) == ("H", "F")
    assert viewer.edge_letters(_grid((0, 1, 0), (1, 0, 0), known=False), 0) == {}


def test_the_beat_is_the_cine_s_own_or_said_to_be_assumed(
    small_report: Report, cine: dict[str, Any]
) -> None:
    assert (cine["beatMs"], cine["beatKnown"]) == (RR_MS, True)
    assert cine["timesMs"] == pytest.approx(np.arange(6) * RR_MS / 6, abs=0.1)
    unknown = _cine(_with_image(small_report, along=untimed(6, 5)))
    assert (unknown["beatKnown"], unknown["timesMs"]) == (False, None)


def test_too_few_phases_give_no_viewer(tiny_report: Report) -> None:
    assert _cine_of(tiny_report) is None


def test_values_that_are_not_finite_spoil_nothing(small_report: Report) -> None:
    values = small_report.study.series[1].image.values.copy()
    values[:, :, 30, 30], values[:, :, 31, 31] = np.nan, np.inf
    cine = _cine(_with_image(small_report, values=values))
    assert np.isfinite(list(cine["window"].values())).all()


def test_twelve_slices_of_thirty_noisy_phases_stay_within_the_bound() -> None:
    noise = np.random.default_rng(5).normal(110, 40, (30, 1, 256, 256)).clip(0, 255)
    sheets = viewer.sheets_of(np.repeat(noise.astype(np.uint8), 12, axis=1))
    assert len(sheets) == 12
    assert 1_000_000 < sum(map(len, sheets)) <= viewer.PICTURE_BYTES
