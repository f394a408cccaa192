"""The story on one screen: sort, judge, plan, analyses, withhold, diagnose, report."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version

from opencmr import __version__
from opencmr.analyses.analysis import Analysis, Parts
from opencmr.analyses.contours import labels_from
from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.outlines import labels_of_outlines
from opencmr.analyses.placing import place_labels
from opencmr.analyses.plan import Planned, in_running_order, plan_study
from opencmr.analyses.segments import labels_of_segments
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.ranges import SITES_OWN, Acquisition, NormalRange, normal_ranges
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.techniques import Technique
from opencmr.diagnose.study import find
from opencmr.diagnose.tissue_values import TissueValue, tissue_of
from opencmr.imaging.change import Comparison, EarlierResult
from opencmr.imaging.finding import Finding
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.given_contours import GivenContours
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.given_outlines import GivenOutlines
from opencmr.imaging.given_segments import GivenSegments
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import ModelUse, Reading
from opencmr.imaging.segmentation import AuthorKind, Segmentation
from opencmr.imaging.study import Demographics, Identity, Series, Study
from opencmr.measure.change import changes_since
from opencmr.measure.reference import with_reference
from opencmr.models.library import Library
from opencmr.models.precision import Precision
from opencmr.models.session import Networks
from opencmr.progress import Progress, silent
from opencmr.quality.same_patient import require_same_patient
from opencmr.quality.stacks import judge_stacks
from opencmr.quality.withhold import withhold
from opencmr.report.contents import Provenance, Report
from opencmr.report.dicom_study import legal_date
from opencmr.report.plain_text import iso_date, shown
from opencmr.segment.heart import box_of
from opencmr.sort.sorting import sort_study
from opencmr.stopwatch import Stopwatch
from opencmr.storage import sha256_of_bytes

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
    seg_phases : SegPhases
        Of which cardiac phases the labels are written as DICOM.
    ranges : tuple of NormalRange
        A site's own, which go before the packaged ones.
    labels : GivenLabels, GivenContours, GivenOutlines, GivenSegments or None
        Drawn or corrected by a reader, and measured in place of a network's.
    spacing_mm : (slice, row, column) or None
        With which NIfTI files that lack it were read.
    sequence : Technique or None
        What a short-axis stack shows that came from a file without a header.
    previous : EarlierResult or None
        An earlier result of the same patient, whose values are set beside the new ones.
    is_same_patient : bool
        The caller says so, where identifiers are missing.
    seg_type : SegType
        As what DICOM Segmentation the labels are written.
    precision : Precision
        In what networks compute.
    """

    model: str | None = None
    demographics: Demographics = field(default_factory=Demographics)
    truth: Mapping[str, float] = field(default_factory=dict)
    seg_phases: SegPhases = SegPhases.ED_ES
    ranges: tuple[NormalRange, ...] = ()
    labels: GivenLabels | GivenContours | GivenOutlines | GivenSegments | None = None
    spacing_mm: tuple[float, float, float] | None = None
    sequence: Technique | None = None
    previous: EarlierResult | None = None
    is_same_patient: bool = False
    seg_type: SegType = SegType.BINARY
    precision: Precision = Precision.F32

    @property
    def record(self) -> dict[str, object]:
        """What ``run.json`` keeps: equal where, and only where, the caller decided the same.

        Of the body only which fields were given, and a digest that holds their values.
        """
        given = asdict(self.demographics)
        ranges = [asdict(one) for one in self.ranges]
        decided = json.dumps([given, self.spacing_mm, dict(self.truth), ranges], sort_keys=True)
        return {
            "model": self.model or "newest that fits",
            "seg_phases": self.seg_phases.value,
            "seg_type": self.seg_type.value,
            "precision": self.precision.value,
            "sequence": "by the pictures" if self.sequence is None else self.sequence.value,
            "normal_ranges": SITES_OWN if self.ranges else "packaged",
            **_labels_record(self.labels),
            **_previous_record(self.previous, self.is_same_patient),
            "given_by_the_caller": sorted(k for k in given if given[k] not in (None, False)),
            "given_sha256": sha256_of_bytes(decided.encode("utf-8")),
        }


