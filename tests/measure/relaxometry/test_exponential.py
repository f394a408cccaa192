"""One exponential in every pixel: the truth, another least squares, and what has no curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from opencmr.measure.relaxometry.exponential import Curve, fit_exponential

TIMES_MS = np.array([100.0, 180, 260, 1100, 1180, 2000, 2080, 2900, 3800, 4700])
BETWEEN_MS = (10.0, 10_000.0)


def noisy(seed, pixels=40, noise=2.0):
    """Signed inversion recoveries (N, P) with noise, and their time constants."""
    generator = np.random.default_rng(seed)
    constant_ms = generator.uniform(200, 2500, pixels)
    signals = 100 - generator.uniform(170, 200, pixels) * np.exp(-TIMES_MS[:, None] / constant_ms)
    return signals + noise * generator.standard_normal(signals.shape)


def by_scipy(signals, start):
    """The same curve by a general minimiser, and its standard error of the time constant."""

    def left(parameters):
        offset, amplitude, constant_ms = parameters
        return offset + amplitude * np.exp(-TIMES_MS / constant_ms) - signals

    found = least_squares(left, start, xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale=(1, 1, 10))
    variance = 2 * found.cost / (len(signals) - 3)
    return found, np.sqrt(variance * np.linalg.inv(found.jac.T @ found.jac)[2, 2])


def test_noisy_signals_have_the_minimum_and_the_standard_error_that_scipy_finds():
    signals = noisy(1)
    fit = fit_exponential(signals, TIMES_MS, Curve.OFFSET, between_ms=BETWEEN_MS)
    gradient = np.zeros((3, signals.shape[1]))
    gradient[2] = fit.constant_ms
    errors_ms = fit.standard_error(gradient)
    for pixel in range(signals.shape[1]):
        start = fit.offset[pixel] * 1.1, fit.amplitude[pixel] * 0.9, fit.constant_ms[pixel] * 1.2
        found, error_ms = by_scipy(signals[:, pixel], start)
        assert fit.constant_ms[pixel] == pytest.approx(found.x[2], abs=0.01)
        assert fit.residual_squares[pixel] == pytest.approx(2 * found.cost, rel=1e-9)
        assert errors_ms[pixel] == pytest.approx(error_ms, rel=1e-3)


def test_no_polarity_of_a_magnitude_leaves_less_than_the_one_chosen():
    magnitudes = np.abs(noisy(2))
    chosen = fit_exponential(
        magnitudes, TIMES_MS, Curve.OFFSET, between_ms=BETWEEN_MS, restore_polarity=True
    )
    for count in range(len(TIMES_MS)):
        signs = np.where(np.arange(len(TIMES_MS)) < count, -1, 1)[:, None]
        fixed = fit_exponential(magnitudes * signs, TIMES_MS, Curve.OFFSET, between_ms=BETWEEN_MS)
        fitted = np.isfinite(fixed.residual_squares)
        assert (
            chosen.residual_squares[fitted] <= fixed.residual_squares[fitted] * (1 + 1e-9)
        ).all()


@given(st.floats(-8, 8), st.integers(0, 1000))
def test_another_unit_of_the_signals_leaves_the_time_constant_alone(power, seed):
    magnitudes = np.abs(noisy(seed, pixels=5))
    one, other = (
        fit_exponential(
            magnitudes * unit, TIMES_MS, Curve.OFFSET, between_ms=BETWEEN_MS, restore_polarity=True
        )
        for unit in (1.0, 10.0**power)
    )
    np.testing.assert_allclose(one.constant_ms, other.constant_ms, rtol=1e-5)
    np.testing.assert_allclose(one.residual * 10.0**power, other.residual, rtol=1e-5)


@pytest.mark.parametrize(
    "signals",
    [
        np.zeros(10),
        np.full(10, 7.0),
        np.where(np.arange(10) == 4, np.nan, 5.0),
        np.where(np.arange(10) == 4, np.inf, 5.0),
        TIMES_MS,
    ],
    ids=["empty", "constant", "not a number", "infinite", "straight line"],
)
def test_what_has_no_curve_is_nan_and_leaves_its_neighbours_alone(signals):
    good = noisy(3, pixels=1)
    both = np.column_stack([signals, good[:, 0]])
    fit = fit_exponential(both, TIMES_MS, Curve.OFFSET, between_ms=(10.0, 5000.0))
    alone = fit_exponential(good, TIMES_MS, Curve.OFFSET, between_ms=(10.0, 5000.0))
    assert np.isnan([fit.constant_ms[0], fit.amplitude[0], fit.residual[0]]).all()
    assert fit.constant_ms[1] == alone.constant_ms[0]


def test_the_standard_error_is_the_scatter_of_repeated_measurements():
    truth = 100 - 190 * np.exp(-TIMES_MS[:, None] / 1000)
    generator = np.random.default_rng(4)
    repeated = truth + generator.standard_normal((len(TIMES_MS), 4000))
    fit = fit_exponential(repeated, TIMES_MS, Curve.OFFSET, between_ms=BETWEEN_MS)
    gradient = np.zeros((3, 4000))
    gradient[2] = fit.constant_ms
    errors_ms = fit.standard_error(gradient)
    assert fit.constant_ms.std() == pytest.approx(np.sqrt((errors_ms**2).mean()), rel=0.05)


def test_as_many_pictures_as_parameters_give_a_value_without_a_standard_error():
    times_ms = np.array([0.0, 30.0])
    signals = 50 * np.exp(-times_ms / 40)[:, None]
    fit = fit_exponential(signals, times_ms, Curve.DECAY, between_ms=(1.0, 1000.0))
    assert fit.constant_ms[0] == pytest.approx(40)
    assert np.isnan(fit.standard_error(np.ones((2, 1)))[0])


def test_times_that_do_not_grow_or_are_too_few_are_refused():
    signals = np.ones((3, 2))
    with pytest.raises(ValueError, match="do not grow"):
        fit_exponential(signals, np.array([3.0, 2, 1]), Curve.DECAY, between_ms=(1, 10))
    with pytest.raises(ValueError, match="too few"):
        fit_exponential(
            signals, np.arange(3.0), Curve.OFFSET, between_ms=(1, 10), restore_polarity=True
        )
    with pytest.raises(ValueError, match="as many times"):
        fit_exponential(signals, np.arange(4.0), Curve.DECAY, between_ms=(1, 10))
