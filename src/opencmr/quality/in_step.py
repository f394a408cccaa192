"""Whether every slice of the left ventricle empties with the others."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from scipy.sparse.csgraph import connected_components

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.phase_times import phase_shares
from opencmr.measure.ventricles import RATE_PHASES, Ventricles
from opencmr.quality.limits import (
    LAG_DRIFT_SHARE,
    LAG_LIKENESS,
    LAG_LIMIT_PERCENT,
    LAG_MOTION_PERCENT,
    LAG_OTHERS,
    LAG_STEPS_LEAST,
)


def out_of_step_flags(ventricles: Ventricles) -> Iterator[QualityFlag]:
    """Flag slices between the ends that empty at another moment than those beside them.

    A lag that grows from slice to slice is how a sick ventricle contracts, and no fault.
    """
    chamber = ventricles.lv
    if chamber.phases < RATE_PHASES or not chamber.curve_ml.any():
        return
    step = float(np.median(np.diff(phase_shares(ventricles.image))))
    lags = slice_lags(chamber.slices_ml, max(LAG_LIMIT_PERCENT / 100 / step, LAG_STEPS_LEAST))
    late = np.flatnonzero(np.nan_to_num(lags))
    if late.size:
        worst = int(late[np.abs(lags[late]).argmax()])
        yield QualityFlag(
            Severity.REVIEW,
            "OUT_OF_STEP",
            "A slice of the left ventricle empties at another moment than the others: out of "
            "step, or dyskinetic. If its wall moves well in the movie, its pictures are of another "
            "moment, and volumes mix two.",
            f"slice {', '.join(str(z + 1) for z in late)}; slice {worst + 1} by "
            f"{abs(lags[worst]) * step:.0%} of the R-R",
        )


def slice_lags(slices_ml: np.ndarray, limit: float) -> np.ndarray:
    """Return by how many phases ``(Z,)`` each slice lags behind those that are in step.

    Slices are compared with their neighbours, by the greatest correlation of their curves over
    the heartbeat: neighbours within the limit form a run, runs whose nearest ends lie within it,
    or a third more for each slice between, belong together, and the most slices that do are in
    step, at 0.  The others lag by what lies between them and the nearest that is in step.  NaN for
    the ends of the ventricle, which it leaves and enters, for slices that hardly change or fit at
    no moment, which tell none, and where too few are in step.

    Parameters
    ----------
    slices_ml : (T, Z)
    limit : float
        In phases.

    Examples
    --------
    >>> volume = 10 + 4 * np.cos(2 * np.pi * np.arange(20) / 20)
    >>> late = np.roll(volume, 5)
    >>> slice_lags(np.stack([volume, volume, late, volume, volume], axis=1), 3).tolist()
    [nan, 0.0, 5.0, 0.0, nan]
    """
    lags = np.full(slices_ml.shape[1], np.nan)
    shown = np.flatnonzero(slices_ml.any(0))
    moves = np.ptp(slices_ml, axis=0) >= LAG_MOTION_PERCENT / 100 * slices_ml.max(0)
    telling = np.flatnonzero((slices_ml > 0).all(0) & moves & (np.ptp(slices_ml, axis=0) > 0))
    if telling.size < LAG_OTHERS:
        return lags
    slices = telling.tolist()
    found = {(a, b): _lag(slices_ml[:, a], slices_ml[:, b]) for a, b in combinations(slices, 2)}

    def near(a: int, b: int) -> bool:
        lag = found[a, b]
        return lag is not None and abs(lag) <= limit * (1 + LAG_DRIFT_SHARE * (b - a - 1))

    breaks = [at for at, (a, b) in enumerate(pairwise(slices), 1) if not near(a, b)]
    runs = np.split(telling, breaks)
    together = [
        [near(int(a[-1]), int(b[0])) if i < j else i == j for j, b in enumerate(runs)]
        for i, a in enumerate(runs)
    ]
    _, group = connected_components(np.array(together), directed=False)
    group = np.repeat(group, [run.size for run in runs])
    if np.bincount(group).max() < LAG_OTHERS:
        return lags
    in_step = telling[group == np.bincount(group).argmax()]
    lags[in_step] = 0
    for z in np.setdiff1d(telling, in_step).tolist():
        nearest = int(in_step[np.abs(in_step - z).argmin()])
        lag = found[min(z, nearest), max(z, nearest)]
        lags[z] = np.nan if lag is None else lag if nearest < z else -lag
    lags[shown[[0, -1]]] = np.nan
    return lags


def _lag(earlier: np.ndarray, later: np.ndarray) -> int | None:
    """Return by how many phases one curve lags behind another; None where they fit at none."""
    shifts = np.arange(earlier.size)
    shifts[shifts > earlier.size // 2] -= earlier.size
    fits = [np.corrcoef(np.roll(earlier, shift), later)[0, 1] for shift in shifts]
    best = int(np.argmax(fits))
    return int(shifts[best]) if fits[best] >= LAG_LIKENESS else None
