"""The grid of a stack: one affine a slice, from (row, column) to patient millimetres."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opencmr.errors import GeometryError

ORTHOGONALITY_TOLERANCE = 1e-3
"""Greatest dot product of the unit row and column directions (DICOM PS3.3 C.7.6.2.1.1)."""
SPACING_LIMITS_MM = (0.05, 50.0)
"""In-plane spacing outside these limits is no spacing of a heart image."""
REGULAR_TOLERANCE_MM = 0.1
"""Greatest distance between a slice's corner and where one affine would put it."""


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """Positions of the voxels of a stack of slices.

    Attributes
    ----------
    shape : (Z, Y, X)
    affines : (Z, 4, 4) float64
        ``affines[z] @ (row, column, 0, 1)`` is the LPS position in mm of that voxel's
        centre on slice ``z``.  Columns 0 and 1 are the steps in mm to the next row and to
        the next column, column 2 the unit normal of the slice.  Slices may be shifted,
        unevenly spaced or tilted.
    orientation_known : bool
        False when the source does not say how the patient lies in the grid (many NIfTI
        files): then spacing holds, but anterior, inferior and handedness must not be named.

    Raises
    ------
    GeometryError
        When an affine is not finite, a spacing impossible, or rows and columns are not
        orthogonal.
    """

    shape: tuple[int, int, int]
    affines: np.ndarray
    orientation_known: bool = True

    def __repr__(self) -> str:
        gap_mm = self.slice_spacing_mm
        steps = ("-" if gap_mm is None else f"{gap_mm:.4g}", *map("{:.4g}".format, self._steps_mm))
        return f"Grid({' x '.join(map(str, self.shape))}, {' x '.join(steps)} mm)"

    @property
    def _steps_mm(self) -> tuple[float, float]:
        return self.row_spacing_mm, self.column_spacing_mm

    def __post_init__(self) -> None:
        affines = np.array(self.affines, dtype=np.float64)
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(f"a grid needs a shape (Z, Y, X), found {self.shape}")
        if affines.shape != (self.shape[0], 4, 4):
            raise GeometryError(
                f"a grid of {self.shape[0]} slices needs affines ({self.shape[0]}, 4, 4), "
                f"found {affines.shape}"
            )
        if not np.isfinite(affines).all():
            raise GeometryError("an affine holds a number that is not finite")
        for axis, name in ((0, "row"), (1, "column")):
            steps_mm = np.linalg.norm(affines[:, :3, axis], axis=1)
            if steps_mm.min() < SPACING_LIMITS_MM[0] or steps_mm.max() > SPACING_LIMITS_MM[1]:
                raise GeometryError(
                    f"{name} spacing of {steps_mm.min():g} to {steps_mm.max():g} mm is impossible; "
                    f"expected {SPACING_LIMITS_MM[0]} to {SPACING_LIMITS_MM[1]} mm"
                )
        down = affines[:, :3, 0] / np.linalg.norm(affines[:, :3, 0], axis=1, keepdims=True)
        right = affines[:, :3, 1] / np.linalg.norm(affines[:, :3, 1], axis=1, keepdims=True)
        if np.abs((down * right).sum(1)).max() > ORTHOGONALITY_TOLERANCE:
            raise GeometryError("rows and columns are not orthogonal")
        affines[:, :3, 2] = np.cross(right, down)
        affines[:, 3] = (0, 0, 0, 1)
        affines.flags.writeable = False
        object.__setattr__(self, "affines", affines)

    @property
    def row_spacing_mm(self) -> float:
        """Distance between the centres of neighbouring rows (DICOM PixelSpacing[0])."""
        return float(np.linalg.norm(self.affines[0, :3, 0]))

    @property
    def column_spacing_mm(self) -> float:
        """Distance between the centres of neighbouring columns (DICOM PixelSpacing[1])."""
        return float(np.linalg.norm(self.affines[0, :3, 1]))

    @property
    def pixel_mm2(self) -> float:
        """In-plane area of one voxel."""
        return self.row_spacing_mm * self.column_spacing_mm

    @property
    def normal(self) -> np.ndarray:
        """Unit normal ``(3,)`` of the first slice: right cross down, as in DICOM."""
        return np.asarray(self.affines[0, :3, 2])

    @cached_property
    def slice_positions_mm(self) -> np.ndarray:
        """Positions ``(Z,)`` of the slices' centres along the normal, in stack order."""
        rows, columns = self.shape[1:]
        middle = np.array([(rows - 1) / 2, (columns - 1) / 2, 0, 1])
        return np.asarray((self.affines @ middle)[:, :3] @ self.normal)

    @cached_property
    def slice_gaps_mm(self) -> np.ndarray:
        """Centre-to-centre distances ``(Z - 1,)`` of neighbouring slices."""
        return np.abs(np.diff(self.slice_positions_mm))

    @property
    def slice_spacing_mm(self) -> float | None:
        """Median centre-to-centre distance, gap included; None for a single slice."""
        return float(np.median(self.slice_gaps_mm)) if self.shape[0] > 1 else None

    @cached_property
    def slice_extents_mm(self) -> np.ndarray:
        """Length ``(Z,)`` along the normal that each slice stands for in a volume.

        Half the way to each neighbour; an end slice reaches as far outwards as inwards
        (summation of discs, gap counted with the slices).

        Raises
        ------
        GeometryError
            For a single slice, which has no extent, and for slices at one position.
        """
        if self.shape[0] < 2:
            raise GeometryError("a single slice has no extent along its normal, so no volume")
        gaps = self.slice_gaps_mm
        if gaps.min() <= 0:
            raise GeometryError("two slices lie at one position")
        return np.asarray((np.append(gaps, gaps[-1]) + np.insert(gaps, 0, gaps[0])) / 2)

    @property
    def voxel_mm3(self) -> np.ndarray:
        """Volume ``(Z,)`` that one voxel of each slice stands for."""
        return np.asarray(self.pixel_mm2 * self.slice_extents_mm)

    @property
    def is_regular(self) -> bool:
        """Whether one affine describes every slice to :data:`REGULAR_TOLERANCE_MM`."""
        if self.shape[0] < 3:
            return True
        corners = self._corners()
        steps = np.diff(corners, axis=0)
        return bool(np.abs(steps - steps.mean(0)).max() <= REGULAR_TOLERANCE_MM)

    def _corners(self) -> np.ndarray:
        rows, columns = self.shape[1:]
        corners = np.array([[0, 0], [rows - 1, 0], [0, columns - 1]], dtype=np.float64)
        homogeneous = np.column_stack([corners, np.zeros(3), np.ones(3)])
        return np.asarray(np.einsum("zij,cj->zci", self.affines, homogeneous)[..., :3])

    def position_mm(self, z: int, row: float, column: float) -> np.ndarray:
        """Return the LPS position ``(3,)`` in mm of a voxel's centre."""
        return np.asarray((self.affines[z] @ np.array([row, column, 0.0, 1.0]))[:3])

    def select(self, slices: Iterable[int]) -> "Grid":
        """Return the grid of the named slices, in the order given."""
        chosen = list(slices)
        return Grid((len(chosen), *self.shape[1:]), self.affines[chosen], self.orientation_known)


def grid_from_spacing(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Grid:
    """Return a grid of unknown orientation: spacing ``(slice, row, column)`` and nothing more."""
    affines = np.tile(np.eye(4), (shape[0], 1, 1))
    affines[:, :3, :3] = 0
    affines[:, 1, 0] = spacing_mm[1]
    affines[:, 0, 1] = spacing_mm[2]
    affines[:, 2, 3] = spacing_mm[0] * np.arange(shape[0])
    return Grid(shape, affines, orientation_known=False)
