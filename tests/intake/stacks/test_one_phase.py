"""Cines whose phases came one by one."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.imaging.flag import Severity
from opencmr.imaging.study import Study
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.assemble import assemble_series
from opencmr.quality.stacks import judge_stacks
from tests.intake.stacks.test_stacks import cine, shapes


def _one_phase_a_series(phases: int = 8, **facts: object) -> list[Frame]:
    frames = cine([0, 10, 20], phases, **facts)
    return [
        replace(frame, series_instance_uid=f"1.{frame.sop_instance_uid.split('.')[-2]}")
        for frame in frames
    ]


def _flags(frames: list[Frame]) -> list[tuple[str, Severity]]:
    judged = judge_stacks(Study("k", assemble_series(frames).series))
    flags = [*judged.flags, *(flag for one in judged.series for flag in one.flags)]
    return [(f.code, f.severity) for f in flags if f.code == "SERIES_PER_PHASE"]


def test_phases_that_came_as_series_are_joined_in_the_order_of_their_times():
    frames = _one_phase_a_series()
    assembled = assemble_series(frames)
    assert shapes(assembled) == [(8, 3)]
    (one,) = assembled.series
    np.testing.assert_allclose(one.image.values[:, 1, 3, 3], 200 + np.arange(8))
    assert len(one.uids) == 8
    assert _flags(frames) == [("SERIES_PER_PHASE", Severity.INFO)]
    (whole,) = assemble_series(cine([0, 10, 20], 8)).series
    assert np.array_equal(whole.image.values, one.image.values)


def _without_times(frames: list[Frame]) -> list[Frame]:
    return [replace(frame, trigger_time_ms=None) for frame in frames]


def _in_another_order_on_one_slice(frames: list[Frame]) -> list[Frame]:
    return [
        replace(f, trigger_time_ms=700.0 - f.trigger_time_ms) if i < 8 else f
        for i, f in enumerate(frames)
    ]


def _elsewhere(frames: list[Frame]) -> list[Frame]:
    return [
        replace(f, image_position_mm=tuple(np.add(f.image_position_mm, (0.0, 0.0, 4.0 * t))))
        for f in frames
        for t in [int(f.series_instance_uid.split(".")[-1])]
    ]


def test_a_place_beyond_whole_numbers_is_no_warning():
    frames = [
        replace(f, image_position_mm=tuple(np.add(f.image_position_mm, (1e30, 0.0, 0.0))))
        for f in _one_phase_a_series()
    ]
    assert assemble_series(frames).series


@pytest.mark.parametrize(
    ("disturbed", "flagged"),
    [(_without_times, True), (_in_another_order_on_one_slice, True), (_elsewhere, False)],
)
def test_series_whose_times_or_places_disagree_are_not_joined(disturbed, flagged):
    frames = disturbed(_one_phase_a_series())
    assert {shape[0] for shape in shapes(assemble_series(frames))} == {1}
    assert _flags(frames) == ([("SERIES_PER_PHASE", Severity.REVIEW)] if flagged else [])


def test_pictures_of_different_hearts_on_one_grid_are_not_taken_for_phases():
    rng = np.random.default_rng(0)
    frames = [
        replace(f, values=rng.normal(300, 50, f.values.shape).astype(np.float32))
        for f in _without_times(_one_phase_a_series())
    ]
    assert _flags(frames) == []
