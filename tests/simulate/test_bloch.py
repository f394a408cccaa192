"""Bloch simulation against closed formulas."""

import numpy as np
import pytest

from opencmr.errors import ConfigurationError
from opencmr.simulate.bloch import Readout, Spins, lorentzian_hz
from opencmr.simulate.physics import bssfp_signal

T1_MS, T2_MS = np.array([300.0, 1150.0, 1650.0]), np.array([40.0, 50.0, 250.0])


def test_magnetisation_recovers_and_decays_with_its_own_times() -> None:
    spins = Spins(T1_MS, T2_MS, 0.8)
    spins.pulse(90)
    assert np.allclose(spins.transverse, 0.8j)
    spins.rest(100)
    assert np.allclose(spins.longitudinal, 0.8 * (1 - np.exp(-100 / T1_MS)))
    assert np.allclose(np.abs(spins.transverse), 0.8 * np.exp(-100 / T2_MS))


def test_a_perfect_inversion_is_nulled_at_t1_ln_2_and_a_poor_one_earlier() -> None:
    null_ms = 1150 * np.log(2)
    for efficiency, expected in ((1.0, 0.0), (0.9, 1 - 1.9 / 2)):
        spins = Spins(1150.0, 50.0)
        spins.invert(efficiency)
        spins.rest(null_ms)
        assert spins.longitudinal == pytest.approx(expected, abs=1e-12)


def test_rest_off_resonance_turns_by_frequency_times_time() -> None:
    spins = Spins(np.array([1e9]), np.array([1e9]), 1.0, 50.0)
    spins.pulse(90)
    spins.rest(5)
    assert np.angle(spins.transverse / 1j) == pytest.approx(np.pi / 2)


@pytest.mark.parametrize("off_resonance_hz", [0.0, 60.0, -100.0])
def test_a_long_balanced_readout_reaches_the_steady_state(off_resonance_hz: float) -> None:
    readout = Readout(flip_deg=60, tr_ms=3, lines=3000, centre=2999, ramp=5)
    found = np.abs(readout.balanced(Spins(T1_MS[:2], T2_MS[:2], 1.0, off_resonance_hz)))
    expected = bssfp_signal(
        T1_MS[:2], T2_MS[:2], 1.0, flip_deg=60, tr_ms=3, off_resonance_hz=off_resonance_hz
    )
    assert np.allclose(found, expected, rtol=2e-3)


def test_a_long_spoiled_readout_reaches_ernsts_steady_state() -> None:
    readout = Readout(flip_deg=20, tr_ms=8, lines=1500, centre=1499, echo_ms=2)
    e1, flip = np.exp(-8 / T1_MS), np.deg2rad(20)
    expected = np.sin(flip) * (1 - e1) / (1 - e1 * np.cos(flip)) * np.exp(-2 / T2_MS)
    assert np.allclose(readout.spoiled(Spins(T1_MS, T2_MS)), expected, rtol=1e-3)


@pytest.mark.parametrize("off_resonance_hz", [0.0, 80.0])
def test_a_t2_preparation_leaves_an_exponential_along_z(off_resonance_hz: float) -> None:
    """T1 acts while refocusing pulses turn nothing along z, hence a long one here."""
    spins = Spins(np.full(3, 1e9), T2_MS, 1.0, off_resonance_hz)
    spins.prepare_t2(55)
    assert np.allclose(spins.longitudinal, np.exp(-55 / T2_MS))
    assert not spins.transverse.any()


def test_a_lorentzian_spread_decays_with_t2_prime() -> None:
    hz = lorentzian_hz(np.array([20.0, 60.0]), 1024)
    for time_ms in (2.2, 9.1, 16.0):
        mean = np.exp(2j * np.pi * hz * time_ms / 1000).mean(-1)
        assert np.allclose(mean, np.exp(-time_ms / np.array([20.0, 60.0])), atol=0.005)


def test_a_train_too_long_for_the_heartbeat_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lower heart rate"):
        Spins(1000.0, 50.0).rest(-5)
