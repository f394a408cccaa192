"""The valve's plane on long axes of the simulated heart, and what it says of the base."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.measure.function.base import BasalSlices
from opencmr.measure.function.valve import find_valve
from opencmr.measure.ventricles import Unmeasurable
from opencmr.simulate.acquire import world_of
from opencmr.simulate.heart import heart_shape
from opencmr.simulate.study import Protocol, short_axis_grid

from .test_long_axes import HEART, view


@pytest.fixture(scope="module")
def views():
    x, y, _ = world_of(HEART).frame.axes
    return [
        view("2CH", x, np.array([0.0, 0.0, 1.0])),
        view("4CH", y, np.array([0.0, -1.0, 0.0])),
    ]


def test_the_plane_is_where_the_formula_has_it(views):
    frame = world_of(HEART).frame
    valve = find_valve(views)
    for found, filling in ((valve.diastole, 1.0), (valve.systole, 0.0)):
        base_mm = heart_shape(HEART, filling, filling).base_mm
        x, y, z = frame.to_heart(found.plane.point_mm[:, None, None, None]).ravel()
        assert z == pytest.approx(base_mm, abs=1.5)
        assert np.hypot(x, y) < 6
        assert found.plane.normal @ frame.axes[2] == pytest.approx(-1, abs=0.02)


def test_heights_of_slices_count_from_the_valve_to_the_apex(views):
    protocol = replace(Protocol(), gap_mm=2.0)
    grid = short_axis_grid(HEART, world_of(HEART).frame, protocol)
    early, late = find_valve(views).heights_mm(grid)
    step_mm = protocol.thickness_mm + protocol.gap_mm
    assert np.diff(early) == pytest.approx(step_mm, abs=0.1)
    assert early[0] == pytest.approx(-protocol.basal_margin_mm, abs=2)
    descent_mm = HEART.long_axis_mm * HEART.longitudinal_shortening_percent / 100
    assert early - late == pytest.approx(descent_mm, abs=2.5)


def test_one_view_fixes_no_plane(views):
    with pytest.raises(Unmeasurable) as refused:
        find_valve(views[:1])
    assert refused.value.reason.code == "NO_VALVE_SEEN"


def test_views_that_disagree_fix_none(views):
    two, four = views
    grid = two.segmentation.grid
    affines = grid.affines.copy()
    affines[:, :3, 3] += 18 * world_of(HEART).frame.axes[2]
    moved = replace(two.segmentation, grid=replace(grid, affines=affines))
    with pytest.raises(Unmeasurable, match="disagree"):
        find_valve([replace(two, segmentation=moved), four])


POOL_ML = np.array([[20.0, 20.0, 15.0, 8.0], [0.0, 10.0, 5.0, 2.0]])
"""The labels lose the most basal slice at end-systole."""


def words(heights_mm) -> list[str]:
    slices = BasalSlices(POOL_ML, np.zeros(4), np.full(4, 10.0), heights_mm=np.array(heights_mm))
    return [one.choice.text for one in slices.read().readings if one.choice]


def test_without_a_valve_every_admissible_reading_stands():
    assert len(BasalSlices(POOL_ML, np.zeros(4), np.full(4, 10.0)).read().readings) == 3


@pytest.mark.parametrize(
    ("diastole", "systole", "kept"),
    [
        # The slice lies in the ventricle at ED, in the atrium at ES: as labelled, and nothing else.
        ([7, 17, 27, 37], [-8, 2, 12, 22], []),
        # It lies in the ventricle at both: it counts at ES too.
        ([12, 22, 32, 42], [7, 17, 27, 37], ["with slice 1 at end-systole too"]),
        # It lies in the atrium at both.
        ([-9, 1, 11, 21], [-19, -9, 1, 11], ["without slice 1 at both phases"]),
        # On the valve within what is not told: every reading stands.
        ([3, 13, 23, 33], [-3, 7, 17, 27], ["with slice 1 at end-systole too",
                                            "without slice 1 at both phases"]),
    ],
)  # fmt: skip
def test_a_reading_that_the_valve_contradicts_is_not_admissible(diastole, systole, kept):
    assert words([diastole, systole]) == kept
