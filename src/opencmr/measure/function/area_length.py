"""The left ventricle in a long-axis picture: annulus, apex, area, and the volume that follows.

The cavity is drawn on one picture; the wall encloses it but for the valve.  The ends of the part of
its outline that no wall lines are the hinge points, the farthest point from their middle is the
apex, and the distance between the two is the length (SCMR: Schulz-Menger et al., JCMR 2020;
22:19).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from opencmr.geometry.contours import outline_mm
from opencmr.measure.ventricles import Unmeasurable

BESIDE_WALL_PX = 1.5
"""A point of the cavity's outline so near to a pixel of the wall is lined by it."""
LEAST_OPENING_MM = 10.0
"""A narrower opening is no valve but a gap of the labels (proposal: mitral annuli of adults span
25 mm and more)."""
FEWEST_PIXELS = 20
"""Fewer pixels of cavity have no shape."""


@dataclass(frozen=True, slots=True, eq=False)
class LongAxisCavity:
    """The left ventricular cavity on one long-axis picture.

    Attributes
    ----------
    hinges_mm : (2, 2) float64
        Hinge points of the valve, ``(down, right)`` mm from the centre of the first pixel.
    apex_mm : (2,) float64
    area_mm2 : float
        Of the cavity's pixels.
    """

    hinges_mm: np.ndarray
    apex_mm: np.ndarray
    area_mm2: float

    @property
    def length_mm(self) -> float:
        """From the middle of the valve to the apex."""
        return float(np.linalg.norm(self.apex_mm - self.hinges_mm.mean(0)))


def long_axis_cavity(
    cavity: np.ndarray, wall: np.ndarray, spacing_mm: tuple[float, float]
) -> LongAxisCavity:
    """Return what a labelled long-axis picture shows of the left ventricle.

    Parameters
    ----------
    cavity, wall : (Y, X) bool
    spacing_mm : (row, column) spacing

    Raises
    ------
    Unmeasurable
        Where there is no cavity or wall, or the cavity opens nowhere.
    """
    if np.count_nonzero(cavity) < FEWEST_PIXELS or not wall.any():
        raise Unmeasurable("NO_HEART_FOUND", "the picture shows no left ventricle with its wall")
    outline = outline_mm(cavity, spacing_mm)
    assert outline is not None, "so many pixels have an outline"
    from_wall_mm = distance_transform_edt(~wall, sampling=spacing_mm)
    row, column = np.rint(outline[:-1] / spacing_mm).astype(int).T
    is_open = from_wall_mm[row, column] > BESIDE_WALL_PX * max(spacing_mm)
    first, last = _longest_run(is_open)
    hinges = outline[:-1][[first, last]]
    if not is_open.any() or np.linalg.norm(hinges[1] - hinges[0]) < LEAST_OPENING_MM:
        raise Unmeasurable("NO_VALVE_SEEN", "the cavity opens nowhere: the wall encloses it")
    apart = np.linalg.norm(outline - hinges.mean(0), axis=1)
    area_mm2 = float(np.count_nonzero(cavity) * spacing_mm[0] * spacing_mm[1])
    return LongAxisCavity(hinges, outline[int(apart.argmax())], area_mm2)


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Return the first and the last index of the longest run of true on a ring ``(N,)``."""
    if flags.all() or not flags.any():
        return 0, len(flags) - 1
    start = int(np.flatnonzero(~flags)[0])
    turned = np.roll(flags, -start).astype(np.int8)
    steps = np.diff(turned, append=0)
    begins, ends = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1)
    which = int((ends - begins).argmax())
    return (int(begins[which]) + start) % len(flags), (int(ends[which]) + start) % len(flags)


def area_length_ml(one: LongAxisCavity, other: LongAxisCavity | None = None) -> float:
    """Return the volume by area and length, of two planes across one another or of one.

    ``8 A1 A2 / (3 pi L)`` with the shorter of both lengths; with one plane its area counts twice
    (Dodge et al., Am Heart J 1960; 60:762).  Exact for an ellipsoid cut along its axis.
    """
    other = other or one
    shorter_mm = min(one.length_mm, other.length_mm)
    return 8 * one.area_mm2 * other.area_mm2 / (3 * np.pi * shorter_mm) / 1000
