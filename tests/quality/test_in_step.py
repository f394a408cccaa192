"""A slice of another moment of the heartbeat is told from one that moves little, or an end."""

import numpy as np
import pytest

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
    assert np.isnan(slice_lags(slices)[2])


def test_a_curve_that_fits_at_no_moment_tells_nothing():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(24) / 24)
    jagged = 10 + 4 * (np.arange(24) % 2)
    assert np.isnan(slice_lags(np.stack([beat, beat, jagged, beat, beat], axis=1))[2])


def test_a_wave_that_runs_through_the_ventricle_is_no_fault(judge, labels):
    for z in range(1, 9):
        labels[:, z] = np.roll(labels[:, z], 2 * z - 9, axis=0)
    assert "OUT_OF_STEP" not in codes(judge(labels))
    assert "OUT_OF_STEP" in codes(judge(rolled(labels, 4, 8)))


def test_a_few_coarse_phases_tell_no_lag_of_one():
    beat = 10 + 4 * np.cos(2 * np.pi * np.arange(12) / 12)
    slices = np.stack([beat, beat, np.roll(beat, 1), beat, beat], axis=1)
    assert abs(slice_lags(slices)[2]) == 1
