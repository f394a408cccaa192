"""A curve that jumps is told from one that moves, and from a valve plane that leaves a slice."""

import numpy as np
import pytest

from opencmr.anatomy.structures import Structure
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.image import Image, untimed_image
from opencmr.measure.ventricles import Chamber
from opencmr.quality.curves import frame_intervals_ms, jump_flags


def codes(judged) -> set[str]:
    return {flag.code for flag in judged[1]}


def chamber(slices_ml: np.ndarray) -> Chamber:
    return Chamber(Structure.LV, slices_ml, np.ones(len(slices_ml), dtype=bool))


def beating(phases: int = 24, slices: int = 8) -> np.ndarray:
    """Volumes ``(T, Z)`` of slices that all beat smoothly; 120 mL at phase 0."""
    beat = (1 + np.cos(2 * np.pi * np.arange(phases) / phases)) / 2
    return np.repeat((50 + 70 * beat)[:, None] / slices, slices, axis=1)


@pytest.mark.parametrize(("apart_ms", "said"), [(20.0, True), (60.0, False)])
def test_the_same_step_is_a_jump_between_near_frames_and_none_between_far_ones(
    apart_ms, said
) -> None:
    slices_ml = beating()
    slices_ml[18:, 3] += 20.0
    flags = list(jump_flags(chamber(slices_ml), np.full(24, apart_ms)))
    assert bool(flags) == said


def test_a_wait_after_the_last_frame_makes_the_step_over_it_no_jump() -> None:
    """Prospective gating: the end of the beat is not seen, and the heart fills meanwhile."""
    slices_ml = beating()[:20]
    even, waited = np.full(20, 30.0), np.insert(np.full(19, 30.0), 0, 160.0)
    assert not list(jump_flags(chamber(slices_ml), waited))
    assert list(jump_flags(chamber(slices_ml), even))


@pytest.mark.parametrize("where", [0, 7])
def test_an_end_slice_that_comes_over_two_frames_is_no_jump(where) -> None:
    """As seen at the base of a right ventricle: 6 % of a slice in one frame, all in the next."""
    slices_ml = beating()
    slices_ml[6:18, where] = 0
    slices_ml[18, where] *= 0.06
    assert not list(jump_flags(chamber(slices_ml), np.full(24, 30.0)))


def test_an_inner_slice_that_comes_at_once_is_a_jump() -> None:
    slices_ml = beating()
    slices_ml[6:18, 3] = 0
    slices_ml[:, 3] *= 2
    assert list(jump_flags(chamber(slices_ml), np.full(24, 30.0)))


def test_intervals_follow_the_trigger_times_and_the_heartbeat() -> None:
    grid = grid_from_spacing((2, 4, 4), (10.0, 1.0, 1.0))
    values = np.zeros((4, 2, 4, 4), dtype=np.float32)
    times = np.repeat(np.array([[10.0], [40.0], [80.0], [130.0]]), 2, axis=1)
    image = Image(values, grid, Heartbeat(times, np.full(2, 900.0)))
    assert frame_intervals_ms(image).tolist() == [780.0, 30.0, 40.0, 50.0]
    assert frame_intervals_ms(untimed_image(values, grid)).tolist() == [40.0] * 4


def test_a_jump_of_the_curve_is_flagged(judge, labels) -> None:
    labels[18, 1:5][labels[18, 1:5] == 2] = 3
    jumps = [f for f in judge(labels)[1] if f.code == "CURVE_JUMP"]
    assert len(jumps) == 1
    assert "LV" in jumps[0].message


def test_a_jump_that_lasts_is_flagged_too(judge, labels) -> None:
    widened = labels[18:, 1:5]
    widened[widened == 2] = 3
    assert "CURVE_JUMP" in codes(judge(labels))


def test_a_jump_that_touches_end_diastole_or_end_systole_says_so(judge, labels) -> None:
    """As seen in a real cine: a jump of a quarter that lasts three phases is taken for ED."""
    lasting = labels.copy()
    wider = lasting[20:23, 1:7]
    wider[wider == 2] = 3
    measurements, flags = judge(lasting)
    values = {m.quantity.symbol: m.value for m in measurements.whole_heart}
    (jump,) = (f for f in flags if f.code == "CURVE_JUMP")
    assert values["LVED_PHASE"] in (20, 21, 22)
    assert f"touches end-diastole (phase {values['LVED_PHASE'] + 1:.0f}):" in jump.message
    assert "end-systole" not in jump.message


def test_a_jump_far_from_the_chosen_phases_names_none_of_them(judge, labels) -> None:
    labels[18, 1:5][labels[18, 1:5] == 2] = 3
    (jump,) = (f for f in judge(labels)[1] if f.code == "CURVE_JUMP")
    assert "touches" not in jump.message


def test_a_base_that_leaves_a_slice_in_mid_systole_is_no_jump(judge, labels) -> None:
    labels[6:19, 1] = 0
    assert "CURVE_JUMP" not in codes(judge(labels))
