"""A structure comes into a slice once a beat and leaves it once: labels that flicker are mended.

The base sinks towards the apex and rises again, and a cavity closes and opens again, so over a
beat each slice shows a structure in one run of phases, or always, or never.  Where labels show
several runs, one is taken that changes the fewest phases, and of such the least area: gaps inside
it are filled with a shape between those before and after, and what lies outside is taken away.
Slices with one run are not touched, so areas over the beat keep their true motion, and a pair of
phases has no second run.
"""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import distance_transform_edt

from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.segment.components import keep_possible

LEAST_PHASES = 4
"""Fewer cannot come and go twice round the beat."""


def steady_presence(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return ``labels (T, Z, Y, X)`` of one heartbeat in which nothing comes and goes twice.

    The left ventricle is mended as a whole, then its cavity inside it, then the right one.  The
    beat is closed: the first phase follows the last.

    Parameters
    ----------
    labels : (T, Z, Y, X) uint8
        Not changed.
    scheme : LabelScheme
    """
    if len(labels) < LEAST_PHASES:
        return labels
    mended = labels.copy()
    for z in range(labels.shape[1]):
        _mend_slice(mended[:, z], scheme)
    for t, before in enumerate(labels):
        if not np.array_equal(mended[t], before):
            mended[t] = keep_possible(mended[t], scheme)
    return mended


def steady_run(areas: np.ndarray) -> np.ndarray:
    """Return the one run of phases ``(T,)`` bool, round the beat, that changes the least.

    The fewest phases, and of such runs the least area.

    Parameters
    ----------
    areas : (T,)
        Of a structure in a slice, 0 where it is not shown.  A filled phase costs the mean of the
        areas before and after the gap, one that is taken away its own.

    Examples
    --------
    >>> steady_run(np.array([9, 9, 0, 9, 0, 0, 1, 0])).astype(int).tolist()
    [1, 1, 1, 1, 0, 0, 0, 0]
    """
    shown = areas > 0
    starts = np.flatnonzero(shown & ~np.roll(shown, 1))
    if len(starts) < 2:
        return np.asarray(shown)
    count, phases = len(starts), len(areas)
    ends = np.flatnonzero(shown & ~np.roll(shown, -1))
    if ends[0] < starts[0]:
        ends = np.roll(ends, -1)
    gaps = (np.roll(starts, -1) - ends - 1) % phases
    filled = np.column_stack([gaps, gaps * (areas[ends] + areas[np.roll(starts, -1)]) / 2])
    runs = [
        areas[_phases(s, e, phases)] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    taken = np.array([(len(run), run.sum()) for run in runs])
    best, kept = (np.inf, np.inf), (0, 0)
    for first in range(count):
        for length in range(count, 0, -1):  # of equal changes, what is shown stays
            inside = (first + np.arange(length)) % count
            cost = taken.sum(0) - taken[inside].sum(0) + filled[inside[:-1]].sum(0)
            if tuple(cost) < best:
                best, kept = tuple(cost), (int(starts[first]), int(ends[inside[-1]]))
    run = np.zeros(phases, dtype=bool)
    run[_phases(*kept, phases)] = True
    return run


def _phases(start: int, end: int, phases: int) -> np.ndarray:
    """Return the phases from ``start`` to ``end``, both included, round the beat."""
    return np.asarray((start + np.arange((end - start) % phases + 1)) % phases)


def _mend_slice(labels: np.ndarray, scheme: LabelScheme) -> None:
    """Mend one slice's labels ``(T, Y, X)`` in place."""
    bodies = _bodies(labels, scheme)
    for t, shape in _changes(bodies):
        labels[t][bodies[t]] = 0
        labels[t][shape] = scheme.label_of(Structure.MYOCARDIUM)
    bodies = _bodies(labels, scheme)
    cavities = scheme.mask(labels, Structure.LV)
    for t, shape in _changes(cavities):
        labels[t][cavities[t]] = scheme.label_of(Structure.MYOCARDIUM)
        labels[t][shape & bodies[t]] = scheme.label_of(Structure.LV)
    rights = scheme.mask(labels, Structure.RV)
    for t, shape in _changes(rights):
        labels[t][rights[t]] = 0
        labels[t][shape & ~bodies[t]] = scheme.label_of(Structure.RV)


def _bodies(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return where the left ventricle is, cavity and wall."""
    wall, cavity = (scheme.mask(labels, s) for s in (Structure.MYOCARDIUM, Structure.LV))
    return np.asarray(wall | cavity)


def _changes(masks: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give each phase of ``masks (T, Y, X)`` that is to change, and its new mask."""
    areas = masks.sum((1, 2))
    shown, run = areas > 0, steady_run(areas)
    phases = len(masks)
    for t in np.flatnonzero(shown != run):
        if shown[t]:
            yield int(t), np.zeros(masks.shape[1:], dtype=bool)
            continue
        before = next(n for n in range(1, phases) if shown[(t - n) % phases])
        after = next(n for n in range(1, phases) if shown[(t + n) % phases])
        one, other = masks[(t - before) % phases], masks[(t + after) % phases]
        yield int(t), _between(one, other, before / (before + after))


def _between(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Return the shape ``share`` of the way from one mask to another, by signed distances.

    (Raya and Udupa, IEEE Trans Med Imaging 1990; 9:32.)  Of shapes too far apart nothing would be
    left: the nearer one stays.
    """
    depths = (1 - share) * _depth(one) + share * _depth(other)
    shape = np.asarray(depths > 0)
    if shape.any():
        return shape
    return one if share <= 1 / 2 else other


def _depth(mask: np.ndarray) -> np.ndarray:
    """Return how deep each pixel lies in ``mask``, negative outside, in pixels."""
    inside, outside = distance_transform_edt(mask), distance_transform_edt(~mask)
    return np.asarray(inside - outside)
