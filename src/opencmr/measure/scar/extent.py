"""How far scar reaches through the wall, by AHA segment, and its pattern.

Rays leave the cavity's centre as in :mod:`opencmr.measure.wall_profile`; the wall on a ray is
read at :data:`DEPTHS` depths from endocardium to epicardium, each weighted by the area that it
stands for.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from opencmr.geometry.contours import radii_mm
from opencmr.measure.anchors import unit_vectors
from opencmr.measure.wall_profile import STEP_DEG, RingOutlines, WallProfile, segment_of

DEPTHS = 20
"""Points of the wall on a ray (proposal): finer than the pixels of any wall."""
TOUCH_DEPTHS = DEPTHS // 5
"""Scar that fills half of the outermost fifth of the wall touches that side (proposal)."""
TRANSMURAL_SHARE = 0.75
"""Scar of more than this share of a ray is transmural: the last class of :class:`Transmurality`."""
LEAST_SHARE = 0.05
"""Less of a ray is no scar but the edge of a pixel (proposal)."""
_ANGLES = np.deg2rad(np.arange(STEP_DEG / 2, 360, STEP_DEG))


class Transmurality(StrEnum):
    """Scar of a segment's wall, in the five classes of Kim et al., NEJM 2000; 343:1445."""

    NONE = "0 %"
    QUARTER = "1-25 %"
    HALF = "26-50 %"
    THREE_QUARTERS = "51-75 %"
    FULL = "76-100 %"


def transmurality_class(percent: float) -> Transmurality:
    """Return the class of a share in percent; less than half a percent rounds to none.

    >>> [transmurality_class(p).value for p in (0.3, 1, 25, 26, 75.4, 75.6)]
    ['0 %', '1-25 %', '1-25 %', '26-50 %', '51-75 %', '76-100 %']
    """
    if percent < 0.5:
        return Transmurality.NONE
    return list(Transmurality)[1 + int(np.searchsorted([25.5, 50.5, 75.5], percent, "right"))]


class Pattern(StrEnum):
    """Where in the wall scar lies."""

    NONE = "none"
    SUBENDOCARDIAL = "subendocardial"
    MID_WALL = "mid-wall"
    SUBEPICARDIAL = "subepicardial"
    TRANSMURAL = "transmural"


@dataclass(frozen=True, slots=True, eq=False)
class RingScar:
    """Scar on the rays of one ring slice.

    Attributes
    ----------
    scar : (K, DEPTHS) bool
        From endocardium to epicardium.
    areas_mm2 : (K, DEPTHS)
        What each point stands for.
    """

    scar: np.ndarray
    areas_mm2: np.ndarray


def ring_scar(
    outlines: RingOutlines, scar: np.ndarray, spacing_mm: tuple[float, float], angles: np.ndarray
) -> RingScar:
    """Return the scar ``(Y, X) bool`` of a slice on rays at ``angles (K,)`` in radians."""
    directions = unit_vectors(angles)
    inner = radii_mm(outlines.endocardium, outlines.centre, directions)
    outer = radii_mm(outlines.epicardium, outlines.centre, directions)
    depths = (np.arange(DEPTHS) + 0.5) / DEPTHS
    reach_mm = inner[:, None] + (outer - inner)[:, None] * depths
    points_mm = outlines.centre + reach_mm[..., None] * directions[:, None]
    pixels = np.rint(points_mm / np.asarray(spacing_mm)).astype(int)
    rows, columns = (np.clip(pixels[..., i], 0, scar.shape[i] - 1) for i in (0, 1))
    step_mm = ((outer - inner) / DEPTHS)[:, None]
    return RingScar(scar[rows, columns], reach_mm * np.deg2rad(STEP_DEG) * step_mm)


def scar_percent_by_segment(profile: WallProfile, scar: np.ndarray) -> dict[int, float]:
    """Return the scar of the wall's area of every AHA segment 1 to 16 that holds a ray, in percent.

    Parameters
    ----------
    profile : WallProfile
        Outlines, levels and anchors; those of the late enhancement's own stack.
    scar : (Z, Y, X) bool

    Raises
    ------
    Unmeasurable
        When segments cannot be named: no insertions, orientation unknown, too few rings.
    """
    turn, anchors, areas = profile.turn, profile.anchors, dict[int, np.ndarray]()
    for z, level in profile.levels.items():
        anchor = anchors[level]
        found = ring_scar(
            profile.rings[z], scar[z], profile.ventricles.spacing_mm, anchor.middle + _ANGLES
        )
        numbers = segment_of(_ANGLES * turn, level, anchor.half_width)
        for number in map(int, np.unique(numbers)):
            mine = numbers == number
            part = np.array(
                [(found.scar * found.areas_mm2)[mine].sum(), found.areas_mm2[mine].sum()]
            )
            areas[number] = areas.get(number, np.zeros(2)) + part
    return {number: float(100 * one[0] / one[1]) for number, one in sorted(areas.items())}


def ray_patterns(scar: np.ndarray) -> tuple[Pattern, ...]:
    """Return the pattern of each ray of ``scar (K, DEPTHS) bool``.

    Transmural above :data:`TRANSMURAL_SHARE` of the wall.  Else subendocardial where it touches
    the endocardium, subepicardial where it touches the epicardium, where both the side that
    holds more, and mid-wall where neither.  (An ischaemic scar grows from the endocardium
    outwards: Mahrholdt et al., EHJ 2005; 26:1461; the limits are a proposal.)
    """
    return tuple(map(_pattern, scar))


def _pattern(ray: np.ndarray) -> Pattern:
    if ray.mean() <= LEAST_SHARE:
        return Pattern.NONE
    if ray.mean() > TRANSMURAL_SHARE:
        return Pattern.TRANSMURAL
    inner, outer = ray[:TOUCH_DEPTHS].mean() >= 0.5, ray[-TOUCH_DEPTHS:].mean() >= 0.5
    if inner and outer:
        inner = ray[: DEPTHS // 2].sum() >= ray[DEPTHS // 2 :].sum()
        outer = not inner
    if inner:
        return Pattern.SUBENDOCARDIAL
    return Pattern.SUBEPICARDIAL if outer else Pattern.MID_WALL


def scar_pattern(rings: tuple[RingScar, ...]) -> Pattern:
    """Return the pattern that holds the greatest area of scar over all rings."""
    areas_mm2 = dict.fromkeys(Pattern, 0.0)
    for ring in rings:
        for pattern, area_mm2 in zip(
            ray_patterns(ring.scar), (ring.scar * ring.areas_mm2).sum(1), strict=True
        ):
            areas_mm2[pattern] += float(area_mm2)
    areas_mm2[Pattern.NONE] = 0.0
    largest = max(areas_mm2, key=lambda pattern: areas_mm2[pattern])
    return largest if areas_mm2[largest] > 0 else Pattern.NONE


def ring_scars(profile: WallProfile, scar: np.ndarray) -> dict[int, RingScar]:
    """Return the scar on the rays of every ring slice, whether or not segments can be named."""
    spacing_mm = profile.ventricles.spacing_mm
    return {z: ring_scar(profile.rings[z], scar[z], spacing_mm, _ANGLES) for z in profile.levels}
