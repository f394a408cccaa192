"""T2 and T2*: closed forms, the noise floor, pulses followed one by one."""

import numpy as np
import pytest

from opencmr.measure.relaxometry.decay import exponential_decay, truncated_decay

T2_MS = np.array([5.0, 10, 20, 35, 45, 60, 100, 180, 300])
ECHOES_MS = np.array([1.3, 3.5, 5.7, 7.9, 10.1, 12.3, 14.5, 16.7])
PREPARATIONS_MS = np.array([0.0, 25, 35, 55])


@pytest.mark.parametrize("times_ms", [ECHOES_MS, PREPARATIONS_MS, PREPARATIONS_MS[:3]])
def test_two_parameters_give_back_t2(times_ms):
    signals = 700 * np.exp(-times_ms[:, None] / T2_MS)
    found = exponential_decay(signals, times_ms, parameters=2)
    np.testing.assert_allclose(found.values_ms, T2_MS, atol=0.1)


def test_three_parameters_know_an_offset_that_deceives_two():
    times_ms = np.arange(0.0, 320, 20)
    signals = 700 * np.exp(-times_ms[:, None] / T2_MS) + 90
    three = exponential_decay(signals, times_ms, parameters=3)
    two = exponential_decay(signals, times_ms, parameters=2)
    np.testing.assert_allclose(three.values_ms, T2_MS, atol=0.1)
    assert (two.values_ms > 1.05 * T2_MS).all()


def test_truncation_reads_iron_through_the_noise_floor():
    generator = np.random.default_rng(8)
    t2_star_ms = np.repeat([2.5, 4.0, 8.0], 300)
    clean = 100 * np.exp(-ECHOES_MS[:, None] / t2_star_ms)
    noise = 4 * generator.standard_normal((2, *clean.shape))
    magnitudes = np.hypot(clean + noise[0], noise[1])
    truncated = truncated_decay(magnitudes, ECHOES_MS).values_ms
    whole = exponential_decay(magnitudes, ECHOES_MS, parameters=2).values_ms
    for truth_ms in (2.5, 4.0):
        of = t2_star_ms == truth_ms
        assert np.median(truncated[of]) == pytest.approx(truth_ms, rel=0.1)
        assert abs(np.median(truncated[of]) - truth_ms) < abs(np.median(whole[of]) - truth_ms)
    assert np.median(truncated[t2_star_ms == 8]) == pytest.approx(8, rel=0.05)


def test_truncation_leaves_a_clean_decay_whole():
    signals = 700 * np.exp(-ECHOES_MS[:, None] / T2_MS)
    found = truncated_decay(signals, ECHOES_MS)
    np.testing.assert_allclose(found.values_ms, T2_MS, atol=0.1)
    assert (found.pictures == len(ECHOES_MS)).all()


def test_a_signal_that_grows_or_stays_has_no_t2():
    signals = np.stack([1 + ECHOES_MS, np.full(8, 3.0), np.zeros(8)], axis=1)
    for found in (
        exponential_decay(signals, ECHOES_MS, parameters=2),
        truncated_decay(signals, ECHOES_MS),
    ):
        assert np.isnan(found.values_ms).all()
        assert np.isnan(found.residual).all()


def test_spins_that_fan_out_and_are_refocused_decay_with_t2_and_not_t2_star():
    """Spin echoes of 2000 isochromats: precession, decay and a turn of 180 degrees."""
    t2_ms, times_ms = 60.0, np.arange(10.0, 170, 16)
    frequencies = np.random.default_rng(9).normal(0, 0.15, 2000)  # rad/ms: T2* of some 6 ms
    echoes, free = [], []
    for echo_ms in times_ms:
        spins = np.exp(1j * frequencies * echo_ms / 2 - echo_ms / 2 / t2_ms)
        free.append(abs(spins.mean()))
        spins = spins.conj() * np.exp(1j * frequencies * echo_ms / 2 - echo_ms / 2 / t2_ms)
        echoes.append(abs(spins.mean()))
    found = exponential_decay(np.array(echoes)[:, None], times_ms, parameters=2)
    assert found.values_ms[0] == pytest.approx(t2_ms, rel=1e-3)
    assert free[0] > 5 * free[3]
