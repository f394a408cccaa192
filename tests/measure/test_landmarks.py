"""Landmarks found once, and a wall that stays whole where it is scarred."""

import pickle

import numpy as np
import pytest

from opencmr.anatomy.aha import Level
from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import EMIDEC
from opencmr.imaging.image import untimed_image
from opencmr.imaging.landmarks import Cycle
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles
from opencmr.measure.landmarks import find_landmarks
from opencmr.measure.long_axis import ring_slices
from opencmr.measure.wall.thickness import WALL


def test_the_landmarks_of_a_tube_are_where_it_was_built(tube, tube_ventricles) -> None:
    found = find_landmarks(tube_ventricles)
    assert found.lv == Cycle(tube.lv_ed, tube.lv_ed + tube.phases // 2)
    assert found.rv == Cycle(tube.rv_ed, tube.rv_ed + tube.phases // 2)
    assert (found.basal_slice, found.base_first) == (0, tuple(range(12)))
    at_ed = found.end_diastole
    assert at_ed is not None
    assert at_ed.phase == tube.lv_ed
    assert at_ed.levels[0] is at_ed.levels[11] is None
    assert (at_ed.levels[1], at_ed.levels[5], at_ed.levels[10]) == tuple(Level)[:3]
    assert at_ed.anterior_known
    centre = np.array(tube.centre_mm)
    radius_mm = np.sqrt(tube.outer2(tube.lv_ed))
    half = np.deg2rad(tube.septum_half_deg)
    for z, insertion in enumerate(at_ed.insertions):
        assert (insertion is None) == (not 1 <= z <= tube.rv_slices)
        if insertion is not None:  # anterior is up, towards falling rows; the septum left
            anterior = centre + radius_mm * np.array([-np.sin(half), -np.cos(half)])
            inferior = centre + radius_mm * np.array([np.sin(half), -np.cos(half)])
            assert insertion.first == pytest.approx(anterior, abs=2.5)
            assert insertion.second == pytest.approx(inferior, abs=2.5)


def test_landmarks_turn_with_the_stack(tube_of, untimed, sax_grid) -> None:
    tube = tube_of(phases=2, lv_ed=0, rv_ed=0)
    grid = sax_grid(tube.shape, tube.spacing_mm)
    upwards = list(range(11, -1, -1))
    turned = find_landmarks(untimed(tube.labels()[:, ::-1], grid.select(upwards)))
    assert turned.base_first == tuple(upwards)
    assert turned.basal_slice == 11


def growing(radii_px: tuple[float, ...]) -> np.ndarray:
    """One phase of discs with a rim of muscle, of these radii slice by slice."""
    reach = np.hypot(*(np.mgrid[0:96, 0:96] - 48.0))
    planes = [2 * (reach <= r).astype(np.uint8) + (reach <= r - 6) for r in radii_px]
    return np.stack(planes)[None].astype(np.uint8)


def test_a_stack_cut_short_of_its_apex_has_its_base_where_the_patient_s_axes_say(
    untimed, sax_grid
) -> None:
    """Three slices from the base on, where the ventricle still widens."""
    labels = growing((25.0, 28.0, 30.0))
    grid = sax_grid(labels.shape[1:], (10.0, 1.0, 1.0))
    assert find_landmarks(untimed(labels, grid)).base_first == (0, 1, 2)
    turned = find_landmarks(untimed(labels[:, ::-1], grid.select([2, 1, 0])))
    assert turned.base_first == (2, 1, 0)


def test_a_whole_heart_against_the_patient_s_axes_keeps_its_base(untimed, sax_grid) -> None:
    """Slices in the wrong order: the heart says so itself, and handedness will contradict."""
    labels = growing((0.0, 12.0, 20.0, 26.0, 30.0, 30.0))
    grid = sax_grid(labels.shape[1:], (10.0, 1.0, 1.0))
    assert find_landmarks(untimed(labels, grid)).basal_slice == 5


def test_a_single_phase_has_a_base_but_neither_diastole_nor_systole(tube, untimed) -> None:
    found = find_landmarks(untimed(tube.labels()[3:4, ::-1]))
    assert found.lv is found.rv is found.end_diastole is found.end_systole is None
    assert found.basal_slice == 11


def test_nothing_labelled_has_no_landmarks(untimed) -> None:
    found = find_landmarks(untimed(np.zeros((4, 3, 8, 8), dtype=np.uint8)))
    assert (found.lv, found.rv, found.base_to_apex, found.basal_slice) == (None,) * 4
    assert found.base_first == (0, 1, 2)


def test_a_single_slice_is_at_its_largest_and_smallest_by_its_area(tube, untimed) -> None:
    labels = tube.labels()[:, 3:4]
    found = find_landmarks(untimed(labels))
    assert found.lv == Cycle(tube.lv_ed, tube.lv_ed + tube.phases // 2)
    assert found.basal_slice is None


def test_landmarks_travel(tube_ventricles) -> None:
    found = find_landmarks(tube_ventricles)
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_scar_over_a_quarter_of_the_wall_changes_nothing_about_the_wall(tube) -> None:
    whole = np.choose(tube.labels()[[3, 13]], [0, 0, 2, 1]).astype(np.uint8)
    rows, columns = np.mgrid[0:128, 0:128]
    scarred = whole.copy()
    scarred[(whole == 2) & (rows > tube.centre_mm[0]) & (columns > tube.centre_mm[1])] = 3
    deeper = (rows > tube.centre_mm[0] + 10) & (columns > tube.centre_mm[1] + 10)
    scarred[(scarred == 3) & deeper] = 4
    assert set(np.unique(scarred)) == {0, 1, 2, 3, 4}
    grid = tube.ventricles().image.grid
    image = untimed_image(np.zeros(whole.shape, dtype=np.float32), grid)
    author = Author(AuthorKind.READER, "a reader")
    well, ill = (
        Ventricles(
            Segmentation(labels, EMIDEC, grid, ACDC_POLICY, author), image, Demographics(), "s01"
        )
        for labels in (whole, scarred)
    )
    assert ill.myocardium_ml.tolist() == well.myocardium_ml.tolist()
    assert ring_slices(ill, 0).tolist() == ring_slices(well, 0).tolist()
    assert sorted(ring_slices(ill, 0)) == list(range(1, 11))
    assert WALL.measure(ill) == WALL.measure(well)
