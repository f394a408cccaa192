"""Landmarks found in the segmentation of a short-axis stack.

End-diastole and end-systole: :mod:`opencmr.measure.ventricles`; base, apex and levels:
:mod:`opencmr.measure.long_axis`; insertions: :mod:`opencmr.measure.wall.anchors`.
"""

import numpy as np

from opencmr.anatomy.aha import Level
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.imaging.landmarks import Cycle, Insertion, Landmarks, PhaseLandmarks, Point
from opencmr.measure.long_axis import base_to_apex, slices_from_base
from opencmr.measure.ventricles import Chamber, Unmeasurable, Ventricles
from opencmr.measure.wall.profile import WallProfile


def find_landmarks(ventricles: Ventricles) -> Landmarks:
    """Return the landmarks of both ventricles; None for each that cannot be told."""
    lv, rv = (_cycle(ventricles, structure) for structure in (Structure.LV, Structure.RV))
    phase = lv.ed_phase if lv else _fullest_phase(ventricles)
    axis, order = _long_axis(ventricles, phase)
    return Landmarks(
        lv,
        rv,
        axis,
        order,
        _at_phase(ventricles, lv.ed_phase) if lv else None,
        _at_phase(ventricles, lv.es_phase) if lv else None,
    )


def _cycle(ventricles: Ventricles, structure: Structure) -> Cycle | None:
    try:
        chamber = _chamber(ventricles, structure)
        return Cycle(chamber.ed_phase, chamber.es_phase)
    except Unmeasurable:
        return None


def _chamber(ventricles: Ventricles, structure: Structure) -> Chamber:
    """Return a ventricle, by its area where a single slice has no volume."""
    if ventricles.image.grid.shape[0] == 1:
        area_px = ventricles.lv_voxels if structure is Structure.LV else ventricles.rv_voxels
        return Chamber(structure, area_px, np.ones(ventricles.phases, dtype=bool))
    return ventricles.lv if structure is Structure.LV else ventricles.rv


def _fullest_phase(ventricles: Ventricles) -> int:
    """Return the phase that shows most of the heart."""
    shown = ventricles.lv_voxels + ventricles.myocardium_voxels + ventricles.rv_voxels
    return int(shown.sum(1).argmax())


def _long_axis(
    ventricles: Ventricles, phase: int
) -> tuple[tuple[float, float, float] | None, tuple[int, ...]]:
    """Return the direction from base to apex, and the slices in that order."""
    try:
        x, y, z = map(float, base_to_apex(ventricles, phase))
        return (x, y, z), slices_from_base(ventricles, phase)
    except (Unmeasurable, GeometryError):
        return None, tuple(range(ventricles.segmentation.grid.shape[0]))


def _at_phase(ventricles: Ventricles, phase: int) -> PhaseLandmarks:
    slices = range(ventricles.image.grid.shape[0])
    profile = ventricles.at_phase(WallProfile, phase)
    levels = _levels(profile)
    turn = _turn(profile) if levels else None
    found = {z: _insertion(profile, z, turn or 1) for z in levels}
    return PhaseLandmarks(
        phase,
        tuple(levels.get(z) for z in slices),
        tuple(found.get(z) for z in slices),
        turn is not None,
    )


def _levels(profile: WallProfile) -> dict[int, Level]:
    try:
        return profile.levels
    except Unmeasurable:
        return {}


def _turn(profile: WallProfile) -> int | None:
    try:
        return profile.turn
    except Unmeasurable:
        return None


def _insertion(profile: WallProfile, z: int, turn: int) -> Insertion | None:
    anchor = profile.insertions[z]
    if anchor is None:
        return None
    angles = anchor.middle + turn * anchor.half_width * np.array([1.0, -1.0])
    first, second = profile.rings[z].epicardial_points(angles)
    return Insertion(_point(first), _point(second))


def _point(place: np.ndarray) -> Point:
    return float(place[0]), float(place[1])
