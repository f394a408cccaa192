"""``fhir/bundle.json``: measurements and findings as a FHIR R4 bundle for a records system.

A collection of DiagnosticReport, one Observation for each value and each finding, Device,
ImagingStudy and Patient, in plain dictionaries.  Like the DICOM objects it names the patient.
"""

from datetime import datetime
from pathlib import Path

from opencmr.anatomy.codes import AHA_CODES, HEART, STRUCTURE_CODES
from opencmr.anatomy.quantities import Code
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import finite
from opencmr.report import fhir_finding
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_sr import ROLE, told
from opencmr.report.dicom_study import legal_date, uid_of, why_none
from opencmr.report.fhir_parts import (
    IMAGING,
    SYSTEMS,
    TEXT_LIMIT,
    Resource,
    coded,
    effective,
    identity,
    interpretation,
    quantity,
    role_of,
    to,
    url,
    uuid_in,
)
from opencmr.report.plain_text import iso_date, shown
from opencmr.report.superseded import predecessors_of
from opencmr.storage import write_json

FOLDER = "fhir"
PROCEDURE = Code("241620005", "SCT", "Magnetic resonance imaging of heart")
INTERPRETATIONS = {"within": ("N", "Normal"), "below": ("L", "Low"), "above": ("H", "High")}
"""Words of a verdict in HL7's ObservationInterpretation."""
REPLACES = "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"
GENDERS = {"M": "male", "F": "female", "O": "other"}


