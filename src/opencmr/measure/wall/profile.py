"""Thickness of the wall round every ring slice of one phase.

Method: rays leave the centroid of the cavity's outline every :data:`STEP_DEG` degrees.  Half
way between the two outlines on a ray stands a point of the wall's middle; the thickness there
is its distance to the nearest point of the endocardial outline plus that to the epicardial
one.  On walls with parallel sides, round or oval, that is the thickness at right angles to the
wall, which a length along the ray is not; the idea of measuring across the wall's middle line
is that of the centreline method (Sheehan et al., Circulation 1986; 74:293).  A wall that the
slice cuts obliquely, as near the apex, appears thicker than it is: no correction is made.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opencmr.anatomy.aha import AHA_SEGMENTS, Level
from opencmr.anatomy.structures import Structure
from opencmr.geometry.contours import centroid_mm, distances_mm, outline_mm, radii_mm
from opencmr.measure.long_axis import base_to_apex, levels
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.measure.wall.anchors import (
    Insertions,
    anterior_sign,
    handed_sign,
    insertions,
    mean_insertions,
    unit_vectors,
)

STEP_DEG = 3.0
"""Angle between neighbouring rays; 15 to 30 rays a segment."""
_ANGLES = np.deg2rad(np.arange(STEP_DEG / 2, 360, STEP_DEG))


@dataclass(frozen=True, slots=True, eq=False)
class RingOutlines:
    """The two outlines of one ring slice ``(N, 2)`` in mm, and the cavity's centre."""

    endocardium: np.ndarray
    epicardium: np.ndarray
    centre: np.ndarray

    def thickness_mm(self, angles: np.ndarray) -> np.ndarray:
        """Return the wall's thickness ``(K,)`` at angles ``(K,)`` about the centre."""
        directions = unit_vectors(angles)
        inner = radii_mm(self.endocardium, self.centre, directions)
        outer = radii_mm(self.epicardium, self.centre, directions)
        middle = self.centre + ((inner + outer) / 2)[:, None] * directions
        across = distances_mm(middle, self.endocardium) + distances_mm(middle, self.epicardium)
        return np.asarray(across)

    def epicardial_points(self, angles: np.ndarray) -> np.ndarray:
        """Return the points ``(K, 2)`` in mm of the outer outline at angles ``(K,)``."""
        directions = unit_vectors(angles)
        reach_mm = radii_mm(self.epicardium, self.centre, directions)
        return np.asarray(self.centre + reach_mm[:, None] * directions)


