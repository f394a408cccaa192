"""DICOM Segmentation objects of any maker, as segments of the heart (PS3.3 A.51).

A segment is known by its code (CID 4, 12305 and their SNOMED RT elders), where it has none of
these by its label.  Which picture a frame marks is read from its source image, never guessed
from its order.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import unpack_bits

from opencmr.anatomy.codes import STRUCTURE_CODES
from opencmr.anatomy.policy import BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.structures import Structure
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.given_segments import GivenSegments, SegmentFrame
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.intake.containers import limits
from opencmr.intake.dicom.label_objects import Read, silenced
from opencmr.intake.dicom.parsing import text
from opencmr.intake.dicom.structure_names import region_named
from opencmr.storage import sha256_of_bytes

OLDER_CODES = {
    ("T-32600", "SRT"): Structure.LV,
    ("T-32602", "SRT"): Structure.LV,
    ("T-32500", "SRT"): Structure.RV,
    ("T-32611", "SRT"): Structure.MYOCARDIUM,
}
"""SNOMED RT, which objects made before 2018 hold (PS3.16 annex L)."""
_POLICIES = [ContourPolicy(one, other) for one in PapillaryRule for other in BasalRule]


@silenced()
def segments_of(
    read: Sequence[Read], path: Path, *, author: str, series: str | None = None
) -> GivenSegments:
    """Return the segments of objects that were read from a path.

    Raises
    ------
    InputError
        When one is damaged, compressed, fractional, or has a segment that is no structure of the
        heart.
    GeometryError
        When a frame does not say where it lies, or which picture it marks.
    ConfigurationError
        When the author has no name.
    """
    if not author.strip():
        raise ConfigurationError("the author of the labels needs a name")
    objects = [one.dataset for one in read]
    frames = tuple(frame for dataset in objects for frame in _frames(dataset))
    if not frames:
        raise InputError(f"the segments of {path} are empty: no frame has a pixel")
    return GivenSegments(
        drawn=frames,
        author=Author(AuthorKind.READER, author.strip()),
        sha256=sha256_of_bytes("\n".join(one.sha256 for one in read).encode("ascii")),
        series=series,
        series_of={uid: of for dataset in objects for uid, of in series_stated(dataset)},
    )


def _frames(dataset: Dataset) -> Iterator[SegmentFrame]:
    try:
        structures, policy = _structures(dataset), _policy_of(dataset)
        algorithms = _algorithms(dataset)
        pixels = _pixels(dataset)
        is_map = text(dataset, "SegmentationType").upper() == "LABELMAP"
        shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
        groups = dataset.PerFrameFunctionalGroupsSequence
        if len(groups) != len(pixels):
            raise InputError(
                f"a Segmentation object has {len(pixels)} frames and describes {len(groups)}"
            )
        for plane, own in zip(pixels, groups, strict=True):
            affine, pictures = _affine(own, shared), _pictures(own)
            for number, structure in structures.items():
                if is_map:
                    mask = plane == number
                elif number == _segment_of(own, shared):
                    mask = plane.astype(bool)
                else:
                    continue
                if mask.any():
                    made = algorithms[number]
                    yield SegmentFrame(structure, mask, affine, pictures, policy, made)
    except (InputError, GeometryError):
        raise
    except Exception:  # hostile headers raise anything
        raise InputError(
            "a Segmentation object does not describe its segments and frames as PS3.3 A.51 asks"
        ) from None


def _pixels(dataset: Dataset) -> np.ndarray:
    """Return the frames ``(N, Y, X)``: bits, or the numbers of segments."""
    kind = text(dataset, "SegmentationType").upper()
    if kind not in ("BINARY", "LABELMAP"):
        raise InputError("a fractional segmentation has no labels; expected BINARY or LABELMAP")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raise InputError("the pixels of a Segmentation object are compressed; decompress it")
    frames, rows, columns = (
        int(dataset[keyword].value) for keyword in ("NumberOfFrames", "Rows", "Columns")
    )
    size = frames * rows * columns
    if min(frames, rows, columns) < 1 or size > limits.INSTANCE_BYTES:
        raise InputError(f"a Segmentation object states {frames} frames of {rows} x {columns}")
    bits = int(dataset.BitsAllocated)
    if (kind, bits) not in (("BINARY", 1), ("LABELMAP", 8), ("LABELMAP", 16)):
        raise InputError(f"a {kind} segmentation of {bits} bits a pixel cannot be read")
    if bits == 1:
        values = np.asarray(unpack_bits(dataset.PixelData))
    else:
        values = np.frombuffer(dataset.PixelData, np.uint8 if bits == 8 else "<u2")
    if len(values) < size:
        raise InputError("a Segmentation object holds fewer pixels than it states")
    return np.asarray(values[:size].reshape(frames, rows, columns))


def _structures(dataset: Dataset) -> dict[int, Structure]:
    """Return what each segment's number stands for; background has none."""
    found: dict[int, Structure] = {}
    for one in dataset.SegmentSequence:
        number = int(one.SegmentNumber)
        if number == 0:
            continue
        structure = _structure_of(one)
        if structure is None:
            known = ", ".join(structure.value for structure in Structure)
            raise InputError(
                f"segment {number} is coded and named as none of the structures {known}"
            )
        found[number] = structure
    return found


