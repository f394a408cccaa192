"""The heartbeat of pictures that no R wave started, read from what moves in them.

Pictures acquired in real time begin anywhere in the heartbeat, another moment in each slice.
How far each picture is from each other one tells the beat's length, and how the slices must be
turned to show one moment together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CELLS = 32
"""Pictures are compared on so many cells a side of their middle half: a heart is 5 to 10 wide."""
LEAST_PHASES = 8
"""In fewer pictures no beat can be told."""
RETURN_SHARE = 0.35
"""A lag at which pictures differ by less than this share of the most is one heartbeat, if they
differ more again beyond it (proposal)."""
RISE_SHARE = 0.3
"""By this share of the way back (proposal)."""
LEAST_LIKENESS = 0.85
"""Correlation of the motion of a slice with those next to it that is certain (proposal)."""
LEAST_LEAD = 0.08
"""By so much it must be better than at any other moment (proposal)."""
NEAR_SHARE = 1 / 6
"""Moments nearer than this share of the beat are the same one, known roughly."""
STILL_SHARE = 0.05
"""A slice that moves less than this share of the most shows no ventricle, and decides nothing
(proposal)."""


@dataclass(frozen=True, slots=True)
class Gating:
    """How slices are put in time.

    Attributes
    ----------
    phases : int
        Pictures in one heartbeat.
    starts : tuple of int
        For each slice the picture at which the first phase of all lies.
    certain : tuple of bool
        For each slice whether it fits those next to it at that moment and at no other.
    moves : tuple of bool
        For each slice whether enough moves in it to tell.
    """

    phases: int
    starts: tuple[int, ...]
    certain: tuple[bool, ...]
    moves: tuple[bool, ...]

    @property
    def is_certain(self) -> bool:
        """Whether every slice that moves has its place."""
        return all(c for c, m in zip(self.certain, self.moves, strict=True) if m)

    @property
    def displaced(self) -> int:
        """Number of slices that certainly begin at another moment than most."""
        ends = np.array(self.starts)
        apart = np.minimum(ends, self.phases - ends) > NEAR_SHARE * self.phases
        return int((apart & self.certain & self.moves).sum())

    def pictures(self, z: int, size: int) -> list[int]:
        """Return which of a slice's ``size`` pictures show the phases of one heartbeat."""
        first = range(self.starts[z], self.starts[z] + self.phases)
        return [index if index < size else index - self.phases for index in first]


def distances(pictures: np.ndarray) -> np.ndarray:
    """Return how far each picture of a slice ``(T, Y, X)`` is from each other ``(T, T)``."""
    height, width = pictures.shape[1:]
    middle = pictures[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    rows = np.array_split(np.arange(middle.shape[1]), min(CELLS, middle.shape[1]))
    columns = np.array_split(np.arange(middle.shape[2]), min(CELLS, middle.shape[2]))
    cells = np.add.reduceat(middle.astype(np.float64), [r[0] for r in rows], axis=1)
    cells = np.add.reduceat(cells, [c[0] for c in columns], axis=2)
    flat = cells.reshape(len(pictures), -1) / middle[0].size
    flat -= flat.mean(0)
    squares = (flat**2).sum(1)
    return np.asarray(np.maximum(squares[:, None] + squares[None] - 2 * flat @ flat.T, 0.0))


def beat_of(apart: np.ndarray) -> int | None:
    """Return after how many pictures a heart comes back and moves away again, or None.

    Parameters
    ----------
    apart : (T, T)
        Distances between the pictures, of one slice or the mean of several.

    Examples
    --------
    >>> volume = np.cos(2 * np.pi * np.arange(24) / 16)
    >>> apart = (volume[:, None] - volume[None]) ** 2
    >>> beat_of(apart), beat_of(apart[:16, :16])
    (16, None)
    """
    size = len(apart)
    by_lag = np.array([np.diagonal(apart, lag).mean() for lag in range(size)])
    for lag in range(max(LEAST_PHASES, size // 4), size - 2):
        most = by_lag[:lag].max()
        is_least = by_lag[lag] == by_lag[lag - 2 : lag + 3].min()
        rises = by_lag[lag + 1 :].max() - by_lag[lag] >= RISE_SHARE * (most - by_lag[lag])
        if is_least and by_lag[lag] <= RETURN_SHARE * most and rises:
            return lag
    return None


def find_gating(slices: Sequence[np.ndarray]) -> tuple[Gating, bool]:
    """Return how slices ``(T, Y, X)`` lie in time, and whether their pictures repeat a beat.

    Slices in their order along the heart.  Each is fitted to those already put in time, from
    the one that moves most outwards.  Where no beat is repeated, all pictures are taken for one.
    """
    tables = [distances(pictures) for pictures in slices]
    moving = np.array([table.mean() for table in tables])
    first, greatest = int(moving.argmax()), max(float(moving.max()), 1e-12)
    moves = moving >= STILL_SHARE * greatest
    common = np.mean([tables[z] / moving[z] for z in np.flatnonzero(moves)], axis=0)
    beat = beat_of(common) if moves.any() else None
    phases = beat or len(common)
    starts, likeness, lead = _starts([_folded(table, phases) for table in tables], first)
    fits = (likeness >= LEAST_LIKENESS) & (lead >= LEAST_LEAD)
    if beat is not None:
        back = np.array([np.diagonal(table, beat).mean() for table in tables])
        fits &= back <= RETURN_SHARE * moving
    gating = Gating(phases, tuple(starts), tuple(fits.tolist()), tuple(moves.tolist()))
    return gating, beat is not None


def _folded(apart: np.ndarray, phases: int) -> np.ndarray:
    """Return the mean distances ``(P, P)`` between the moments of one heartbeat."""
    moment = np.arange(len(apart)) % phases
    total, count = np.zeros((phases, phases)), np.zeros((phases, phases))
    where = np.ix_(moment, moment)
    np.add.at(total, where, apart)
    np.add.at(count, where, 1)
    return np.asarray(total / count)


def _starts(folded: Sequence[np.ndarray], first: int) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Return each slice's first picture, how well it fits there, and by how much better."""
    size = len(folded)
    starts, likeness, lead = [0] * size, np.ones(size), np.ones(size)
    order = sorted(range(size), key=lambda z: abs(z - first))
    turned = {first: folded[first] / max(float(folded[first].mean()), 1e-12)}
    for z in order[1:]:
        near = sorted(turned, key=lambda other: abs(other - z))[:2]
        model = np.mean([turned[other] for other in near], axis=0)
        fits = np.array([_likeness(model, _turned(folded[z], s)) for s in range(len(model))])
        best = int(fits.argmax())
        around = np.abs(np.arange(fits.size) - best)
        far = np.minimum(around, fits.size - around) > NEAR_SHARE * fits.size
        starts[z], likeness[z] = best, fits[best]
        lead[z] = fits[best] - fits[far].max()
        turned[z] = _turned(folded[z], best) / max(float(folded[z].mean()), 1e-12)
    return starts, likeness, lead


def _turned(folded: np.ndarray, start: int) -> np.ndarray:
    return np.roll(folded, (-start, -start), axis=(0, 1))


def _likeness(one: np.ndarray, other: np.ndarray) -> float:
    pairs = np.triu_indices(len(one), 1)
    a, b = one[pairs] - one[pairs].mean(), other[pairs] - other[pairs].mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12))
