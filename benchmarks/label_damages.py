"""Reference labels damaged in one known way, to count which quality check sees it.

Labels are ``(T, Z, Y, X) uint8`` in the ACDC scheme (1 RV, 2 muscle, 3 LV), base first; every
function returns a damaged copy, or None where the heart has too few slices for it.
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt

RV, MUSCLE, LV = 1, 2, 3
Damage = Callable[[np.ndarray], np.ndarray | None]


def slices_lost(basal: int, apical: int) -> Damage:
    """Cut a stack: this many slices that show the LV at ED, and all beyond, are lost."""

    def damage(labels: np.ndarray) -> np.ndarray | None:
        shown = np.flatnonzero((labels[0] >= MUSCLE).any((1, 2)))
        first = shown[basal] if basal and basal < shown.size else 0
        last = shown[-1 - apical] if apical and apical < shown.size else labels.shape[1] - 1
        kept = labels[:, first : last + 1]
        return kept if shown.size - basal - apical >= 2 else None

    return damage


def slices_kept(count: int, from_base: bool) -> Damage:
    """Keep the first slices, or those in the middle, that show the LV at ED."""

    def damage(labels: np.ndarray) -> np.ndarray:
        shown = np.flatnonzero((labels[0] >= MUSCLE).any((1, 2)))
        first = shown[0] if from_base else shown[(shown.size - count) // 2]
        return labels[:, first : first + count]

    return damage


def rv_slices_deleted(where: str, count: int, keep: float = 0.0) -> Damage:
    """Delete the RV, or all but its septal share, on its basal, middle or apical slices."""

    def damage(labels: np.ndarray) -> np.ndarray | None:
        damaged = labels.copy()
        for stack in damaged:
            shown = np.flatnonzero((stack == RV).any((1, 2)))
            if shown.size < count + 2:
                return None
            start = {"base": 0, "middle": (shown.size - count) // 2, "apex": shown.size - count}
            for z in shown[start[where] : start[where] + count]:
                _keep_nearest(stack[z], keep, _off_lv(stack[z]))
        return damaged

    return damage


def rv_shrunk(keep: float, lost: str) -> Damage:
    """Leave a share of the RV on every slice: its free wall, its septal side or its rim lost."""

    def damage(labels: np.ndarray) -> np.ndarray:
        damaged = labels.copy()
        for plane in damaged.reshape(-1, *labels.shape[2:]):
            if lost == "rim":
                order = -distance_transform_edt(plane == RV)
            else:
                order = _off_lv(plane) * (1 if lost == "free wall" else -1)
            _keep_nearest(plane, keep, order)
        return damaged

    return damage


def rv_piece_added(beyond_rv: bool) -> Damage:
    """Add a disc of 8 pixels' radius off the heart, on an RV slice or on one beyond its apex."""

    def damage(labels: np.ndarray) -> np.ndarray | None:
        damaged = labels.copy()
        shown = np.flatnonzero((labels[0] == RV).any((1, 2)))
        both = np.flatnonzero((labels[0] >= MUSCLE).any((1, 2)))
        z = shown[-1] + 1 if beyond_rv else shown[shown.size // 2]
        if z not in both:
            return None
        away = distance_transform_edt(damaged[0, z] == 0)
        row, column = np.argwhere((away > 14) & (away < 18))[0]
        rows, columns = np.ogrid[: labels.shape[2], : labels.shape[3]]
        damaged[0, z][np.hypot(rows - row, columns - column) <= 8] = RV
        return damaged

    return damage


def _off_lv(plane: np.ndarray) -> np.ndarray:
    """Return the distance of every pixel from the left ventricle, in pixels."""
    return np.asarray(distance_transform_edt(plane < MUSCLE))


def _keep_nearest(plane: np.ndarray, keep: float, order: np.ndarray) -> None:
    """Keep the share of the RV's pixels that come first in ``order``, in place."""
    where = np.flatnonzero(plane == RV)
    ranked = where[np.argsort(order.ravel()[where], kind="stable")]
    plane.reshape(-1)[ranked[round(keep * ranked.size) :]] = 0


CUTS = {
    "complete": slices_lost(0, 0),
    **{f"{n} lost at the base": slices_lost(n, 0) for n in (1, 2, 3)},
    **{f"{n} lost at the apex": slices_lost(0, n) for n in (1, 2, 3)},
    **{f"{n} lost at each end": slices_lost(n, n) for n in (1, 2, 3)},
    "first three kept": slices_kept(3, from_base=True),
    "middle three kept": slices_kept(3, from_base=False),
}
RV_DAMAGES = {
    **{
        f"RV deleted on {n} slices: {where}": rv_slices_deleted(where, n)
        for where in ("base", "middle", "apex")
        for n in (1, 2, 3)
    },
    **{
        f"RV halved on {n} middle slices": rv_slices_deleted("middle", n, keep=0.5)
        for n in (1, 2, 3)
    },
    **{
        f"RV at {share:g} of its area: {lost} lost": rv_shrunk(share, lost)
        for lost in ("free wall", "septal side", "rim")
        for share in (0.8, 0.65, 0.5, 0.3)
    },
    "stray RV piece on an RV slice": rv_piece_added(beyond_rv=False),
    "stray RV piece beyond the RV": rv_piece_added(beyond_rv=True),
}