def analyze_study(
    study: Study,
    configuration: Configuration,
    *,
    networks: Networks | None = None,
    analyses: Sequence[Analysis] = ANALYSES,
    progress: Progress = silent,
) -> Report:
    """Sort and judge a study, plan and run its analyses, withhold what is unfit, and diagnose.

    ``networks`` may be loaded already, at the precision that the configuration asks for.  A study
    that no analysis can run on gives a report that says why.

    Raises
    ------
    ModelError
        When no model fits or its weights are damaged.
    GeometryError, InputError, ConfigurationError
        When given labels do not belong to one series of the study, or an earlier result is not
        known to be of its patient.
    """
    earlier = configuration.previous
    by_identifier = earlier is not None and require_same_patient(
        _as_told(study.identity), earlier, stated=configuration.is_same_patient
    )
    clock, networks = Stopwatch(), networks or Networks(precision=configuration.precision)
    with clock("sort"):
        study = sorted_study(study, configuration)
        labelled, labels, remarks = _placed(study, configuration, analyses)
        plan = plan_study(
            study,
            analyses,
            model=configuration.model,
            library=networks.library,
            labelled=labelled,
        )
    ran: dict[str, Reading] = {}
    for planned in in_running_order(plan):
        if planned.runs:
            parts = Parts(
                study,
                planned.series,
                planned.model,
                configuration.demographics,
                clock,
                progress,
                labels,
            )
            ran[planned.analysis.name] = planned.analysis.read(parts, ran, networks)
    readings = {one.analysis.name: ran[one.analysis.name] for one in plan if one.runs}
    found = tuple(readings.values())
    flags = [
        *study.flags,
        *remarks,
        *(flag for planned in plan for flag in planned.flags),
        *(flag for reading in found for flag in reading.flags),
    ]
    segmentations = {key: one for reading in found for key, one in reading.segmentations.items()}
    measurements = Measurements(
        tuple(
            one
            for name, reading in readings.items()
            for one in withhold(
                _judged(reading.measurements, study, configuration), reading.flags
            ).found_by(name)
        )
    )
    drawn = [key for key, one in segmentations.items() if one.author.kind is not AuthorKind.MODEL]
    with clock("diagnose"):
        tissue = tissue_of(measurements, drawn)
        findings = _findings(study, plan, readings, configuration, networks, tissue)
    return Report(
        study=study,
        segmentations=segmentations,
        landmarks={key: one for reading in found for key, one in reading.landmarks.items()},
        measurements=measurements,
        flags=tuple(sorted(flags, key=lambda f: -_SEVERITIES.index(f.severity))),
        provenance=_provenance(
            tuple(
                dict.fromkeys(
                    [m for reading in found for m in reading.models]
                    + [one.model for one in findings if one.model is not None]
                )
            ),
            configuration,
            clock,
        ),
        truth=configuration.truth,
        plan=plan,
        seg_phases=configuration.seg_phases,
        seg_type=configuration.seg_type,
        maps={key: one for reading in found for key, one in reading.maps.items()},
        findings=findings,
        comparison=None
        if earlier is None
        else _compared(study, earlier, measurements, segmentations, by_identifier),
    )


def _as_told(who: Identity) -> Identity:
    """Return an identity whose issuer and day stand as a result tells them."""
    return replace(
        who,
        issuer_of_patient_id=shown(who.issuer_of_patient_id),
        study_date=iso_date(legal_date(who.study_date)),
    )


def _compared(
    study: Study,
    earlier: EarlierResult,
    found: Measurements,
    segmentations: Mapping[str, Segmentation],
    by_identifier: bool,
) -> Comparison:
    """Return the ventricles' values beside those of an earlier result."""
    authors = {key: shown(one.author.text) for key, one in segmentations.items()}
    day = _as_told(study.identity).study_date
    return Comparison(
        earlier,
        changes_since(earlier, found.of(FUNCTION), authors),
        is_later=earlier.study_date > day if earlier.study_date and day else None,
        is_same_study=earlier.study == study.key,
        by_identifier=by_identifier,
    )


