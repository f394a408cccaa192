"""Long axes: the left ventricle once more, on the planes that hold its valve and its apex."""

from collections.abc import Mapping

import numpy as np

from opencmr.analyses.analysis import Analysis, Earlier, Need, Parts
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import VALVE_VIEWS, View
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import Reading
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series, Study
from opencmr.measure.function.ejection import LVEF
from opencmr.measure.function.long_axes import LVEF_LAX, measure_long_axes
from opencmr.measure.function.long_axis_view import LongAxisView
from opencmr.measure.function.valve import find_valve
from opencmr.measure.ventricles import Unmeasurable
from opencmr.models.session import Networks
from opencmr.segment.long_axis import segment_long_axis
from opencmr.sort.roles import LONG_AXIS_CINES

NAME = "long axes"
NETWORK = Need(View.LONG_AXIS, Technique.CINE, is_packaged=False)
AGREEMENT_POINTS = 15.0
"""Points by which ejection fractions of long axes and stack may differ before a reader must look
(proposal: two planes stand for a whole ventricle)."""


def read(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
    """Segment the two- and the four-chamber cine, and measure the left ventricle on them."""
    network = networks.segmentation(NETWORK.view, NETWORK.technique, name=parts.model)
    views, flags = list[LongAxisView](), list[QualityFlag]()
    with parts.clock("segment long axes"):
        for series in parts.series.values():
            segmentation = segment_long_axis(
                series.image,
                network,
                progress=lambda done, total: parts.progress("segmenting long axes", done, total),
            )
            if segmentation is None:
                flags.append(_no_heart(series))
            else:
                views.append(LongAxisView(series.view.value, series.key, segmentation))
    if not views:
        return Reading(flags=tuple(flags), models=(network.card.use,))
    with parts.clock("measure long axes"):
        measured = measure_long_axes(views)
    return Reading(
        {one.series: one.segmentation for one in views},
        {one.series: one.landmarks for one in views},
        Measurements(measured),
        tuple(flags),
        (network.card.use,),
    )


LONG_AXES = Analysis(NAME, (LONG_AXIS_CINES,), read, network=NETWORK, takes_labels=False)


def valve_heights_mm(
    study: Study, segmentations: Mapping[str, Segmentation], stack: Series
) -> np.ndarray | None:
    """Return how far apical of the valve each slice of a stack lies at ED and ES ``(2, Z)``.

    None where the long axes do not show the valve, or share no frame of reference with the stack.
    """
    frame = stack.frame_of_reference_uid
    if not frame or not stack.image.grid.orientation_known:
        return None
    views = [
        LongAxisView(one.view.value, one.key, segmentations[one.key])
        for one in study.series
        if one.key in segmentations
        and one.view in VALVE_VIEWS
        and one.frame_of_reference_uid == frame
        and one.image.grid.orientation_known
    ]
    try:
        return find_valve(views).heights_mm(stack.image.grid)
    except Unmeasurable:
        return None


def disagreement(along: Measurements, across: Measurements) -> tuple[QualityFlag, ...]:
    """Say that the ejection fractions of the long axes and of the stack lie far apart."""
    of_axes, of_stack = along.value(LVEF_LAX.symbol), across.value(LVEF.symbol)
    if of_axes is None or of_stack is None or abs(of_axes - of_stack) <= AGREEMENT_POINTS:
        return ()
    return (
        QualityFlag(
            Severity.REVIEW,
            "LONG_AXES_DISAGREE",
            f"The short-axis stack finds an ejection fraction of {of_stack:.0f} %, the long axes "
            f"{of_axes:.0f} %. Look at the contours of both.",
            f"more than {AGREEMENT_POINTS:g} points apart",
        ),
    )


def _no_heart(series: Series) -> QualityFlag:
    return QualityFlag(
        Severity.INFO,
        "NO_HEART_FOUND",
        "The network sees no heart in a long-axis cine, so nothing was measured on it.",
        f"series {series.key}",
        About(series.key, NAME),
    )
