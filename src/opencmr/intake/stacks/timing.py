"""What the trigger times of one slice say: steps, gaps, and whether its heartbeat can be believed.

Pure arithmetic on times after the R wave.
"""

import numpy as np

FULL_BEAT_TOLERANCE = 0.1
"""Relative: times that cover the stated heartbeat to within this share cover all of it."""
EMPTY_SHARE = 0.5
"""A stated heartbeat of which more than this share would be empty is doubted."""
LEAST_BEAT_MS = 300.0
"""Pictures that cover less are of one moment, not of a heartbeat (200 beats per minute)."""
EVEN_STEPS = (0.5, 1.5)
"""Steps within these shares of their median are those of a cine."""


def covered_ms(times_ms: np.ndarray) -> float:
    """Return how much of the heartbeat pictures ``(T,)`` cover: the last lasts as the others."""
    return float(np.ptp(times_ms) + np.median(np.diff(times_ms)))


def is_doubtful(times_ms: np.ndarray, rr_ms: float) -> bool:
    """Return whether a stated heartbeat leaves more than half empty of what is evenly filled.

    Examples
    --------
    >>> times_ms = np.arange(16) * 55.0
    >>> is_doubtful(times_ms, 883.0), is_doubtful(times_ms, 2000.0)
    (False, True)
    """
    if not np.isfinite(rr_ms) or np.unique(times_ms).size < times_ms.size:
        return False
    steps_ms = np.diff(times_ms) / np.median(np.diff(times_ms))
    even = (steps_ms >= EVEN_STEPS[0]) & (steps_ms <= EVEN_STEPS[1])
    covered = covered_ms(times_ms)
    return bool(even.all() and covered >= LEAST_BEAT_MS and covered < (1 - EMPTY_SHARE) * rr_ms)


def largest_step(times_ms: np.ndarray, rr_ms: float) -> float:
    """Return the largest step between pictures, in median steps.

    Where the pictures reach the end of the heartbeat, a late first one is a step as well.

    Examples
    --------
    >>> round(largest_step(np.array([0.0, 100, 200, 500, 600]), 700.0), 3)
    3.0
    >>> round(largest_step(np.arange(3, 8) * 100.0, 800.0), 3)
    4.0
    >>> round(largest_step(np.arange(5) * 100.0, 1000.0), 3)
    1.0
    """
    steps_ms = np.diff(times_ms)
    usual_ms = float(np.median(steps_ms))
    largest_ms = float(steps_ms.max())
    left_ms = rr_ms - times_ms[-1]
    if times_ms[0] > EVEN_STEPS[1] * usual_ms and left_ms <= EVEN_STEPS[1] * usual_ms:
        largest_ms = max(largest_ms, float(times_ms[0] + left_ms))
    return largest_ms / usual_ms


def uncovered_end(times_ms: np.ndarray, rr_ms: float) -> float:
    """Return the share of the heartbeat after the last picture; NaN without a heartbeat.

    Examples
    --------
    >>> round(uncovered_end(np.arange(6) * 100.0, 1000.0), 3)
    0.4
    """
    return float((rr_ms - times_ms[-1] - np.median(np.diff(times_ms))) / rr_ms)


def beat_shares(times_ms: np.ndarray, rr_ms: float) -> np.ndarray:
    """Return the share of the heartbeat ``(T,)`` at which each picture lies.

    Pictures that cover the stated heartbeat but for a tenth were spread over all of it
    (retrospective gating): there the last one ends it, and a rounded R-R shifts nothing.

    Examples
    --------
    >>> beat_shares(np.array([0.0, 200, 400, 600]), 1000.0).tolist()
    [0.0, 0.2, 0.4, 0.6]
    >>> beat_shares(np.array([0.0, 200, 400, 600]), 840.0).tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    whole_ms = covered_ms(times_ms)
    full = abs(whole_ms / rr_ms - 1) <= FULL_BEAT_TOLERANCE
    return np.asarray(times_ms / (whole_ms if full else rr_ms))


def shares_apart(shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return how far each picture lies from each wanted share ``(T, N)``, round the heartbeat.

    Examples
    --------
    >>> shares_apart(np.array([0.0, 0.5]), np.array([0.75])).tolist()
    [[0.25, 0.25]]
    """
    apart = np.abs(shares[None] - wanted[:, None]) % 1.0
    return np.asarray(np.minimum(apart, 1 - apart))


def nearest_pictures(shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return which picture ``(T,)`` of a slice is nearest to each wanted share of the heartbeat.

    Nothing changes places where every picture lies within half a step of what is wanted.

    Examples
    --------
    >>> even = np.arange(4) / 4
    >>> nearest_pictures(even + 0.1, even).tolist(), nearest_pictures(even + 0.25, even).tolist()
    ([0, 1, 2, 3], [3, 0, 1, 2])
    """
    half_step = float(np.median(np.diff(wanted))) / 2
    apart = shares_apart(shares, wanted)
    own = np.diagonal(apart)
    if (own <= half_step + 1e-9).all():
        return np.arange(len(wanted))
    return np.asarray(apart.argmin(1))
