"""Signal and noise against hand values, a Bloch simulation and the Rice distribution."""

import numpy as np
import pytest
from scipy import stats

from opencmr.errors import ConfigurationError
from opencmr.simulate.physics import (
    bssfp_signal,
    k_space_window,
    magnitude_image,
    tissue_signals,
)


def _steady_state_by_bloch(
    t1_ms: float, t2_ms: float, flip_deg: float, tr_ms: float, off_hz: float
) -> float:
    """Play pulses of alternating sign and precession until nothing changes; echo at TR/2."""
    flip = np.deg2rad(flip_deg)
    magnetisation = np.array([0.0, 0.0, 1.0])

    def free(m: np.ndarray, time_ms: float) -> np.ndarray:
        turn = 2 * np.pi * off_hz * time_ms / 1000
        e1, e2 = np.exp(-time_ms / t1_ms), np.exp(-time_ms / t2_ms)
        x = e2 * (np.cos(turn) * m[0] - np.sin(turn) * m[1])
        y = e2 * (np.sin(turn) * m[0] + np.cos(turn) * m[1])
        return np.array([x, y, 1 + (m[2] - 1) * e1])

    echo = magnetisation
    for pulse in range(6000):
        angle = flip if pulse % 2 == 0 else -flip
        c, s = np.cos(angle), np.sin(angle)
        m = magnetisation
        magnetisation = np.array([m[0], c * m[1] + s * m[2], -s * m[1] + c * m[2]])
        echo = free(magnetisation, tr_ms / 2)
        magnetisation = free(magnetisation, tr_ms)
    return float(np.hypot(echo[0], echo[1]))


@pytest.mark.parametrize("off_hz", [0.0, 60.0, 150.0])
@pytest.mark.parametrize(("t1_ms", "t2_ms"), [(950.0, 50.0), (1550.0, 250.0), (343.0, 58.0)])
def test_the_signal_formula_is_the_steady_state_of_the_bloch_equations(
    t1_ms: float, t2_ms: float, off_hz: float
) -> None:
    formula = bssfp_signal(t1_ms, t2_ms, 1.0, flip_deg=50, tr_ms=3.0, off_resonance_hz=off_hz)
    bloch = _steady_state_by_bloch(t1_ms, t2_ms, 50, 3.0, off_hz)
    assert float(formula) == pytest.approx(bloch, rel=1e-3)


def test_the_signal_is_the_value_worked_out_by_hand() -> None:
    e1, e2 = 0.99700450, 0.94176453  # exp(-3/1000), exp(-3/50)
    by_hand = 0.8660254 * np.sqrt(e2) * (1 - e1) / (1 - (e1 - e2) * 0.5 - e1 * e2)
    assert float(bssfp_signal(1000, 50, 1, flip_deg=60, tr_ms=3)) == pytest.approx(
        by_hand, rel=1e-5
    )


def test_with_a_short_repetition_the_signal_depends_on_t1_over_t2_alone() -> None:
    flip = np.deg2rad(45)
    limit = np.sin(flip) / (1 + np.cos(flip) + (1 - np.cos(flip)) * 8)
    signal = float(bssfp_signal(800, 100, 1, flip_deg=45, tr_ms=0.05))
    assert signal == pytest.approx(limit, rel=1e-3)


@pytest.mark.parametrize("field_strength_t", [1.5, 3.0])
def test_tissues_look_as_in_a_cine(field_strength_t: float) -> None:
    signal = tissue_signals(field_strength_t, 50, 3.0)
    assert 2.2 < signal["blood"] / signal["myocardium"] < 4
    assert abs(signal["fat"]) > 2 * signal["myocardium"]
    assert signal["lung"] < 0.3 * signal["myocardium"]


def test_fat_and_water_oppose_each_other_at_a_three_millisecond_repetition() -> None:
    assert tissue_signals(1.5, 50, 3.0)["fat"] < 0
    assert tissue_signals(1.5, 50, 4.6)["fat"] < 0 < tissue_signals(1.5, 50, 2.0)["fat"]


def test_an_unknown_field_strength_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="7"):
        tissue_signals(7.0, 50, 3.0)


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("snr", [0.0, 1.5, 30.0])
def test_noise_is_rician(snr: float, windowed: bool) -> None:
    shape, sigma = (256, 256), 12.0
    window = k_space_window(shape, (0.8, 0.9)) if windowed else None
    signal = np.full(shape, snr * sigma, dtype=np.float32)
    image = magnitude_image(signal, window, sigma, np.random.default_rng(3))
    expected = stats.rice(snr, scale=sigma)
    assert image.mean() == pytest.approx(expected.mean(), rel=0.01)
    assert image.std() == pytest.approx(expected.std(), rel=0.02)


def test_without_noise_the_magnitude_of_fat_is_positive() -> None:
    image = magnitude_image(
        np.full((8, 8), -3, dtype=np.float32), None, 0, np.random.default_rng(0)
    )
    assert (image == 3).all()
