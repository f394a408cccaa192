"""From a DICOM data set to plain facts about its instance and each of its frames.

Runs in the decoding process only.  Facts are plain JSON values under the names of ``Frame``'s
fields.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    SecondaryCaptureImageStorage,
)

from opencmr.anatomy.plausible import HEART_RATE_LIMITS_BPM, MS_PER_MINUTE, RR_LIMITS_MS
from opencmr.intake.containers import limits
from opencmr.intake.dicom.parsing import (
    ENHANCED_CLASSES,
    frames_of,
    number,
    numbers,
    sop_class_of,
    text,
    texts,
    value,
    whole,
)
from opencmr.intake.refusal import RefusedError

Facts = dict[str, Any]

LOSSY_SYNTAXES = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless})
PERHAPS_LOSSY = frozenset({JPEG2000, HTJ2K})
GE_VENC, PHILIPS_VENC = 0x001910CC, 0x2001101A
GE_SEQUENCE = 0x0019109C
"""GE's internal name of the pulse sequence."""
T2_PREPARATION_WORDS = re.compile(
    r"T2[ _-]?prep\w*\.?\s*(?:duration|time)?\s*[=:]?\s*(\d{1,4}(?:\.\d{1,3})?)\s*ms", re.IGNORECASE
)
VENC_LIMIT_CM_S = 1000.0
"""No blood is faster."""
GAUSS_FROM = 1000.0
"""A field strength above this is in gauss (old GE headers)."""


