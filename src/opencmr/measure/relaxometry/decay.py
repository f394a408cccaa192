"""T2 and T2* from pictures at several echo times, or after T2 preparations of several lengths."""

import numpy as np

from opencmr.measure.relaxometry.exponential import Curve, fit_exponential
from opencmr.measure.relaxometry.relaxation_map import RelaxationMap, fitted

T2_LIMITS_MS = (0.5, 3000.0)
"""Looked for; iron-laden myocardium has a T2* of some 3 ms, water a T2 of 2000 ms."""
TRUNCATION_R2 = 0.995
"""Late echoes are left out until the curve explains this share of the variance.  Truncation is
that of He et al. (Magn Reson Med 2008;60:1082); the share is a proposal."""
TRUNCATION_ECHOES = 3
"""So few echoes are never shortened further."""


def exponential_decay(
    signals: np.ndarray, times_ms: np.ndarray, *, parameters: int
) -> RelaxationMap:
    """Return T2 or T2* of a decay.

    Two parameters, ``S = M exp(-t / T)``; three with an offset for the noise floor, or for what
    the readout of a prepared picture adds (Giri et al., J Cardiovasc Magn Reson 2009;11:56, who
    fit two).

    Parameters
    ----------
    signals : (N, P)
        In the order of growing times.
    times_ms : (N,)
        Echo times, or lengths of the preparation.
    parameters : int
        2 or 3.

    Examples
    --------
    >>> times_ms = np.array([0.0, 25, 55])
    >>> signals = 300 * np.exp(-times_ms / 48)[:, None]
    >>> exponential_decay(signals, times_ms, parameters=2).values_ms.round(3)
    array([48.])
    """
    curve = {2: Curve.DECAY, 3: Curve.OFFSET}[parameters]
    fit = fit_exponential(signals, times_ms, curve, between_ms=T2_LIMITS_MS)
    gradient = np.zeros((parameters, len(fit.constant_ms)))
    gradient[-1] = fit.constant_ms
    values_ms = np.where(fit.amplitude > 0, fit.constant_ms, np.nan)
    errors_ms = fit.standard_error(gradient)
    return fitted(values_ms, errors_ms, fit.residual, len(times_ms), T2_LIMITS_MS)


def truncated_decay(signals: np.ndarray, times_ms: np.ndarray) -> RelaxationMap:
    """Return T2* of a decay whose late echoes may have sunk into the noise.

    A pixel's echoes are left out from the last one on until two parameters explain 99.5 % of
    the variance of the rest, or three echoes are left.

    Parameters
    ----------
    signals : (N, P)
        In the order of growing times.
    times_ms : (N,)
    """
    found = exponential_decay(signals, times_ms, parameters=2)
    waiting = np.flatnonzero(~_explains(found, signals))
    for count in range(len(times_ms) - 1, TRUNCATION_ECHOES - 1, -1):
        if not waiting.size:
            break
        part = signals[:count, waiting]
        shorter = exponential_decay(part, times_ms[:count], parameters=2)
        found = found.replaced(waiting, shorter)
        waiting = waiting[~_explains(shorter, part)]
    return found


def _explains(found: RelaxationMap, signals: np.ndarray) -> np.ndarray:
    """Return where a curve explains enough of the variance of the signals it was fitted to."""
    with np.errstate(invalid="ignore"):
        return np.asarray(found.residual**2 <= (1 - TRUNCATION_R2) * signals.var(0))
