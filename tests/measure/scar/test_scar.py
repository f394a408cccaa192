"""Scar of known place, size and brightness in rings: what each rule and measure makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.geometry.grid import grid_from_spacing
from opencmr.measure.scar.amount import scar_amount
from opencmr.measure.scar.extent import (
    DEPTHS,
    Pattern,
    Transmurality,
    ray_patterns,
    ring_scars,
    scar_pattern,
    scar_percent_by_segment,
    transmurality_class,
)
from opencmr.measure.scar.remote import LEAST_PIXELS, Remote, remote_region
from opencmr.measure.scar.rules import SCAR_RULES, mixture, otsu, scar_by_rule
from opencmr.measure.ventricles import Unmeasurable
from opencmr.measure.wall.profile import WallProfile

RULES = {rule.name: rule for rule in SCAR_RULES}
INNER, OUTER = 24.0, 40.0
DARK, BRIGHT, BLOOD, NOISE = 100.0, 400.0, 300.0, 10.0
ANY_REMOTE = Remote(np.zeros((1, 1, 1), dtype=bool), mean=0.0, sd=1.0)
"""For rules that do not ask it."""


def polar() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.indices((100, 100)) - 50.0
    return np.hypot(rows, columns), np.rad2deg(np.arctan2(rows, columns)) % 360


def ring(scar: np.ndarray, slices: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intensities, wall and cavity of rings whose ``scar (Y, X)`` is bright, with noise."""
    radius, _ = polar()
    wall, cavity = (radius >= INNER) & (radius < OUTER), radius < INNER
    plane = np.where(wall, np.where(scar, BRIGHT, DARK), np.where(cavity, BLOOD, 20.0))
    random = np.random.default_rng(7)
    intensities = plane + random.normal(0, NOISE, (slices, *plane.shape))
    return intensities, np.stack([wall] * slices), np.stack([cavity] * slices)


def quarter(inner: float = INNER, outer: float = OUTER) -> np.ndarray:
    radius, angle = polar()
    return (radius >= inner) & (radius < outer) & (angle >= 90) & (angle < 180)


def test_the_remote_region_is_dark_wall_without_scar():
    intensities, wall, cavity = ring(quarter())
    remote = remote_region(intensities, wall, cavity)
    assert not (remote.mask & ~wall).any()
    assert not (remote.mask & quarter()).any()
    assert remote.mean == pytest.approx(DARK, abs=3 * NOISE / np.sqrt(remote.mask.sum()) + 1)
    assert remote.sd == pytest.approx(NOISE, rel=0.15)


