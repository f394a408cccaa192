"""Ventricular function: what both ventricles hold and eject, and how thick the wall is."""

from dataclasses import replace

import numpy as np

from opencmr.analyses.analysis import Analysis, Earlier, Need, Parts
from opencmr.analyses.long_axes import NAME as LONG_AXES
from opencmr.analyses.long_axes import disagreement, valve_heights_mm
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.reading import ModelUse, Reading
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series
from opencmr.measure.landmarks import find_landmarks
from opencmr.measure.registry import measure_all
from opencmr.measure.ventricles import Ventricles
from opencmr.memory import give_back_memory
from opencmr.models.session import Networks
from opencmr.quality.checks import check
from opencmr.segment.short_axis import segment_short_axis
from opencmr.sort.roles import SHORT_AXIS_CINE

NAME = "ventricular function"
NETWORK = Need(View.SAX, Technique.CINE)


def read(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
    """Segment the short-axis cine or take the given labels, measure both ventricles and judge."""
    series, clock = parts.series[SHORT_AXIS_CINE.name], parts.clock
    segmentation, models = _segmented(parts, series, networks)
    if segmentation is None:
        return Reading(flags=_about((*series.flags, _no_heart(series)), series), models=models)
    with clock("measure"):
        ventricles = Ventricles(
            segmentation,
            series.image,
            parts.study.demographics,
            series.key,
            given_heart_rate_bpm=parts.given.heart_rate_bpm,
            valve_heights_mm=_valve(parts, earlier, series),
        )
        landmarks = find_landmarks(ventricles)
        measurements = measure_all(ventricles)
    with clock("quality"):
        flags = check(series, ventricles, measurements)
    if LONG_AXES in earlier:
        flags += disagreement(earlier[LONG_AXES].measurements, measurements)
    return Reading(
        {series.key: segmentation},
        {series.key: landmarks},
        measurements,
        _about(flags, series),
        models,
    )


FUNCTION = Analysis(NAME, (SHORT_AXIS_CINE,), read, after=(LONG_AXES,), network=NETWORK)


def _valve(parts: Parts, earlier: Earlier, series: Series) -> np.ndarray | None:
    """Return where the valve lies, by the long axes that were read."""
    if LONG_AXES not in earlier:
        return None
    return valve_heights_mm(parts.study, earlier[LONG_AXES].segmentations, series)


def _segmented(
    parts: Parts, series: Series, networks: Networks
) -> tuple[Segmentation | None, tuple[ModelUse, ...]]:
    """Return the labels of the series and the models that made them."""
    if series.key in parts.labels:
        return parts.labels[series.key], ()
    with parts.clock("load model"):
        network = networks.segmentation(NETWORK.view, NETWORK.technique, name=parts.model)
    with parts.clock("segment"):
        segmentation = segment_short_axis(
            series.image,
            network,
            box=parts.heart,
            progress=lambda done, total: parts.progress("segmenting", done, total),
        )
    give_back_memory()  # the unmended labels; measuring makes arrays of their size
    return segmentation, (network.card.use,)


def _about(flags: tuple[QualityFlag, ...], series: Series) -> tuple[QualityFlag, ...]:
    return tuple(
        replace(flag, about=replace(flag.about, series=series.key, analysis=NAME)) for flag in flags
    )


def _no_heart(series: Series) -> QualityFlag:
    return QualityFlag(
        Severity.DO_NOT_REPORT,
        "NO_HEART_FOUND",
        "The network sees no heart in the series taken for the short-axis cine, so nothing was "
        "measured. Look at the series list.",
        f"series {series.key}",
    )
