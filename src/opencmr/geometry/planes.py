"""Planes in the patient, and the line that several of them share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from opencmr.geometry.grid import Grid

LEAST_ANGLE_DEG = 15.0
"""Planes that turn by less than this about an axis fix no point on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane: a point ``(3,)`` in LPS mm and its unit normal ``(3,)``."""

    point_mm: np.ndarray
    normal: np.ndarray

    def distance_mm(self, point_mm: np.ndarray) -> float:
        """Return how far a point ``(3,)`` lies from the plane, without sign."""
        return float(abs((np.asarray(point_mm) - self.point_mm) @ self.normal))


def plane_of_slice(grid: Grid, z: int = 0) -> Plane:
    """Return the plane of one slice, through the slice's centre."""
    rows, columns = grid.shape[1:]
    centre = grid.position_mm(z, (rows - 1) / 2, (columns - 1) / 2)
    return Plane(centre, np.asarray(grid.affines[z, :3, 2]))


def angle_between_deg(one: np.ndarray, other: np.ndarray) -> float:
    """Return the angle between two lines, 0 to 90 degrees, whatever their sense.

    Examples
    --------
    >>> round(angle_between_deg(np.array([1.0, 0, 0]), np.array([-1.0, 1, 0])))
    45
    """
    cosine = abs(one @ other) / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def cut_of_slice_mm(grid: Grid, z: int, plane: Plane) -> np.ndarray | None:
    """Return where a plane cuts through a slice's rectangle, pixel edges included.

    Returns
    -------
    (2, 3) or None
        The ends of the line in LPS mm; None where the plane does not meet the slice.

    Examples
    --------
    >>> from opencmr.geometry.grid import grid_from_spacing
    >>> grid = grid_from_spacing((1, 4, 6), (8.0, 1.0, 1.0))
    >>> cut_of_slice_mm(grid, 0, Plane(np.array([1.0, 0, 0]), np.array([1.0, 0, 0])))
    array([[ 1. , -0.5,  0. ],
           [ 1. ,  3.5,  0. ]])
    """
    rows, columns = grid.shape[1:]
    around = ((-0.5, -0.5), (-0.5, columns - 0.5), (rows - 0.5, columns - 0.5), (rows - 0.5, -0.5))
    corners = np.array([grid.position_mm(z, row, column) for row, column in around])
    heights_mm = (corners - plane.point_mm) @ plane.normal
    ends = [
        corners[i] + heights_mm[i] / (heights_mm[i] - heights_mm[j]) * (corners[j] - corners[i])
        for i, j in ((0, 1), (1, 2), (2, 3), (3, 0))
        if (heights_mm[i] < 0) != (heights_mm[j] < 0)
    ]
    return np.array(ends) if len(ends) == 2 else None


def in_slice_mm(grid: Grid, z: int, points_mm: np.ndarray) -> np.ndarray:
    """Return points ``(N, 3)``, LPS mm, projected into a slice.

    Returns
    -------
    (N, 2)
        ``(down, right)`` mm from the centre of the slice's first pixel.
    """
    axes = grid.affines[z, :3, :2] / np.linalg.norm(grid.affines[z, :3, :2], axis=0)
    return np.asarray((points_mm - grid.affines[z, :3, 3]) @ axes)


def shared_point_mm(
    planes: Sequence[Plane], axis: np.ndarray, through_mm: np.ndarray, tolerance_mm: float
) -> np.ndarray | None:
    """Return where most of the planes along an axis cross one another, or None.

    Long-axis planes of one ventricle share a line; a plane beside it does not.  Three planes
    are needed to tell, because any two cross somewhere.

    Parameters
    ----------
    planes : sequence of Plane
        Each roughly along the axis.
    axis : (3,)
        Unit direction of the line sought.
    through_mm : (3,)
        A point of the plane across the axis in which the crossing is computed.
    tolerance_mm : float
        Planes within this distance of a crossing share it.

    Returns
    -------
    (3,) or None
        LPS mm; None when fewer than three planes share a crossing.
    """
    best: tuple[int, float] | None = None
    found: np.ndarray | None = None
    for one, other in combinations(planes, 2):
        if angle_between_deg(one.normal, other.normal) < LEAST_ANGLE_DEG:
            continue
        rows = np.array([one.normal, other.normal, axis])
        offsets = [one.normal @ one.point_mm, other.normal @ other.point_mm, axis @ through_mm]
        if abs(np.linalg.det(rows)) < np.sin(np.radians(LEAST_ANGLE_DEG)) / 2:
            continue
        crossing = np.linalg.solve(rows, offsets)
        distances = np.array([plane.distance_mm(crossing) for plane in planes])
        near = distances <= tolerance_mm
        rank = int(near.sum()), -float(distances[near].sum())
        if near.sum() >= 3 and (best is None or rank > best):
            best, found = rank, crossing
    return found
