"""The whole story on one screen: sort -> judge -> plan -> analyses -> withhold -> report."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version

from opencmr import __version__
from opencmr.analyses.analysis import Analysis, Parts
from opencmr.analyses.plan import Planned, plan_study
from opencmr.analyses.table import ANALYSES
from opencmr.imaging.flag import Severity
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse, Reading
from opencmr.imaging.study import Demographics, Study
from opencmr.models.library import Library
from opencmr.models.session import Networks
from opencmr.progress import Progress, silent
from opencmr.quality.checks import withhold
from opencmr.quality.stacks import judge_stacks
from opencmr.report.contents import Provenance, Report
from opencmr.sort.sorting import sort_study
from opencmr.stopwatch import Stopwatch

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


def analyze_study(
    study: Study,
    configuration: Configuration,
    *,
    networks: Networks | None = None,
    analyses: Sequence[Analysis] = ANALYSES,
    progress: Progress = silent,
) -> Report:
    """Sort and judge a study, plan its analyses, run them, and withhold what must not be reported.

    ``networks`` may be loaded already.  A study that no analysis can run on gives a report
    that says why.

    Raises
    ------
    ModelError
        When no model fits or its weights are damaged.
    """
    clock, networks = Stopwatch(), networks or Networks()
    with clock("sort"):
        study = sorted_study(study, configuration)
        plan = plan_study(study, analyses, model=configuration.model, library=networks.library)
    readings: dict[str, Reading] = {}
    for planned in plan:
        if planned.runs:
            parts = Parts(
                study,
                planned.series,
                planned.model,
                configuration.demographics,
                clock,
                progress,
            )
            readings[planned.analysis.name] = planned.analysis.read(parts, readings, networks)
    found = tuple(readings.values())
    flags = [
        *study.flags,
        *(flag for planned in plan for flag in planned.flags),
        *(flag for reading in found for flag in reading.flags),
    ]
    return Report(
        study=study,
        segmentations={key: one for reading in found for key, one in reading.segmentations.items()},
        landmarks={key: one for reading in found for key, one in reading.landmarks.items()},
        measurements=Measurements(
            tuple(
                one
                for name, reading in readings.items()
                for one in withhold(reading.measurements, reading.flags).found_by(name)
            )
        ),
        flags=tuple(sorted(flags, key=lambda f: -_SEVERITIES.index(f.severity))),
        provenance=_provenance(
            tuple(dict.fromkeys(m for reading in found for m in reading.models)),
            configuration,
            clock,
        ),
        truth=configuration.truth,
        plan=plan,
    )


def planned_study(
    study: Study,
    configuration: Configuration,
    *,
    analyses: Sequence[Analysis] = ANALYSES,
    library: Library | None = None,
) -> tuple[Planned, ...]:
    """Return what :func:`analyze_study` would run, and run nothing."""
    study = sorted_study(study, configuration)
    return plan_study(study, analyses, model=configuration.model, library=library)


def sorted_study(study: Study, configuration: Configuration) -> Study:
    """Return the study as plans are made on it: the choice of series reads their flags."""
    return judge_stacks(sort_study(_with_demographics(study, configuration.demographics)))


def _with_demographics(study: Study, given: Demographics) -> Study:
    stated = {
        name: getattr(given, name)
        for name in Demographics.__slots__
        if getattr(given, name) is not None
    }
    return replace(study, demographics=replace(study.demographics, **stated))


def _provenance(
    models: tuple[ModelUse, ...], configuration: Configuration, clock: Stopwatch
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
