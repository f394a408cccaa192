"""The mitral valve in the patient: its plane at end-diastole and end-systole, from long axes.

The hinge points of a two- and a four-chamber view lie on one ring.  Where they agree on a plane, it
says which basal slices of a short-axis stack belong to the ventricle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opencmr.geometry.grid import Grid
from opencmr.geometry.planes import Plane
from opencmr.measure.function.area_length import LongAxisCavity
from opencmr.measure.function.long_axis_view import LongAxisView
from opencmr.measure.ventricles import Unmeasurable

MOST_OFF_MM = 5.0
"""Hinge points farther from their common plane do not agree on one."""
LEAST_CROSSING_MM = 5.0
"""Hinge points that lie nearer to one line fix no plane (proposal)."""
LEAST_COSINE = 0.7
"""A stack whose normal leans more than 45 degrees from the long axis is no short-axis stack."""


@dataclass(frozen=True, slots=True, eq=False)
class ValvePlane:
    """The plane of the valve at one moment.

    Attributes
    ----------
    plane : Plane
        Through the middle of the hinge points; its normal points to the apex.
    apex_mm : (3,) float64
        Mean of the views, LPS.
    """

    plane: Plane
    apex_mm: np.ndarray

    def heights_mm(self, grid: Grid) -> np.ndarray:
        """Return how far apical of the valve each slice crosses the long axis ``(Z,)``.

        Negative on the atrial side.

        Raises
        ------
        Unmeasurable
            Where the stack does not lie across the axis.
        """
        axis = self.apex_mm - self.plane.point_mm
        axis = axis / np.linalg.norm(axis)
        along = float(grid.normal @ axis)
        if abs(along) < LEAST_COSINE:
            raise Unmeasurable("NOT_ASSESSABLE", "the stack does not lie across the long axis")
        rows, columns = grid.shape[1:]
        centres = np.array(
            [grid.position_mm(z, (rows - 1) / 2, (columns - 1) / 2) for z in range(grid.shape[0])]
        )
        return np.asarray((centres - self.plane.point_mm) @ grid.normal / along)


@dataclass(frozen=True, slots=True, eq=False)
class Valve:
    """The valve at end-diastole and at end-systole."""

    diastole: ValvePlane
    systole: ValvePlane

    def heights_mm(self, grid: Grid) -> np.ndarray:
        """Return :meth:`ValvePlane.heights_mm` at both moments ``(2, Z)``."""
        return np.stack([self.diastole.heights_mm(grid), self.systole.heights_mm(grid)])


def find_valve(views: Sequence[LongAxisView]) -> Valve:
    """Return the valve on which a two- and a four-chamber view agree.

    Parameters
    ----------
    views : two views of one frame of reference

    Raises
    ------
    Unmeasurable
        With one view, where a view shows no valve, or where they disagree.
    """
    if len(views) < 2:
        raise Unmeasurable("NO_VALVE_SEEN", "one long-axis view fixes no plane of the valve")
    grids = [one.segmentation.grid for one in views]
    return Valve(
        _plane([one.diastole for one in views], grids),
        _plane([one.systole for one in views], grids),
    )


def _plane(cavities: Sequence[LongAxisCavity], grids: Sequence[Grid]) -> ValvePlane:
    pairs = list(zip(cavities, grids, strict=True))
    hinges = np.concatenate([_in_patient(one.hinges_mm, grid) for one, grid in pairs])
    apex = np.concatenate([_in_patient(one.apex_mm[None], grid) for one, grid in pairs]).mean(0)
    middle = hinges.mean(0)
    _, spans, axes = np.linalg.svd(hinges - middle)
    normal = axes[2] * np.sign(axes[2] @ (apex - middle))
    off_mm = float(np.abs((hinges - middle) @ normal).max())
    if off_mm > MOST_OFF_MM or spans[1] < LEAST_CROSSING_MM:
        raise Unmeasurable(
            "NO_VALVE_SEEN",
            f"the views disagree on the plane of the valve by {off_mm:.0f} mm",
        )
    return ValvePlane(Plane(middle, normal), apex)


def _in_patient(points_mm: np.ndarray, grid: Grid) -> np.ndarray:
    """Return ``(N, 2)`` mm in the first slice as LPS ``(N, 3)``."""
    axes = grid.affines[0, :3, :2] / np.linalg.norm(grid.affines[0, :3, :2], axis=0)
    return np.asarray(grid.affines[0, :3, 3] + points_mm @ axes.T)