@dataclass(frozen=True, eq=False)
class WallProfile:
    """The wall of the left ventricle at one phase.

    Attributes
    ----------
    ventricles : Ventricles
    phase : int
    """

    ventricles: Ventricles
    phase: int

    @cached_property
    def levels(self) -> dict[int, Level]:
        """Level of every ring slice that has both outlines, from base to apex."""
        found = levels(self.ventricles, self.phase)
        drawn = {z: level for z, level in found.items() if z in self.rings}
        if not drawn:
            raise Unmeasurable("TOO_FEW_RINGS", "the cavity is too small to outline on any slice")
        return drawn

    @cached_property
    def rings(self) -> dict[int, RingOutlines]:
        """Outlines of every ring slice on which both could be drawn about a centre inside."""
        spacing_mm = self.ventricles.spacing_mm
        drawn = {}
        for z in levels(self.ventricles, self.phase):
            cavity = self.ventricles.plane(Structure.LV, self.phase, z)
            wall = self.ventricles.plane(Structure.MYOCARDIUM, self.phase, z)
            endocardium = outline_mm(cavity, spacing_mm)
            epicardium = outline_mm(cavity | wall, spacing_mm)
            if endocardium is None or epicardium is None:
                continue
            ring = RingOutlines(endocardium, epicardium, centroid_mm(endocardium))
            # A centre outside its own cavity (a crescent) sees no wall on some rays.
            if np.isfinite(ring.thickness_mm(_ANGLES)).all():
                drawn[z] = ring
        return drawn

    @cached_property
    def insertions(self) -> dict[int, Insertions | None]:
        """Insertions of each ring slice; None where the right ventricle does not meet it."""
        return {
            z: insertions(
                self.rings[z].epicardium,
                self.rings[z].centre,
                self.ventricles.plane(Structure.RV, self.phase, z),
                self.ventricles.spacing_mm,
            )
            for z in self.levels
        }

    @cached_property
    def anchors(self) -> dict[Level, Insertions]:
        """Insertions of each level: the mean of its slices', else of the level next to it."""
        found: dict[Level, list[Insertions]] = {level: [] for level in self.levels.values()}
        for z, level in self.levels.items():
            anchor = self.insertions[z]
            if anchor is not None:
                found[level].append(anchor)
        means = {level: mean_insertions(some) for level, some in found.items()}
        known = [anchor for anchor in means.values() if anchor is not None]
        if not known:
            raise Unmeasurable(
                "NO_INSERTION_POINTS", "the right ventricle meets the wall on no ring slice"
            )
        # Levels run from base to apex, where the right ventricle ends first: the last known
        # anchor is the nearest one to a level without its own.
        return {level: anchor or known[-1] for level, anchor in means.items()}

    @cached_property
    def turn(self) -> int:
        """+1 where the anterior wall lies at growing angles from the septum's middle, else -1.

        Raises
        ------
        Unmeasurable
            When the orientation is unknown, or the heart's handedness contradicts it.
        """
        grid = self.ventricles.segmentation.grid
        if not grid.orientation_known:
            raise Unmeasurable(
                "ORIENTATION_UNKNOWN",
                "the image does not say where anterior is, so segments cannot be named",
            )
        z = next(iter(self.levels))
        anchor = self.anchors[self.levels[z]]
        axis = base_to_apex(self.ventricles, self.phase)
        sign = anterior_sign(grid, z, anchor)
        if sign != handed_sign(grid, z, anchor, axis):
            raise Unmeasurable(
                "CHIRALITY_CONFLICT",
                "the right ventricle lies on the other side than the patient's axes say: a "
                "mirrored image or a mirrored heart",
            )
        return sign

    @cached_property
    def thickness_mm(self) -> dict[int, np.ndarray]:
        """Thickness ``(120,)`` round every ring slice, from the septum's middle onwards."""
        try:
            anchors: dict[Level, Insertions] | None = self.anchors
        except Unmeasurable:
            anchors = None
        around = {}
        for z, level in self.levels.items():
            start = anchors[level].middle if anchors else 0.0
            around[z] = self.rings[z].thickness_mm(start + _ANGLES)
        return around

    def segments_mm(self) -> dict[int, float]:
        """Return the mean thickness of every AHA segment 1 to 16 that holds a ray."""
        turn, anchors = self.turn, self.anchors
        rays: dict[int, list[np.ndarray]] = {}
        for z, level in self.levels.items():
            numbers = segment_of(_ANGLES * turn, level, anchors[level].half_width)
            for number in np.unique(numbers):
                rays.setdefault(int(number), []).append(self.thickness_mm[z][numbers == number])
        return {number: float(np.mean(np.concatenate(some))) for number, some in rays.items()}


def segment_of(angles: np.ndarray, level: Level, half_width: float) -> np.ndarray:
    """Return the AHA segment ``(K,)`` at angles from the septum's middle, growing to anterior.

    Basal and mid: the septum between the insertions is halved into anteroseptal and
    inferoseptal, the free wall is cut into four equal parts.  Apical: four quarters, the
    septal one about the septum's middle.

    Parameters
    ----------
    angles : (K,) radians
    level : Level
    half_width : float, radians
        From the septum's middle to either insertion.

    Examples
    --------
    >>> degrees = np.deg2rad([30, -30, 90, 150, -150, -90])
    >>> segment_of(degrees, Level.BASAL, np.deg2rad(60)).tolist()
    [2, 3, 1, 6, 5, 4]
    """
    first = next(one.number for one in AHA_SEGMENTS if one.level is level)
    round_ = np.mod(angles, 2 * np.pi)
    if level is Level.APICAL:
        quarters = np.array([1, 0, 3, 2])  # septal, anterior, lateral, inferior
        return np.asarray(first + quarters[((round_ + np.pi / 4) // (np.pi / 2)).astype(int) % 4])
    free = (2 * np.pi - 2 * half_width) / 4
    part = np.floor((round_ - half_width) / free).astype(int)
    walls = np.array([0, 5, 4, 3])  # anterior, anterolateral, inferolateral, inferior
    of_free_wall = walls[np.clip(part, 0, 3)]
    of_septum = np.where(round_ <= np.pi, 1, 2)
    in_septum = (round_ < half_width) | (round_ >= 2 * np.pi - half_width)
    return np.asarray(first + np.where(in_septum, of_septum, of_free_wall))
