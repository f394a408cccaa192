"""Series and studies."""

import hashlib
from dataclasses import dataclass, field

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.brief import brief
from opencmr.imaging.flag import LeftOut, QualityFlag
from opencmr.imaging.image import Image

WITHOUT_NUMBER = 1 << 31
"""Sorts after every number of DICOM (VR IS, at most 2**31 - 1)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the patient is and which study it was, as the headers say; its repr is redacted.

    Goes into the report page, the PDF and what the hospital's own systems read (DICOM, FHIR),
    and nowhere else.
    """

    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    study_date: str = ""
    accession_number: str = ""
    study_description: str = ""
    institution: str = ""
    sex: str = ""
    issuer_of_patient_id: str = ""
    study_time: str = ""
    study_id: str = ""
    referring_physician: str = ""

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
    haematocrit: float | None = None
    """Volume of cells in blood, as a fraction."""
    may_use_synthetic_haematocrit: bool = False
    """It may be estimated from T1 of blood where nobody states it."""


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
    cardiac_synchronization: str = ""
    """Prospective, retrospective or real-time gating, where an instance says."""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_deg: float | None = None
    slice_thickness_mm: float | None = None
    contrast_agent: str = ""
    body_part: str = ""
    """BodyPartExamined."""
    series_number: int | None = None
    acquisition_time: str = ""
    series_time: str = ""
    """DICOM TM of the series' start; orders repeats."""


@dataclass(frozen=True, slots=True)
class ScannerSeries:
    """What the files of one scanner's series say of it, whatever became of their pictures.

    Attributes
    ----------
    uid : str
        SeriesInstanceUID; empty for NIfTI.
    study_uid : str
    study_key : str
        Key of the study that it belongs to, as far as a study was made of it.
    header : SeriesHeader
    identity : Identity
    instances : int
        Files, whether their pictures were used or not.
    left_out : tuple of LeftOut
        Which of them were not read as pictures, and why.
    """

    uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    study_key: str
    header: SeriesHeader = field(repr=False)
    identity: Identity = field(repr=False)
    instances: int
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What intake counted while it made a stack of pictures; ``quality/`` judges it.

    Attributes
    ----------
    pictures : int
        Pictures that were meant for the stack.
    silent_pictures : int
        Those of them that were left out because they hold no picture.
    repeated_slices : int
        Acquisitions of slices that were left out for another of the same place.
    short_slices : int
        Slices that were left out because they lack too many phases.
    other_phases : tuple of int
        Phases of each slice that was resampled to the phases of the rest.
    other_phases_stated : bool
        The header of every resampled slice says that it was meant to have just so many.
    cine_slices : int
        Slices of more than one phase.
    untimed_slices : int
        Those of them whose phases do not each have a trigger time of their own.
    slices_in_seconds : int
        Those of them whose trigger times were in seconds.
    declared_phases : int
        What the headers of all of them declare; 0 where they are silent or disagree.
    share_at_maximum : float, 0 to 1
        Share of the pixels that sit at the greatest value of their picture.
    joined_parts : int
        Stacks of other planning that were joined; 1 where it was planned as a whole.
    parts_differ : tuple of str
        In what the joined parts differed, in words.
    parts_apart : tuple of str
        Why other stacks of the study may be parts of the same heart and were not joined.
    realigned_slices : int
        Slices that were resampled in plane to the pixels of the others.
    largest_step : float
        Largest step between the phases of a slice, in median steps; 0 where times are unknown.
    uncovered_end : float, 0 to 1
        Share of the heartbeat after the last phase, in the median slice; 0 where unknown.
    doubted_heartbeats : int
        Slices whose stated heartbeat was not believed.
    retimed_slices : int
        Slices whose pictures were put together with the others by time, against their rank.
    gated_slices : int
        Slices without a heartbeat in the header that were put in time by what moves in them.
    ungated : bool
        The pictures are of no common heartbeat, and could not be put in time.
    series_a_slice : int
        Scanner's series that went into one slice.
    """

    pictures: int
    silent_pictures: int = 0
    repeated_slices: int = 0
    short_slices: int = 0
    other_phases: tuple[int, ...] = ()
    other_phases_stated: bool = False
    cine_slices: int = 0
    untimed_slices: int = 0
    slices_in_seconds: int = 0
    declared_phases: int = 0
    share_at_maximum: float = 0.0
    joined_parts: int = 1
    parts_differ: tuple[str, ...] = ()
    parts_apart: tuple[str, ...] = ()
    realigned_slices: int = 0
    largest_step: float = 0.0
    uncovered_end: float = 0.0
    doubted_heartbeats: int = 0
    retimed_slices: int = 0
    gated_slices: int = 0
    ungated: bool = False
    series_a_slice: int = 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
    is_stated : bool
        The caller said what it shows.
    partner : str
        Key of the series that shows the other half of one acquisition: the velocities of a
        magnitude, the phase-sensitive pictures of an inversion recovery, and the other way round.
    facts : StackFacts or None
        None for NIfTI, whose reader judges the one file that it reads.
    flags : tuple of QualityFlag
        What was found wrong with it; for DICOM empty until ``quality/`` has judged the facts.
    """

    key: str
    image: Image
    uids: tuple[str, ...] = field(default=(), repr=False)
    frame_of_reference_uid: str = field(default="", repr=False)
    header: SeriesHeader = SeriesHeader()
    view: View = View.OTHER
    sequence: Technique = Technique.OTHER
    view_confidence: float = 0.0
    sequence_confidence: float = 0.0
    because: tuple[str, ...] = ()
    is_stated: bool = False
    partner: str = ""
    facts: StackFacts | None = None
    flags: tuple[QualityFlag, ...] = ()

    __repr__ = brief


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
    uid: str = field(default="", repr=False)
    identity: Identity = field(default=Identity(), repr=False)
    demographics: Demographics = Demographics()
    scanner: Scanner = Scanner()
    left_out: tuple[LeftOut, ...] = ()
    flags: tuple[QualityFlag, ...] = ()
    input_sha256: str = field(default="", repr=False)

    __repr__ = brief


def number_or_last(number: int | None) -> int:
    """Return what a SeriesNumber or InstanceNumber sorts by: none stands after all.

    Examples
    --------
    >>> sorted([None, 7, 2], key=number_or_last)
    [2, 7, None]
    """
    return WITHOUT_NUMBER if number is None else number


def short_hash(text: str) -> str:
    """Return twelve hexadecimal digits that stand for ``text`` where it must not be shown."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
