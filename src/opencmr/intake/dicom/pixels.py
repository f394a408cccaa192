"""From a DICOM data set to real pixel values, frame by frame.

Runs in the decoding process only: codecs hang, panic and ask for gigabytes.
"""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from opencmr.intake.dicom.headers import FrameGroups
from opencmr.intake.dicom.parsing import frames_of, number, text, texts, value, whole
from opencmr.intake.dicom.scaling import (
    Linear,
    Scalings,
    choose_scaling,
    doubt_about,
    scalings_conflict,
)
from opencmr.intake.refusal import RefusedError

GUESSED_SYNTAXES = {
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}
"""Transfer syntax of a file without meta information, by (implicit VR, little endian)."""
PADDING_KEYWORDS = (
    ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
)
VALID_KEYWORDS = ("SmallestValidPixelValue", "LargestValidPixelValue")
PHILIPS_SCALE_SLOPE = 0x2005100E
PHILIPS_SCALE_INTERCEPT = 0x2005100D


def stored_frames(dataset: Dataset) -> Iterator[np.ndarray]:
    """Yield the stored values ``(Y, X)`` of each frame, overlay bits removed.

    Raises
    ------
    RefusedError
        ``UNKNOWN_TRANSFER_SYNTAX``, ``TRUNCATED`` or ``DECODE_FAILED``.
    """
    syntax = _transfer_syntax(dataset)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _unknown(syntax) from error
    if not decoder.is_available:
        raise _unknown(syntax)
    if syntax.is_encapsulated:
        dataset["PixelData"].VR = "OB"  # some exports write OW, which codecs refuse
    else:
        _refuse_wrong_length(dataset)
    if "PhotometricInterpretation" not in dataset:
        dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.SamplesPerPixel = 1
    found = 0
    for stored, _ in decoder.iter_array(dataset, raw=True, correct_unused_bits=False):
        if found == frames_of(dataset):
            raise RefusedError("DECODE_FAILED", "There are more frames than the header declares.")
        found += 1
        yield _without_unused_bits(stored, dataset)
    if found < frames_of(dataset):
        raise RefusedError("TRUNCATED", "There are fewer frames than the header declares.")


def _transfer_syntax(dataset: Dataset) -> UID:
    meta = getattr(dataset, "file_meta", None)
    stated = text(meta, "TransferSyntaxUID") if meta is not None else ""
    if not stated:
        encoding = (bool(dataset.original_encoding[0]), bool(dataset.original_encoding[1]))
        stated = GUESSED_SYNTAXES.get(encoding, GUESSED_SYNTAXES[True, True])
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = UID(stated)
    return UID(stated)


def _unknown(syntax: UID) -> RefusedError:
    name = syntax.name if syntax.is_transfer_syntax else "a private one"
    return RefusedError("UNKNOWN_TRANSFER_SYNTAX", f"No codec for this encoding: {name}.")


def _refuse_wrong_length(dataset: Dataset) -> None:
    """Refuse pixels that are no such matrix; less than a row or column more is padding.

    A matrix that is declared a row, a column or a frame too small shears the picture.
    """
    if "PixelData" in dataset:
        bits = whole(dataset, "BitsAllocated") or 16
        pixels = dataset["PixelData"].value
    else:
        is_double = "DoubleFloatPixelData" in dataset
        bits = 64 if is_double else 32
        pixels = dataset["DoubleFloatPixelData" if is_double else "FloatPixelData"].value
    rows, columns = whole(dataset, "Rows") or 0, whole(dataset, "Columns") or 0
    surplus_bits = len(pixels or b"") * 8 - rows * columns * frames_of(dataset) * bits
    if surplus_bits < 0:
        raise RefusedError("TRUNCATED", "There are fewer pixels than the header declares.")
    if surplus_bits > 8 and surplus_bits >= min(rows, columns) * bits:
        raise RefusedError("DECODE_FAILED", "There are more pixels than the header declares.")


