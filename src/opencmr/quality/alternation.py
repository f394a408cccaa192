"""Whether the slices of a stack are those of one heart, each a little smaller than the last."""

from collections.abc import Iterator

import numpy as np

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.measure.ventricles import Ventricles
from opencmr.quality.limits import ALTERNATION_LIMIT_PERCENT

IN_A_ROW = 4
"""One slice that is off, as by a breath held elsewhere, puts three by turns off their means."""


def alternation_flags(ventricles: Ventricles, phases: dict[str, int]) -> Iterator[QualityFlag]:
    """Name slices of which every second one is larger than those beside it."""
    for name, phase in phases.items():
        left = ventricles.lv_voxels[phase].astype(int) + ventricles.myocardium_voxels[phase]
        percent, slices = alternation_percent(left)
        if percent > ALTERNATION_LIMIT_PERCENT:
            yield QualityFlag(
                Severity.REVIEW,
                "SLICES_ALTERNATE",
                "Slices of the left ventricle are larger and smaller by turns, as if pictures of "
                "two hearts, or of two positions of one, were interleaved: check that all are of "
                "this patient and of one series.",
                f"slice {', '.join(str(z + 1) for z in slices)} at {name}, each at least "
                f"{percent:.0f} % of the largest off its neighbours, expected at most "
                f"{ALTERNATION_LIMIT_PERCENT:g} %",
            )
            return


def alternation_percent(areas: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """Return by how much slices alternate, of the largest area, and which do.

    How far a slice lies off the mean of its neighbours, above and below by turns; the smallest of
    four in a row counts, in that row of the stack where it is largest.

    Parameters
    ----------
    areas : (Z,)
        In the order of the stack; what lies beyond the first and the last that is not empty tells
        nothing.

    Examples
    --------
    >>> alternation_percent(np.array([0, 10, 9, 8, 7, 6, 5, 0]))
    (0.0, ())
    >>> alternation_percent(np.array([10, 8, 10, 8, 10, 8]))
    (20.0, (1, 2, 3, 4))
    """
    shown = np.flatnonzero(areas)
    if shown.size < IN_A_ROW + 2:
        return 0.0, ()
    inner = np.asarray(areas[shown[0] : shown[-1] + 1], dtype=np.float64)
    off = inner[1:-1] - (inner[:-2] + inner[2:]) / 2
    rows = np.lib.stride_tricks.sliding_window_view(off, IN_A_ROW)
    by_turns = (rows[:, 1:] * rows[:, :-1] < 0).all(1)
    least = np.where(by_turns, np.abs(rows).min(1), 0.0)
    if not least.any():
        return 0.0, ()
    at = int(least.argmax())
    first = int(shown[0]) + 1 + at
    return 100.0 * float(least[at] / inner.max()), tuple(range(first, first + IN_A_ROW))
