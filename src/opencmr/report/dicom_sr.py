"""``dicom/sr.dcm``: the measurements as a DICOM measurement report (PS3.16 TID 1500).

highdicom builds the content; it comes with the extra ``dicom``, and without it there is no report.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from opencmr.anatomy.codes import AHA_CODES, HEART, PRIVATE_SCHEME, STRUCTURE_CODES, moment_of
from opencmr.anatomy.quantities import Code
from opencmr.imaging.image import Instance
from opencmr.imaging.measurement import Measurement, ReferenceVerdict
from opencmr.imaging.measurements import finite
from opencmr.imaging.segmentation import AuthorKind
from opencmr.report import dicom_finding
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_frames import SINGLE_FRAME
from opencmr.report.dicom_seg import STORAGE, seg_instances
from opencmr.report.dicom_study import (
    FIRST_SERIES_NUMBER,
    LO,
    as_stated,
    begin,
    coded,
    device_uid_of,
    legal,
    reference,
    save,
    uid_of,
    why_none,
)
from opencmr.report.plain_text import shown
from opencmr.report.sr_items import comment, concept
from opencmr.report.superseded import REPORT_FILE, predecessors_of

if TYPE_CHECKING:
    import highdicom.sr

SERIES_NUMBER = FIRST_SERIES_NUMBER + 90
ROLE = "SR"
WITHOUT_HIGHDICOM = "highdicom is not installed; it comes with the extra dicom"
TEXT_LIMIT = 1000
"""Characters kept of a remark on a measurement."""
PROCEDURE = Code("241620005", "SCT", "Cardiac MRI")
CYCLE_POINT = Code("272518008", "SCT", "Cardiac Cycle Point")
LOWER = Code("385524004", "SCT", "Normal Range Lower Limit")
UPPER = Code("371933006", "SCT", "Normal Range Upper Limit")
REPLACED = Code("121360", "DCM", "Replaced report")
VERDICTS = {
    "within": Code("17621005", "SCT", "Normal"),
    "below": Code("371880002", "SCT", "Abnormally Low"),
    "above": Code("371879000", "SCT", "Abnormally High"),
}
"""Words of a verdict as normality codes (CID 222)."""


def why_no_report(report: Report) -> str:
    """Return why no measurement report can be written, or nothing where one can."""
    if reason := why_none(report):
        return reason
    if not told(report):
        return "nothing was measured"
    return "" if importlib.util.find_spec("highdicom") else WITHOUT_HIGHDICOM


def told(report: Report) -> list[Measurement]:
    """Return every measurement with a finite value, of the whole heart or an AHA segment."""
    found = [one for one in report.measurements if isinstance(one, Measurement)]
    return [one for one in found if finite(one.value) is not None]


def write(report: Report, folder: Path) -> list[Path]:
    """Write the measurement report; none where it cannot be."""
    if why_no_report(report):
        return []
    with as_stated():
        return [save(_dataset(report), folder / REPORT_FILE)]


def _dataset(report: Report) -> Dataset:
    """Return the document (PS3.3 A.35.3), unverified and preliminary."""
    d = begin(
        report,
        ComprehensiveSRStorage,
        ROLE,
        series_role=ROLE,
        modality="SR",
        series_number=SERIES_NUMBER,
        series_description="opencmr measurements, research use",
    )
    evidence = _evidence(report)
    values = [one for one in report.measurements if isinstance(one, Measurement)]
    missing = len(values) - len(told(report))
    d.CompletionFlag = "PARTIAL" if missing else "COMPLETE"
    d.CompletionFlagDescription = legal(
        f"{missing} of {len(values)} values are missing. {DISCLAIMER}", LO
    )
    d.VerificationFlag = "UNVERIFIED"
    d.PreliminaryFlag = "PRELIMINARY"
    d.PerformedProcedureCodeSequence = []
    d.ReferencedPerformedProcedureStepSequence = []
    d.CurrentRequestedProcedureEvidenceSequence = [_by_series(report.study.uid, evidence)]
    if predecessors := predecessors_of(d.SOPInstanceUID, report.superseded):
        d.PredecessorDocumentsSequence = [_replaced(report.study.uid, predecessors)]
    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeName = "opencmr quantities"
    scheme.CodingSchemeVersion = report.provenance.opencmr_version
    d.CodingSchemeIdentificationSequence = [scheme]
    (root,) = _content(report)
    d.update(root)
    return d


def _evidence(report: Report) -> list[Instance]:
    """Return the pictures that a SEG was drawn on, then every SEG; each instance once."""
    segs = seg_instances(report)
    pictures = [one for seg in segs for one in seg.series.image.instances[seg.phase]]
    everything = (*pictures, *(seg.instance for seg in segs))
    each = {one.sop_instance_uid: one for one in everything}.values()
    return sorted(each, key=lambda one: one.series_instance_uid)


def _by_series(study_uid: str, instances: Sequence[Instance]) -> Dataset:
    """Return references by study and series (PS3.3 table C.17-3), series as they come first."""
    found: dict[str, list[Instance]] = {}
    for one in instances:
        found.setdefault(one.series_instance_uid, []).append(one)
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = []
    for uid, members in found.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedSOPSequence = [reference(one) for one in members]
        study.ReferencedSeriesSequence.append(series)
    return study


def _replaced(study_uid: str, predecessors: Sequence[Instance]) -> Dataset:
    """Return the references to reports that this one replaces (CID 7009), newest first."""
    study = _by_series(study_uid, predecessors)
    for series in study.ReferencedSeriesSequence:
        for one in series.ReferencedSOPSequence:
            one.PurposeOfReferenceCodeSequence = [coded(REPLACED)]
    return study


def _content(report: Report) -> "highdicom.sr.MeasurementReport":
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=device_uid_of(report),
        name="opencmr",
        manufacturer_name="opencmr",
        model_name=f"opencmr {report.provenance.opencmr_version}",
    )
    observer = sr.ObserverContext(codes.DCM.Device, device)
    groups = dict.fromkeys(one.series for one in told(report))
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=concept(PROCEDURE),
        imaging_measurements=[
            *(_group(report, key) for key in groups),
            *dicom_finding.groups(report),
        ],
    )


def _group(report: Report, key: str) -> "highdicom.sr.MeasurementsAndQualitativeEvaluations":
    """Return the measurements of one series, or of none (body size, heart rate)."""
    from highdicom import sr

    segmentation = report.segmentations.get(key)
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=uid_of(report, f"group {key}"), identifier=legal(key, LO) or "study"
        ),
        algorithm_id=sr.AlgorithmIdentification(
            name=shown(segmentation.author.name, LO),
            version=shown(segmentation.author.version, LO) or "unknown",
            parameters=[
                f"weights sha256 {model.sha256}"
                for model in report.provenance.models
                if (model.name, model.version)
                == (segmentation.author.name, segmentation.author.version)
            ]
            or None,
        )
        if segmentation
        and segmentation.author.kind is not AuthorKind.READER
        and segmentation.author.name.strip()
        else None,
        finding_sites=[sr.FindingSite(concept(HEART))],
        measurements=[_measurement(one) for one in told(report) if one.series == key],
        source_images=[_source(one) for one in _sources(report, key)],
    )
    group[0].ContentSequence.append(comment(f"{DISCLAIMER}.", sr.RelationshipTypeValues.CONTAINS))
    return group


def _sources(report: Report, key: str) -> list[Instance]:
    """Return the pictures and the SEG of a series, phase by phase."""
    segs = [seg for seg in seg_instances(report) if seg.series.key == key]
    return [
        one
        for seg in segs
        for one in (*dict.fromkeys(seg.series.image.instances[seg.phase]), seg.instance)
    ]


def _source(one: Instance) -> "highdicom.sr.SourceImageForMeasurementGroup":
    from highdicom import sr

    whole = one.sop_class_uid in SINGLE_FRAME or one.sop_class_uid in STORAGE.values()
    return sr.SourceImageForMeasurementGroup(
        one.sop_class_uid, one.sop_instance_uid, None if whole else [one.frame_number]
    )


def _measurement(one: Measurement) -> "highdicom.sr.Measurement":
    """Return one value with unit, site, moment of the heartbeat, normal range and rules."""
    from highdicom import sr

    value = finite(one.value)
    assert value is not None
    unit = concept(Code(one.quantity.unit, "UCUM", one.quantity.unit))
    site = AHA_CODES.get(one.segment or 0)
    if site is None and one.structure is not None:
        site = STRUCTURE_CODES[one.structure].kind
    measurement = sr.Measurement(
        name=concept(one.quantity.code),
        value=value,
        unit=unit,
        finding_sites=[sr.FindingSite(concept(site))] if site else None,
        properties=_properties(one.reference, unit) if one.reference else None,
    )
    if "ContentSequence" not in measurement[0]:
        measurement[0].ContentSequence = sr.ContentSequence()
    content = measurement[0].ContentSequence
    moment = moment_of(one.quantity.name)
    if moment is not None:
        content.append(
            sr.CodeContentItem(
                concept(CYCLE_POINT), concept(moment), sr.RelationshipTypeValues.HAS_CONCEPT_MOD
            )
        )
    content.append(comment(_remark(one), sr.RelationshipTypeValues.HAS_PROPERTIES))
    return measurement


def _remark(one: Measurement) -> str:
    """Return name, interval, rules and evidence of a value in words."""
    parts = [f"{one.quantity.symbol}, {one.quantity.name}"]
    if one.interval is not None:
        low, high = (one.quantity.format(limit) for limit in one.interval)
        parts.append(f"interval {low} to {high} {one.quantity.unit}")
    parts += [one.policy.text] if one.policy else []
    parts += [one.evidence] if one.evidence else []
    return shown("; ".join(parts), TEXT_LIMIT)


def _properties(
    verdict: ReferenceVerdict, unit: "highdicom.sr.CodedConcept"
) -> "highdicom.sr.MeasurementProperties":
    from highdicom import sr

    limits = [
        sr.NumContentItem(
            concept(name), limit, unit, None, sr.RelationshipTypeValues.HAS_PROPERTIES
        )
        for name, limit in ((LOWER, finite(verdict.low)), (UPPER, finite(verdict.high)))
        if limit is not None
    ]
    return sr.MeasurementProperties(
        normality=concept(VERDICTS[verdict.verdict]) if verdict.verdict in VERDICTS else None,
        normal_range_properties=sr.NormalRangeProperties(
            values=limits,
            description=shown(verdict.population, TEXT_LIMIT),
            authority=shown(verdict.citation, TEXT_LIMIT),
        ),
    )