def _placed(
    study: Study, configuration: Configuration, analyses: Sequence[Analysis]
) -> tuple[Series | None, Mapping[str, Segmentation], tuple[QualityFlag, ...]]:
    """Return the series whose labels are given, these by its key, and remarks on them."""
    given, remarks = configuration.labels, tuple[QualityFlag, ...]()
    if given is None:
        return None, {}, ()
    if isinstance(given, GivenContours):
        given, remarks = labels_from(given, study, analyses)
    elif isinstance(given, GivenOutlines):
        given, remarks = labels_of_outlines(given, study, analyses)
    elif isinstance(given, GivenSegments):
        given, remarks = labels_of_segments(given, study, analyses)
    series, segmentation = place_labels(given, study, analyses)
    return series, {series.key: segmentation}, remarks


def _findings(
    study: Study,
    plan: Sequence[Planned],
    readings: Mapping[str, Reading],
    configuration: Configuration,
    networks: Networks,
    tissue: Sequence[TissueValue],
) -> tuple[Finding, ...]:
    """Return what the ventricles may mean; nothing where none was segmented."""
    heart = readings.get(FUNCTION)
    if heart is None or not heart.segmentations:
        return ()
    planned = next(one for one in plan if one.analysis.name == FUNCTION)
    (series,) = planned.series.values()

    def read_again(other: Series) -> Reading:
        parts = Parts(
            study,
            dict.fromkeys(planned.series, other),
            planned.model,
            configuration.demographics,
            heart=box_of(heart.segmentations[series.key]),
        )
        return planned.analysis.read(parts, {}, networks)

    card = networks.library.choose_diagnosis()
    # Labels that a reader drew do not change with the contrast.
    again = read_again if heart.models else None
    return (find(heart, series, study.demographics, card, again, tissue),)


def _judged(found: Measurements, study: Study, configuration: Configuration) -> Measurements:
    """Return measurements beside the site's own normal ranges, where there are any."""
    if not configuration.ranges:
        return found
    ranges = (*configuration.ranges, *normal_ranges())
    made = {one.key: _made(study, one) for one in study.series}
    unknown = _made(study, None)
    return Measurements(
        tuple(
            with_reference(one, study.demographics, ranges, made.get(one.series, unknown))
            for one in found
        )
    )


def _made(study: Study, series: Series | None) -> Acquisition:
    scanner = study.scanner
    if series is None:
        return Acquisition(scanner.field_strength_t, scanner.vendor)
    header = series.header
    names = f"{header.series_description} {header.protocol_name} {header.sequence_name}"
    return Acquisition(scanner.field_strength_t, scanner.vendor, names)


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
    study = _with_demographics(study, configuration.demographics)
    return judge_stacks(sort_study(study, stated=configuration.sequence))


def _with_demographics(study: Study, given: Demographics) -> Study:
    stated = {
        name: getattr(given, name)
        for name in Demographics.__slots__
        if getattr(given, name) is not None
    }
    return replace(study, demographics=replace(study.demographics, **stated))


def _labels_record(
    given: GivenLabels | GivenContours | GivenOutlines | GivenSegments | None,
) -> dict[str, object]:
    """Return which labels were given, by whom; the name of their file stays out."""
    if given is None:
        return {}
    return {
        "labels_sha256": given.sha256,
        "labels_convention": given.scheme.name,
        "labels_author": given.author.text,
        "labels_derived_from": given.derived_from or "not stated",
    }


def _previous_record(previous: EarlierResult | None, is_stated: bool) -> dict[str, object]:
    """Return which earlier result was set beside, and whether the caller vouched for it."""
    if previous is None:
        return {}
    return {
        "previous_study": previous.study,
        "previous_measurements_sha256": previous.sha256,
        "same_patient_stated": is_stated,
    }


def _provenance(
    models: tuple[ModelUse, ...], configuration: Configuration, clock: Stopwatch
) -> Provenance:
    return Provenance(
        opencmr_version=__version__,
        models=models,
        configuration=configuration.record,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        timings_s=clock.seconds,
        packages={"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
    )
