"""Whether every slice of the left ventricle empties with the others."""

from collections.abc import Iterator

import numpy as np

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.phase_times import phase_shares
from opencmr.measure.ventricles import RATE_PHASES, Ventricles
from opencmr.quality.limits import (
    LAG_LIKENESS,
    LAG_LIMIT_PERCENT,
    LAG_MOTION_PERCENT,
    LAG_OTHERS,
    LAG_STEPS_LEAST,
)


def out_of_step_flags(ventricles: Ventricles) -> Iterator[QualityFlag]:
    """Flag slices between the ends that lag behind the others, and behind one beside them.

    A lag that grows from slice to slice is how a sick ventricle contracts, and no fault.
    """
    chamber = ventricles.lv
    if chamber.phases < RATE_PHASES or not chamber.curve_ml.any():
        return
    step = float(np.median(np.diff(phase_shares(ventricles.image))))
    lags = slice_lags(chamber.slices_ml)
    limit = max(LAG_LIMIT_PERCENT / 100 / step, LAG_STEPS_LEAST)
    beside = np.abs(np.diff(lags, prepend=np.nan, append=np.nan)) > limit
    late = np.flatnonzero((np.abs(lags) > limit) & (beside[:-1] | beside[1:]))
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


def slice_lags(slices_ml: np.ndarray) -> np.ndarray:
    """Return by how many phases ``(Z,)`` each slice's curve lags behind that of the others.

    By the greatest correlation over the heartbeat with the median curve of the others.  NaN for
    the ends of the ventricle, which it leaves and enters, and for slices that hardly change or
    fit at no moment, which tell none.

    Parameters
    ----------
    slices_ml : (T, Z)

    Examples
    --------
    >>> volume = 10 + 4 * np.cos(2 * np.pi * np.arange(20) / 20)
    >>> slice_lags(np.stack([volume, volume, np.roll(volume, 5), volume, volume], axis=1)).tolist()
    [nan, 0.0, 5.0, 0.0, nan]
    """
    phases, slices = slices_ml.shape
    lags = np.full(slices, np.nan)
    shown = np.flatnonzero(slices_ml.any(0))
    moves = np.ptp(slices_ml, axis=0) >= LAG_MOTION_PERCENT / 100 * slices_ml.max(0)
    telling = (slices_ml > 0).all(0) & moves & (np.ptp(slices_ml, axis=0) > 0)
    curves = slices_ml / np.maximum(np.ptp(slices_ml, axis=0), 1e-12)
    shifts = np.arange(phases)
    shifts[shifts > phases // 2] -= phases
    for z in shown[1:-1][telling[shown[1:-1]]]:
        others = telling & (np.arange(slices) != z)
        if np.count_nonzero(others) < LAG_OTHERS:
            continue
        usual, own = np.median(curves[:, others], axis=1), curves[:, z]
        fits = [np.corrcoef(np.roll(usual, shift), own)[0, 1] for shift in shifts]
        if max(fits) >= LAG_LIKENESS:
            lags[z] = shifts[int(np.argmax(fits))]
    return lags