def _without_unused_bits(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return the stored bits alone: what lies above or below them is overlay or noise.

    PS3.5 8.1.1: a pixel cell holds ``BitsStored`` bits that end at ``HighBit``.
    """
    bits = whole(dataset, "BitsStored")
    if stored.dtype.kind == "f" or bits is None:
        return stored
    cell = stored.dtype.itemsize * 8
    high = whole(dataset, "HighBit")
    low = 0 if high is None else high + 1 - bits
    if not 0 < bits <= cell or not 0 <= low <= cell - bits:
        raise RefusedError("DECODE_FAILED", "The stored bits do not fit their cell.")
    if bits == cell:
        return stored
    cells = stored.astype(stored.dtype.newbyteorder("=")).view(f"u{stored.dtype.itemsize}")
    if low and not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        cells >>= low  # codecs return the sample alone
    lifted = cells << (cell - bits)
    kind = "i" if stored.dtype.kind == "i" else "u"
    return np.asarray(lifted.view(f"{kind}{stored.dtype.itemsize}") >> (cell - bits))


def values_of(
    stored: np.ndarray, dataset: Dataset, groups: FrameGroups
) -> tuple[np.ndarray, dict[str, str]]:
    """Return a frame's real values ``(Y, X) float32`` and facts about their scaling.

    Raises
    ------
    RefusedError
        ``SCALING_CONFLICT`` for a relaxation map, ``BAD_SCALING`` for a scaling that cannot be
        meant, ``NO_SIGNAL`` for values that are not finite.
    """
    scalings = _scalings(dataset, groups)
    if scalings_conflict(scalings, float(stored.min()), float(stored.max())):
        raise RefusedError("SCALING_CONFLICT")
    if value(dataset, "ModalityLUTSequence"):
        values, name = np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64), "table"
    else:
        linear, name = choose_scaling(scalings)
        is_inverted = text(dataset, "PhotometricInterpretation").strip() == "MONOCHROME1"
        is_velocity = scalings.has_quantity and not scalings.is_relaxation_map
        if doubt := doubt_about(linear, may_mirror=is_inverted or is_velocity):
            raise RefusedError("BAD_SCALING", doubt)
        values = stored.astype(np.float64) * linear.slope + linear.intercept
        if is_inverted:
            values = _inverted(values, stored, dataset, linear, scalings)
    padding = _padding(stored, dataset)
    if padding.any():
        values = np.where(padding, values.min(where=~padding, initial=np.inf), values)
    if padding.all():
        values = np.zeros(stored.shape)
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    if not np.isfinite(result).all():
        raise RefusedError("NO_SIGNAL", "Pixel values are not finite.")
    return result, {"scaling": name, "rescale_type": scalings.rescale_type}


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return which stored values ``(Y, X)`` the header declares to be no picture.

    PS3.3 C.7.5.1.1.2: a padding value, or the range from it to its limit.  What lies outside the
    smallest and largest valid value, which older standards knew, is none either.
    """
    found = np.zeros(stored.shape, dtype=bool)
    for keyword, limit in PADDING_KEYWORDS:
        ends = [_as_stored(number(dataset, name), stored, dataset) for name in (keyword, limit)]
        stated = [end for end in ends if end is not None]
        if ends[0] is not None:
            found |= (stored >= min(stated)) & (stored <= max(stated))
    least, greatest = (_as_stored(number(dataset, k), stored, dataset) for k in VALID_KEYWORDS)
    if least is not None and greatest is not None and least < greatest:
        found |= (stored < least) | (stored > greatest)
    return found


def _as_stored(stated: float | None, stored: np.ndarray, dataset: Dataset) -> float | None:
    """Return a value as the stored bits hold it: exports write it unsigned for signed pixels."""
    if stated is None or stored.dtype.kind == "f":
        return stated
    bits = whole(dataset, "BitsStored") or stored.dtype.itemsize * 8
    held = int(stated) & ((1 << bits) - 1)
    return held - (1 << bits) if stored.dtype.kind == "i" and held >> (bits - 1) else held


def _inverted(
    values: np.ndarray, stored: np.ndarray, dataset: Dataset, linear: Linear, scalings: Scalings
) -> np.ndarray:
    """Return a picture in which bright is bright; a map's values are its meaning and stay.

    Mirrored within the range of the stored bits, the same for every frame of a series.
    """
    if scalings.is_relaxation_map or stored.dtype.kind == "f":
        return values
    bits = whole(dataset, "BitsStored") or stored.dtype.itemsize * 8
    low = -(1 << (bits - 1)) if stored.dtype.kind == "i" else 0
    high = low + (1 << bits) - 1
    return np.asarray(linear.at(low) + linear.at(high) - values)


def _scalings(dataset: Dataset, groups: FrameGroups) -> Scalings:
    group = "PixelValueTransformationSequence"
    slope = groups.first(number, group, "RescaleSlope")
    intercept = groups.first(number, group, "RescaleIntercept")
    scale_slope = groups.private(PHILIPS_SCALE_SLOPE)
    real_world, unit = _real_world(groups)
    frame_type = groups.first(texts, "MRImageFrameTypeSequence", "FrameType")
    return Scalings(
        rescale=None if slope is None else Linear(slope, intercept or 0.0),
        philips=None
        if scale_slope is None
        else (scale_slope, groups.private(PHILIPS_SCALE_INTERCEPT) or 0.0),
        real_world=real_world,
        rescale_type=(groups.first(text, group, "RescaleType") or "").strip(),
        real_world_unit=unit,
        image_type=tuple(frame_type or texts(dataset, "ImageType")),
    )


def _real_world(groups: FrameGroups) -> tuple[Linear | None, str]:
    """Return the first real world value mapping that is linear, and its unit."""
    for source in groups.sources("RealWorldValueMappingSequence"):
        inner = value(source, "RealWorldValueMappingSequence")
        mapping = inner[0] if inner else source
        slope = number(mapping, "RealWorldValueSlope")
        intercept = number(mapping, "RealWorldValueIntercept")
        if slope is not None and intercept is not None:
            units = value(mapping, "MeasurementUnitsCodeSequence")
            return Linear(slope, intercept), text(units[0], "CodeValue") if units else ""
    return None, ""
