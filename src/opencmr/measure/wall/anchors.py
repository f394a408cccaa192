"""Where the right ventricle inserts into the left: the anchor of the AHA segments.

The American Heart Association's model puts the borders of the septum where the wall of the
right ventricle meets the left (Cerqueira et al., Circulation 2002; 105:539).
"""

from dataclasses import dataclass

import numpy as np

from opencmr.geometry.contours import radii_mm
from opencmr.geometry.grid import Grid

CONTACT_PX = 2.0
"""The right ventricle touches the wall where it comes this near its outer outline (proposal)."""
CONTACT_LIMITS_DEG = (30.0, 210.0)
"""A septum that spans less or more is no septum but a leak or a scrap of a label (proposal)."""
ANTERIOR_LPS = np.array([0.0, -1.0, 1.0]) / np.sqrt(2.0)
"""Anterior insertion lies anterior and superior of the inferior one (LPS)."""


@dataclass(frozen=True, slots=True)
class Insertions:
    """The two insertions as seen from the cavity's centre, as angles in the slice's plane.

    Angles are radians from the direction of growing row towards that of growing column.

    Attributes
    ----------
    middle : float
        Direction of the middle of the septum.
    half_width : float
        Angle from there to either insertion.
    """

    middle: float
    half_width: float


def unit_vectors(angles: np.ndarray) -> np.ndarray:
    """Return unit vectors ``(K, 2)`` (down, right) for angles ``(K,)`` in radians."""
    return np.column_stack([np.cos(angles), np.sin(angles)])


def insertions(
    epicardium: np.ndarray, centre: np.ndarray, rv: np.ndarray, spacing_mm: tuple[float, float]
) -> Insertions | None:
    """Return where the right ventricle meets the wall on one slice, or None.

    The outer outline is walked in steps of one degree; it is septum where a pixel of the
    right ventricle comes within :data:`CONTACT_PX`.  The insertions are the ends of the
    longest stretch without contact, so that gaps inside the septum do not matter.

    Parameters
    ----------
    epicardium : (N, 2) mm, closed outline
    centre : (2,) mm
    rv : (Y, X) bool
    """
    pixels_mm = np.argwhere(rv) * np.asarray(spacing_mm)
    if not pixels_mm.size:
        return None
    angles = np.deg2rad(np.arange(360.0))
    directions = unit_vectors(angles)
    reach_mm = radii_mm(epicardium, centre, directions)
    points = centre + reach_mm[:, None] * directions
    nearest_mm = np.sqrt(((points[:, None] - pixels_mm) ** 2).sum(2).min(1))
    touching = np.flatnonzero(nearest_mm <= CONTACT_PX * np.sqrt(spacing_mm[0] * spacing_mm[1]))
    if touching.size < 2:
        return None
    gaps = np.diff(np.append(touching, touching[0] + 360))
    widest = int(np.argmax(gaps))
    span_deg = 360.0 - gaps[widest]
    if not CONTACT_LIMITS_DEG[0] <= span_deg <= CONTACT_LIMITS_DEG[1]:
        return None
    start_deg = float(touching[(widest + 1) % touching.size])
    return Insertions(np.deg2rad(start_deg + span_deg / 2), np.deg2rad(span_deg / 2))


def mean_insertions(found: list[Insertions]) -> Insertions | None:
    """Return the mean of several slices' insertions (angles averaged on the circle)."""
    if not found:
        return None
    middle = np.angle(np.mean([np.exp(1j * one.middle) for one in found]))
    return Insertions(float(middle), float(np.mean([one.half_width for one in found])))


def anterior_sign(grid: Grid, z: int, anchor: Insertions) -> int:
    """Return +1 where the anterior insertion lies at a growing angle from the septum's middle.

    Read from the patient's axes: the anterior insertion lies anterior and superior of the
    inferior one.
    """
    across = np.array([anchor.middle + np.pi / 2])
    return 1 if _in_patient(grid, z, across) @ ANTERIOR_LPS > 0 else -1


def handed_sign(grid: Grid, z: int, anchor: Insertions, base_to_apex: np.ndarray) -> int:
    """Return the same sign from the heart's handedness instead.

    Seen from the apex, a heart has its right ventricle on the left and its anterior wall on
    top: anterior is the direction of the septum crossed with that from base to apex.  In a
    mirrored heart, or a mirrored image, this contradicts :func:`anterior_sign`.
    """
    septum = _in_patient(grid, z, np.array([anchor.middle]))
    across = _in_patient(grid, z, np.array([anchor.middle + np.pi / 2]))
    return 1 if across @ np.cross(septum, base_to_apex) > 0 else -1


def _in_patient(grid: Grid, z: int, angle: np.ndarray) -> np.ndarray:
    down = grid.affines[z, :3, 0] / np.linalg.norm(grid.affines[z, :3, 0])
    right = grid.affines[z, :3, 1] / np.linalg.norm(grid.affines[z, :3, 1])
    return np.asarray((unit_vectors(angle) @ np.stack([down, right]))[0])