def _structure_of(segment: Dataset) -> Structure | None:
    coded = structure_coded(segment, "SegmentedPropertyTypeCodeSequence")
    named = region_named(text(segment, "SegmentLabel"))
    # A mask within the epicardium holds the cavity too, and is no structure.
    return coded or (named.structure if named and not named.is_epicardial else None)


def structure_coded(item: Dataset, keyword: str) -> Structure | None:
    """Return the structure that the first code of a sequence stands for, or None."""
    coded = (item.get(keyword) or [Dataset()])[0]
    key = text(coded, "CodeValue"), text(coded, "CodingSchemeDesignator")
    for structure, codes in STRUCTURE_CODES.items():
        if key == (codes.kind.value, codes.kind.scheme):
            return structure
    return OLDER_CODES.get(key)


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset | None:
    found = own.get(keyword) or shared.get(keyword)
    return found[0] if found else None


def _segment_of(own: Dataset, shared: Dataset) -> int:
    group = _group(own, shared, "SegmentIdentificationSequence")
    if group is None:
        raise InputError("a frame of a Segmentation object names no segment")
    return int(group.ReferencedSegmentNumber)


def _affine(own: Dataset, shared: Dataset) -> np.ndarray:
    """Return where a frame lies (PS3.3 C.7.6.2.1.1)."""
    keywords = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    place, turn, size = (_group(own, shared, keyword) for keyword in keywords)
    if place is None or turn is None or size is None:
        raise GeometryError("a frame of a Segmentation object does not say where it lies")
    cosines = np.array(turn.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0] = cosines[1] * float(size.PixelSpacing[0])
    affine[:3, 1] = cosines[0] * float(size.PixelSpacing[1])
    affine[:3, 3] = np.array(place.ImagePositionPatient, dtype=np.float64)
    if not np.isfinite(affine).all():
        raise GeometryError("a frame of a Segmentation object lies nowhere: a number is missing")
    return affine


def _pictures(own: Dataset) -> tuple[tuple[str, int], ...]:
    """Return the pictures that a frame was drawn on."""
    found: dict[tuple[str, int], None] = {}
    for derivation in own.get("DerivationImageSequence") or ():
        for source in derivation.get("SourceImageSequence") or ():
            numbers: Any = source.get("ReferencedFrameNumber") or 1
            for number in numbers if isinstance(numbers, Sequence) else [numbers]:
                found[str(source.ReferencedSOPInstanceUID), int(number)] = None
    if not found:
        raise GeometryError(
            "a frame of a Segmentation object does not name the picture that it was drawn on "
            "(DerivationImageSequence), so its moment in the heartbeat is unknown"
        )
    return tuple(found)


def _policy_of(dataset: Dataset) -> ContourPolicy | None:
    """Return the contour policy that an object of ours states."""
    stated = " ".join(text(segment, "SegmentDescription") for segment in dataset.SegmentSequence)
    return next((one for one in _POLICIES if one.text in stated), None)


def _algorithms(dataset: Dataset) -> Mapping[int, str]:
    """Return the algorithm that made each segment; empty for one that was drawn by hand."""
    return {
        int(segment.SegmentNumber): ""
        if text(segment, "SegmentAlgorithmType").upper() == "MANUAL"
        else text(segment, "SegmentAlgorithmName").strip()
        for segment in dataset.SegmentSequence
    }


def series_stated(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Return the pictures that an object lists, each with the series that it says it is of.

    Those of its own study and those of others (PS3.3 C.12.4).
    """
    others = dataset.get("StudiesContainingOtherReferencedInstancesSequence") or ()
    for study in (dataset, *others):
        for series in study.get("ReferencedSeriesSequence") or ():
            of = text(series, "SeriesInstanceUID")
            for one in series.get("ReferencedInstanceSequence") or ():
                if of:
                    yield text(one, "ReferencedSOPInstanceUID"), of