def why_no_bundle(report: Report) -> str:
    """Return why no bundle can be written, or nothing where one can."""
    return why_none(report) or ("" if told(report) else "nothing was measured")


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``fhir/bundle.json``; none where it cannot be."""
    if why_no_bundle(report):
        return []
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    return [write_json(place / "bundle.json", bundle(report))]


def bundle(report: Report) -> Resource:
    """Return the bundle (http://hl7.org/fhir/R4): every resource has the same id in every run."""
    observations = [_observation(report, one) for one in told(report)]
    observations += fhir_finding.observations(report)
    resources = [_report(report, observations), *observations, *_around(report)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": report.provenance.created,
        "entry": [{"fullUrl": url(one["id"]), "resource": one} for one in resources],
    }


def _around(report: Report) -> list[Resource]:
    return [_patient(report), _imaging_study(report), _device(report)]


def _report(report: Report, observations: list[Resource]) -> Resource:
    """Return what the DICOM measurement report is, under the same UUID, whether that is written."""
    return {
        "resourceType": "DiagnosticReport",
        "id": identity(report, ROLE),
        **_replaces(report),
        "status": "preliminary",
        "code": coded(Code("18755-9", "LN", "MRI report"), "Cardiac MRI measurements"),
        "subject": to(report, "FHIR patient"),
        **effective(report),
        "issued": _instant(report),
        "imagingStudy": [to(report, "FHIR study")],
        "result": [{"reference": url(one["id"])} for one in observations],
        "conclusion": f"{DISCLAIMER}.",
    }


def _replaces(report: Report) -> Resource:
    """Return the extension that names the report before this one; R4 has no element for it."""
    newest = predecessors_of(uid_of(report, ROLE), report.superseded)[:1]
    found = [
        {
            "url": REPLACES,
            "valueReference": {
                "reference": url(uuid_in(one.sop_instance_uid)),
                "type": "DiagnosticReport",
            },
        }
        for one in newest
    ]
    return {"extension": found} if found else {}


def _instant(report: Report) -> str:
    return datetime.fromisoformat(report.provenance.created).isoformat(timespec="seconds")


def _observation(report: Report, one: Measurement) -> Resource:
    """Return one value with unit, site, range and rules."""
    site = AHA_CODES.get(one.segment or 0)
    if site is None:
        site = STRUCTURE_CODES[one.structure].kind if one.structure else HEART
    unit = one.quantity.unit
    found: Resource = {
        "resourceType": "Observation",
        "id": identity(report, role_of(one)),
        "status": "preliminary",
        "category": [IMAGING],
        "code": coded(one.quantity.code, one.quantity.name),
        "subject": to(report, "FHIR patient"),
        **effective(report),
        "valueQuantity": quantity(finite(one.value), unit),
        "bodySite": coded(site),
        "device": to(report, "FHIR device"),
        "derivedFrom": [to(report, "FHIR study")],
        "note": [{"text": _remark(one)}],
    }
    if one.reference is not None:
        low, high = finite(one.reference.low), finite(one.reference.high)
        words = shown(f"{one.reference.population}; {one.reference.citation}", TEXT_LIMIT)
        limits = {"low": low, "high": high}
        found["referenceRange"] = [
            {name: quantity(value, unit) for name, value in limits.items() if value is not None}
            | {"text": words}
        ]
        if one.reference.verdict in INTERPRETATIONS:
            found["interpretation"] = [interpretation(*INTERPRETATIONS[one.reference.verdict])]
    return found


def _remark(one: Measurement) -> str:
    parts = [one.quantity.symbol]
    if one.interval is not None:
        low, high = (one.quantity.format(limit) for limit in one.interval)
        parts.append(f"interval {low} to {high} {one.quantity.unit}")
    parts += [one.policy.text] if one.policy else []
    parts += [one.evidence] if one.evidence else []
    return shown(f"{DISCLAIMER}. {'; '.join(parts)}", TEXT_LIMIT)


def _patient(report: Report) -> Resource:
    """Return the patient as the pictures name them."""
    who = report.study.identity
    found: Resource = {"resourceType": "Patient", "id": identity(report, "FHIR patient")}
    if who.patient_id.strip():
        identifier: Resource = {"value": who.patient_id.strip()}
        if who.issuer_of_patient_id.strip():
            identifier["assigner"] = {"display": shown(who.issuer_of_patient_id)}
        found["identifier"] = [identifier]
    alphabetic = who.patient_name.split("=")[0]
    family, *given = [shown(part) for part in alphabetic.split("^")[:3]]
    name = {"family": family, "given": [part for part in given if part]}
    name = {key: value for key, value in name.items() if value}
    if name:
        found["name"] = [name]
    if who.sex.strip().upper() in GENDERS:
        found["gender"] = GENDERS[who.sex.strip().upper()]
    if birth := legal_date(who.birth_date):
        found["birthDate"] = iso_date(birth)
    return found


def _imaging_study(report: Report) -> Resource:
    who = report.study.identity
    identifiers: list[Resource] = [
        {"system": "urn:dicom:uid", "value": f"urn:oid:{report.study.uid}"}
    ]
    if who.accession_number.strip():
        kind = {
            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
            "code": "ACSN",
            "display": "Accession ID",
        }
        identifiers.append({"type": {"coding": [kind]}, "value": shown(who.accession_number)})
    day = legal_date(who.study_date)
    series = [
        {
            "uid": uid,
            "modality": {"system": SYSTEMS["DCM"], "code": "MR", "display": "Magnetic Resonance"},
        }
        for one in report.measured_series()
        for uid in one.uids
    ]
    return {
        "resourceType": "ImagingStudy",
        "id": identity(report, "FHIR study"),
        "identifier": identifiers,
        "status": "available",
        "subject": to(report, "FHIR patient"),
        "procedureCode": [coded(PROCEDURE)],
        "series": series,
    } | ({"started": iso_date(day)} if day else {})


def _device(report: Report) -> Resource:
    """Return the software with its models."""
    made = report.provenance
    return {
        "resourceType": "Device",
        "id": identity(report, "FHIR device"),
        "manufacturer": "opencmr",
        "deviceName": [{"name": "opencmr", "type": "model-name"}],
        "version": [{"value": made.opencmr_version}],
        "property": [
            {
                "type": {"text": "segmentation model"},
                "valueCode": [
                    {"text": shown(f"{one.name} {one.version}, weights sha256 {one.sha256}", 300)}
                ],
            }
            for one in made.models
        ],
        "note": [{"text": f"{DISCLAIMER}."}],
    }
