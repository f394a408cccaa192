"""How steady a ventricle's volume is from frame to frame (row N04)."""

from collections.abc import Iterator

import numpy as np

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import Image
from opencmr.imaging.phase_times import phase_times_ms
from opencmr.measure.ventricles import RATE_PHASES, Chamber
from opencmr.quality.limits import (
    JUMP_REACH_PHASES,
    STEP_FLOOR_PERCENT,
    STEP_LIMIT_PERCENT,
    STEP_REFERENCE_MS,
)


def jump_flags(chamber: Chamber, intervals_ms: np.ndarray) -> Iterator[QualityFlag]:
    """Limit the steps of a volume curve between frames, by the time between them.

    Parameters
    ----------
    intervals_ms : (T,)
        From the frame before to each frame; to the first one from the last.
    """
    if chamber.phases < RATE_PHASES:
        return
    beyond, limit = steps_beyond_percent(chamber, intervals_ms), step_limit_percent(intervals_ms)
    jumps = np.flatnonzero(beyond > limit)
    if jumps.size:
        worst = int((beyond - limit).argmax())
        yield QualityFlag(
            Severity.REVIEW,
            "CURVE_JUMP",
            f"The volume curve of the {chamber.structure.value} jumps between two frames: "
            f"check the contours there.{_touched(chamber, jumps)}",
            f"the step to phase {worst + 1} goes {beyond[worst]:.0f} % of EDV beyond those next "
            f"to it, believable {limit[worst]:.0f} % in {intervals_ms[worst]:.0f} ms",
        )


def frame_intervals_ms(image: Image) -> np.ndarray:
    """Return the time ``(T,)`` from the frame before to each frame of a cine.

    The first frame follows the last one of the heartbeat before.  Where the source states no
    times, every interval is :data:`STEP_REFERENCE_MS`.
    """
    times_ms = phase_times_ms(image)
    if times_ms is None or image.phases < 2:
        return np.full(image.phases, STEP_REFERENCE_MS)
    between_ms = np.diff(times_ms)
    left_ms = (image.mean_rr_ms or 0.0) - (times_ms[-1] - times_ms[0])
    return np.insert(between_ms, 0, left_ms if left_ms > 0 else np.median(between_ms))


def step_limit_percent(intervals_ms: np.ndarray) -> np.ndarray:
    """Return how far each step ``(T,)`` may go beyond its neighbours', in percent of EDV.

    Examples
    --------
    >>> step_limit_percent(np.array([10.0, 40.0, 60.0])).tolist()
    [10.0, 15.0, 22.5]
    """
    return np.maximum(STEP_LIMIT_PERCENT * intervals_ms / STEP_REFERENCE_MS, STEP_FLOOR_PERCENT)


def steps_beyond_percent(chamber: Chamber, intervals_ms: np.ndarray) -> np.ndarray:
    """Return how much faster than its neighbours each step ``(T,)`` goes, times its length.

    In percent of EDV.  A slice that the valve plane or the apex enters or leaves counts at once,
    though nothing jumps; so an end slice is left out of the steps about that moment.
    """
    steps_ml = chamber.slices_ml - np.roll(chamber.slices_ml, 1, axis=0)
    speed = np.where(_crossed(chamber), 0.0, steps_ml).sum(1) / intervals_ms
    beyond = np.abs(speed - (np.roll(speed, 1) + np.roll(speed, -1)) / 2) * intervals_ms
    return np.asarray(100 * beyond / chamber.curve_ml.max())


def _crossed(chamber: Chamber) -> np.ndarray:
    """Return the steps and slices ``(T, Z)`` at which an end slice comes or goes, or just did."""
    shown = chamber.slices_ml > 0
    before = np.roll(shown, 1, axis=0)
    either, changed = shown | before, shown != before
    ends = np.zeros_like(shown)
    for t in np.flatnonzero(either.any(1)):
        seen = np.flatnonzero(either[t])
        ends[t, [seen[0], seen[-1]]] = True
    crossed = ends & changed
    return np.asarray(ends & (crossed | np.roll(crossed, 1, 0) | np.roll(crossed, -1, 0)))


def _touched(chamber: Chamber, jumps: np.ndarray) -> str:
    """Say which of ED and ES lie at a jump; ``jumps``: the phases after each."""
    reach = np.arange(-JUMP_REACH_PHASES, JUMP_REACH_PHASES)
    near = set(((jumps[:, None] + reach) % chamber.phases).ravel().tolist())
    chosen = (("end-diastole", chamber.ed_phase), ("end-systole", chamber.es_phase))
    names = " and ".join(f"{name} (phase {phase + 1})" for name, phase in chosen if phase in near)
    return f" It touches {names}: what follows from the volume there may be wrong." if names else ""
