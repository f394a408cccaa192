"""Series and studies."""

import hashlib
from dataclasses import dataclass, field

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.flag import LeftOut, QualityFlag
from opencmr.imaging.image import Image


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the patient is.  Printed in the report page and PDF alone; its repr is redacted."""

    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    study_date: str = ""
    accession_number: str = ""
    study_description: str = ""
    institution: str = ""

    def __repr__(self) -> str:
        return "Identity(redacted)"


@dataclass(frozen=True, slots=True)
class Demographics:
    """What the normal ranges and indices need; None where nobody said."""

    sex: str | None = None
    """``"M"`` or ``"F"``."""
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    heart_rate_bpm: float | None = None


@dataclass(frozen=True, slots=True)
class Scanner:
    """What made the images."""

    vendor: str = ""
    model: str = ""
    field_strength_t: float | None = None


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """Header facts that are evidence about a series: DICOM keywords in snake case.

    Empty or None where the header is silent (always, for NIfTI).
    """

    modality: str = ""
    series_description: str = field(default="", repr=False)
    protocol_name: str = field(default="", repr=False)
    sequence_name: str = ""
    image_type: tuple[str, ...] = ()
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    scan_options: tuple[str, ...] = ()
    mr_acquisition_type: str = ""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_deg: float | None = None
    slice_thickness_mm: float | None = None
    contrast_agent: str = ""
    series_number: int | None = None
    acquisition_time: str = ""
    series_time: str = ""
    """DICOM TM of the series' start; orders repeats."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One stack or cine that belongs together, whatever the scanner called a series.

    Attributes
    ----------
    key : str
        Short name without identifiers, unique in the study: ``s01``, ``s02``, ...
    uids : tuple of str
        SeriesInstanceUIDs that went into it (one a slice on some scanners).
    frame_of_reference_uid : str
        Series with different frames are never combined geometrically.
    image : Image
    header : SeriesHeader
    view : View
    sequence : Technique
    view_confidence, sequence_confidence : float, 0 to 1
    because : tuple of str
        The evidence in words, one fact each.
    flags : tuple of QualityFlag
        What intake and sorting found on it.
    """

    key: str
    image: Image
    uids: tuple[str, ...] = ()
    frame_of_reference_uid: str = ""
    header: SeriesHeader = SeriesHeader()
    view: View = View.OTHER
    sequence: Technique = Technique.OTHER
    view_confidence: float = 0.0
    sequence_confidence: float = 0.0
    because: tuple[str, ...] = ()
    flags: tuple[QualityFlag, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """One examination of one patient.

    Attributes
    ----------
    key : str
        Hash that names the output folder; holds no identifier.
    uid : str
        StudyInstanceUID, empty for NIfTI.
    left_out : tuple of LeftOut
        Everything in the input that was not used.
    input_sha256 : str
        Hash over the sorted hashes of the instances that were read.
    """

    key: str
    series: tuple[Series, ...]
    uid: str = ""
    identity: Identity = Identity()
    demographics: Demographics = Demographics()
    scanner: Scanner = Scanner()
    left_out: tuple[LeftOut, ...] = ()
    flags: tuple[QualityFlag, ...] = ()
    input_sha256: str = ""


def short_hash(text: str) -> str:
    """Return twelve hexadecimal digits that stand for ``text`` where it must not be shown."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
