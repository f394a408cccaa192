"""What every DICOM object of a result shares: patient, study, equipment and UIDs.

And why there is no such object: one that would be filed under another patient, or points at
pictures that nobody can name, is not written.
"""

import io
import json
import re
import unicodedata
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple
from datetime import datetime
from pathlib import Path

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from opencmr.anatomy.quantities import Code
from opencmr.imaging.image import Instance
from opencmr.imaging.study import Series
from opencmr.report.contents import Report
from opencmr.storage import write_bytes

FOLDER = "dicom"
MADE_BY = "opencmr"
"""Manufacturer and model name of every object: by it the node knows its own results."""
FIRST_SERIES_NUMBER = 900
"""Series of results stand behind those of the scanner."""
UID_PATTERN = re.compile(r"(?=.{1,64}$)\d+(\.\d+)+", re.ASCII)
"""PS3.5 section 9.1, and leading zeros, which it forbids and archives are full of: a reference
names an instance as the instance names itself."""
TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
"""PS3.5 section 6.2, TM."""
SEXES = frozenset("MFO")
LO, SH = 64, 16
"""Characters of the value representations LO and SH (PS3.5 section 6.2)."""
_NAMESPACE = uuid.UUID("0c8a4f8e-4d0b-5d0c-9a43-6b0f6a1d2e57")


def why_none(report: Report) -> str:
    """Return why no DICOM object can be written of a report, or nothing where one can."""
    measured = report.measured_series()
    return why_unnamed(report, measured) if measured else "nothing was segmented"


def why_unnamed(report: Report, shown: Sequence[Series]) -> str:
    """Return why no DICOM object can point at the pictures of series, or nothing where one can."""
    study = report.study
    if not all(series.image.instances for series in shown):
        return "the input is not DICOM"
    pictures = {one for series in shown for row in series.image.instances for one in row}
    uids = {uid for one in pictures for uid in astuple(one) if isinstance(uid, str)}
    if not all(UID_PATTERN.fullmatch(uid) for uid in (*uids, study.uid)):
        return "the headers lack a UID of study, series or instance"
    if any(one.study_instance_uid != study.uid for one in pictures):
        return "the pictures came as several studies"
    if legal(study.identity.patient_id, LO) != study.identity.patient_id.strip():
        return "the patient's identifier cannot be written as it stands"
    return ""


def uid_of(report: Report, role: str) -> str:
    """Return the UID of one object: the same for the same input, models and configuration."""
    made = report.provenance
    facts = [
        report.study.uid,
        report.study.input_sha256,
        made.opencmr_version,
        sorted((model.name, model.version, model.sha256) for model in made.models),
        made.configuration,
        astuple(report.study.demographics),
        role,
    ]
    name = json.dumps(facts, sort_keys=True, default=str)
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"


def frame_of_reference_uid_of(report: Report, series: Series) -> str:
    """Return the frame of reference of a series; where its pictures have none in common, our own.

    Some de-identification gives every picture a frame of its own.
    """
    stated = series.frame_of_reference_uid
    own = uid_of(report, f"frame of reference {series.key}")
    return stated if UID_PATTERN.fullmatch(stated) else own


def device_uid_of(report: Report) -> str:
    """Return the UID of this version of the software."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, f'opencmr {report.provenance.opencmr_version}').int}"


def begin(
    report: Report,
    sop_class_uid: str,
    role: str,
    *,
    series_role: str,
    modality: str,
    series_number: int,
    series_description: str,
    instance_number: int = 1,
) -> Dataset:
    """Return a data set with the modules that every object has (PS3.3 C.7.1 to C.7.5, C.12.1)."""
    created = datetime.fromisoformat(report.provenance.created)
    d = Dataset()
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID = sop_class_uid
    d.SOPInstanceUID = uid_of(report, role)
    d.InstanceCreationDate = d.ContentDate = created.strftime("%Y%m%d")
    d.InstanceCreationTime = d.ContentTime = created.strftime("%H%M%S")
    add_patient_and_study(d, report)
    d.Modality = modality
    d.SeriesInstanceUID = uid_of(report, f"series {series_role}")
    d.SeriesNumber = series_number
    d.SeriesDescription = series_description
    d.InstanceNumber = instance_number
    d.Manufacturer = d.ManufacturerModelName = MADE_BY
    d.DeviceSerialNumber = "0"
    d.SoftwareVersions = report.provenance.opencmr_version
    return d


def add_patient_and_study(d: Dataset, report: Report) -> None:
    """Say whose study it is, as the pictures say it."""
    who = report.study.identity
    sex = who.sex.strip().upper()
    d.PatientName = legal_name(who.patient_name)
    d.PatientID = who.patient_id.strip()
    if who.issuer_of_patient_id.strip():
        d.IssuerOfPatientID = legal(who.issuer_of_patient_id, LO)
    d.PatientBirthDate = legal_date(who.birth_date)
    d.PatientSex = sex if sex in SEXES else ""
    d.StudyInstanceUID = report.study.uid
    d.StudyDate = legal_date(who.study_date)
    d.StudyTime = who.study_time.strip() if TIME.fullmatch(who.study_time.strip()) else ""
    d.StudyID = legal(who.study_id, SH)
    d.AccessionNumber = legal(who.accession_number, SH)
    d.ReferringPhysicianName = legal_name(who.referring_physician)
    d.StudyDescription = legal(who.study_description, LO)


def legal(text: str, limit: int) -> str:
    r"""Return ``text`` as a DICOM text element may hold it: one value, no controls, bounded.

    >>> legal("a\\b\x1b\ud800 ", 64)
    'a/b'
    """
    kept = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))
    return kept.replace("\\", "/").strip()[:limit].strip()


def legal_name(name: str) -> str:
    """Return a person's name as PS3.5 section 6.2.1 allows: three groups of five components."""
    groups = [legal("^".join(group.split("^")[:5]), LO) for group in name.split("=")[:3]]
    return "=".join(groups).rstrip("=^")


def legal_date(text: str) -> str:
    """Return a DICOM date, or nothing for what is none.

    >>> legal_date("20200102"), legal_date("20200231")
    ('20200102', '')
    """
    found = text.strip()
    try:
        datetime.strptime(found, "%Y%m%d")
    except ValueError:
        return ""
    return found if re.fullmatch(r"\d{8}", found) else ""


def coded(code: Code) -> Dataset:
    """Return a code as an item of a code sequence (PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = legal(code.meaning, LO)
    return item


def reference(instance: Instance) -> Dataset:
    """Return an item that names an instance (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return item


def as_stated() -> AbstractContextManager[None]:
    """Return a context in which UIDs with leading zeros can be set; what is set was judged here."""
    return disable_value_validation()


def save(d: Dataset, path: Path, transfer_syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write a data set as a DICOM file, whole or not at all."""
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = transfer_syntax
    stream = io.BytesIO()
    d.save_as(stream, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_bytes(path, stream.getvalue())
