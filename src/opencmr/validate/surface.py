"""Distances between the surfaces of two masks, in millimetres.

A surface is made of the voxels of a mask that touch the outside with a face; the edge of the
picture is outside.  Each surface voxel counts once, as in MONAI and MedPy, whatever the area
that it stands for.  Where a mask is empty there is no surface and so no distance: None, to be
counted beside every mean (Maier-Hein et al., Nature Methods 2024; 21:195).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

NSD_TOLERANCE_MM = 2.0
"""Tolerance of the normalised surface distance: between one and two pixels of a cine, about
what readers differ by (proposal)."""
PERCENT_95 = 95.0


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDistances:
    """From every surface voxel of each mask to the other's surface.

    Attributes
    ----------
    first_mm : (N,) float64
        Infinite where the other mask is empty.
    second_mm : (M,) float64
    """

    first_mm: np.ndarray
    second_mm: np.ndarray

    @property
    def has_both(self) -> bool:
        """Whether neither mask is empty."""
        return bool(self.first_mm.size and self.second_mm.size)

    @property
    def hausdorff_mm(self) -> float | None:
        """Hausdorff distance: the greatest of all; None where a mask is empty."""
        return self._greater_percentile(100.0)

    @property
    def hausdorff95_mm(self) -> float | None:
        """The greater of both directions' 95th percentiles; None where a mask is empty."""
        return self._greater_percentile(PERCENT_95)

    @property
    def average_mm(self) -> float | None:
        """Average symmetric surface distance: mean of all; None where a mask is empty."""
        if not self.has_both:
            return None
        return float(np.concatenate([self.first_mm, self.second_mm]).mean())

    def share_within(self, tolerance_mm: float = NSD_TOLERANCE_MM) -> float:
        """Return the normalised surface distance: the share of all within a tolerance.

        Two empty masks agree: 1.0.  One empty mask: 0.0 (Nikolov et al., arXiv:1809.04430).
        """
        both = np.concatenate([self.first_mm, self.second_mm])
        return float((both <= tolerance_mm).mean()) if both.size else 1.0

    def _greater_percentile(self, percent: float) -> float | None:
        if not self.has_both:
            return None
        return max(float(np.percentile(d, percent)) for d in (self.first_mm, self.second_mm))


def surface_distances(
    first: np.ndarray, second: np.ndarray, spacing_mm: tuple[float | None, ...]
) -> SurfaceDistances:
    """Return the distances between the surfaces of two masks.

    Parameters
    ----------
    first, second : (Z, Y, X) bool
    spacing_mm : tuple of float or None
        Of each axis.  An axis of one voxel has none and is left out: its plane alone is judged.

    Raises
    ------
    ValueError
        When the shapes differ, or an axis of several voxels has no spacing.

    Examples
    --------
    >>> here, there = np.zeros((2, 1, 9), dtype=bool)
    >>> here[0, 2] = there[0, 5] = True
    >>> surface_distances(here, there, (1.4, 1.4)).hausdorff_mm
    4.199999999999999
    """
    if first.shape != second.shape or len(spacing_mm) != first.ndim:
        raise ValueError(f"masks of {first.shape} and {second.shape}, spacing {spacing_mm}")
    wide = [axis for axis, size in enumerate(first.shape) if size > 1] or [first.ndim - 1]
    steps_mm = [step for axis in wide if (step := spacing_mm[axis]) is not None]
    if len(steps_mm) < len(wide):
        raise ValueError(f"no spacing along an axis of {first.shape}: {spacing_mm}")
    shape = [first.shape[axis] for axis in wide]
    box = _box(first.reshape(shape) | second.reshape(shape))
    one, other = (_surface(mask.reshape(shape)[box]) for mask in (first, second))
    return SurfaceDistances(_to(other, one, steps_mm), _to(one, other, steps_mm))


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box that holds a mask; far less than the picture, and so far faster."""
    held = [
        np.flatnonzero(mask.any(tuple(np.delete(range(mask.ndim), a)))) for a in range(mask.ndim)
    ]
    return tuple(slice(int(h[0]), int(h[-1]) + 1) if h.size else slice(0, 0) for h in held)


def _surface(mask: np.ndarray) -> np.ndarray:
    return np.asarray(mask & ~binary_erosion(mask)) if mask.size else mask


def _to(surface: np.ndarray, points: np.ndarray, steps_mm: list[float]) -> np.ndarray:
    """Return how far each of ``points`` lies from ``surface``, both masks of one shape."""
    if not surface.any():
        return np.full(int(points.sum()), np.inf)
    return np.asarray(distance_transform_edt(~surface, sampling=steps_mm)[points])
