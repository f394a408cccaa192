"""A slice of another moment of the heartbeat is told from one that moves little, or an end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.quality.in_step import slice_lags


def codes(judged) -> list[str]:
    return [flag.code for flag in judged[1]]


def rolled(labels: np.ndarray, z: int, phases: int) -> np.ndarray:
    labels[:, z] = np.roll(labels[:, z], phases, axis=0)
    return labels


def test_a_sound_heart_is_in_step(judge, labels):
    assert "OUT_OF_STEP" not in codes(judge(labels))


@pytest.mark.parametrize("phases", [5, -5, 12])
def test_a_slice_of_another_moment_is_flagged(judge, labels, phases):
    (flag,) = [f for f in judge(rolled(labels, 4, phases))[1] if f.code == "OUT_OF_STEP"]
    assert flag.severity == "review"
    assert "slice 5" in flag.evidence
    assert "dyskinetic" in flag.message


def test_a_small_delay_is_none(judge, labels):
    assert "OUT_OF_STEP" not in codes(judge(rolled(labels, 4, 3)))


@pytest.mark.parametrize("z", [1, 8])
def test_an_end_slice_tells_nothing(judge, labels, z):
    assert "OUT_OF_STEP" not in codes(judge(rolled(labels, z, 8)))


def test_a_slice_that_hardly_moves_tells_nothing():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(24) / 24)
    still = 10 + 0.5 * np.cos(2 * np.pi * (np.arange(24) - 9) / 24)
    slices = np.stack([beat, beat, still, beat, beat], axis=1)
    assert np.isnan(slice_lags(slices, 3)[2])


def test_a_curve_that_fits_at_no_moment_tells_nothing():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(24) / 24)
    jagged = 10 + 4 * (np.arange(24) % 2)
    assert np.isnan(slice_lags(np.stack([beat, beat, jagged, beat, beat], axis=1), 3)[2])


def test_a_wave_that_runs_through_the_ventricle_is_no_fault(judge, labels):
    for z in range(1, 9):
        labels[:, z] = np.roll(labels[:, z], 2 * z - 9, axis=0)
    assert "OUT_OF_STEP" not in codes(judge(labels))
    assert "OUT_OF_STEP" in codes(judge(rolled(labels, 4, 8)))


def test_a_few_coarse_phases_tell_no_lag_of_one():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(12) / 12)
    slices = np.stack([beat, beat, np.roll(beat, 1), beat, beat], axis=1)
    assert slice_lags(slices, 1)[2] == 0


@pytest.mark.parametrize("phases", [6, -6, 12])
def test_three_slices_out_of_step_together_are_all_flagged(judge, labels, phases):
    for z in (3, 4, 5):
        rolled(labels, z, phases)
    (flag,) = [f for f in judge(labels)[1] if f.code == "OUT_OF_STEP"]
    assert "slice 4, 5, 6;" in flag.evidence


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_they_are_told_in_a_ventricle_through_which_a_wave_runs(drift):
    curves = [np.cos(2 * np.pi * (np.arange(24) - drift * z) / 24) for z in range(10)]
    slices = 10 + 2 * np.stack(curves, axis=1)
    slices[:, 4:7] = np.roll(slices[:, 4:7], 12, axis=0)
    lags = slice_lags(slices, 3.6)
    assert np.flatnonzero(np.nan_to_num(lags)).tolist() == [4, 5, 6]
    assert np.all(np.abs(lags[4:7]) >= 9)


@given(st.integers(0, 23), st.floats(0.5, 2))
def test_where_the_beat_begins_and_how_large_the_heart_is_changes_nothing(start, scale):
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(24) / 24)
    slices = np.stack([beat, beat, beat, np.roll(beat, 7), np.roll(beat, 1), beat, beat], axis=1)
    turned = scale * np.roll(slices, start, axis=0)
    np.testing.assert_array_equal(slice_lags(turned, 3), slice_lags(slices, 3))


def test_two_halves_of_a_ventricle_apart_are_flagged_but_for_the_larger():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(24) / 24)
    slices = np.stack([beat] * 5 + [np.roll(beat, 8)] * 4, axis=1)
    assert slice_lags(slices, 3).tolist()[1:-1] == [0, 0, 0, 0, 8, 8, 8]


def test_of_too_few_slices_none_is_judged():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(24) / 24)
    slices = np.stack([beat, np.roll(beat, 8), beat], axis=1)
    assert np.isnan(slice_lags(slices, 3)).all()
