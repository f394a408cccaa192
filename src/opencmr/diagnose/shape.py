"""The shape of the left ventricle and of its contraction, round the wall and along it.

Sectors are those of the AHA segments, counted from the middle of the septum, so that they need
no patient axes: without them a sector's place is known (septal, lateral), its side (anterior,
inferior) is not, and nothing here depends on it.
"""

import numpy as np

from opencmr.diagnose.wall_shape import wall_values
from opencmr.geometry.contours import radii_mm
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.measure.wall.anchors import unit_vectors
from opencmr.measure.wall.profile import STEP_DEG, WallProfile, segment_of

_ANGLES = np.deg2rad(np.arange(STEP_DEG / 2, 360, STEP_DEG))


def shape_values(ventricles: Ventricles) -> dict[str, float]:
    """Return the values of every shape feature, by symbol.

    Raises
    ------
    Unmeasurable
        When the wall or the insertions of the right ventricle are not found.
    """
    diastole = ventricles.at_phase(WallProfile, ventricles.lv.ed_phase)
    systole = ventricles.at_phase(WallProfile, ventricles.lv.es_phase)
    ed_mm, es_mm = sectors_mm(diastole), sectors_mm(systole)
    wall = wall_values(ed_mm, es_mm)
    if not wall:
        raise Unmeasurable("TOO_FEW_RINGS", "too few sectors of the wall at both phases")
    inward = inward_percent(diastole, systole)
    length_mm = cavity_length_mm(ventricles, diastole.phase)
    return wall | {
        "inward_sd": float(inward.std()),
        "lv_sphericity": 6000 * ventricles.lv.edv_ml / (np.pi * length_mm**3),
        "septum_ratio": septal_ratio(diastole),
    }


def sectors_mm(profile: WallProfile) -> dict[int, float]:
    """Return the mean thickness of each sector 1 to 16 that holds a ray, in mm."""
    rays: dict[int, list[float]] = {}
    for z, level in profile.levels.items():
        numbers = segment_of(_ANGLES, level, profile.anchors[level].half_width)
        for number, thickness_mm in zip(numbers, profile.thickness_mm[z], strict=True):
            rays.setdefault(int(number), []).append(float(thickness_mm))
    return {number: float(np.mean(some)) for number, some in rays.items()}


def inward_percent(diastole: WallProfile, systole: WallProfile) -> np.ndarray:
    """Return how far each sixth of the cavity's outline moves inwards, in % of its radius.

    Of every slice with a closed ring at both phases, ``(6 K,)``, about the cavity's centre at
    its own phase, so that a heart that moves as a whole does not count.

    Raises
    ------
    Unmeasurable
        When no slice has a ring at both.
    """
    sixths = []
    for z, level in diastole.levels.items():
        if z not in systole.rings:
            continue
        start = diastole.anchors[level].middle
        radii = [
            _radii_mm(profile, z, start + _ANGLES).reshape(6, -1).mean(1)
            for profile in (diastole, systole)
        ]
        sixths.append(100 * (1 - radii[1] / radii[0]))
    if not sixths:
        raise Unmeasurable("TOO_FEW_RINGS", "no slice has a closed ring at ED and at ES")
    return np.concatenate(sixths)


def cavity_length_mm(ventricles: Ventricles, phase: int) -> float:
    """Return the length over which the cavity is labelled."""
    shown = ventricles.lv_voxels[phase] > 0
    return float(ventricles.segmentation.grid.slice_extents_mm[shown].sum())


def septal_ratio(profile: WallProfile) -> float:
    """Return the cavity's width across the septum over that along it, mean of the ring slices.

    1 in a round cavity, less where the septum is flattened (the inverse of the eccentricity
    index; Ryan et al., J Am Coll Cardiol 1985; 5:918).
    """
    ratios = []
    for z, level in profile.levels.items():
        quarter = profile.anchors[level].middle + np.deg2rad([0.0, 180.0, 90.0, 270.0])
        across, opposite, along, along_opposite = _radii_mm(profile, z, quarter)
        ratios.append((across + opposite) / (along + along_opposite))
    return float(np.mean(ratios))


def _radii_mm(profile: WallProfile, z: int, angles: np.ndarray) -> np.ndarray:
    ring = profile.rings[z]
    return radii_mm(ring.endocardium, ring.centre, unit_vectors(angles))
