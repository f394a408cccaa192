"""The whole story on one screen: sort -> segment -> measure -> quality -> report."""

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version

from opencmr import __version__
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics, Series, Study
from opencmr.measure.landmarks import find_landmarks
from opencmr.measure.registry import measure_all
from opencmr.measure.ventricles import Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.quality.checks import check, withhold
from opencmr.report.contents import ModelUse, Provenance, Report
from opencmr.segment.short_axis import segment_short_axis
from opencmr.sort.sorting import choose_sax_cine, sort_study

Progress = Callable[[str, int, int], None]

_SEVERITIES = list(Severity)
_PACKAGES = ("numpy", "scipy", "pydicom", "nibabel", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the caller decides.

    Attributes
    ----------
    model : str or None
        Name of the segmentation model; the newest that fits by default.
    demographics : Demographics
        What headers lack or get wrong: every field given here wins.
    truth : mapping
        Known values of a simulated study, shown beside the measured ones.
    """

    model: str | None = None
    demographics: Demographics = field(default_factory=Demographics)
    truth: Mapping[str, float] = field(default_factory=dict)


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def analyze_study(
    study: Study,
    configuration: Configuration,
    *,
    networks: Networks | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """Sort, segment, measure and judge one study, with ``networks`` that may be loaded already.

    A study without a short-axis cine, or without a heart in it, gives a report that says so.

    Raises
    ------
    ModelError
        When no model fits or its weights are damaged.
    """
    clock = _Stopwatch()
    with clock("sort"):
        study = sort_study(_with_demographics(study, configuration.demographics))
        choice = choose_sax_cine(study)
    flags = [*study.flags, *choice.flags]
    segmentations: dict[str, Segmentation] = {}
    landmarks: dict[str, Landmarks] = {}
    measurements: tuple[Measurement, ...] = ()
    models: tuple[ModelUse, ...] = ()
    series = choice.series
    if series is not None:
        with clock("load model"):
            network = (networks or Networks()).segmentation(
                View.SAX, Technique.CINE, name=configuration.model
            )
        models = (_model_use(network),)
        with clock("segment"):
            segmentation = segment_short_axis(
                series.image,
                network,
                progress=lambda done, total: progress("segmenting", done, total),
            )
        if segmentation is None:
            flags += [*series.flags, _no_heart(series)]
        else:
            segmentations[series.key] = segmentation
            with clock("measure"):
                ventricles = Ventricles(
                    segmentation,
                    series.image,
                    study.demographics,
                    series.key,
                    given_heart_rate_bpm=configuration.demographics.heart_rate_bpm,
                )
                landmarks[series.key] = find_landmarks(ventricles)
                measurements = measure_all(ventricles)
            with clock("quality"):
                found = check(series, ventricles, measurements)
                measurements = withhold(measurements, found)
                flags += found
    return Report(
        study=study,
        segmentations=segmentations,
        landmarks=landmarks,
        measurements=measurements,
        flags=tuple(sorted(flags, key=lambda f: -_SEVERITIES.index(f.severity))),
        provenance=_provenance(models, configuration, clock),
        truth=configuration.truth,
    )


def _with_demographics(study: Study, given: Demographics) -> Study:
    stated = {
        name: getattr(given, name)
        for name in Demographics.__slots__
        if getattr(given, name) is not None
    }
    return replace(study, demographics=replace(study.demographics, **stated))


def _no_heart(series: Series) -> QualityFlag:
    return QualityFlag(
        Severity.DO_NOT_REPORT,
        "NO_HEART_FOUND",
        "The network sees no heart in the series taken for the short-axis cine, so nothing was "
        "measured. Look at the series list.",
        f"series {series.key}",
    )


def _model_use(network: SegmentationRunner) -> ModelUse:
    card = network.card
    return ModelUse(
        card.name, card.version, card.sha256, card.terms, card.training_data, card.file_sha256
    )


def _provenance(
    models: tuple[ModelUse, ...], configuration: Configuration, clock: _Stopwatch
) -> Provenance:
    given = configuration.demographics
    return Provenance(
        opencmr_version=__version__,
        models=models,
        configuration={
            "model": configuration.model or "newest that fits",
            "given_by_the_caller": sorted(
                name for name in Demographics.__slots__ if getattr(given, name) is not None
            ),
        },
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        timings_s=clock.seconds,
        packages={"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
    )
