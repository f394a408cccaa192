"""What a de-identified picture keeps, element by element: the tables of :mod:`deidentifier`.

The basic profile (PS3.15 annex E, table E.1-1) lists what to remove; these list what to keep,
which is stricter, for what nobody thought of goes too.  An element of table E.1-1 is kept only
under the option that allows it: :data:`DESCRIPTIONS` clean (113105), :data:`MOMENTS` moved
(113107), :data:`CHARACTERISTICS` on request (113108); the basic profile replaces :data:`UIDS`.
"""

import re
from enum import StrEnum

from pydicom.uid import UID

from opencmr.intake.dicom.deidentification.terms import listed

NUMBER_GROUPS = frozenset({0x0018, 0x0020, 0x0028})
"""Acquisition, relationship and image: every number of these public groups is kept."""
NUMBERS = frozenset({"DS", "IS", "FD", "FL", "US", "SS", "UL", "SL", "AT"})
REAL_WORLD = listed(
    "RealWorldValueFirstValueMapped RealWorldValueLastValueMapped RealWorldValueIntercept "
    "RealWorldValueSlope DoubleFloatRealWorldValueFirstValueMapped "
    "DoubleFloatRealWorldValueLastValueMapped"
)
"""Numbers of group 0040 (PS3.3 C.7.6.16.2.11)."""

PLACED_CODES = frozenset({"ImageType", "FrameType", "RescaleType"})
"""Code strings of which an unknown value is replaced: its place, or that it is there, says more."""
CODES = PLACED_CODES | listed(
    "Modality Laterality ScanningSequence SequenceVariant ScanOptions MRAcquisitionType "
    "PhotometricInterpretation PatientPosition BodyPartExamined CardiacSynchronizationTechnique "
    "LossyImageCompression LossyImageCompressionMethod BurnedInAnnotation PixelPresentation "
    "InPlanePhaseEncodingDirection VolumetricProperties VolumeBasedCalculationTechnique "
    "ComplexImageComponent AcquisitionContrast EchoPulseSequence ContentQualification "
    "PresentationLUTShape CardiacSignalSource PhaseContrast AngioFlag "
    "DimensionOrganizationType MultipleSpinEcho MultiPlanarExcitation TimeOfFlightContrast "
    "ArterialSpinLabelingContrast SteadyStatePulseSequence EchoPlanarPulseSequence "
    "SaturationRecovery SpectrallySelectedSuppression OversamplingPhase "
    "GeometryOfKSpaceTraversal RectilinearPhaseEncodeReordering SegmentedKSpaceTraversal "
    "CoverageOfKSpace ResonantNucleus KSpaceFiltering ApplicableSafetyStandardAgency "
    "InversionRecovery FlowCompensation FlowCompensationDirection Spoiling T2Preparation "
    "SpectrallySelectedExcitation SpatialPresaturation Tagging PartialFourier "
    "PartialFourierDirection ParallelAcquisition BloodSignalNulling MagnetizationTransfer "
    "BeatRejectionFlag VelocityEncodingDirection CardiacRRIntervalSpecified "
    "LongitudinalTemporalInformationModified VariableFlipAngleFlag"
)
"""Code strings, and the scaling's unit, of which known terms are kept."""
PULSE_SEQUENCES = frozenset({"SequenceName", "PulseSequenceName"})
DESCRIPTIONS = frozenset({"SeriesDescription", "ProtocolName"})
"""Of which known words are kept."""
UIDS = listed(
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID "
    "DimensionOrganizationUID"
)
MOMENTS = listed(
    "StudyDate SeriesDate AcquisitionDate ContentDate StudyTime SeriesTime AcquisitionTime "
    "ContentTime AcquisitionDateTime FrameAcquisitionDateTime FrameReferenceDateTime"
)
SEQUENCES = listed(
    "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PlaneOrientationSequence "
    "PlanePositionSequence PixelMeasuresSequence MRImageFrameTypeSequence MREchoSequence "
    "MRModifierSequence FrameContentSequence CardiacSynchronizationSequence "
    "MRTimingAndRelatedParametersSequence MRVelocityEncodingSequence MRFOVGeometrySequence "
    "MRAveragesSequence PixelValueTransformationSequence FrameVOILUTSequence "
    "RealWorldValueMappingSequence ModalityLUTSequence DimensionOrganizationSequence "
    "DimensionIndexSequence"
)
UNITS_SEQUENCE = "MeasurementUnitsCodeSequence"

EMPTY = (
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
"""Which a picture must state, and may state empty (type 2 of PS3.3 C.7.1 to C.7.4)."""

CHARACTERISTICS = {
    "PatientSex": "[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "PatientSize": r"\d{1,3}(\.\d{1,3})?",
    "PatientWeight": r"\d{1,3}(\.\d{1,3})?",
}
"""Kept on request, where they look like this."""
OLDEST_YEARS = 89
"""Above, an age is told as 90: so few are older (HIPAA safe harbor)."""

VENDORS = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "CANON", "TOSHIBA", "UIH", "HITACHI")
SAFE_PRIVATE: dict[int, str] = {
    0x0019109C: "GEMS_ACQU_01",
    0x001910CC: "GEMS_ACQU_01",
    0x2001101A: "Philips Imaging DD 001",
    0x2005100D: "Philips MR Imaging DD 001",
    0x2005100E: "Philips MR Imaging DD 001",
    0x2005140F: "Philips MR Imaging DD 005",
}
"""Private elements that reading needs, where it looks for them: name of the pulse sequence and
greatest velocity (GE), greatest velocity, intercept and slope of the scaling, and the classic
header of each frame (Philips), cleaned like any other sequence.  Philips' scaling stands in
PS3.15 table E.3.10-1."""
GE_SEQUENCE = 0x0019109C

DRAWN_ON = re.compile(r"SCREEN|CAPTURE|SECONDARY CAP|REPORT|ANNOT|SNAPSHOT|PRINT|SAVE")
"""Words of ImageType of pictures that somebody drew or wrote on, or took of a screen."""
CONVERSIONS = frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"})
"""Ways in which a picture was captured (PS3.3 C.8.6.1)."""


def is_standard(uid: str) -> bool:
    """Return whether a UID is one of the standard's own (PS3.6 annex A): the same for everyone.

    >>> is_standard("1.2.840.10008.1.2"), is_standard("1.2.840.10008.999.1")
    (True, False)
    """
    return UID(uid).name != uid


class Option(StrEnum):
    """A profile or option of de-identification; the value is its code in DICOM (CID 7050)."""

    BASIC = "113100"
    CLEAN_DESCRIPTORS = "113105"
    MODIFIED_DATES = "113107"
    CHARACTERISTICS = "113108"
    SAFE_PRIVATE = "113111"

    @property
    def meaning(self) -> str:
        """Its name in the standard."""
        return _MEANINGS[self]


_MEANINGS = {
    Option.BASIC: "Basic Application Confidentiality Profile",
    Option.CLEAN_DESCRIPTORS: "Clean Descriptors Option",
    Option.MODIFIED_DATES: "Retain Longitudinal Temporal Information Modified Dates Option",
    Option.CHARACTERISTICS: "Retain Patient Characteristics Option",
    Option.SAFE_PRIVATE: "Retain Safe Private Option",
}
METHOD = "opencmr: kept by list"
