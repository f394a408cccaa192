"""Reasons: why something was left out, withheld, flagged or not measured.

The one table behind every "no"; the reference of flags in the documentation is made from it, and
a reason or a flag whose code does not stand in it cannot be made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """One reason: its code, what it means, and what a user does about it."""

    code: str
    meaning: str
    remedy: str


_CODES = (
    # Files and containers
    ReasonCode("NOT_AN_IMAGE", "No DICOM or NIfTI image.", "None needed."),
    ReasonCode("TRUNCATED", "The file ends before its data.", "Transfer it again."),
    ReasonCode("UNREADABLE", "The file cannot be parsed.", "Export it again."),
    ReasonCode("NESTING", "Sequences are nested too deeply.", "Export it again."),
    ReasonCode("TOO_LARGE", "The file or archive exceeds the size limits.", "Split the input."),
    ReasonCode("TOO_MANY_FILES", "The archive holds too many entries.", "Split the input."),
    ReasonCode("NESTED_ARCHIVE", "An archive inside an archive.", "Unpack the outer one."),
    ReasonCode("UNSAFE_PATH", "A path leads outside the input.", "Check the source."),
    ReasonCode("DECODE_TIMEOUT", "Decoding the pixels took too long.", "Export uncompressed."),
    ReasonCode("DECODE_CRASH", "Decoding the pixels failed hard.", "Export uncompressed."),
    ReasonCode("DECODE_FAILED", "The pixels cannot be decoded.", "Export uncompressed."),
    ReasonCode("UNKNOWN_TRANSFER_SYNTAX", "No codec for this encoding.", "Export uncompressed."),
    ReasonCode("UID_CONFLICT", "One SOP instance UID, different content.", "Check the source."),
    ReasonCode("DUPLICATE", "The same instance is there twice.", "None needed."),
    ReasonCode("OWN_RESULT", "A folder with an earlier result of opencmr.", "None needed."),
    # Images
    ReasonCode("NO_SIGNAL", "The image is constant, empty or not finite.", "Check the export."),
    ReasonCode("SATURATED", "Much of the picture is clipped at its maximum.", "Export it again."),
    ReasonCode("LOSSY", "The pictures were compressed with loss.", "Export uncompressed."),
    ReasonCode("COARSE", "The pixels are coarser than 2.5 mm.", "Review the contours."),
    ReasonCode("NOISY", "Noise is strong enough to move the EF.", "Review the contours."),
    ReasonCode("BLURRED", "Blood and muscle pass into each other.", "Review ES contours."),
    ReasonCode("LABEL_MAP", "A label map, not an image.", "None needed."),
    ReasonCode("NOT_MEASURABLE_PIXELS", "Colour, palette or secondary capture.", "None needed."),
    ReasonCode("NOT_MR", "Another modality than MR.", "None needed."),
    ReasonCode("MOSAIC", "Many slices tiled into one picture.", "Export them one by one."),
    ReasonCode("SCALING_CONFLICT", "Two scalings of the values disagree.", "Check the export."),
    ReasonCode("BAD_SCALING", "The scaling of the values cannot be meant.", "Check the export."),
    # Geometry
    ReasonCode("NO_GEOMETRY", "Position, orientation or spacing is missing.", "Export it again."),
    ReasonCode("BAD_SPACING", "The pixel spacing is impossible.", "Give --spacing (NIfTI)."),
    ReasonCode("BAD_ORIENTATION", "The orientation is not orthonormal.", "Export it again."),
    ReasonCode("GEOMETRY_CONFLICT", "Two statements of geometry disagree.", "Give --spacing."),
    ReasonCode("UNITS_UNKNOWN", "No unit of length is named: taken as mm.", "Check the spacing."),
    ReasonCode("PIXDIM_USED", "A bare affine of 1 mm: pixdim is the spacing.", "None needed."),
    ReasonCode("NUMBERS_REPAIRED", "Numbers with a comma or as text were read.", "None needed."),
    ReasonCode("SPACING_GIVEN", "The spacing was given by hand.", "None needed."),
    ReasonCode("SPACING_IGNORED", "--spacing was given, but DICOM states its own.", "Omit it."),
    ReasonCode("ORIENTATION_UNKNOWN", "How the patient lies is not stated.", "None needed."),
    ReasonCode("MISSING_SLICE", "The stack has a gap where a slice is missing.", "Add it."),
    ReasonCode("UNEVEN_SLICES", "One gap between slices is wider than the others.", "None needed."),
    ReasonCode("STACK_JOINED", "A stack was acquired in parts, which were joined.", "None needed."),
    ReasonCode("SPLIT_STACK", "The heart may be in parts that were not joined.", "Plan one stack."),
    ReasonCode("SLICES_REALIGNED", "Slices were resampled to the others' pixels.", "None needed."),
    ReasonCode("SPARSE_STACK", "Slices lie far apart: volumes are rough.", "Review volumes."),
    ReasonCode("OVERLAPPING_SLICES", "Slices lie closer than they are thick.", "Review."),
    ReasonCode("SERIES_PER_PHASE", "The phases of a cine came one by one.", "Check the order."),
    ReasonCode("STUDY_SPLIT", "The slices of a stack came as studies.", "Check that it is one."),
    ReasonCode("MISSING_FRAMES", "A slice lacks cardiac phases.", "Review that slice."),
    ReasonCode("PATIENT_MIX", "One study UID, several patients.", "Split the input."),
    ReasonCode("REPEATED_SLICE", "A slice was acquired again; one is used.", "Check which."),
    # Timing and demographics
    ReasonCode("NO_TIMING", "Trigger times are missing: order by instance.", "Review the curve."),
    ReasonCode("TIMING_REPAIRED", "Trigger times were in seconds.", "None needed."),
    ReasonCode("LATE_DIASTOLE_MISSING", "No picture of the beat's last quarter.", "None needed."),
    ReasonCode("HEARTBEAT_DOUBTED", "The stated R-R is not the pictures'.", "Give --heart-rate."),
    ReasonCode("ASYNC", "Slices show no common moment of the heartbeat.", "Use a gated cine."),
    ReasonCode("GATED_FROM_IMAGES", "Ungated slices were put in time by motion.", "Review it."),
    ReasonCode("COMBINED_BY_TIME", "Slices were put together by time, not rank.", "None needed."),
    ReasonCode("HEART_RATE_UNKNOWN", "No plausible heart rate.", "Give --heart-rate."),
    ReasonCode("HEART_RATE_DIFFERS", "The heart rate used is not the cine's.", "Check which."),
    ReasonCode("BSA_UNKNOWN", "No plausible height and weight.", "Give --height-cm, --weight-kg."),
    ReasonCode("DEMOGRAPHICS_UNKNOWN", "Sex or age is missing.", "Give --sex, --age."),
    # Analysis
    ReasonCode("NO_SAX_CINE", "No short-axis cine was found.", "Check the series list."),
    ReasonCode("SEVERAL_CINES", "Several short-axis cines; one was measured.", "Check which."),
    ReasonCode("SEQUENCE_ASSUMED", "The image is taken for a cine's phase.", "Look at it."),
    ReasonCode("VIEW_UNCERTAIN", "The view was assumed against evidence.", "Look at it."),
    ReasonCode("NO_HEART_FOUND", "The network found no heart.", "Check the series."),
    ReasonCode(
        "PHASE_UNLABELLED",
        "A cardiac phase holds no label.",
        "Label it, if its volume is wanted.",
    ),
    ReasonCode("EPICARDIUM_MISSING", "An endocardial contour has no outer one.", "Draw it."),
    ReasonCode("CONTOURS_CROSS", "Inner and outer contour of the LV cross.", "Correct them."),
    ReasonCode("ENDOCARDIUM_MISSING", "Epicardial contours without any cavity.", "Draw it."),
    ReasonCode("CONTOURS_UNREAD", "Some contours were not read.", "Check which."),
    ReasonCode("CONTOURS_CONTRADICT", "Contours of a structure contradict.", "Correct them."),
    ReasonCode("BAD_CONTOUR", "The points of a contour cannot be read.", "Export it again."),
    ReasonCode("OFF_SLICE", "A contour lies on no slice.", "Draw it on the slices."),
    ReasonCode("MOMENT_UNSTATED", "A contour does not say its phase.", "Export with pictures."),
    ReasonCode("OTHER_SERIES", "Labels of other series were left out.", "Check which."),
    ReasonCode("OTHER_PICTURES", "Contours are of pictures that are not here.", "Check which."),
    ReasonCode("NO_MODEL", "No model for such a series is installed.", "Install one."),
    ReasonCode("NO_MAPPING", "No series for a map of T1, T2 or T2*.", "None needed."),
    ReasonCode("NO_LGE", "No short-axis late enhancement.", "Check the series list."),
    ReasonCode("SEVERAL_LGE", "Several late enhancements; one was measured.", "Check which."),
    ReasonCode("NOT_MAPPED", "No map can be made of a mapping series.", "Check its times."),
    ReasonCode("NO_HAEMATOCRIT", "The haematocrit is not given.", "Give --haematocrit."),
    ReasonCode(
        "SYNTHETIC_HAEMATOCRIT",
        "The haematocrit was estimated from T1 of blood.",
        "Measure it and give --haematocrit.",
    ),
    ReasonCode("NO_NATIVE_T1", "No T1 before contrast at that slice.", "None needed."),
    ReasonCode("NO_TISSUE", "The values are those of no known tissue.", "Look at the maps."),
    ReasonCode("MAP_UNIT", "The values of a map are in no known unit.", "Export it in ms."),
    ReasonCode("MOVED_PICTURES", "The heart moved far between pictures.", "Look at the map."),
    ReasonCode("MODEL_HASH", "The weights are not the model card's.", "Install the model again."),
    # Measurements
    ReasonCode("LONG_AXES_DISAGREE", "Long axes and stack find another EF.", "Look at both."),
    ReasonCode("NO_VALVE_SEEN", "A long-axis cavity that opens nowhere.", "Check the plane."),
    ReasonCode(
        "NO_LONG_AXIS", "No long-axis cine of the left ventricle.", "Check the series list."
    ),
    ReasonCode("SINGLE_PHASE", "One cardiac phase: no ED and ES.", "Give --ed and --es."),
    ReasonCode("TOO_FEW_PHASES", "Too few cardiac phases for a rate.", "None needed."),
    ReasonCode("NOT_FINITE", "The computation gave no finite number.", "Review the contours."),
    ReasonCode("CHIRALITY_CONFLICT", "The heart appears mirrored.", "Check the orientation."),
    ReasonCode("UPSIDE_DOWN", "The heart appears upside down.", "Check the orientation."),
    ReasonCode("NO_INSERTION_POINTS", "The RV insertions were not found.", "Review contours."),
    ReasonCode("TOO_FEW_RINGS", "Too few slices with a closed ring of wall.", "Review contours."),
    ReasonCode("NOT_ASSESSABLE", "This view cannot show it.", "None needed."),
    # Contours carried from the cine
    ReasonCode("NO_CONTOURS", "No contours of the wall lie here.", "Add a short-axis cine."),
    ReasonCode("OTHER_FRAME", "The series share no frame of reference.", "None needed."),
    ReasonCode("OUT_OF_PLANE", "No slice of the cine lies there.", "Plan maps as the cine."),
    ReasonCode("THIN_WALL", "Too few pixels lie inside the wall.", "None needed."),
    ReasonCode("SHORT_T2_STAR", "T2* is as short as with iron.", "Look at the map."),
    ReasonCode("WEAK_MODEL", "The model is known to be poor at this.", "Review the contours."),
    ReasonCode("SCAR_UNCERTAIN", "Methods find different scar.", "Review the contours."),
    # Normal ranges
    ReasonCode("NO_RANGE", "No normal range was read at its source.", "None needed."),
    ReasonCode("POLICY_MISMATCH", "No normal range under this contour policy.", "None needed."),
    ReasonCode("OTHER_SCANNER", "No normal range for this scanner or sequence.", "None needed."),
    ReasonCode("AGE_OUTSIDE_RANGE", "No normal range for this age.", "None needed."),
    # Quality of segmentation and measures
    ReasonCode("SMALL_HEART", "The heart is below the sizes learnt.", "Review the contours."),
    ReasonCode("LV_SIZE_IMPLAUSIBLE", "LVEDV is outside 20 to 600 mL.", "Check the spacing."),
    ReasonCode("EF_HIGH", "LVEF is above 80 %.", "Review the contours at end-systole."),
    ReasonCode("EF_IMPLAUSIBLE", "An EF is outside 5 to 90 %.", "Review phases and contours."),
    ReasonCode("NO_BEAT", "The LV's volume shows no heartbeat.", "Check the series."),
    ReasonCode("SV_DISAGREE", "LV and RV stroke volumes differ widely.", "Review the base."),
    ReasonCode("RV_SIZE_DISAGREES", "RVEDV is out of proportion to LVEDV.", "Review the RV."),
    ReasonCode("MASS_DISAGREES", "LV mass differs between ED and ES.", "Review base and apex."),
    ReasonCode("APEX_CUT", "The stack may end before the apex.", "Review the apex."),
    ReasonCode("BASE_AT_STACK_END", "The LV reaches the stack's basal end.", "Review the base."),
    ReasonCode("BASE_UNCERTAIN", "LVEF depends on how the base is read.", "Review the base."),
    ReasonCode("BOTH_ENDS_CUT", "The stack ends within the LV on both sides.", "Add slices."),
    ReasonCode("STACK_TOO_SHORT", "The LV is labelled shorter than wide.", "Add slices."),
    ReasonCode("RV_INCOMPLETE", "The RV is missing beside the LV or ends early.", "Review the RV."),
    ReasonCode("RV_UNEVEN", "A slice of the RV does not fit those beside it.", "Review the RV."),
    ReasonCode("RV_OFF_SEPTUM", "The RV does not touch the LV on a slice.", "Review the RV."),
    ReasonCode("LABEL_SCATTERED", "A label is in several pieces.", "Review the contours."),
    ReasonCode("RING_OPEN", "The myocardium does not enclose the LV.", "Review the contours."),
    ReasonCode("RV_INSIDE_LV", "The RV label lies inside the LV.", "Review the contours."),
    ReasonCode("SLICE_EMPTY", "A slice between two labelled ones is empty.", "Review that slice."),
    ReasonCode("CURVE_JUMP", "A volume curve jumps between frames.", "Review those phases."),
    ReasonCode("OUT_OF_STEP", "A slice empties at another moment.", "Review the movie."),
    ReasonCode(
        "SLICES_ALTERNATE",
        "Slices are larger and smaller by turns.",
        "Check that all are of one heart.",
    ),
    ReasonCode(
        "SLICE_FLICKERS", "An end slice comes and goes over the beat.", "Review that slice."
    ),
    # Diagnosis
    ReasonCode("SEVERAL_GROUPS", "The measurements fit several groups.", "Read the reasons."),
    ReasonCode("LIKE_NO_GROUP", "The heart is like none of the learnt groups.", "Look at it."),
    ReasonCode("ANSWER_CHANGES", "Another admissible reading answers otherwise.", "Review it."),
    ReasonCode("NEAR_CUT_POINT", "LVEF is within 2 points of a cut-point.", "Read it again."),
    # An earlier result
    ReasonCode("NO_EARLIER_VALUE", "The earlier result holds no such value.", "None needed."),
    ReasonCode("OTHER_POLICY", "Measured under another contour policy then.", "Read it again."),
    ReasonCode("OTHER_AUTHOR", "Another model or reader outlined it then.", "Analyse both anew."),
    ReasonCode("NO_REPEATABILITY", "No repeatability was measured of it.", "None needed."),
)

REASON_CODES: Mapping[str, ReasonCode] = MappingProxyType({c.code: c for c in _CODES})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not: a code for machines and a sentence for the reader.

    Attributes
    ----------
    code : str
        A row of the table.
    sentence : str
        What was found, without file names or identifiers; by default the code's own meaning.

    Raises
    ------
    ValueError
        When the code does not stand in the table.

    Examples
    --------
    >>> str(Reason("BSA_UNKNOWN", "height or weight is not given"))
    'BSA_UNKNOWN: height or weight is not given'
    >>> Reason("NOT_MR").sentence
    'Another modality than MR.'
    """

    code: str
    sentence: str = ""

    def __post_init__(self) -> None:
        require_known(self.code)
        if not self.sentence:
            object.__setattr__(self, "sentence", REASON_CODES[self.code].meaning)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"

    @classmethod
    def from_text(cls, text: str) -> "Reason | None":
        """Return the reason that ``str`` made a text of, None where it is no such text.

        >>> Reason.from_text(str(Reason("NOT_MR"))) == Reason("NOT_MR")
        True
        >>> Reason.from_text("of unknown origin: none") is None
        True
        """
        code, _, sentence = text.partition(": ")
        return cls(code, sentence) if code in REASON_CODES else None


def require_known(code: str) -> None:
    """Raise a ``ValueError`` where a code does not stand in the table."""
    if code not in REASON_CODES:
        raise ValueError(f"unknown reason code {code!r}; add it to anatomy/reasons.py")


def reason_of(error: BaseException) -> Reason | None:
    """Return the reason that an error was raised with, or None where it holds mere text.

    >>> from opencmr.errors import InputError
    >>> reason_of(InputError(Reason("NO_SIGNAL"))).code, reason_of(InputError("empty"))
    ('NO_SIGNAL', None)
    """
    found = error.args[0] if error.args else None
    return found if isinstance(found, Reason) else None