def refuse_unfit(dataset: Dataset, *, captures_with_times: bool = False) -> None:
    """Refuse what is no MR picture with values, and what is too large, before decoding.

    Digital phantoms are secondary captures; one that states an inversion or echo time is a
    picture where ``captures_with_times``.

    Raises
    ------
    RefusedError
        ``NOT_MR``, ``NOT_MEASURABLE_PIXELS``, ``TOO_LARGE`` or ``UNREADABLE``.
    """
    sop_class = sop_class_of(dataset)
    # Its multi-frame kinds bear the same UID with a suffix.
    is_capture = (sop_class + ".").startswith(SecondaryCaptureImageStorage + ".")
    is_timed = captures_with_times and any(
        number(dataset, keyword) is not None for keyword in ("InversionTime", "EchoTime")
    )
    if text(dataset, "Modality").strip() != "MR" and not (is_capture and is_timed):
        raise RefusedError("NOT_MR")
    samples = whole(dataset, "SamplesPerPixel")
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    is_float = "PixelData" not in dataset
    allocated = 64 if "DoubleFloatPixelData" in dataset else 32
    bits = allocated if is_float else whole(dataset, "BitsAllocated")
    if rows is None or columns is None or bits is None or min(rows, columns, bits) < 1:
        raise RefusedError("UNREADABLE", "Rows, columns or bits are not stated.")
    frames = frames_of(dataset)
    if frames > limits.FRAMES:
        raise RefusedError("TOO_LARGE", "The instance declares more than 20,000 frames.")
    bytes_each = max(bits // 8, 4) * (samples or 1)  # values are held as float32
    if rows * columns * frames * bytes_each > limits.DECODED_BYTES:
        raise RefusedError("TOO_LARGE", "The decoded pixels would exceed 1 GiB.")
    photometric = text(dataset, "PhotometricInterpretation").strip()
    if samples not in (None, 1) or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise RefusedError("NOT_MEASURABLE_PIXELS", "Colour or palette pixels.")
    if is_capture and not is_timed:
        raise RefusedError("NOT_MEASURABLE_PIXELS", "A secondary capture.")
    if text(dataset, "BurnedInAnnotation").strip() == "YES":
        raise RefusedError("NOT_MEASURABLE_PIXELS", "Text is burned into the pixels.")


def instance_facts(dataset: Dataset) -> Facts:
    """Return what holds for the whole instance."""
    return {
        "sop_instance_uid": text(dataset, "SOPInstanceUID"),
        "series_instance_uid": text(dataset, "SeriesInstanceUID"),
        "study_instance_uid": text(dataset, "StudyInstanceUID"),
        "frame_of_reference_uid": text(dataset, "FrameOfReferenceUID"),
        "sop_class_uid": sop_class_of(dataset),
        "modality": text(dataset, "Modality").strip(),
        "is_lossy": is_lossy(dataset),
        "instance_number": whole(dataset, "InstanceNumber"),
        "cardiac_number_of_images": whole(dataset, "CardiacNumberOfImages"),
        "content_time": text(dataset, "ContentTime"),
        "heart_rate_bpm": _plausible(number(dataset, "HeartRate"), HEART_RATE_LIMITS_BPM),
        "patient": {
            "patient_id": text(dataset, "PatientID").strip(),
            "birth_date": _date(dataset, "PatientBirthDate"),
            "sex": text(dataset, "PatientSex").strip().upper(),
            "name": text(dataset, "PatientName").strip(),
        },
        "identity": identity_facts(dataset),
        "body": {
            "age": text(dataset, "PatientAge").strip(),
            "size_m": number(dataset, "PatientSize"),
            "weight_kg": number(dataset, "PatientWeight"),
        },
        "scanner": {
            "vendor": text(dataset, "Manufacturer").strip(),
            "model": text(dataset, "ManufacturerModelName").strip(),
            "field_strength_t": _tesla(number(dataset, "MagneticFieldStrength")),
        },
    }


def identity_facts(dataset: Dataset) -> Facts:
    """Return who the patient is under the names of ``Identity``'s fields."""
    return {
        "patient_name": text(dataset, "PatientName"),
        "patient_id": text(dataset, "PatientID"),
        "birth_date": text(dataset, "PatientBirthDate"),
        "study_date": text(dataset, "StudyDate"),
        "accession_number": text(dataset, "AccessionNumber"),
        "study_description": text(dataset, "StudyDescription"),
        "institution": text(dataset, "InstitutionName"),
        "sex": text(dataset, "PatientSex"),
        "issuer_of_patient_id": text(dataset, "IssuerOfPatientID"),
        "study_time": text(dataset, "StudyTime"),
        "study_id": text(dataset, "StudyID"),
        "referring_physician": text(dataset, "ReferringPhysicianName"),
    }


def short_header(dataset: Dataset) -> Facts:
    """Return what any instance says of its series, a picture or not, a part of `series_header`."""
    return {
        "modality": text(dataset, "Modality").strip(),
        "series_description": text(dataset, "SeriesDescription"),
        "protocol_name": text(dataset, "ProtocolName"),
        "sequence_name": _sequence_name(dataset),
        "image_type": texts(dataset, "ImageType"),
        "body_part": text(dataset, "BodyPartExamined").strip(),
        "series_number": whole(dataset, "SeriesNumber"),
        "acquisition_time": text(dataset, "AcquisitionTime").strip(),
        "series_time": text(dataset, "SeriesTime").strip(),
    }


def _sequence_name(dataset: Dataset) -> str:
    """Return the name of the pulse sequence from where each vendor writes it.

    SequenceName (Siemens; Philips rarely), PulseSequenceName (enhanced), GE's private
    pulse sequence name.
    """
    for keyword in ("SequenceName", "PulseSequenceName"):
        if stated := text(dataset, keyword).strip():
            return stated
    try:
        return str(dataset[GE_SEQUENCE].value).strip()[:64] if GE_SEQUENCE in dataset else ""
    except Exception:  # private elements hold anything
        return ""


def is_lossy(dataset: Dataset) -> bool:
    """Return whether the pixels were ever compressed with loss (PS3.3 C.7.6.1.1.5).

    By the header's own word or by the transfer syntax; one that may be with or without loss counts
    unless the header says that nothing was lost.
    """
    said = text(dataset, "LossyImageCompression").strip()
    meta = getattr(dataset, "file_meta", None)
    syntax = text(meta, "TransferSyntaxUID") if meta is not None else ""
    return said == "01" or syntax in LOSSY_SYNTAXES or (said != "00" and syntax in PERHAPS_LOSSY)


def _date(dataset: Dataset, keyword: str) -> str:
    """Return a DICOM date, or nothing for what is none (``00000000`` stands for unknown)."""
    found = text(dataset, keyword).strip()
    is_date = re.fullmatch(r"[12]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", found)
    return found if is_date else ""


def _tesla(found: float | None) -> float | None:
    if found is None or found <= 0:
        return None
    return found / 10_000 if found > GAUSS_FROM else found


def _plausible(found: float | None, among: tuple[float, float]) -> float | None:
    return found if found is not None and among[0] <= found <= among[1] else None


class FrameGroups:
    """The functional groups of one frame: its own, then the shared ones, then the data set.

    For a classic instance there is the data set alone.
    """

    def __init__(self, dataset: Dataset, groups: list[Dataset]) -> None:
        self._dataset = dataset
        self._groups = groups

    def sources(self, group: str) -> Iterator[Dataset]:
        """Yield where a group's attributes may stand, the most particular first."""
        for groups in self._groups:
            items = value(groups, group)
            if items:
                yield items[0]
        yield self._dataset

    def first(self, read: Any, group: str, *keywords: str) -> Any:
        """Return the first of ``keywords`` that ``read`` finds in a group or the data set."""
        for source in self.sources(group):
            for keyword in keywords:
                found = read(source, keyword)
                if found not in (None, "", []):
                    return found
        return None

    def private(self, tag: int) -> float | None:
        """Return a private number of this frame (Philips keeps a classic header a frame)."""
        philips = [
            item
            for groups in self._groups
            if (0x2005, 0x140F) in groups
            for item in _items(groups, (0x2005, 0x140F))[:1]
        ]
        for source in (*philips, *self._groups, self._dataset):
            try:
                found = float(source[tag].value) if tag in source else None
            except Exception:  # private elements hold anything
                found = None
            if found is not None:
                return found if math.isfinite(found) else None
        return None


def groups_of_frames(dataset: Dataset) -> list[FrameGroups]:
    """Return the functional groups of every frame.

    Made once for an instance: pydicom visits all items whenever a sequence is asked for.
    """
    frames = frames_of(dataset)
    if sop_class_of(dataset) not in ENHANCED_CLASSES:
        return [FrameGroups(dataset, [])] * frames
    own = list(value(dataset, "PerFrameFunctionalGroupsSequence") or ())
    shared = list(value(dataset, "SharedFunctionalGroupsSequence") or ())[:1]
    return [FrameGroups(dataset, [*own[i : i + 1], *shared]) for i in range(frames)]


def _items(dataset: Dataset, tag: tuple[int, int]) -> list[Dataset]:
    try:
        return list(dataset[tag].value)
    except Exception:  # private elements hold anything
        return []


def frame_facts(dataset: Dataset, groups: FrameGroups, frame_number: int) -> Facts:
    """Return what holds for one frame, 1-based, under the names of ``Frame``'s fields."""
    orientation = groups.first(
        lambda d, k: numbers(d, k, 6), "PlaneOrientationSequence", "ImageOrientationPatient"
    )
    position = groups.first(
        lambda d, k: numbers(d, k, 3), "PlanePositionSequence", "ImagePositionPatient"
    )
    spacing = groups.first(lambda d, k: numbers(d, k, 2), "PixelMeasuresSequence", "PixelSpacing")
    image_type = groups.first(texts, "MRImageFrameTypeSequence", "FrameType") or texts(
        dataset, "ImageType"
    )
    echo_time_ms = groups.first(number, "MREchoSequence", "EffectiveEchoTime", "EchoTime")
    inversion_time_ms = groups.first(
        number, "MRModifierSequence", "InversionTimes", "InversionTime"
    )
    acquired = groups.first(text, "FrameContentSequence", "FrameAcquisitionDateTime")
    acquisition_time = acquired[8:].split("+")[0].split("-")[0] if acquired else ""
    acquisition_time = acquisition_time or text(dataset, "AcquisitionTime")
    return {
        "frame_number": frame_number,
        "pixel_spacing_mm": spacing,
        "image_position_mm": position,
        "image_orientation": orientation,
        "spacing_between_slices_mm": groups.first(
            number, "PixelMeasuresSequence", "SpacingBetweenSlices"
        ),
        "trigger_time_ms": groups.first(
            number,
            "CardiacSynchronizationSequence",
            "TriggerTime",
            "NominalCardiacTriggerDelayTime",
            "ActualCardiacTriggerDelayTime",
        ),
        "rr_ms": _heartbeat_ms(dataset, groups),
        "temporal_position": groups.first(
            whole, "FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"
        ),
        "acquisition_number": groups.first(
            whole, "FrameContentSequence", "FrameAcquisitionNumber", "AcquisitionNumber"
        ),
        "acquisition_time": acquisition_time,
        "echo_time_ms": echo_time_ms,
        "inversion_time_ms": inversion_time_ms,
        "t2_preparation_ms": _t2_preparation_ms(dataset, groups),
        "venc_cm_s": _velocity_encoding_cm_s(dataset, groups),
        "image_type": image_type,
    }


def _t2_preparation_ms(dataset: Dataset, groups: FrameGroups) -> float | None:
    """Return the length of a T2 preparation, of which DICOM has no field of its own.

    Siemens writes ``T2 prep. duration = 25 ms`` into the comments.
    """
    said = groups.first(text, "FrameContentSequence", "FrameComments") or text(
        dataset, "ImageComments"
    )
    found = T2_PREPARATION_WORDS.search(said)
    return float(found[1]) if found else None


def _velocity_encoding_cm_s(dataset: Dataset, groups: FrameGroups) -> float | None:
    """Return the greatest encoded velocity from where each vendor writes it.

    DICOM PS3.3 C.8.13.5.14 (enhanced, cm/s); Siemens' sequence names (``fl2d1_v150in``, cm/s);
    GE's private velocity encode scale (mm/s); one of Philips' three private components (cm/s).
    """
    found = groups.first(number, "MRVelocityEncodingSequence", "VelocityEncodingMaximumValue")
    if found is None:
        named = re.search(r"_v(\d+)", text(dataset, "SequenceName"))
        found = float(named[1]) if named else None
    if found is None and (scale := groups.private(GE_VENC)) is not None:
        found = scale / 10
    if found is None:
        found = max(_private_numbers(dataset, PHILIPS_VENC), default=None)
    return found if found is not None and 0 < found <= VENC_LIMIT_CM_S else None


def _private_numbers(dataset: Dataset, tag: int) -> list[float]:
    """Return the finite numbers of a private element, which may hold anything."""
    try:
        stated = dataset[tag].value if tag in dataset else []
        return [n for n in map(float, np.atleast_1d(stated)) if math.isfinite(n)]
    except Exception:
        return []


def _heartbeat_ms(dataset: Dataset, groups: FrameGroups) -> float | None:
    """Return the heartbeat's length from whatever states it plausibly."""
    nominal = groups.first(
        number, "CardiacSynchronizationSequence", "RRIntervalTimeNominal", "NominalInterval"
    )
    if (plausible := _plausible(nominal, RR_LIMITS_MS)) is not None:
        return plausible
    low, high = number(dataset, "LowRRValue"), number(dataset, "HighRRValue")
    if low is not None and high is not None and low <= high:
        middle = _plausible((low + high) / 2, RR_LIMITS_MS)
        if middle is not None:
            return middle
    rate = _plausible(number(dataset, "HeartRate"), HEART_RATE_LIMITS_BPM)
    return None if rate is None else MS_PER_MINUTE / rate


def series_header(dataset: Dataset, groups: FrameGroups, first: Facts) -> Facts:
    """Return the evidence about the series under the names of ``SeriesHeader``'s fields.

    ``groups`` and ``first`` are those of the first frame.
    """
    timing = "MRTimingAndRelatedParametersSequence"
    return {
        **short_header(dataset),
        "image_type": first["image_type"],
        "scanning_sequence": texts(dataset, "ScanningSequence"),
        "sequence_variant": texts(dataset, "SequenceVariant"),
        "scan_options": texts(dataset, "ScanOptions"),
        "mr_acquisition_type": text(dataset, "MRAcquisitionType").strip(),
        "cardiac_synchronization": text(dataset, "CardiacSynchronizationTechnique").strip(),
        "echo_time_ms": first["echo_time_ms"],
        "repetition_time_ms": groups.first(number, timing, "RepetitionTime"),
        "inversion_time_ms": first["inversion_time_ms"],
        "flip_angle_deg": groups.first(number, timing, "FlipAngle"),
        "slice_thickness_mm": groups.first(number, "PixelMeasuresSequence", "SliceThickness"),
        "contrast_agent": text(dataset, "ContrastBolusAgent").strip(),
    }
