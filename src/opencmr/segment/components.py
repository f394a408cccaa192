"""Which parts of a segmentation are anatomically possible.

A heart is one body: the ventricles hang together through the stack, and each cavity is one
part.  What does not hang together is a stray spot and becomes background.
"""

import numpy as np
from scipy import ndimage

from opencmr.anatomy.structures import LabelScheme, Structure

LINK_PX = 3
"""Breathing shifts neighbouring slices: parts this near in plane count as touching."""


def keep_possible(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return ``labels (Z, Y, X)`` of one phase without impossible parts.

    The left ventricle (cavity and myocardium together) and the right ventricle each keep
    their largest part through the stack; of the cavity, each slice keeps what its ventricle
    keeps; holes inside the ventricles are filled with the structure around them.
    """
    myocardium = scheme.label_of(Structure.MYOCARDIUM)
    cavity = scheme.label_of(Structure.LV)
    right = scheme.label_of(Structure.RV)
    left_body = _largest_part((labels == myocardium) | (labels == cavity))
    right_body = _largest_part(labels == right)
    kept = np.zeros_like(labels)
    kept[left_body] = labels[left_body]
    kept[right_body] = right
    for z in range(labels.shape[0]):
        outer = np.isin(kept[z], (myocardium, cavity))
        holes = ndimage.binary_fill_holes(outer) & (kept[z] == 0)
        kept[z][holes] = cavity
        holes = ndimage.binary_fill_holes(kept[z] == right) & (kept[z] == 0)
        kept[z][holes] = right
    return kept


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """Return the part of ``mask (Z, Y, X)`` with most voxels, parts linked across slices."""
    if not mask.any():
        return mask
    disc = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), LINK_PX)
    grown = ndimage.binary_dilation(mask, structure=disc[None])
    linked = ndimage.generate_binary_structure(3, 1)
    parts, count = ndimage.label(grown, structure=linked)
    if count == 1:
        return mask
    parts = parts * mask
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(parts == int(np.argmax(sizes)))
