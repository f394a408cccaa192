"""Whether the right ventricle is labelled whole: shares and lengths that have limits.

It lies along the left one's septum, so it is held against the left ventricle beside it, against
itself on the slices above and below, and against itself at the other end of the beat.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from opencmr.anatomy.structures import Structure
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.measure.long_axis import slices_from_base
from opencmr.measure.ventricles import Ventricles
from opencmr.quality.limits import (
    RV_APICAL_END_LIMIT_PERCENT,
    RV_GROWTH_LIMIT_PERCENT,
    RV_LEAD_LIMITS_MM,
    RV_LEAD_SV_PERCENT,
    RV_OFF_SEPTUM_LIMIT_MM,
    RV_THINNED_LIMIT_PERCENT,
)


@dataclass(frozen=True, slots=True)
class RvShape:
    """How the right ventricle is labelled at one phase.

    Attributes
    ----------
    lead_mm : float
        Length of the left ventricle, from its base on, that has no right one beside it.
    apical_end_percent : float
        Area on its last slice towards the apex, of that on its largest.
    thinned_percent : float
        How far one slice falls below the mean of its two neighbours, of the largest area.
    off_septum_mm : float
        Distance from the left ventricle on the slice where it lies furthest off.
    """

    lead_mm: float
    apical_end_percent: float
    thinned_percent: float
    off_septum_mm: float


def rv_shape(ventricles: Ventricles, phase: int) -> RvShape:
    """Return how the right ventricle is labelled at a phase that shows both ventricles.

    Raises
    ------
    Unmeasurable
        When base and apex cannot be told.
    GeometryError
        When the slices have no extent.
    """
    order = list(slices_from_base(ventricles, phase))
    right = ventricles.rv_voxels[phase, order].astype(np.float64)
    left = (ventricles.lv_voxels + ventricles.myocardium_voxels)[phase, order] > 0
    extents_mm = ventricles.segmentation.grid.slice_extents_mm[order]
    shown = np.flatnonzero(right)
    before = left & (np.arange(left.size) < shown[0])
    inner = right[shown[0] : shown[-1] + 1]
    fall = (inner[:-2] + inner[2:]) / 2 - inner[1:-1]
    return RvShape(
        float(extents_mm[before].sum()),
        100.0 * float(right[shown[-1]] / right.max()),
        100.0 * float(max(fall.max(initial=0.0), 0.0) / right.max()),
        max(
            (_off_septum_mm(ventricles, phase, order[z]) for z in shown if left[z]),
            default=0.0,
        ),
    )


def _off_septum_mm(ventricles: Ventricles, phase: int, z: int) -> float:
    left = ventricles.near_heart(Structure.LV, phase, z) | ventricles.near_heart(
        Structure.MYOCARDIUM, phase, z
    )
    away_mm = distance_transform_edt(~left, sampling=ventricles.spacing_mm)
    return float(away_mm[ventricles.near_heart(Structure.RV, phase, z)].min())


def growth_percent(ventricles: Ventricles) -> float:
    """Return by how much a slice of the right ventricle grows from its ED to its ES.

    The slice that grows most counts, in percent of the largest area at end-diastole.

    Raises
    ------
    Unmeasurable
        With a single phase or no right ventricle.
    """
    rv = ventricles.rv
    diastole, systole = (ventricles.rv_voxels[t].astype(int) for t in (rv.ed_phase, rv.es_phase))
    return 100.0 * float(max((systole - diastole).max(), 0) / max(diastole.max(), 1))


def right_ventricle_flags(ventricles: Ventricles) -> Iterator[QualityFlag]:
    """Look for a right ventricle of which slices or parts are missing, at its own ED and ES.

    Raises
    ------
    Unmeasurable
        With a single phase, without a right ventricle, or where base and apex cannot be told.
    GeometryError
        When the slices have no extent.
    """
    rv = ventricles.rv
    phases = {"end-diastole": rv.ed_phase, "end-systole": rv.es_phase}
    left = ventricles.lv_voxels + ventricles.myocardium_voxels
    shapes = {name: rv_shape(ventricles, t) for name, t in phases.items() if left[t].any()}
    for (name, shape), lead_limit_mm in zip(shapes.items(), RV_LEAD_LIMITS_MM, strict=False):
        if shape.lead_mm > lead_limit_mm:
            yield _flag(
                "RV_INCOMPLETE",
                f"The right ventricle is missing beside the base of the left one at {name}: its "
                "volume may be too small.",
                f"{shape.lead_mm:.0f} mm, believable {lead_limit_mm:.0f} mm",
            )
        if shape.apical_end_percent > RV_APICAL_END_LIMIT_PERCENT:
            yield _flag(
                "RV_INCOMPLETE",
                f"The right ventricle is still large on its last slice towards the apex at {name}: "
                "a part of it may have been missed.",
                f"{shape.apical_end_percent:.0f} % of its largest slice, believable "
                f"{RV_APICAL_END_LIMIT_PERCENT:.0f} %",
            )
        if shape.thinned_percent > RV_THINNED_LIMIT_PERCENT:
            yield _flag(
                "RV_UNEVEN",
                f"A slice of the right ventricle is much smaller than those beside it at {name}.",
                f"by {shape.thinned_percent:.0f} % of its largest slice, believable "
                f"{RV_THINNED_LIMIT_PERCENT:.0f} %",
            )
        if shape.off_septum_mm > RV_OFF_SEPTUM_LIMIT_MM:
            yield _flag(
                "RV_OFF_SEPTUM",
                f"On a slice the right ventricle does not touch the left one at {name}: another "
                "structure may have been taken for it, or its septal side is missing.",
                f"{shape.off_septum_mm:.0f} mm off, believable {RV_OFF_SEPTUM_LIMIT_MM:.0f} mm",
            )
    yield from _lead_that_counts(ventricles, shapes)
    grown = growth_percent(ventricles)
    if grown > RV_GROWTH_LIMIT_PERCENT:
        yield _flag(
            "RV_UNEVEN",
            "A slice of the right ventricle is larger at end-systole than at end-diastole.",
            f"by {grown:.0f} % of its largest slice, believable {RV_GROWTH_LIMIT_PERCENT:.0f} %",
        )


def _lead_that_counts(ventricles: Ventricles, shapes: dict[str, RvShape]) -> Iterator[QualityFlag]:
    """Say that a believable lead at end-diastole comes with a stroke volume that lacks it."""
    at_ed = shapes.get("end-diastole")
    ejected_ml, expected_ml = ventricles.rv.sv_ml, ventricles.lv.sv_ml
    if (
        at_ed is not None
        and 0 < at_ed.lead_mm <= RV_LEAD_LIMITS_MM[0]
        and ejected_ml < RV_LEAD_SV_PERCENT / 100 * expected_ml
    ):
        yield _flag(
            "RV_INCOMPLETE",
            "The right ventricle is missing beside the base of the left one at end-diastole, and "
            "it ejects less: its volume may be too small.",
            f"{at_ed.lead_mm:.0f} mm; RVSV {ejected_ml:.0f} mL, LVSV {expected_ml:.0f} mL",
        )


def _flag(code: str, message: str, evidence: str) -> QualityFlag:
    return QualityFlag(Severity.REVIEW, code, f"{message} Check its contours.", evidence)
