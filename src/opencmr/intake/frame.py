"""One decoded picture with what its header said: the type between reading and stacking."""

import math
from dataclasses import dataclass, field

import numpy as np

from opencmr.errors import InputError
from opencmr.imaging.study import Identity, Scanner, SeriesHeader
from opencmr.intake.demographics import Body, names_contradict


@dataclass(frozen=True, slots=True)
class PatientKey:
    """What must be the same in every instance of one study; its repr is redacted.

    Empty where the header is silent: silence contradicts nobody.  Two keys that differ in the
    name alone are equal: archives spell it anew.
    """

    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    name: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return "PatientKey(redacted)"

    def contradicts(self, other: "PatientKey") -> bool:
        """Return whether the two keys must belong to different patients.

        Where both state an identifier, the name decides nothing.

        >>> PatientKey("A", "", "F").contradicts(PatientKey("A", "19700101", ""))
        False
        >>> PatientKey("A", "", "F").contradicts(PatientKey("A", "", "M"))
        True
        >>> PatientKey(name="Doe^Jane").contradicts(PatientKey(name="Smith^Ann"))
        True
        """
        pairs = (
            (self.patient_id, other.patient_id),
            (self.birth_date, other.birth_date),
            (self.sex, other.sex),
        )
        if any(mine and theirs and mine != theirs for mine, theirs in pairs):
            return True
        is_identified = self.patient_id and other.patient_id
        return not is_identified and names_contradict(self.name, other.name)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One 2-D image: a classic DICOM instance, or one frame of an enhanced one.

    Geometry is kept as found (``None`` where absent or not a number of the right count) and
    may be impossible; building stacks judges it.

    Attributes
    ----------
    values : (Y, X) float32
        Rows and columns after rescaling; MONOCHROME1 is inverted, so that bright is bright.
    header : SeriesHeader
    sop_instance_uid, series_instance_uid, study_instance_uid, frame_of_reference_uid : str
        Empty where absent.
    sop_class_uid : str
    frame_number : int
        1-based; 1 for a classic instance.
    instance_number : int or None
        Evidence of order of last resort.
    pixel_spacing_mm : (between rows, between columns) or None
    image_position_mm : (x, y, z) or None
        Centre of the first pixel, LPS.
    image_orientation : six floats or None
        Direction cosines along a row (growing column), then along a column, LPS.
    spacing_between_slices_mm : float or None
        What the header claims; the positions decide.
    trigger_time_ms : float or None
        After the R wave.
    rr_ms : float or None
        Heartbeat during this slice: nominal interval, else low and high R-R values, else the
        heart rate; None unless plausible.
    heart_rate_bpm : float or None
        None unless plausible.
    cardiac_number_of_images : int or None
    temporal_position : int or None
    acquisition_time, content_time : str
        DICOM TM.
    echo_time_ms : float or None
        Of this frame (the header's may differ between frames of an enhanced instance).
    t2_preparation_ms : float or None
        Length of the T2 preparation before this frame.
    venc_cm_s : float or None
        Greatest velocity that the acquisition encodes.
    image_type : tuple of str
        Of this frame.
    rescale_type : str
        Unit that the scaling claims (``ms`` on some maps), or empty.
    scaling : str
        How ``values`` came from the stored ones: ``stored``, ``rescale``, ``philips`` (private
        floating scale), ``real world`` or ``table``.  A relaxation map whose scalings disagree
        never becomes a frame.
    content_sha256 : str
        Hash of the whole file's bytes.
    is_lossy : bool
        The pixels were once compressed with loss.
    repaired_numbers : tuple of str
        Keywords of numbers that the header states with a decimal comma or as text.
    """

    values: np.ndarray = field(repr=False)
    header: SeriesHeader = field(repr=False)
    sop_instance_uid: str = ""
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    frame_of_reference_uid: str = ""
    sop_class_uid: str = ""
    modality: str = "MR"
    frame_number: int = 1
    instance_number: int | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    image_position_mm: tuple[float, float, float] | None = None
    image_orientation: tuple[float, float, float, float, float, float] | None = None
    spacing_between_slices_mm: float | None = None
    trigger_time_ms: float | None = None
    rr_ms: float | None = None
    heart_rate_bpm: float | None = None
    cardiac_number_of_images: int | None = None
    temporal_position: int | None = None
    acquisition_number: int | None = None
    acquisition_time: str = ""
    content_time: str = ""
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    t2_preparation_ms: float | None = None
    venc_cm_s: float | None = None
    image_type: tuple[str, ...] = ()
    rescale_type: str = ""
    scaling: str = "stored"
    content_sha256: str = ""
    is_lossy: bool = False
    repaired_numbers: tuple[str, ...] = ()
    patient: PatientKey = PatientKey()
    identity: Identity = field(default=Identity(), repr=False)
    body: Body = field(default=Body(), repr=False)
    scanner: Scanner = field(default=Scanner())

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32:
            raise InputError(
                f"a frame's values must be (Y, X) float32, "
                f"found {self.values.shape} {self.values.dtype}"
            )
        self.values.setflags(write=False)

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns."""
        return (int(self.values.shape[0]), int(self.values.shape[1]))

    @property
    def has_geometry(self) -> bool:
        """Whether position, orientation and spacing are all there (not: all right)."""
        return None not in (
            self.pixel_spacing_mm,
            self.image_position_mm,
            self.image_orientation,
        ) and all(
            math.isfinite(number)
            for part in (self.pixel_spacing_mm, self.image_position_mm, self.image_orientation)
            for number in part or ()
        )
