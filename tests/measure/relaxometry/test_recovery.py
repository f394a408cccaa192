"""T1: closed forms, a magnetisation followed step by step, and the phantoms' own maps."""

import numpy as np
import pytest

from opencmr.anatomy.map_kinds import MapKind
from opencmr.measure.relaxometry.method import Method, Scheme, map_of
from opencmr.measure.relaxometry.recovery import (
    t1_inversion_recovery,
    t1_saturation_recovery,
    t1_shmolli,
)

T1_MS = np.array([100.0, 250, 400, 800, 1000, 1200, 1550, 2000, 2500, 3000])
SCHEMES = {
    "5(3)3": [100, 180, 1100, 1180, 2100, 2180, 3100, 4100],
    "4(1)3(1)2": [100, 180, 260, 1000, 1080, 1160, 1900, 1980, 2800],
    "3(3)3(3)5": [100, 200, 350, 950, 1050, 1200, 1800, 1900, 2050, 2900, 3750],
}
SHMOLLI_MS = np.array([100.0, 180, 260, 1100, 2100, 3100, 4100])


def look_locker(times_ms, ratio):
    """Signals (N, P) of A - B exp(-t/T1*) whose T1 is ``T1_MS``; B/A is ``ratio``."""
    times_ms = np.asarray(times_ms, dtype=float)
    return times_ms, 80 * (1 - ratio * np.exp(-times_ms[:, None] * (ratio - 1) / T1_MS))


