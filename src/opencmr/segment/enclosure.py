"""How far wall encloses a cavity: what tells a left ventricle from what a network takes for one.

A network that learnt from pictures cropped to the heart labels arms, liver and what lies beyond
the apex as well, but seldom as a ring.
"""

import numpy as np
from scipy import ndimage

from opencmr.anatomy.structures import LabelScheme, Structure

LEAST_ENCLOSED = 0.5
"""What has less wall than that on its cavity's rim, in a slice, is no ventricle (proposal).

At least 0.94 in the 372 reference slices with a cavity of EMIDEC folds 1 to 4, 0.62 and more where
the network found a heart, 0.20 to 0.26 in what it drew beyond the apex of the simulated one.
"""


_IN_SLICE = np.zeros((3, 3, 3), dtype=bool)
_IN_SLICE[1] = True
"""Neighbours in the plane, across corners too."""


def enclosed_shares(
    labels: np.ndarray, scheme: LabelScheme, parts: np.ndarray, count: int
) -> np.ndarray:
    """Return how much of the cavity's rim, in the plane, is wall, of each part ``(count,)``.

    A part without cavity has no rim: NaN.

    Parameters
    ----------
    labels : (Z, Y, X)
        Of ``scheme``.
    parts : (Z, Y, X) int
        1 to ``count``, 0 elsewhere.
    """
    cavity, wall = (scheme.mask(labels, one) for one in (Structure.LV, Structure.MYOCARDIUM))
    of_part = ndimage.grey_dilation(
        np.where(cavity, parts, 0), footprint=np.ones((1, 3, 3), dtype=bool)
    )
    rim = np.where(cavity, 0, of_part)
    around, closed = (
        np.bincount(rim[where], minlength=count + 1)[1:] for where in (rim > 0, (rim > 0) & wall)
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(closed / around)


def keep_enclosed(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return ``labels (Z, Y, X)`` without what lies open: parts of a slice with little wall round.

    A part of wall alone, as at an apex, stays.
    """
    parts, count = ndimage.label(labels > 0, structure=_IN_SLICE)
    is_open = enclosed_shares(labels, scheme, parts, count) < LEAST_ENCLOSED
    return np.where(np.append(False, is_open)[parts], 0, labels).astype(labels.dtype)
