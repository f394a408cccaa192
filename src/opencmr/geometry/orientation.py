"""The one conversion between patient coordinates LPS (DICOM, here) and RAS (NIfTI)."""

import numpy as np

from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid

SAME_PLACE_MM = 0.1
"""Voxels nearer than this are one: editors write the affine in single precision, as a quaternion
too, which moves a corner half a metre off by some hundredths."""
SAME_SPACING = 1e-3
"""Relative, where a spacing is all that is known."""

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def grid_from_ras_affine(
    affine: np.ndarray, shape: tuple[int, int, int], *, orientation_known: bool = True
) -> Grid:
    """Return the grid of a NIfTI image.

    Parameters
    ----------
    affine : (4, 4), mm
        From NIfTI voxel ``(i, j, k)`` to RAS; i is the column, j the row, k the slice.
    shape : (Z, Y, X)
    """
    lps = _LPS_FROM_RAS @ np.asarray(affine, dtype=np.float64)
    affines = np.zeros((shape[0], 4, 4))
    affines[:, :, 0] = lps[:, 1]
    affines[:, :, 1] = lps[:, 0]
    affines[:, :, 3] = lps[:, 3] + np.arange(shape[0])[:, None] * lps[:, 2]
    affines[:, 3, 3] = 1
    return Grid(shape, affines, orientation_known)


def ras_affine_from_grid(grid: Grid) -> np.ndarray:
    """Return the NIfTI affine ``(4, 4)`` of a regular grid.

    Raises
    ------
    GeometryError
        When no single affine describes the grid.
    """
    if not grid.is_regular:
        raise GeometryError("the slices are shifted, tilted or unevenly spaced: no single affine")
    lps = np.zeros((4, 4))
    lps[:, 0] = grid.affines[0, :, 1]
    lps[:, 1] = grid.affines[0, :, 0]
    if grid.shape[0] > 1:
        step = (grid.affines[-1, :3, 3] - grid.affines[0, :3, 3]) / (grid.shape[0] - 1)
    else:
        step = grid.normal
    lps[:3, 2] = step
    lps[:, 3] = grid.affines[0, :, 3]
    return _LPS_FROM_RAS @ lps


def best_ras_affine_from_grid(grid: Grid) -> np.ndarray:
    """Return the one NIfTI affine ``(4, 4)`` nearest to a grid, regular or not.

    Mean row and column steps; slice positions by least squares.  For an irregular grid it is
    an approximation, which whoever writes it must say.
    """
    if grid.is_regular:
        return ras_affine_from_grid(grid)
    z = np.arange(grid.shape[0], dtype=np.float64)
    corners = grid.affines[:, :3, 3]
    step = ((z - z.mean()) @ (corners - corners.mean(0))) / ((z - z.mean()) ** 2).sum()
    lps = np.eye(4)
    lps[:3, 0] = grid.affines[:, :3, 1].mean(0)
    lps[:3, 1] = grid.affines[:, :3, 0].mean(0)
    lps[:3, 2] = step
    lps[:3, 3] = corners.mean(0) - step * z.mean()
    return np.asarray(_LPS_FROM_RAS @ lps)


def apart_mm(found: Grid, grid: Grid) -> float:
    """Return how far a corner of a file's grid lies from that of a stack of the same shape.

    A file has one affine: of an irregular stack, the nearest.
    """
    slices, rows, columns = grid.shape
    ends = np.array(np.meshgrid([0, columns - 1], [0, rows - 1], [0, slices - 1])).reshape(3, -1)
    corners = np.vstack([ends, np.ones(ends.shape[1])])
    difference = best_ras_affine_from_grid(found) - best_ras_affine_from_grid(grid)
    return float(np.linalg.norm((difference @ corners)[:3], axis=0).max())


def is_grid_of_file(found: Grid, grid: Grid) -> bool:
    """Return whether ``found`` is what a NIfTI file of a stack on ``grid`` states.

    Where neither knows how the patient lies, equal spacings are enough.
    """
    if found.shape != grid.shape:
        return False
    if apart_mm(found, grid) <= SAME_PLACE_MM:
        return True
    if found.orientation_known or grid.orientation_known:
        return False
    mine, its = (
        (one.row_spacing_mm, one.column_spacing_mm, one.slice_spacing_mm or 1.0)
        for one in (found, grid)
    )
    return bool(np.allclose(mine, its, rtol=SAME_SPACING))
