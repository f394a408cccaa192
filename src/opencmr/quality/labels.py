"""How whole the labels of a segmentation are: shares that the checks compare with limits.

Every function returns the worst slice of one phase; a network's mistakes are counted in the
numbers only at end-diastole and end-systole.
"""

import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, label

from opencmr.anatomy.structures import Structure
from opencmr.measure.ventricles import Ventricles

_EIGHT = np.ones((3, 3), dtype=bool)


def fragment_percent(ventricles: Ventricles, phase: int, structure: Structure) -> float:
    """Return the share of a structure's area that lies off its largest piece, in percent.

    The worst slice counts; pieces that touch at a corner are one.
    """
    worst = 0.0
    for z in range(ventricles.image.grid.shape[0]):
        pieces, count = label(ventricles.near_heart(structure, phase, z), structure=_EIGHT)
        if count > 1:
            sizes = np.bincount(pieces.ravel())[1:]
            worst = max(worst, 100.0 * (1.0 - sizes.max() / sizes.sum()))
    return worst


def open_ring_percent(ventricles: Ventricles, phase: int) -> float:
    """Return how much of the cavity's border is not myocardium, in percent.

    The worst of the slices that have a labelled slice on either side counts: at the base the
    outflow tract opens the ring, and at the apex the cap closes it.
    """
    shown = np.flatnonzero(ventricles.lv_voxels[phase])
    return max((_open_percent(ventricles, phase, int(z)) for z in shown[1:-1]), default=0.0)


def open_end_percent(ventricles: Ventricles, phase: int) -> float:
    """Return the same of the two end slices of the cavity, the worse one."""
    shown = np.flatnonzero(ventricles.lv_voxels[phase])
    return max(
        (_open_percent(ventricles, phase, int(z)) for z in {*shown[:1], *shown[-1:]}), default=0.0
    )


def _open_percent(ventricles: Ventricles, phase: int, z: int) -> float:
    cavity = ventricles.near_heart(Structure.LV, phase, z)
    border = binary_dilation(cavity) & ~cavity
    wall = ventricles.near_heart(Structure.MYOCARDIUM, phase, z)
    return 100.0 * float((border & ~wall).sum() / max(border.sum(), 1))


def rv_inside_percent(ventricles: Ventricles, phase: int) -> float:
    """Return the share of the right ventricle that lies inside the left one, in percent."""
    rv_total = int(ventricles.rv_voxels[phase].sum())
    inside = 0
    for z in np.flatnonzero(ventricles.rv_voxels[phase]):
        left = ventricles.near_heart(Structure.LV, phase, int(z)) | ventricles.near_heart(
            Structure.MYOCARDIUM, phase, int(z)
        )
        inside += int(
            (binary_fill_holes(left) & ventricles.near_heart(Structure.RV, phase, int(z))).sum()
        )
    return 100.0 * inside / max(rv_total, 1)
