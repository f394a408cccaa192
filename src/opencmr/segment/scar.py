"""Which parts of a scar are possible.

Both rules hold in the reference labels of all 37 infarcts of the EMIDEC folds 1 to 4 (fold 0 was
not looked at): the smallest of their parts has 0.19 mL, and each of the 40 parts of no-reflow
touches scar in its own slices.
"""

import numpy as np
from scipy import ndimage

from opencmr.anatomy.structures import LabelScheme, Structure

LEAST_PART_ML = 0.15
"""A smaller part of a scar is noise (proposal, below the smallest part of the references)."""
_NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
_NEIGHBOURS_IN_SLICE = np.ones((1, 3, 3), dtype=bool)


def keep_possible_scar(labels: np.ndarray, scheme: LabelScheme, voxel_ml: float) -> np.ndarray:
    """Return ``labels (Z, Y, X)`` in which impossible scar is plain myocardium.

    A part of no-reflow that no scar touches in its slices is none, and a part of the scar, its
    no-reflow included, of less than :data:`LEAST_PART_ML` is none.
    """
    kept = labels.copy()
    wall = scheme.label_of(Structure.MYOCARDIUM)
    core = scheme.mask(labels, Structure.NO_REFLOW)
    rim = scheme.mask(labels, Structure.SCAR) & ~core
    beside_rim = ndimage.binary_dilation(rim, structure=_NEIGHBOURS_IN_SLICE)
    parts, count = ndimage.label(core, structure=_NEIGHBOURS)
    touches = ndimage.maximum(beside_rim, parts, np.arange(count + 1)) if count else [False]
    kept[core & ~np.asarray(touches, dtype=bool)[parts]] = wall
    scar = scheme.mask(kept, Structure.SCAR)
    parts, _ = ndimage.label(scar, structure=_NEIGHBOURS)
    sizes_ml = np.bincount(parts.ravel()) * voxel_ml
    kept[scar & (sizes_ml < LEAST_PART_ML)[parts]] = wall
    return kept