@pytest.mark.parametrize("ratio", [1.7, 1.9, 2.0, 2.3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_molli_scheme_gives_back_t1_with_and_without_the_sign(scheme, ratio):
    times_ms, signals = look_locker(SCHEMES[scheme], ratio)
    for magnitude in (False, True):
        found = t1_inversion_recovery(
            np.abs(signals) if magnitude else signals,
            times_ms,
            look_locker=True,
            magnitude=magnitude,
        )
        np.testing.assert_allclose(found.values_ms, T1_MS, atol=0.1)
        assert (found.residual < 1e-6).all()


def test_the_standard_error_of_t1_is_the_scatter_of_repeated_molli():
    times_ms, signals = look_locker(SCHEMES["5(3)3"], 1.9)
    generator = np.random.default_rng(5)
    repeated = signals[:, 4:5] + generator.standard_normal((len(times_ms), 4000))
    found = t1_inversion_recovery(repeated, times_ms, look_locker=True, magnitude=False)
    expected_ms = np.sqrt((found.standard_error_ms**2).mean())
    assert found.values_ms.std() == pytest.approx(expected_ms, rel=0.05)


def test_plain_inversion_recovery_takes_the_incomplete_inversion_for_what_it_is():
    times_ms = np.array([50.0, 150, 400, 800, 1500, 3000, 6000])
    signals = np.abs(1 - 1.8 * np.exp(-times_ms[:, None] / T1_MS))
    found = t1_inversion_recovery(signals, times_ms, look_locker=False, magnitude=True)
    np.testing.assert_allclose(found.values_ms, T1_MS, atol=0.1)


@pytest.mark.parametrize("parameters", [2, 3])
def test_saturation_recovery_with_a_picture_of_full_recovery(parameters):
    times_ms = np.array([90.0, 180, 270, 360, 450, 540, 630, 720, 810, np.inf])
    signals = 300 * (1 - np.exp(-times_ms[:, None] / T1_MS))
    found = t1_saturation_recovery(signals, times_ms, parameters=parameters)
    np.testing.assert_allclose(found.values_ms, T1_MS, atol=0.1)


def test_an_imperfect_saturation_deceives_two_parameters_and_not_three():
    times_ms = np.array([90.0, 180, 270, 360, 450, 540, 630, 720, 810, np.inf])
    signals = 300 * (1 - 0.92 * np.exp(-times_ms[:, None] / T1_MS))
    three = t1_saturation_recovery(signals, times_ms, parameters=3)
    two = t1_saturation_recovery(signals, times_ms, parameters=2)
    np.testing.assert_allclose(three.values_ms, T1_MS, atol=0.1)
    assert (two.values_ms < 0.97 * T1_MS).all()


def shmolli_signals(t1_ms, rr_ms=1000.0):
    """Magnetisation (7, P) of three inversions 5, 1, 1 beats long, one free beat before the next.

    Free relaxation from picture to picture: nothing drives it, so T1* is T1; but the second and
    third inversion turn what has not recovered.
    """
    t1_ms = np.asarray(t1_ms)

    def relaxed(start, wait_ms):
        return 1 + (start - 1) * np.exp(-wait_ms / t1_ms)

    signals, magnetisation = {}, np.ones_like(t1_ms)
    for first_ms, pictures in ((100.0, 5), (180.0, 1), (260.0, 1)):
        magnetisation = -magnetisation
        for n in range(pictures):
            signals[first_ms + n * rr_ms] = relaxed(magnetisation, first_ms + n * rr_ms)
        # The next inversion comes at the time that leaves one beat without picture.
        magnetisation = relaxed(magnetisation, (pictures + 1) * rr_ms - 80)
    times_ms = np.array(sorted(signals))
    return times_ms, np.stack([signals[one] for one in times_ms])


def test_the_conditional_fit_of_shmolli_is_right_where_all_seven_read_low():
    times_ms, signals = shmolli_signals(T1_MS)
    generator = np.random.default_rng(6)
    signals = np.abs(signals + 1e-3 * generator.standard_normal(signals.shape))
    found = t1_shmolli(signals, times_ms, magnitude=True)
    naive = t1_inversion_recovery(signals, times_ms, look_locker=True, magnitude=True)
    np.testing.assert_allclose(found.values_ms, T1_MS, rtol=0.03)
    assert (naive.values_ms[T1_MS > 1000] < 0.95 * T1_MS[T1_MS > 1000]).all()
    assert (found.pictures[T1_MS > 1000] == 5).all()
    assert (found.pictures[T1_MS < 300] > 5).any()


def bloch_ir(t1_ms, times_ms, inversion):
    """Longitudinal magnetisation by Euler steps of 0.02 ms: no closed form of a recovery."""
    magnetisation = np.full(len(t1_ms), -inversion)
    seen, step_ms = [], 0.02
    for number in range(round(times_ms[-1] / step_ms) + 1):
        if len(seen) < len(times_ms) and number == round(times_ms[len(seen)] / step_ms):
            seen.append(magnetisation.copy())
        magnetisation += step_ms * (1 - magnetisation) / t1_ms
    return np.stack(seen)


def test_a_magnetisation_followed_step_by_step_gives_its_t1():
    times_ms = np.array([60.0, 200, 500, 1000, 2000, 3500])
    t1_ms = np.array([300.0, 900, 1500])
    signals = np.abs(bloch_ir(t1_ms, times_ms, inversion=0.9))
    found = t1_inversion_recovery(signals, times_ms, look_locker=False, magnitude=True)
    np.testing.assert_allclose(found.values_ms, t1_ms, rtol=1e-3)


def test_pictures_in_any_order_give_the_same_map():
    times_ms, signals = look_locker(SCHEMES["5(3)3"], 1.9)
    values = np.abs(signals).reshape(8, 2, 5)
    order = np.random.default_rng(7).permutation(8)
    method = Method(MapKind.T1, Scheme.MOLLI)
    sorted_map = map_of(values, times_ms, method, magnitude=True)
    shuffled = map_of(values[order], times_ms[order], method, magnitude=True)
    np.testing.assert_array_equal(sorted_map.values_ms, shuffled.values_ms)
    assert sorted_map.values_ms.shape == (2, 5)


def test_a_signal_that_falls_after_an_inversion_has_no_t1():
    times_ms = np.array(SCHEMES["5(3)3"], dtype=float)
    falling = 90 * np.exp(-times_ms[:, None] / T1_MS)
    found = t1_inversion_recovery(falling, times_ms, look_locker=True, magnitude=False)
    assert np.isnan(found.values_ms).all()
    assert np.isnan(found.standard_error_ms).all()
    assert (found.pictures == 0).all()
