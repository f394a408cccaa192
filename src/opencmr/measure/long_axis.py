"""Base, apex and the levels between, from the segmentation of a short-axis stack."""

import numpy as np
from scipy.ndimage import binary_fill_holes

from opencmr.anatomy.aha import Level
from opencmr.anatomy.structures import Structure
from opencmr.measure.ventricles import Unmeasurable, Ventricles

FEWEST_RINGS = 3
"""Slices with a closed ring of myocardium that a split into three levels needs."""
LEVELS = (Level.BASAL, Level.MID, Level.APICAL)


TOWARDS_APEX_LPS = np.array([1.0, -1.0, -1.0]) / np.sqrt(3.0)
"""Where the apex points in the patient: left, anterior and caudal, here alike (proposal; the axes
of short-axis stacks lie within 25 degrees of it)."""
CLEAR_COSINE = 0.5
"""A stack's normal within 60 degrees of that direction says which end is the apex (proposal)."""
CUT_SHARE = 0.5
"""A stack whose apical end slice shows more of the LV than this share of the largest is cut
there, or its base was taken for its apex (limit of the flag APEX_CUT)."""


def base_to_apex(ventricles: Ventricles, phase: int) -> np.ndarray:
    """Return the unit vector ``(3,)`` (LPS) along the stack's normal from base to apex.

    Both ventricles taper towards the apex: the base is on that side of the middle of the
    labelled stack where more area is labelled.  (On the 80 ACDC reference pairs this names the
    base rightly in all 160 stacks; the place of the right ventricle alone does in 136.)  That
    holds while the apex is there.  Where the end so named still shows much of the left
    ventricle, the patient's axes decide, if the image states them clearly.
    """
    return np.asarray(ventricles.segmentation.grid.normal * _direction(ventricles, phase))


def slices_from_base(ventricles: Ventricles, phase: int) -> tuple[int, ...]:
    """Return every slice of the stack, from its basal end to its apical one."""
    order = np.argsort(ventricles.segmentation.grid.slice_positions_mm)
    return tuple(map(int, order[:: int(_direction(ventricles, phase))]))


def _direction(ventricles: Ventricles, phase: int) -> float:
    """Return +1 where the apex lies towards growing position along the normal, else -1."""
    by_area = _tapers_towards(ventricles, phase)
    order = np.argsort(ventricles.segmentation.grid.slice_positions_mm)
    area = (ventricles.lv_voxels + ventricles.myocardium_voxels)[phase, order]
    end = area[-1] if by_area > 0 else area[0]
    if end > CUT_SHARE * area.max():
        towards = float(ventricles.segmentation.grid.normal @ TOWARDS_APEX_LPS)
        if ventricles.segmentation.grid.orientation_known and abs(towards) >= CLEAR_COSINE:
            return 1.0 if towards > 0 else -1.0
    return by_area


def _tapers_towards(ventricles: Ventricles, phase: int) -> float:
    """Return +1 where less is labelled towards growing position along the normal, else -1."""
    grid = ventricles.segmentation.grid
    voxels = (ventricles.lv_voxels + ventricles.myocardium_voxels + ventricles.rv_voxels)[phase]
    labelled = np.flatnonzero(voxels)
    if labelled.size < 2:
        raise Unmeasurable("TOO_FEW_RINGS", "base and apex need at least two labelled slices")
    positions_mm = grid.slice_positions_mm
    middle_mm = (positions_mm[labelled].min() + positions_mm[labelled].max()) / 2
    moment = (voxels * grid.slice_extents_mm * (positions_mm - middle_mm)).sum()
    return -1.0 if moment > 0 else 1.0


def ring_slices(ventricles: Ventricles, phase: int) -> np.ndarray:
    """Return the slices whose cavity is enclosed by myocardium all round, from base to apex.

    A slice counts when its cavity lies within the filled ring of its myocardium.  Slices of
    the outflow tract, where the ring is open, and the apical cap without a cavity do not.
    """
    closed = [
        z
        for z in map(int, np.flatnonzero(ventricles.lv_voxels[phase]))
        if not (
            ventricles.near_heart(Structure.LV, phase, z)
            & ~binary_fill_holes(ventricles.near_heart(Structure.MYOCARDIUM, phase, z))
        ).any()
    ]
    order = np.argsort(ventricles.segmentation.grid.slice_positions_mm[closed])
    return np.asarray(closed, dtype=int)[order[:: int(_direction(ventricles, phase))]]


def levels(ventricles: Ventricles, phase: int) -> dict[int, Level]:
    """Return the level of every ring slice, from base to apex.

    The length that the ring slices stand for is cut into equal thirds, basal, mid and apical
    (Cerqueira et al., Circulation 2002; 105:539), and a slice belongs to the third that holds
    its centre.  Each phase is cut by its own rings, so that a level follows the muscle as
    the base descends.

    Raises
    ------
    Unmeasurable
        With fewer than :data:`FEWEST_RINGS` rings.
    """
    rings = ring_slices(ventricles, phase)
    if rings.size < FEWEST_RINGS:
        raise Unmeasurable(
            "TOO_FEW_RINGS",
            f"{rings.size} slices with a closed ring of myocardium; three levels need "
            f"{FEWEST_RINGS}",
        )
    grid = ventricles.segmentation.grid
    extents_mm = grid.slice_extents_mm[rings]
    depth_mm = np.abs(grid.slice_positions_mm[rings] - grid.slice_positions_mm[rings[0]])
    length_mm = depth_mm[-1] + (extents_mm[0] + extents_mm[-1]) / 2
    share = (depth_mm + extents_mm[0] / 2) / length_mm
    third = np.clip((share * len(LEVELS)).astype(int), 0, len(LEVELS) - 1)
    return {int(z): LEVELS[one] for z, one in zip(rings, third, strict=True)}
