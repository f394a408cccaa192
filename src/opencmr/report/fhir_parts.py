"""What every resource of a FHIR bundle is made of: identities, references, codes, quantities."""

import uuid
from typing import Any

from opencmr.anatomy.quantities import Code
from opencmr.imaging.measurement import Measurement
from opencmr.report.contents import Report
from opencmr.report.dicom_study import legal_date, uid_of
from opencmr.report.plain_text import iso_date

TEXT_LIMIT = 1000
"""Characters kept of one text."""
SYSTEMS = {
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    "99OPENCMR": "urn:uuid:7a0f3b54-6a8e-5a0b-8f6c-1d9d5a3f4c21",
}
"""Systems of the coding schemes (terminology.hl7.org); the private one is a URI of our own."""
_CODE_SYSTEM = "http://terminology.hl7.org/CodeSystem/"

Resource = dict[str, Any]
IMAGING: Resource = {
    "coding": [
        {
            "system": f"{_CODE_SYSTEM}observation-category",
            "code": "imaging",
            "display": "Imaging",
        }
    ]
}
"""The category of what was seen on pictures."""


def interpretation(code: str, display: str) -> Resource:
    """Return a code of HL7's ObservationInterpretation."""
    system = f"{_CODE_SYSTEM}v3-ObservationInterpretation"
    return {"coding": [{"system": system, "code": code, "display": display}]}


def identity(report: Report, role: str) -> str:
    """Return the UUID that the DICOM UID of the same role holds."""
    return uuid_in(uid_of(report, role))


def uuid_in(uid: str) -> str:
    """Return the UUID that a UID of ours holds (PS3.5 B.2).

    >>> uuid_in("2.25.1")
    '00000000-0000-0000-0000-000000000001'
    """
    return str(uuid.UUID(int=int(uid.removeprefix("2.25."))))


def url(resource_id: str) -> str:
    """Return the full URL of a resource by its id."""
    return f"urn:uuid:{resource_id}"


def to(report: Report, role: str) -> Resource:
    """Return a reference to the resource of a role."""
    return {"reference": url(identity(report, role))}


def coded(code: Code, text: str = "") -> Resource:
    """Return a code with its words."""
    coding = {
        "system": SYSTEMS[code.scheme],
        "code": code.value,
        "display": code.meaning,
    }
    return {"coding": [coding], "text": text or code.meaning}


def quantity(value: float | None, unit: str) -> Resource:
    """Return a value with its UCUM unit."""
    return {"value": value, "unit": unit, "system": SYSTEMS["UCUM"], "code": unit}


def effective(report: Report) -> Resource:
    """Return the day of the study, where the headers state one."""
    day = legal_date(report.study.identity.study_date)
    return {"effectiveDateTime": iso_date(day)} if day else {}


def role_of(one: Measurement) -> str:
    """Return the role of the Observation of a value."""
    return f"FHIR {one.analysis} {one.series} {one.quantity.symbol} {one.segment or ''}".strip()
