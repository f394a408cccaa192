"""Long-axis measures of the simulated heart, whose truth is a formula."""

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.measure.function.long_axes import measure_long_axes
from opencmr.measure.function.long_axis_view import LongAxisView
from opencmr.simulate import HeartParameters
from opencmr.simulate.acquire import Scan, acquire, world_of
from opencmr.simulate.heart import heart_shape
from opencmr.simulate.physics import tissue_signals
from opencmr.simulate.study import plane_grid

HEART = HeartParameters(edv_ml=160, ef_percent=58, longitudinal_shortening_percent=16, seed=3)
FILLINGS = (0.6, 1.0, 0.3, 0.0)
ED, ES = 1, 3
SCAN = Scan(tissue_signals(1.5, 52, 3.0), 100.0, 6.0, 3, 0.0, 0.0, (1.0, 1.0))


def view(name: str, normal: np.ndarray, up: np.ndarray) -> LongAxisView:
    world = world_of(HEART)
    middle = world.frame.to_patient(np.array([0.0, 0.0, HEART.long_axis_mm * 0.6]))
    grid = plane_grid(middle, normal, up, shape=(1, 150, 170), pixel_mm=1.3)
    shapes = tuple(heart_shape(HEART, filling, filling) for filling in FILLINGS)
    labels = acquire(world, grid, shapes, SCAN, np.random.default_rng(1)).labels
    author = Author(AuthorKind.IMPORT, "truth")
    return LongAxisView(name, name, Segmentation(labels, ACDC, grid, ACDC_POLICY, author))


@pytest.fixture(scope="module")
def views() -> tuple[LongAxisView, LongAxisView]:
    x, y, _ = world_of(HEART).frame.axes
    superior, anterior = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
    return view("2CH", x, superior), view("4CH", y, anterior)


def values(views) -> dict[str, float | None]:
    return {one.quantity.symbol: one.value for one in measure_long_axes(views)}


def test_each_view_finds_its_own_diastole_and_systole(views):
    assert [(one.ed_phase, one.es_phase) for one in views] == [(ED, ES)] * 2


def by_formula_ml(filling: float) -> float:
    """Return what area and length make of the simulated cavity, a spheroid cut by the valve."""
    shape = heart_shape(HEART, filling, filling)
    half_mm, cut_mm = shape.endo_half_axis_mm, shape.base_mm - shape.centre_mm
    share = cut_mm / half_mm
    area_mm2 = half_mm * shape.endo_radius_mm
    area_mm2 *= np.pi / 2 + np.arcsin(share) + share * np.sqrt(1 - share**2)
    return float(8 * area_mm2**2 / (3 * np.pi * (half_mm + cut_mm)) / 1000)


@pytest.mark.parametrize("which", [slice(0, 2), slice(0, 1), slice(1, 2)])
def test_volumes_are_those_of_the_formula(views, which):
    found = values(views[which])
    assert found["LVEDV_LAX"] == pytest.approx(by_formula_ml(1.0), rel=0.05)
    assert found["LVESV_LAX"] == pytest.approx(by_formula_ml(0.0), rel=0.05)
    assert found["LVEF_LAX"] == pytest.approx(HEART.ef_percent, abs=4)


def test_the_valve_moves_as_far_as_the_ventricle_shortens(views):
    truth_mm = HEART.long_axis_mm * HEART.longitudinal_shortening_percent / 100
    assert values(views)["MAPSE"] == pytest.approx(truth_mm, abs=2.0)


def test_the_length_is_that_of_the_cavity(views):
    shape = heart_shape(HEART, 1.0, 1.0)
    truth_mm = shape.base_mm - shape.centre_mm + shape.endo_half_axis_mm
    assert values(views)["LV_LENGTH"] == pytest.approx(truth_mm, abs=2.0)


def test_one_phase_has_no_ejection(views):
    one = views[0].segmentation
    still = Segmentation(one.labels[:1], ACDC, one.grid, ACDC_POLICY, one.author)
    found = measure_long_axes([LongAxisView("2CH", "a", still)])
    assert {m.reason.code for m in found if m.reason} == {"SINGLE_PHASE"}
    assert all(m.value is None for m in found)


def test_a_view_without_a_ventricle_says_so(views):
    one = views[0].segmentation
    labels = np.where(one.mask(Structure.RV), one.labels, 0).astype(np.uint8)
    empty = Segmentation(labels, ACDC, one.grid, ACDC_POLICY, one.author)
    found = measure_long_axes([LongAxisView("2CH", "a", empty), views[1]])
    assert {m.reason.code for m in found if m.reason} == {"NO_HEART_FOUND"}
