"""The slices of a stack at one moment of the heartbeat, each by its own times."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from opencmr.imaging.axis import Heartbeat
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.passes import Pass, usual_phases
from opencmr.intake.stacks.timing import beat_shares, nearest_pictures, shares_apart

PHASE_SHARE = 0.8
"""A slice with fewer than this share of the stack's phases is not resampled but left out."""


def phase_fractions(one: Pass, phases: int) -> np.ndarray:
    """Return the fraction of the heartbeat ``(T,)`` at which each frame of a pass lies.

    From trigger times; without them from the place in the sequence, counting the gaps that
    temporal positions or instance numbers show.
    """
    if one.is_timed and one.phases > 1:
        steps_ms = np.diff(one.trigger_ms)
        # the last frame lasts as long as the others, so the heartbeat cannot be shorter
        shortest_ms = float(np.ptp(one.trigger_ms) + np.median(steps_ms) / 2)
        if one.rr_ms >= shortest_ms:
            return np.asarray(one.trigger_ms / one.rr_ms)
        beat_ms = np.median(steps_ms) * max(phases, one.phases)
        # a clock that runs on from slice to slice does not start at the R wave
        start_ms = one.trigger_ms[0] if one.trigger_ms[0] > beat_ms else 0.0
        return np.asarray((one.trigger_ms - start_ms) / beat_ms)
    for numbers in (
        [frame.temporal_position for frame in one.frames],
        [frame.instance_number for frame in one.frames],
    ):
        known = np.array([n for n in numbers if n is not None], dtype=np.float64)
        if known.size == one.phases > 1 and (np.diff(known) > 0).all():
            step = np.diff(known).min()
            places = (known - known[0]) / step
            if places[-1] < phases:
                return np.asarray(places / phases)
    return np.arange(one.phases) / one.phases


def resample_in_time(values: np.ndarray, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return frames ``(T, Y, X)`` at other fractions of a heartbeat that repeats itself.

    Parameters
    ----------
    values : (N, Y, X)
    at : (N,)
        Fraction of the heartbeat of each frame, growing.
    wanted : (T,)

    Examples
    --------
    >>> frames = np.array([0.0, 2.0, 6.0]).reshape(3, 1, 1)
    >>> resample_in_time(frames, np.array([0, 0.25, 0.75]), np.array([0.5, 0.875])).ravel()
    array([4., 3.])
    """
    start = at[0]
    circle = np.concatenate([at - start, [1.0]])
    places = np.interp((wanted - start) % 1.0, circle, np.arange(circle.size))
    below = np.floor(places).astype(int)
    share = (places - below)[:, None, None]
    last = len(values)
    return np.asarray(values[below % last] * (1 - share) + values[(below + 1) % last] * share)


def in_one_time(passes: Sequence[Pass]) -> list[Pass]:
    """Return the passes of a stack with one phase at one share of the heartbeat in every slice.

    By time, never by rank: slices gated at other heart rates, or from another moment on, show at
    each phase the picture that is nearest in their own heartbeat.  A slice without a heartbeat
    keeps its order.
    """
    phases = usual_phases(passes)
    shares = [
        beat_shares(one.trigger_ms, one.rr_ms)
        if one.along is Heartbeat
        and one.phases == phases > 1
        and one.is_timed
        and np.isfinite(one.rr_ms)
        else None
        for one in passes
    ]
    gated = [found for found in shares if found is not None]
    if not gated:
        return list(passes)
    wanted = np.median(gated, axis=0)
    return [
        one if found is None else _at_shares(one, nearest_pictures(found, wanted), wanted)
        for one, found in zip(passes, shares, strict=True)
    ]


def _at_shares(one: Pass, order: np.ndarray, shares: np.ndarray) -> Pass:
    """Return a pass with its pictures in another order, which lie at shares of its heartbeat."""
    if (order == np.arange(one.phases)).all():
        return one
    frames = tuple(one.frames[index] for index in order)
    return replace(one, frames=frames, trigger_ms=shares * one.rr_ms)


def in_one_beat(one: Pass, order: Sequence[int], phases: int) -> Pass:
    """Return the pictures of one heartbeat, timed by the step between them."""
    step_ms = float(np.median(np.diff(one.trigger_ms))) if one.is_timed else float("nan")
    return replace(
        one,
        frames=tuple(one.frames[index] for index in order),
        trigger_ms=step_ms * np.arange(phases),
        rr_ms=step_ms * phases,
    )


def shown_frames(one: Pass, phases: int, fractions: np.ndarray) -> tuple[Frame, ...]:
    """Return the frame behind each phase; of a slice resampled in time, the nearest one."""
    if one.phases == phases:
        return one.frames
    nearest = shares_apart(phase_fractions(one, phases), fractions).argmin(1)
    return tuple(one.frames[index] for index in nearest)
