"""What measurements may mean, in the DICOM measurement report: qualitative evaluations (TID 1501).

A group of its own, without a measurement, headed as decision support.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from opencmr.anatomy.codes import HEART
from opencmr.anatomy.quantities import Code
from opencmr.imaging.finding import DISCLAIMER, Criterion, Finding
from opencmr.report.contents import Report
from opencmr.report.dicom_study import LO, uid_of
from opencmr.report.finding_codes import (
    CONSIDERED,
    CRITERION,
    CRITERION_OUTCOME,
    IN_SET,
    NAMED_GROUP,
    NO,
    OUTCOMES,
    PROBABILITY,
    SUPPORT,
    TEXT_LIMIT,
    YES,
    answer,
    because,
    concluded,
    group_code,
    remarks,
)
from opencmr.report.plain_text import shown
from opencmr.report.sr_items import comment, concept

if TYPE_CHECKING:
    import highdicom.sr

SHARE = Code("1", "UCUM", "no units")


def groups(report: Report) -> list["highdicom.sr.MeasurementsAndQualitativeEvaluations"]:
    """Return a group of evaluations for each finding that is told."""
    return [
        _group(report, finding, number) for number, finding in enumerate(concluded(report), start=1)
    ]


def _group(
    report: Report, finding: Finding, number: int
) -> "highdicom.sr.MeasurementsAndQualitativeEvaluations":
    from highdicom import sr

    model = finding.model
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=uid_of(report, f"finding {number}"), identifier="decision support"
        ),
        finding_type=concept(SUPPORT),
        algorithm_id=sr.AlgorithmIdentification(
            name=shown(model.name, LO),
            version=shown(model.version, LO) or "unknown",
            parameters=[f"weights sha256 {model.sha256}"],
        )
        if model is not None and model.name.strip()
        else None,
        finding_sites=[sr.FindingSite(concept(HEART))],
        qualitative_evaluations=list(_evaluations(finding)),
    )
    contains = sr.RelationshipTypeValues.CONTAINS
    group[0].ContentSequence.append(comment(f"{DISCLAIMER}.", contains))
    group[0].ContentSequence.extend(comment(text, contains) for text in remarks(finding))
    return group


def _evaluations(finding: Finding) -> Iterator["highdicom.sr.QualitativeEvaluation"]:
    """Yield the answer, every group with its probability, and every criterion."""
    from highdicom import sr

    properties = sr.RelationshipTypeValues.HAS_PROPERTIES
    code, words = answer(finding)
    yield _evaluation(NAMED_GROUP, code, comment(words, properties))
    for group, share in (finding.probabilities or {}).items():
        belongs = YES if group in finding.groups else NO
        yield _evaluation(
            CONSIDERED,
            group_code(group),
            sr.NumContentItem(
                concept(PROBABILITY), round(share, 4), concept(SHARE), None, properties
            ),
            sr.CodeContentItem(concept(IN_SET), concept(belongs), properties),
        )
    for one in finding.criteria:
        yield _criterion(one)


def _criterion(one: Criterion) -> "highdicom.sr.QualitativeEvaluation":
    from highdicom import sr

    properties = sr.RelationshipTypeValues.HAS_PROPERTIES
    return _evaluation(
        CRITERION_OUTCOME,
        OUTCOMES[one.outcome],
        sr.TextContentItem(concept(CRITERION), shown(one.full_name, TEXT_LIMIT), properties),
        comment(because(one), properties),
    )


def _evaluation(
    name: Code, value: Code, *properties: "highdicom.sr.ContentItem"
) -> "highdicom.sr.QualitativeEvaluation":
    from highdicom import sr

    found = sr.QualitativeEvaluation(concept(name), concept(value))
    found[0].ContentSequence = sr.ContentSequence(properties)
    return found
