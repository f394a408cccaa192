"""Late enhancement: how much scar the short-axis stack shows, and how far through the wall."""

from collections.abc import Mapping

from opencmr.analyses.analysis import Analysis, Earlier, Need, Parts, flags_of
from opencmr.analyses.cine_contours import CineContours
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse, Reading
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics, Series
from opencmr.measure.landmarks import find_landmarks
from opencmr.measure.scar.in_wall import SCAR_PERCENT, SPREAD_LIMIT_POINTS, measure_scar
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.measure.wall.carried import Carried
from opencmr.models.card import NetworkCard
from opencmr.models.session import Networks
from opencmr.segment.second_look import look_again
from opencmr.segment.short_axis import segment_short_axis
from opencmr.sort.roles import SHORT_AXIS_LGE

NAME = "late enhancement"
NETWORK = Need(View.SAX, Technique.LGE, is_packaged=False)
OF_THE_STACK = frozenset(
    {"MISSING_SLICE", "SPARSE_STACK", "OVERLAPPING_SLICES", "SATURATED", "LOSSY", "SPLIT_STACK"}
)
"""What was found wrong with a stack that matters to a mass of scar."""


LEAST_SCAR_DICE = 0.65
"""A network that overlaps less with readers' infarcts it never saw is called weak (proposal): the
challenge's best reach 0.71 (Lalande et al., Med Image Anal 2022)."""


def read(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
    """Segment the late enhancement or take the given labels, and measure its scar beside rules."""
    series = parts.series[SHORT_AXIS_LGE.name]
    segmentation, card, models = _segmented(parts, series, networks)
    if segmentation is None:
        return Reading(flags=(_no_heart(series),), models=models)
    with parts.clock("measure scar"):
        carried = _carried(CineContours(parts.study, earlier), earlier, series)
        measured = measure_scar(series.image, segmentation, series.key, carried)
        ventricles = Ventricles(segmentation, series.image, Demographics(), series.key)
        landmarks = find_landmarks(ventricles)
    return Reading(
        {series.key: segmentation},
        {series.key: landmarks},
        Measurements(measured),
        (
            *flags_of(series, NAME, OF_THE_STACK),
            *(_weak(card, series) if card else ()),
            *_uncertain(series, measured),
        ),
        models,
    )


LATE_ENHANCEMENT = Analysis(NAME, (SHORT_AXIS_LGE,), read, after=(FUNCTION,), network=NETWORK)


def _segmented(
    parts: Parts, series: Series, networks: Networks
) -> tuple[Segmentation | None, NetworkCard | None, tuple[ModelUse, ...]]:
    """Return the labels of the series, the card of the last network at them, and all models."""
    if series.key in parts.labels:
        return parts.labels[series.key], None, ()
    network = networks.segmentation(NETWORK.view, NETWORK.technique, name=parts.model)
    second = networks.second_look(network.card)
    with parts.clock("segment scar"):
        segmentation = segment_short_axis(
            series.image,
            network,
            progress=lambda done, total: parts.progress("segmenting scar", done, total),
        )
        if segmentation is None or second is None:
            return segmentation, network.card, (network.card.use,)
        again = look_again(segmentation, series.image, second)
    return again, second.card, (network.card.use, second.card.use)


def _carried(cine: CineContours, earlier: Earlier, series: Series) -> Carried | Reason:
    """Return the cine's labels on the late enhancement; of end-diastole where no time is stated."""
    marked = [one.lv for one in earlier[FUNCTION].landmarks.values()] if FUNCTION in earlier else []
    diastole = marked[0].ed_phase if marked and marked[0] else None
    try:
        return cine.carried(series, otherwise_phase=diastole)[0]
    except Unmeasurable as unfit:
        return unfit.reason


def _uncertain(series: Series, measured: tuple[Measurement, ...]) -> tuple[QualityFlag, ...]:
    """Say that the methods find different scar."""
    percent = next(one for one in measured if one.quantity == SCAR_PERCENT)
    low, high = percent.interval or (0.0, 0.0)
    if high - low <= SPREAD_LIMIT_POINTS:
        return ()
    return (
        QualityFlag(
            Severity.REVIEW,
            "SCAR_UNCERTAIN",
            f"The network and the classical rules find {low:.0f} to {high:.0f} % scar of the "
            "myocardium. Look at the outlines of the late enhancement before a number is used.",
            f"network {percent.text} %",
            About(series.key, NAME),
        ),
    )


def _weak(card: NetworkCard, series: Series) -> tuple[QualityFlag, ...]:
    """Say that the network is known to be poor at scar, by its own card."""
    groups = [group for group in card.figures.values() if isinstance(group, Mapping)]
    overlaps = [dice for group in groups if isinstance(dice := group.get("Dice SCAR"), float)]
    if not overlaps or min(overlaps) >= LEAST_SCAR_DICE:
        return ()
    return (
        QualityFlag(
            Severity.REVIEW,
            "WEAK_MODEL",
            "The network for late enhancement overlaps with readers' infarcts poorly; it may find "
            "scar in a healthy wall. Trust the outlines that you see, not the percentage.",
            f"Dice {min(overlaps):.2f} on unseen infarcts, expected at least {LEAST_SCAR_DICE:g}",
            About(series.key, NAME),
        ),
    )


def _no_heart(series: Series) -> QualityFlag:
    return QualityFlag(
        Severity.DO_NOT_REPORT,
        "NO_HEART_FOUND",
        "The network sees no heart in the late enhancement, so no scar was measured. Look at the "
        "series list.",
        f"series {series.key}",
        About(series.key, NAME),
    )
