"""Where the left ventricle ends at the base: it has no waist, what lies beyond one is the atrium.

From its widest slice to the base the area within the outer wall falls little or stays.  Where a
network labels the atrium's wall, or the outflow tract's, as ventricle, the slice at the valve
between them is hardly outlined, or holds parts of both: a waist.  What it has there is no measure
of either.
"""

import numpy as np

from opencmr.anatomy.structures import LabelScheme, Structure

WAIST = 0.7
"""A slice of less than this share of the areas on either side of it is a waist (proposal).

Readers' own ventricles are never narrower than 0.97 in the 70 stacks of EMIDEC, 0.91 at ED and
0.83 at ES in the 80 of ACDC; simulated hearts whose atrium a network took for ventricle have 0.49
to 0.59.
"""
MOST_BEYOND = 1 / 3
"""Share of all slices' areas up to which what lies at and beyond a waist is taken away; where it is
more, the waist may be a slice in the middle that was hardly outlined (proposal)."""


def keep_below_waist(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return ``labels (Z, Y, X)`` without a left ventricle at a waist and beyond it.

    Which end is the base need not be known: the largest part that waists leave is the ventricle.
    Slices without one separate nothing.

    Parameters
    ----------
    labels : (Z, Y, X)
        Of ``scheme``, slices in order.
    """
    within = scheme.mask(labels, Structure.LV) | scheme.mask(labels, Structure.MYOCARDIUM)
    areas = within.sum((1, 2))
    shown = np.flatnonzero(areas)
    if not shown.size:
        return labels
    outlined = areas[shown]
    either_side = np.minimum(
        np.maximum.accumulate(outlined), np.maximum.accumulate(outlined[::-1])[::-1]
    )
    is_waist = outlined < WAIST * either_side
    part = np.where(is_waist, 0, 1 + np.cumsum(is_waist))
    in_part = np.bincount(part, outlined)
    largest = 1 + int(in_part[1:].argmax())
    if in_part.sum() - in_part[largest] > MOST_BEYOND * in_part.sum():
        return labels
    gone = np.isin(np.arange(len(labels)), shown[part != largest])
    return np.where(within & gone[:, None, None], 0, labels).astype(labels.dtype)
