"""What measurements may mean, in the FHIR bundle: an Observation, never a Condition.

Decision support that nobody has verified; each rests on the values that it names.
"""

from opencmr.anatomy.codes import HEART
from opencmr.imaging.finding import DISCLAIMER, Criterion, Finding
from opencmr.report.contents import Report
from opencmr.report.dicom_sr import told
from opencmr.report.fhir_parts import (
    IMAGING,
    TEXT_LIMIT,
    Resource,
    coded,
    effective,
    identity,
    interpretation,
    quantity,
    role_of,
    to,
)
from opencmr.report.finding_codes import (
    CRITERION,
    NAMED_GROUP,
    OUTCOMES,
    PROBABILITY,
    SUPPORT,
    answer,
    because,
    concluded,
    group_code,
    remarks,
    rests_on,
)
from opencmr.report.plain_text import shown


def observations(report: Report) -> list[Resource]:
    """Return an Observation for each finding that is told."""
    return [
        _observation(report, finding, number)
        for number, finding in enumerate(concluded(report), start=1)
    ]


def _observation(report: Report, finding: Finding, number: int) -> Resource:
    """Return the group that is named, or that none is, with probabilities and criteria."""
    code, words = answer(finding)
    meaning = {"text": words}
    if finding.group is None:
        meaning = interpretation("IND", "Indeterminate") | meaning
    notes = (f"{DISCLAIMER}.", *remarks(finding))
    return {
        "resourceType": "Observation",
        "id": identity(report, f"FHIR finding {number}"),
        "status": "preliminary",
        "category": [IMAGING],
        "code": coded(NAMED_GROUP, f"{SUPPORT.meaning}: {NAMED_GROUP.meaning.lower()}"),
        "subject": to(report, "FHIR patient"),
        **effective(report),
        "valueCodeableConcept": coded(code),
        "interpretation": [meaning],
        "bodySite": coded(HEART),
        "device": to(report, "FHIR device"),
        "derivedFrom": [
            to(report, "FHIR study"),
            *(to(report, role_of(one)) for one in rests_on(finding, told(report))),
        ],
        "note": [{"text": text} for text in notes],
        "component": [*_probabilities(finding), *map(_criterion, finding.criteria)],
    }


def _probabilities(finding: Finding) -> list[Resource]:
    found = []
    for group, share in (finding.probabilities or {}).items():
        within = "in" if group in finding.groups else "not in"
        found.append(
            {
                "code": {
                    "coding": [*coded(PROBABILITY)["coding"], *coded(group_code(group))["coding"]],
                    "text": f"{PROBABILITY.meaning}: {group_code(group).meaning}",
                },
                "valueQuantity": quantity(round(share, 4), "1"),
                "interpretation": [{"text": f"{within} the 90 % set"}],
            }
        )
    return found


def _criterion(one: Criterion) -> Resource:
    text = shown(f"{one.outcome.value}: {because(one)}", TEXT_LIMIT)
    return {
        "code": coded(CRITERION, shown(one.full_name, TEXT_LIMIT)),
        "valueCodeableConcept": coded(OUTCOMES[one.outcome]),
        "interpretation": [{"text": text}],
    }
