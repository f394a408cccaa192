"""T1 from pictures after an inversion (IR, MOLLI, ShMOLLI) or a saturation (SASHA)."""

import numpy as np

from opencmr.measure.relaxometry.exponential import Curve, ExponentialFit, fit_exponential
from opencmr.measure.relaxometry.relaxation_map import RelaxationMap, fitted

T1_LIMITS_MS = (10.0, 10_000.0)
"""Looked for; tissue, blood and water at 1.5 and 3 T have 100 to 4500 ms."""
SHMOLLI_PICTURES = 7
SHMOLLI_EPOCHS = ((0, 3, 4, 5, 6), (0, 1, 3, 4, 5, 6), (0, 1, 2, 3, 4, 5, 6))
"""Of the pictures by inversion time: those of the first inversion, of two, of all three.  The
second and third inversion give one picture each, 80 and 160 ms later than the first one of the
first, and a heartbeat is longer."""
SHMOLLI_SHORT = 0.4
"""The third inversion counts for T1 well below this share of the heartbeat (Piechnik 2010)."""


def t1_inversion_recovery(
    signals: np.ndarray, times_ms: np.ndarray, *, look_locker: bool, magnitude: bool
) -> RelaxationMap:
    """Return T1 by the three-parameter fit ``S = A - B exp(-t / T1*)``.

    With ``look_locker`` T1 is ``T1* (B/A - 1)`` (Deichmann and Haase, J Magn Reson 1992;96:608;
    Messroghli et al., Magn Reson Med 2004;52:141): the readouts drive the recovery, and B/A says
    how much.  Without, T1 is ``T1*``, and B/A is the quality of the inversion.

    Parameters
    ----------
    signals : (N, P)
        In the order of growing times.
    times_ms : (N,)
        Inversion times.
    look_locker : bool
        Several pictures after one inversion (MOLLI); not for one picture an inversion (IR).
    magnitude : bool
        The signals have lost their sign: it is restored as fits best.

    Examples
    --------
    >>> times_ms = np.array([100.0, 180, 1000, 1900, 2800])
    >>> signals = np.abs(1 - 1.8 * np.exp(-times_ms / 1000))[:, None]
    >>> found = t1_inversion_recovery(signals, times_ms, look_locker=True, magnitude=True)
    >>> found.values_ms.round(3)
    array([800.])
    """
    fit = fit_exponential(
        signals, times_ms, Curve.OFFSET, between_ms=T1_LIMITS_MS, restore_polarity=magnitude
    )
    if not look_locker:
        return _plain(fit)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = -fit.amplitude / fit.offset
        values_ms = fit.constant_ms * (ratio - 1)
        gradient = np.stack(
            [
                -fit.constant_ms * ratio / fit.offset,
                -fit.constant_ms / fit.offset,
                values_ms,
            ]
        )
    errors_ms = fit.standard_error(gradient)
    return fitted(values_ms, errors_ms, fit.residual, len(times_ms), T1_LIMITS_MS)


def t1_shmolli(signals: np.ndarray, times_ms: np.ndarray, *, magnitude: bool) -> RelaxationMap:
    """Return T1 by the conditional fit of ShMOLLI, 5 + 1 + 1 pictures.

    The heart does not recover between the inversions, so that the second and third are true of
    short T1 alone (Piechnik et al., J Cardiovasc Magn Reson 2010;12:69).  With the residual ``R``
    and the result of five, six and seven pictures and the heartbeat ``RR``: six count if T1(5)
    is at most RR and R(6) T1(6) < R(5) RR; seven if T1 so far is below RR and
    R(7) T1(7) < R(5) 0.4 RR; else the five of the first inversion.  (The rule as the authors'
    own group states it in Tomato, github.com/MRKonrad/tomato.)

    Parameters
    ----------
    signals : (7, P)
        In the order of growing times.
    times_ms : (7,)
    magnitude : bool

    Raises
    ------
    ValueError
        When there are not seven pictures.
    """
    if len(times_ms) != SHMOLLI_PICTURES:
        raise ValueError(f"ShMOLLI has 5 + 1 + 1 pictures, found {len(times_ms)}")
    rr_ms = (times_ms[6] - times_ms[0]) / 4
    five, six, seven = (
        t1_inversion_recovery(
            signals[list(epochs)], times_ms[list(epochs)], look_locker=True, magnitude=magnitude
        )
        for epochs in SHMOLLI_EPOCHS
    )
    left = np.where(np.isnan(five.residual), np.inf, five.residual)
    with np.errstate(invalid="ignore"):
        short = ~(five.values_ms > rr_ms)
        use_six = short & (six.residual * six.values_ms < left * rr_ms)
        so_far = six.where(use_six, five)
        use_seven = (
            short
            & ~(so_far.values_ms >= rr_ms)
            & (seven.residual * seven.values_ms < left * SHMOLLI_SHORT * rr_ms)
        )
    return seven.where(use_seven, so_far)


def t1_saturation_recovery(
    signals: np.ndarray, times_ms: np.ndarray, *, parameters: int
) -> RelaxationMap:
    """Return T1 from saturation recovery (SASHA).

    Three parameters, ``S = A - B exp(-t / T1)``, are free of what the saturation and the readout
    leave (Chow et al., Magn Reson Med 2014;71:2082); two, ``S = A (1 - exp(-t / T1))``, take the
    saturation for perfect and are more precise.

    Parameters
    ----------
    signals : (N, P)
        In the order of growing times.
    times_ms : (N,)
        Saturation times; infinite for the picture without saturation.
    parameters : int
        2 or 3.
    """
    curve = {2: Curve.SATURATION, 3: Curve.OFFSET}[parameters]
    return _plain(fit_exponential(signals, times_ms, curve, between_ms=T1_LIMITS_MS))


def _plain(fit: ExponentialFit) -> RelaxationMap:
    """Return the map of a fit whose time constant is T1 itself, of a signal that grows."""
    grows = fit.amplitude < 0 if fit.curve is Curve.OFFSET else fit.amplitude > 0
    grows = grows == (fit.offset >= 0) if fit.curve is Curve.OFFSET else grows
    gradient = np.zeros((fit.curve.parameters, len(fit.constant_ms)))
    gradient[-1] = fit.constant_ms
    values_ms = np.where(grows, fit.constant_ms, np.nan)
    errors_ms = fit.standard_error(gradient)
    return fitted(values_ms, errors_ms, fit.residual, len(fit.times_ms), T1_LIMITS_MS)
