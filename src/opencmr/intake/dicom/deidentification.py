"""De-identification of one DICOM image: what is on the lists below is kept, all else is dropped.

The basic profile (PS3.15 annex E) lists what to remove; a list of what to keep is stricter, for
what nobody thought of goes too.  With its options: dates are shifted, patient characteristics are
kept on request, descriptions are replaced by the name that sorting gave, and the private elements
in :data:`SAFE_PRIVATE` are kept.  Text burned into pixels and faces are not looked for.
"""

import datetime
import hashlib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from opencmr.intake.dicom.headers import T2_PREPARATION_WORDS
from opencmr.intake.dicom.parsing import open_dicom, text

NUMBER_GROUPS = frozenset({0x0018, 0x0020, 0x0028})
"""Acquisition, relationship and image: every number of these public groups is kept."""
NUMBERS = frozenset({"DS", "IS", "FD", "FL", "US", "SS", "UL", "SL", "AT"})
CODES = frozenset(
    [
        "ImageType",
        "FrameType",
        "Modality",
        "ScanningSequence",
        "SequenceVariant",
        "ScanOptions",
        "MRAcquisitionType",
        "PhotometricInterpretation",
        "PatientPosition",
        "BodyPartExamined",
        "CardiacSynchronizationTechnique",
        "LossyImageCompression",
        "LossyImageCompressionMethod",
        "BurnedInAnnotation",
        "PixelPresentation",
        "InPlanePhaseEncodingDirection",
        "VolumetricProperties",
        "VolumeBasedCalculationTechnique",
        "ComplexImageComponent",
        "AcquisitionContrast",
        "EchoPulseSequence",
        "ContentQualification",
        "PresentationLUTShape",
        "RescaleType",
        "CardiacSignalSource",
        "PhaseContrast",
    ]
)
"""Code strings (and the scaling's unit) that are kept where they look like codes."""
A_CODE = re.compile(r"[A-Z0-9_* -]{0,16}|ms|cm/s")
UIDS = frozenset(
    [
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
    ]
)
MOMENTS = frozenset(
    [
        "StudyDate",
        "SeriesDate",
        "AcquisitionDate",
        "ContentDate",
        "StudyTime",
        "SeriesTime",
        "AcquisitionTime",
        "ContentTime",
        "AcquisitionDateTime",
        "FrameAcquisitionDateTime",
        "FrameReferenceDateTime",
    ]
)
A_TIME = re.compile(r"\d{2,6}(\.\d{1,6})?")
SEQUENCES = frozenset(
    [
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "PlaneOrientationSequence",
        "PlanePositionSequence",
        "PixelMeasuresSequence",
        "MRImageFrameTypeSequence",
        "MREchoSequence",
        "MRModifierSequence",
        "FrameContentSequence",
        "CardiacSynchronizationSequence",
        "MRTimingAndRelatedParametersSequence",
        "MRVelocityEncodingSequence",
        "MRFOVGeometrySequence",
        "MRAveragesSequence",
        "PixelValueTransformationSequence",
        "FrameVOILUTSequence",
        "RealWorldValueMappingSequence",
        "ModalityLUTSequence",
    ]
)
PIXELS = frozenset(
    [
        "PixelData",
        "FloatPixelData",
        "DoubleFloatPixelData",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "LUTData",
    ]
)
CHARACTERISTICS = {
    "PatientSex": "[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "PatientSize": r"\d{1,3}(\.\d+)?",
    "PatientWeight": r"\d{1,3}(\.\d+)?",
}
"""Kept on request, where they look like this."""
OLDEST_YEARS = 89
"""Above, an age is told as 90: so few are older (HIPAA safe harbor)."""
PULSE_SEQUENCES = frozenset({"SequenceName", "PulseSequenceName"})
A_PULSE_SEQUENCE = re.compile(r"\*?[a-z][a-z0-9]{1,9}d\d[a-z0-9]{0,4}(_[a-z]?\d{1,4}[a-z]{0,3})?")
"""As Siemens writes it (``*tfi2d1_10``, ``fl2d1_v150in``); free text is dropped."""
VENDORS = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "CANON", "TOSHIBA", "UIH", "HITACHI")
SAFE_PRIVATE: dict[int, str] = {
    0x001910CC: "GEMS_ACQU_01",
    0x2001101A: "Philips Imaging DD 001",
    0x2005100D: "Philips MR Imaging DD 001",
    0x2005100E: "Philips MR Imaging DD 001",
}
"""Private numbers that reading needs: greatest velocity (GE, Philips), Philips' scaling."""
PHILIPS_FRAMES = 0x2005140F
"""Philips' classic header of each frame, cleaned like any other sequence."""
FIRST_DAY = datetime.date(2000, 1, 1)
"""The day that every study is shifted to."""
METHOD = "opencmr: kept by list, dates shifted, descriptions replaced"


