"""The contours of a cine carried over to the slices of another series.

A map or a late enhancement shows the heart at one moment of the beat and, after a good breath
hold, where the cine showed it: the cine's labels at that moment, read on the other grid, say
where its wall lies.  Nothing is registered: what the patient moved between the two breath holds
stays in, so whoever measures in a carried wall keeps off its borders and says so.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from opencmr.anatomy.structures import ACDC, Structure
from opencmr.geometry.grid import Grid
from opencmr.geometry.planes import angle_between_deg
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.measure.ventricles import Unmeasurable

PARALLEL_DEG = 10.0
"""Slices that are tilted by more show another cut of the wall (proposal)."""
LATEST_SHARE = 1.1
"""Of the heartbeat: a later trigger time counts from another R wave (proposal)."""


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """The labels of one phase of a cine on the grid of another series.

    Attributes
    ----------
    segmentation : Segmentation
        One phase on the other grid, labelled as ACDC.
    source : Grid
        Of the cine.
    phase : int
        0-based, of the cine.
    source_slices : tuple of int or None, one a slice of the other grid
        The cine's slice that was read there; None where none lies near enough.
    """

    segmentation: Segmentation
    source: Grid
    phase: int
    source_slices: tuple[int | None, ...]

    def points_mm(self, z: int) -> np.ndarray:
        """Return every pixel of a slice ``(Y, X, 2)`` as (down, right) mm in the cine's slice."""
        source = self.source_slices[z]
        assert source is not None, "only a slice that was carried has a place in the cine"
        places = np.moveaxis(_places(self.source, source, self.segmentation.grid, z), 0, -1)
        return np.asarray(places * [self.source.row_spacing_mm, self.source.column_spacing_mm])


def nearest_phase(cine: Image, other: Image) -> int:
    """Return the phase of a cine that shows the moment at which another series was acquired.

    Moments are fractions of the heartbeat after the R wave, each of its own heartbeat; where
    the other series states none, of the cine's.

    Raises
    ------
    Unmeasurable
        When either does not say when it was acquired.
    """
    of_cine = _fractions(cine, None)
    if of_cine is None:
        raise Unmeasurable("NO_TIMING", "the cine does not state its trigger times and heartbeat")
    of_other = _fractions(other, cine.mean_rr_ms)
    if of_other is None:
        raise Unmeasurable("NO_TIMING", "the series does not state its trigger time")
    moment = float(np.median(of_other))
    if not 0 <= moment <= LATEST_SHARE:
        raise Unmeasurable(
            "NO_TIMING", f"its trigger time is {moment:.1f} heartbeats after the R wave"
        )
    apart = np.abs(of_cine - moment) % 1
    return int(np.argmin(np.minimum(apart, 1 - apart)))


def _fractions(image: Image, rr_ms: float | None) -> np.ndarray | None:
    """Return the moment of each picture ``(N,)`` in heartbeats; None where unknown."""
    heartbeat_ms = image.mean_rr_ms or rr_ms
    if heartbeat_ms is None or not np.isfinite(image.trigger_ms).all():
        return None
    own_ms = np.where(np.isfinite(image.rr_ms), image.rr_ms, heartbeat_ms)
    return np.asarray((image.trigger_ms / own_ms).mean(1))


def carried_to(grid: Grid, segmentation: Segmentation, phase: int) -> Carried:
    """Return the labels of a cine's phase on another grid.

    Each slice reads the cine's nearest slice, where one lies within half a slice distance of it
    and is parallel.  Outlines, not pixels, are carried: each structure is read by linear
    interpolation and followed at one half.

    Raises
    ------
    Unmeasurable
        When the cine shows no wall at that phase, or no slice lies near enough.
    """
    source, labels = segmentation.grid, segmentation.labels[phase]
    cavity, wall, right = (
        segmentation.scheme.mask(labels, one)
        for one in (Structure.LV, Structure.MYOCARDIUM, Structure.RV)
    )
    if not wall.any():
        raise Unmeasurable("NO_CONTOURS", "the cine shows no wall at that moment of the heartbeat")
    middle_mm = _middle_mm(source, wall | cavity)
    nearest = tuple(_nearest_slice(source, grid, z, middle_mm) for z in range(grid.shape[0]))
    carried = np.zeros((1, *grid.shape), dtype=np.uint8)
    for z, one in enumerate(nearest):
        if one is None:
            continue
        places = _places(source, one, grid, z)
        # The wall is what lies between two outlines: read by itself it would lose its corners.
        for structure, mask in (
            (Structure.RV, right[one]),
            (Structure.MYOCARDIUM, wall[one] | cavity[one]),
            (Structure.LV, cavity[one]),
        ):
            inside = map_coordinates(mask.astype(np.float64), places, order=1, cval=0.0) > 0.5
            carried[0, z][inside] = ACDC.label_of(structure)
    if not ACDC.mask(carried, Structure.MYOCARDIUM).any():
        raise Unmeasurable(
            "OUT_OF_PLANE",
            "no slice of the cine with a wall lies within half a slice distance and parallel",
        )
    there = Segmentation(carried, ACDC, grid, segmentation.policy, segmentation.author)
    return Carried(there, source, phase, nearest)


def _middle_mm(grid: Grid, mask: np.ndarray) -> np.ndarray:
    """Return the mean place ``(3,)`` of a mask ``(Z, Y, X)`` in LPS mm."""
    z, rows, columns = np.nonzero(mask)
    pixels = np.stack([rows, columns, np.zeros(z.size), np.ones(z.size)])
    return np.asarray(np.einsum("nij,jn->ni", grid.affines[z], pixels)[:, :3].mean(0))


def _nearest_slice(source: Grid, other: Grid, z: int, middle_mm: np.ndarray) -> int | None:
    """Return the slice of ``source`` that lies nearest to another grid's slice at the heart."""
    normal, corner_mm = other.affines[z, :3, 2], other.affines[z, :3, 3]
    foot_mm = middle_mm - ((middle_mm - corner_mm) @ normal) * normal
    normals, corners_mm = source.affines[:, :3, 2], source.affines[:, :3, 3]
    apart_mm = np.abs(((foot_mm - corners_mm) * normals).sum(1))
    nearest = int(np.argmin(apart_mm))
    half_mm = (source.slice_spacing_mm or 0.0) / 2
    if apart_mm[nearest] > half_mm + 1e-6:
        return None
    return nearest if angle_between_deg(normals[nearest], normal) <= PARALLEL_DEG else None


def _places(source: Grid, source_slice: int, other: Grid, z: int) -> np.ndarray:
    """Return the rows and columns ``(2, Y, X)`` of a source's slice under another's pixels."""
    across = np.linalg.inv(source.affines[source_slice]) @ other.affines[z]
    rows, columns = np.indices(other.shape[1:])
    pixels = np.stack([rows, columns])
    return np.asarray(np.einsum("ij,jyx->iyx", across[:2, :2], pixels) + across[:2, 3, None, None])
