"""Wall thickness at end-diastole and thickening, on the AHA segments and as a whole.

Method: :mod:`opencmr.measure.wall.profile`; anchors: :mod:`opencmr.measure.wall.anchors`; levels:
:mod:`opencmr.measure.long_axis`.
"""

from collections.abc import Mapping

import numpy as np

from opencmr.anatomy.aha import AHA_SEGMENTS, Level
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.imaging.measurement import Measurement
from opencmr.measure.function.base import vanishing_slices
from opencmr.measure.scalars import Measure, Scalar, null, private
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.measure.wall.profile import STEP_DEG, WallProfile

SUSTAINED_DEG = 15.0
"""The greatest thickness is that of a stretch of the wall so wide, not of one ray (proposal)."""

_ACROSS = (
    "distance across the middle line of the wall between the outlines of cavity and outer wall"
)
_THICKNESS = Code("122445", "DCM", "Wall Thickness")

WT = Quantity(
    "WT",
    "End-diastolic wall thickness",
    "mm",
    1,
    _THICKNESS,
    f"Mean over an AHA segment at end-diastole of the {_ACROSS}.",
)
WT_MEAN = Quantity(
    "WT_MEAN",
    "Mean end-diastolic wall thickness",
    "mm",
    1,
    _THICKNESS,
    f"Mean over all slices with a closed ring at end-diastole of the {_ACROSS}.",
)
WT_MAX = Quantity(
    "WT_MAX",
    "Maximal end-diastolic wall thickness",
    "mm",
    1,
    private("WT_MAX", "Maximal end-diastolic wall thickness"),
    f"Greatest mean over {SUSTAINED_DEG:g} degrees of a slice at end-diastole of the {_ACROSS}; a "
    "basal slice that the labels lose over the beat does not count.",
)
WTH = Quantity(
    "WTH",
    "Wall thickening",
    "%",
    0,
    private("WTH", "Systolic wall thickening"),
    "Growth of the wall thickness of an AHA segment from end-diastole to end-systole, over the "
    "end-diastolic one.",
)
WTH_MEAN = Quantity(
    "WTH_MEAN",
    "Mean wall thickening",
    "%",
    0,
    private("WTH_MEAN", "Mean systolic wall thickening"),
    "Growth of the mean wall thickness from end-diastole to end-systole, over the "
    "end-diastolic one.",
)


def mean_mm(profile: WallProfile) -> float:
    """Return the mean thickness over all ring slices."""
    return float(np.mean(list(profile.thickness_mm.values())))


def maximal_mm(profile: WallProfile, without: frozenset[int]) -> tuple[float, int]:
    """Return the greatest thickness sustained over :data:`SUSTAINED_DEG`, and its slice.

    The slices named in ``without`` do not count.

    Raises
    ------
    Unmeasurable
        When no slice is left.
    """
    width = round(SUSTAINED_DEG / STEP_DEG)
    best = (-np.inf, -1)
    for z, around_mm in profile.thickness_mm.items():
        if z in without:
            continue
        stretches = np.mean([np.roll(around_mm, k) for k in range(width)], axis=0)
        best = max(best, (float(stretches.max()), z))
    if best[1] < 0:
        raise Unmeasurable("TOO_FEW_RINGS", "no slice with a closed ring stays over the beat")
    return best


def measure(ventricles: Ventricles) -> tuple[Measurement, ...]:
    """Measure thickness and thickening: the whole wall first, then segments 1 to 17."""
    try:
        diastole = ventricles.at_phase(WallProfile, ventricles.lv.ed_phase)
        systole = ventricles.at_phase(WallProfile, ventricles.lv.es_phase)
    except Unmeasurable as unfit:
        reason = unfit.reason
        whole = (null(ventricles, q, reason, structure=_WALL) for q in (WT_MEAN, WT_MAX, WTH_MEAN))
        return (*whole, *_nulls(ventricles, WT, reason), *_nulls(ventricles, WTH, reason))
    return (
        Scalar(WT_MEAN, _WALL, lambda _: mean_mm(diastole)).measure(ventricles),
        Scalar(
            WT_MAX,
            _WALL,
            lambda v: maximal_mm(diastole, vanishing_slices(v))[0],
            lambda v: _where_maximal(diastole, vanishing_slices(v)),
        ).measure(ventricles),
        Scalar(WTH_MEAN, _WALL, lambda _: 100 * (mean_mm(systole) / mean_mm(diastole) - 1)).measure(
            ventricles
        ),
        *_segments(ventricles, diastole, systole),
    )


_WALL = Structure.MYOCARDIUM


def _where_maximal(profile: WallProfile, without: frozenset[int]) -> str:
    return f"slice {maximal_mm(profile, without)[1] + 1}, phase {profile.phase + 1}"


def _segments(
    ventricles: Ventricles, diastole: WallProfile, systole: WallProfile
) -> tuple[Measurement, ...]:
    try:
        ed_mm = diastole.segments_mm()
    except Unmeasurable as unfit:
        reason = unfit.reason
        return (*_nulls(ventricles, WT, reason), *_nulls(ventricles, WTH, reason))
    thickness = _by_segment(ventricles, WT, ed_mm)
    try:
        es_mm = systole.segments_mm()
    except Unmeasurable as unfit:
        return (*thickness, *_nulls(ventricles, WTH, unfit.reason))
    percent = {
        number: 100 * (es_mm[number] / ed_mm[number] - 1) for number in ed_mm if number in es_mm
    }
    return (*thickness, *_by_segment(ventricles, WTH, percent))


_NOT_ON_SAX = Reason("NOT_ASSESSABLE", "the short axis does not show the apex")
_NO_SLICE = Reason("TOO_FEW_RINGS", "no slice with a closed ring in this segment")


def _by_segment(
    ventricles: Ventricles, quantity: Quantity, values: Mapping[int, float]
) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(
            quantity,
            values[segment.number],
            structure=_WALL,
            segment=segment.number,
            series=ventricles.series,
            policy=ventricles.segmentation.policy,
            evidence=segment.name,
        )
        if segment.number in values
        else _null_segment(ventricles, quantity, segment.number, _NO_SLICE)
        for segment in AHA_SEGMENTS
    )


def _nulls(ventricles: Ventricles, quantity: Quantity, reason: Reason) -> tuple[Measurement, ...]:
    return tuple(
        _null_segment(ventricles, quantity, segment.number, reason) for segment in AHA_SEGMENTS
    )


def _null_segment(
    ventricles: Ventricles, quantity: Quantity, number: int, reason: Reason
) -> Measurement:
    at_apex = AHA_SEGMENTS[number - 1].level is Level.APEX
    return null(
        ventricles,
        quantity,
        _NOT_ON_SAX if at_apex else reason,
        structure=_WALL,
        segment=number,
    )


WALL = Measure((WT, WT_MEAN, WT_MAX, WTH, WTH_MEAN), measure)