@dataclass(frozen=True, slots=True)
class Deidentifier:
    """Cleans images; those of one run keep what they have in common.

    Attributes
    ----------
    salt : bytes
        Secret and random: without it no new UID can be led back to the old.
    keeps_characteristics : bool
        Sex, age, height and weight are kept.
    """

    salt: bytes
    keeps_characteristics: bool = False

    def uid(self, old: str) -> str:
        """Return what stands for a UID: the same for the same, under root 2.25 (PS3.5 B.2)."""
        digest = hashlib.sha256(self.salt + old.encode("utf-8", "surrogatepass")).digest()
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"

    def clean(self, data: bytes, description: str) -> bytes:
        """Return a file that holds what is on the lists; ``description`` replaces its series'.

        Raises
        ------
        RefusedError
            When the file cannot be parsed.
        """
        old = open_dicom(data)
        new = self._kept(old, _shift(text(old, "StudyDate")))
        new.SpecificCharacterSet = "ISO_IR 192"
        new.SeriesDescription = description
        vendor = text(old, "Manufacturer").lower()
        new.Manufacturer = next((v for v in VENDORS if v.lower().split()[0] in vendor), "")
        who = hashlib.sha256(self.salt + text(old, "PatientID").encode("utf-8", "replace"))
        new.PatientName = new.PatientID = f"ANON-{who.hexdigest()[:8].upper()}"
        new.PatientBirthDate = new.AccessionNumber = new.StudyID = ""
        new.ReferringPhysicianName = ""
        if text(old, "ContrastBolusAgent").strip():
            new.ContrastBolusAgent = "contrast agent"
        if said := T2_PREPARATION_WORDS.search(text(old, "ImageComments")):
            new.ImageComments = f"T2 prep. duration = {said[1]} ms"
        new.PatientIdentityRemoved = "YES"
        new.DeidentificationMethod = METHOD
        new.LongitudinalTemporalInformationModified = "MODIFIED"
        return _written(new, old)

    def _kept(self, old: Dataset, shift_days: int | None) -> Dataset:
        new = Dataset()
        for element in _elements(old):
            kept = self._element(element, shift_days)
            if kept is not None:
                new.add(kept)
        return new

    def _element(self, element: DataElement, shift_days: int | None) -> DataElement | None:
        keyword, value = element.keyword, element.value
        tag, kind = element.tag, str(element.VR)
        if kind == "SQ" and (keyword in SEQUENCES or int(tag) == PHILIPS_FRAMES):
            return DataElement(tag, "SQ", Sequence(self._kept(item, shift_days) for item in value))
        if keyword in PIXELS:
            return element
        if tag.is_private:
            return _private(element)
        if kind in NUMBERS and tag.group in NUMBER_GROUPS:
            return element if _are_numbers(value) else None
        return self._named(element, shift_days)

    def _named(self, element: DataElement, shift_days: int | None) -> DataElement | None:
        """Return what is left of an element that is kept by its name."""
        keyword, kind, value = element.keyword, str(element.VR), element.value
        if keyword in MOMENTS:
            value = _moment(kind, str(value or ""), shift_days)
        elif keyword in UIDS:
            is_standard = str(value).startswith("1.2.840.10008.")
            value = str(value) if is_standard else self.uid(str(value))
        elif not _is_fit(keyword, value, keeps_characteristics=self.keeps_characteristics):
            return None
        elif keyword == "PatientAge" and int(value[:3]) > OLDEST_YEARS and value.endswith("Y"):
            value = "090Y"
        return DataElement(element.tag, kind, value) if value else None


def _is_fit(keyword: str, value: Any, *, keeps_characteristics: bool) -> bool:
    """Return whether a code, a pulse sequence's name or a characteristic is what it claims."""
    if keyword in CODES:
        parts = [value] if isinstance(value, str) else list(value or ())
        return all(A_CODE.fullmatch(str(one)) for one in parts)
    if keyword in PULSE_SEQUENCES:
        return A_PULSE_SEQUENCE.fullmatch(str(value)) is not None
    pattern = CHARACTERISTICS.get(keyword, "")
    return keeps_characteristics and bool(pattern) and bool(re.fullmatch(pattern, str(value)))


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    """Yield what can be read of a data set; what cannot is dropped."""
    for tag in list(dataset.keys()):
        try:
            yield dataset[tag]
        except Exception:  # damaged elements raise anything
            continue


def _are_numbers(value: Any) -> bool:
    parts = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    try:
        return all(one is None or one == "" or math.isfinite(float(one)) for one in parts)
    except (TypeError, ValueError):
        return False


def _private(element: DataElement) -> DataElement | None:
    tag = int(element.tag)
    if tag in SAFE_PRIVATE:
        is_number = str(element.VR) in NUMBERS and _are_numbers(element.value)
        return element if is_number else None
    is_creator = any(
        tag == (one & 0xFFFF0000 | (one & 0xFF00) >> 8) and str(element.value).strip() == name
        for one, name in SAFE_PRIVATE.items()
    )
    return element if is_creator else None


def _shift(study_date: str) -> int | None:
    """Return by how many days a study is shifted, None where its date is none."""
    try:
        day = datetime.datetime.strptime(study_date.strip(), "%Y%m%d").date()
    except ValueError:
        return None
    return (FIRST_DAY - day).days


def _moment(kind: str, value: str, shift_days: int | None) -> str:
    """Return a time of the day as it is, and a date shifted; empty for what is neither."""
    value = value.strip()
    if kind == "TM":
        return value if A_TIME.fullmatch(value) else ""
    if shift_days is None:
        return ""
    try:
        day = datetime.datetime.strptime(value[:8], "%Y%m%d").date()
        shifted = f"{day + datetime.timedelta(days=shift_days):%Y%m%d}"
    except (ValueError, OverflowError):
        return ""
    rest = value[8:].split("+")[0].split("-")[0]
    return shifted if kind == "DA" else shifted + (rest if A_TIME.fullmatch(rest) else "")


def _written(new: Dataset, old: Dataset) -> bytes:
    """Return the bytes of a file in the transfer syntax of the old one."""
    meta = getattr(old, "file_meta", None) or FileMetaDataset()
    new.file_meta = FileMetaDataset()
    new.file_meta.TransferSyntaxUID = getattr(meta, "TransferSyntaxUID", ImplicitVRLittleEndian)
    new.file_meta.MediaStorageSOPClassUID = new.SOPClassUID
    new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    target = io.BytesIO()
    new.save_as(target, enforce_file_format=True)
    return target.getvalue()
