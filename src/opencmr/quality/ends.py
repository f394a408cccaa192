"""Whether a stack holds the whole left ventricle, judged by the areas at its ends (row N02).

By area and not by the ring of muscle: readers' own stacks end on a closed ring in most patients,
at the base and at the apex.  Area is that of cavity and muscle together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.measure.long_axis import slices_from_base
from opencmr.measure.ventricles import Ventricles
from opencmr.quality.limits import (
    APICAL_END_LIMIT_PERCENT,
    BASAL_END_LIMIT_PERCENT,
    LARGE_BASE_PERCENT,
)
from opencmr.quality.scope import OF_WHOLE_STACKS


@dataclass(frozen=True, slots=True)
class Ends:
    """Areas of the left ventricle at one phase, in percent of that on its largest slice.

    Attributes
    ----------
    basal, apical : float
        On the stack's end slices; 0 where the stack reaches beyond the ventricle.
    last_shown : float
        On the last labelled slice towards the apex, wherever the stack ends.
    """

    basal: float
    apical: float
    last_shown: float


def ends_of(ventricles: Ventricles, phase: int) -> Ends:
    """Return how large the left ventricle is where it, and the stack, ends.

    Raises
    ------
    Unmeasurable
        When base and apex cannot be told, or no left ventricle is labelled.
    """
    order = list(slices_from_base(ventricles, phase))
    area = (ventricles.lv_voxels + ventricles.myocardium_voxels)[phase, order]
    percent = 100.0 * area / max(area.max(), 1)
    return Ends(
        float(percent[0]),
        float(percent[-1]),
        float(percent[np.flatnonzero(percent)[-1]]) if area.any() else 0.0,
    )


def length_and_width_mm(ventricles: Ventricles, phase: int) -> tuple[float, float]:
    """Return the length that is labelled as left ventricle and the cavity's largest diameter.

    The diameter is that of a disc of the largest cavity's area.

    Raises
    ------
    GeometryError
        When the slices have no extent.
    """
    grid = ventricles.segmentation.grid
    shown = (ventricles.lv_voxels + ventricles.myocardium_voxels)[phase] > 0
    area_mm2 = float(ventricles.lv_voxels[phase].max()) * grid.pixel_mm2
    return float(grid.slice_extents_mm[shown].sum()), 2 * float(np.sqrt(area_mm2 / np.pi))


def cut_flags(ventricles: Ventricles, phases: Sequence[int]) -> Iterator[QualityFlag]:
    """Say where a stack ends within the left ventricle.

    Parameters
    ----------
    phases : sequence of int
        Those whose labels make the numbers, end-diastole first.

    Raises
    ------
    Unmeasurable
        When base and apex cannot be told.
    """
    found = [ends_of(ventricles, phase) for phase in phases]
    at_ed = found[0]
    last_shown = max(at_ed.last_shown, *(one.apical for one in found))
    if last_shown > APICAL_END_LIMIT_PERCENT:
        yield QualityFlag(
            Severity.REVIEW,
            "APEX_CUT",
            "The left ventricle is still large on its last slice towards the apex: a part of "
            "it may lie beyond the stack, or its apex was not found.",
            f"{last_shown:.0f} % of its largest slice, believable {APICAL_END_LIMIT_PERCENT:.0f} %",
        )
    if at_ed.basal > BASAL_END_LIMIT_PERCENT:
        yield QualityFlag(
            Severity.INFO,
            "BASE_AT_STACK_END",
            "The first slice at the base still shows the left ventricle at end-diastole: a part "
            "may lie beyond the stack. It is so in many studies.",
            f"{at_ed.basal:.0f} % of its largest slice",
        )
    if at_ed.apical > APICAL_END_LIMIT_PERCENT and at_ed.basal >= LARGE_BASE_PERCENT:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "BOTH_ENDS_CUT",
            "The stack ends within the left ventricle on both sides, so volumes, ejection "
            "fraction and mass would be those of a part and are withheld.",
            f"{at_ed.basal:.0f} % of its largest slice at the basal end, {at_ed.apical:.0f} % at "
            "the apical one",
            About(symbols=OF_WHOLE_STACKS),
        )


def short_flags(ventricles: Ventricles, phase: int) -> Iterator[QualityFlag]:
    """Say that a left ventricle is labelled over less than its own width.

    Raises
    ------
    GeometryError
        When the slices have no extent.
    """
    length_mm, width_mm = length_and_width_mm(ventricles, phase)
    if length_mm < width_mm:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "STACK_TOO_SHORT",
            "The left ventricle is labelled over less length than its cavity is wide, so the "
            "stack holds a part of it: volumes, ejection fraction and mass are withheld.",
            f"{length_mm:.0f} mm long, {width_mm:.0f} mm wide",
            About(symbols=OF_WHOLE_STACKS),
        )