def test_a_wall_of_a_few_pixels_has_no_remote_region():
    wall = np.zeros((1, 20, 20), bool)
    wall[0, 5, 5 : 5 + LEAST_PIXELS // 2] = True
    with pytest.raises(Unmeasurable):
        remote_region(np.ones(wall.shape), wall, ~wall)


@pytest.mark.parametrize("name", ["5-SD", "6-SD", "FWHM", "Otsu", "mixture"])
def test_a_clear_scar_is_found_by_every_strict_rule(name):
    intensities, wall, cavity = ring(quarter())
    remote = remote_region(intensities, wall, cavity)
    found = scar_by_rule(RULES[name], intensities, wall, cavity, remote)
    truth = wall & quarter()
    assert (found.scar & truth).sum() == truth.sum()
    assert (found.scar & ~truth).sum() <= 2e-3 * wall.sum()
    assert DARK < found.threshold < BRIGHT


@pytest.mark.parametrize(("name", "sds"), [("2-SD", 2), ("3-SD", 3), ("5-SD", 5), ("6-SD", 6)])
def test_n_sd_lies_that_many_deviations_above_the_remote_mean(name, sds):
    intensities, wall, cavity = ring(quarter())
    remote = remote_region(intensities, wall, cavity)
    found = scar_by_rule(RULES[name], intensities, wall, cavity, remote)
    assert found.threshold == pytest.approx(remote.mean + sds * remote.sd)
    share = (intensities[wall & ~quarter()] > found.threshold).mean()
    assert share < {2: 0.06, 3: 0.01, 5: 1e-3, 6: 1e-3}[sds]


@pytest.mark.parametrize("pedestal", [0.0, 500.0])
def test_half_maximum_lies_half_way_from_remote_to_scar_whatever_zero_means(pedestal):
    intensities, wall, cavity = ring(quarter())
    intensities = intensities + pedestal
    remote = remote_region(intensities, wall, cavity)
    found = scar_by_rule(RULES["FWHM"], intensities, wall, cavity, remote)
    assert found.threshold == pytest.approx(pedestal + (DARK + BRIGHT) / 2, abs=2 * NOISE)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_mixture_lies_where_two_gaussians_of_equal_width_are_equally_likely(share):
    random = np.random.default_rng(2)
    count = 40_000
    bright = int(share * count)
    values = np.concatenate(
        [random.normal(DARK, 25, count - bright), random.normal(200, 25, bright)]
    )
    # Equal densities: x = middle + variance / distance * ln(weight dark / weight bright).
    truth = 150 + 25**2 / 100 * np.log((1 - share) / share)
    assert mixture(values, None) == pytest.approx(truth, abs=2)


def test_a_wall_of_one_brightness_holds_no_scar_by_otsu_or_mixture():
    values = np.full(500, 80.0)
    assert not (values > otsu(values, None)).any()
    assert not (values > mixture(values, None)).any()


@pytest.mark.parametrize("name", ["FWHM", "Otsu", "mixture"])
def test_scaling_the_intensities_leaves_the_scar_as_it_is(name):
    intensities, wall, cavity = ring(quarter())
    found = []
    for factor in (1.0, 37.0):
        remote = remote_region(factor * intensities, wall, cavity)
        found.append(scar_by_rule(RULES[name], factor * intensities, wall, cavity, remote).scar)
    assert np.array_equal(*found)


@pytest.mark.parametrize(("inner", "outer"), [(28.0, 36.0), (INNER, 34.0)])
def test_dark_wall_enclosed_by_scar_or_by_scar_and_cavity_is_no_reflow(inner, outer):
    radius, angle = polar()
    core = (radius >= inner) & (radius < outer) & (angle > 120) & (angle < 150)
    intensities, wall, cavity = ring(quarter() & ~core)
    remote = remote_region(intensities, wall, cavity)
    found = scar_by_rule(RULES["6-SD"], intensities, wall, cavity, remote)
    assert np.array_equal(found.no_reflow, wall & core)
    assert (found.scar & wall & quarter()).sum() == (wall & quarter()).sum()


def test_dark_wall_inside_a_subepicardial_scar_is_no_hole():
    intensities, wall, cavity = ring(quarter(inner=34.0))
    remote = remote_region(intensities, wall, cavity)
    found = scar_by_rule(RULES["6-SD"], intensities, wall, cavity, remote)
    assert not found.no_reflow.any()


def test_masses_are_areas_times_the_distance_of_slices():
    _, wall, _ = ring(quarter())
    grid = grid_from_spacing(wall.shape, (9.0, 1.0, 1.5))
    scar = wall & quarter()
    amount = scar_amount(wall, scar, np.zeros_like(scar), grid)
    ml = np.pi * (OUTER**2 - INNER**2) * 1.5 * 9 * 4 / 1000
    assert amount.myocardium_g == pytest.approx(ml * MYOCARDIUM_G_PER_ML, rel=0.01)
    assert amount.scar_percent == pytest.approx(25, abs=0.7)
    assert amount.no_reflow_g == 0


def test_without_myocardium_there_is_no_amount():
    nothing = np.zeros((2, 5, 5), bool)
    with pytest.raises(Unmeasurable):
        scar_amount(nothing, nothing, nothing, grid_from_spacing((2, 5, 5), (8.0, 1.0, 1.0)))


@pytest.fixture
def profile(tube) -> WallProfile:
    """The wall of the tube at end-diastole: radii 25 and 34 mm about its centre."""
    return WallProfile(tube.ventricles(), tube.lv_ed)


def scar_in(tube, first: float, last: float, *, septal: bool) -> np.ndarray:
    """Scar between two depths of the tube's wall, on the half towards or off the septum."""
    rows = np.arange(tube.shape[1])[:, None] - tube.centre_mm[0]
    columns = np.arange(tube.shape[2])[None] - tube.centre_mm[1]
    inner, outer = np.sqrt(tube.inner2(tube.lv_ed)), np.sqrt(tube.outer2(tube.lv_ed))
    depth = (np.hypot(rows, columns) - inner) / (outer - inner)
    side = np.abs(np.arctan2(rows, -columns)) < np.pi / 2
    plane = (depth >= first) & (depth < last) & (side == septal)
    scar = np.zeros(tube.shape, bool)
    scar[1 : 1 + tube.lv_slices] = plane
    return scar


@pytest.mark.parametrize(
    ("first", "last", "pattern"),
    [
        (0.0, 0.5, Pattern.SUBENDOCARDIAL),
        (0.3, 0.7, Pattern.MID_WALL),
        (0.55, 1.0, Pattern.SUBEPICARDIAL),
        (0.0, 1.0, Pattern.TRANSMURAL),
    ],
)
def test_depth_of_a_scar_makes_its_pattern(tube, profile, first, last, pattern):
    scar = scar_in(tube, first, last, septal=False)
    assert scar_pattern(tuple(ring_scars(profile, scar).values())) is pattern


def test_no_scar_has_no_pattern(tube, profile):
    rings = ring_scars(profile, np.zeros(tube.shape, bool))
    assert scar_pattern(tuple(rings.values())) is Pattern.NONE


def test_a_septal_subendocardial_half_fills_its_segments_to_its_share_of_the_area(tube, profile):
    percent = scar_percent_by_segment(profile, scar_in(tube, 0.0, 0.5, septal=True))
    inner, outer = np.sqrt(tube.inner2(tube.lv_ed)), np.sqrt(tube.outer2(tube.lv_ed))
    middle = (inner + outer) / 2
    share = 100 * (middle**2 - inner**2) / (outer**2 - inner**2)
    assert set(percent) == set(range(1, 17))
    for number in (2, 3, 8, 9, 14):  # septal: wholly on that side
        assert percent[number] == pytest.approx(share, abs=4), number
        assert transmurality_class(percent[number]) is Transmurality.HALF
    for number in (5, 6, 11, 12, 16):  # lateral
        assert percent[number] == pytest.approx(0, abs=1), number
        assert transmurality_class(percent[number]) is Transmurality.NONE


def test_the_side_that_holds_more_names_a_scar_that_touches_both():
    ray = np.zeros(DEPTHS, bool)
    ray[: DEPTHS // 2 - 2] = True
    ray[-DEPTHS // 5 :] = True
    assert ray_patterns(np.stack([ray, ray[::-1]])) == (
        Pattern.SUBENDOCARDIAL,
        Pattern.SUBEPICARDIAL,
    )


def test_segments_are_not_named_without_insertions(tube):
    ventricles = tube.ventricles()
    without = ventricles.segmentation.labels.copy()
    without[without == 1] = 0
    bare = replace(ventricles, segmentation=replace(ventricles.segmentation, labels=without))
    with pytest.raises(Unmeasurable, match="meets the wall"):
        scar_percent_by_segment(WallProfile(bare, tube.lv_ed), np.zeros(tube.shape, bool))


@settings(max_examples=150)
@given(
    values=st.sampled_from([np.float32, np.float64]).flatmap(
        lambda kind: arrays(
            kind, st.integers(2, 60), elements=st.integers(0, 4000).map(lambda n: n / 4)
        )
    )
)
def test_the_threshold_of_otsu_is_that_of_scikit_image(values: np.ndarray) -> None:
    assert otsu(values, ANY_REMOTE) == float(threshold_otsu(values))


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), apart=st.floats(0, 300), bright=st.integers(1, 300))
def test_the_threshold_in_a_wall_with_scar_is_that_of_scikit_image(seed, apart, bright) -> None:
    random = np.random.default_rng(seed)
    values = np.r_[random.normal(DARK, NOISE, 700), random.normal(DARK + apart, 30, bright)]
    assert otsu(values, ANY_REMOTE) == float(threshold_otsu(values))
