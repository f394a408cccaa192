"""DICOM RT Structure Sets of any maker, as outlines of the heart (PS3.3 A.19, C.8.8.5 to C.8.8.8).

A region of interest (ROI) is known by its code, where it has none of ours by its name.  Which
picture, and so which cardiac phase, a contour is of is read from its Contour Image Sequence.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.reasons import Reason, reason_of
from opencmr.anatomy.structures import Structure
from opencmr.errors import ConfigurationError, GeometryError, InputError
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.given_outlines import GivenOutlines, Outline, Region
from opencmr.imaging.segmentation import Author, AuthorKind
from opencmr.intake.dicom.label_objects import Read, silenced
from opencmr.intake.dicom.parsing import is_cut, text, texts, whole
from opencmr.intake.dicom.segments import structure_coded
from opencmr.intake.dicom.structure_names import region_named
from opencmr.storage import sha256_of_bytes

CLOSED = {"CLOSED_PLANAR": False, "CLOSEDPLANAR_XOR": True}
"""Contour Geometric Types (C.8.8.6) that enclose something, and whether they may cross."""
MOST_POINTS = 20_000
"""Of one contour; an outline of a heart takes some hundreds."""
MOST_CONTOURS = 50_000
"""Of one object; three surfaces on 20 slices of 100 phases are 6000."""
FARTHEST_MM = 10_000.0
"""No point of a patient lies farther from the origin of any scanner."""
CHECKSUM_TOLD = 12
"""Digits of a checksum that tell the files of a folder apart."""
MOST_NUMBERS = 12
"""More numbers are not listed in a message."""


@silenced()
def outlines_of(read: Sequence[Read], *, author: str, series: str | None = None) -> GivenOutlines:
    """Return the outlines of what was read.

    Raises
    ------
    InputError
        When one is damaged, or no region is a structure of the heart.
    GeometryError
        When a contour is no polygon.
    ConfigurationError
        When the author has no name.
    """
    if not author.strip():
        raise ConfigurationError("the author of the contours needs a name")
    are_several = len(read) > 1
    parts = [_part(one, is_one_of_several=are_several) for one in read]
    outlines = tuple(outline for part in parts for outline in part.outlines)
    if len(outlines) > MOST_CONTOURS:
        raise InputError(f"RT Structure Sets hold more than {MOST_CONTOURS} contours together")
    if not outlines:
        known = ", ".join(structure.value for structure in Structure)
        raise InputError(
            "an RT Structure Set holds no closed contour of a region that is coded or named as "
            f"one of the structures {known}, or as the endocardium or epicardium"
        )
    hashes = [one.sha256 for one in read]
    stated = [row for part in parts for row in part.stated]
    return GivenOutlines(
        drawn=outlines,
        author=Author(AuthorKind.READER, author.strip()),
        sha256=sha256_of_bytes("\n".join(hashes).encode("ascii")) if are_several else hashes[0],
        series=series,
        series_of={picture: uid for uid, pictures in stated for picture in pictures},
        policy=ACDC_POLICY,
        algorithms={roi: made for part in parts for roi, made in part.algorithms.items()},
        series_uids=frozenset(uid for uid, _ in stated),
        remarks=tuple(flag for part in parts for flag in part.remarks),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What one of the objects gives."""

    outlines: tuple[Outline, ...]
    remarks: tuple[QualityFlag, ...]
    algorithms: Mapping[str, str]
    stated: Sequence[tuple[str, list[str]]]


def _part(read: Read, *, is_one_of_several: bool) -> _Part:
    """Return what one object gives; several number their regions alike, so its file is named.

    A remark stands in the report, where no name of a file does: there it is the checksum.
    """
    dataset = read.dataset
    named = f"{read.name}: " if is_one_of_several else ""
    try:
        rois = _rois(dataset)
        regions = {number: _region(number, *row) for number, row in rois.items()}
        outlines, remarks = _outlines(dataset, rois, regions)
        algorithms = _algorithms(dataset, rois)
        stated = [*_series_stated(dataset)]
    except (InputError, GeometryError) as error:
        reason = reason_of(error)
        told = f"{named}{error}"
        raise type(error)(Reason(reason.code, told) if reason else told) from error
    except Exception:  # hostile headers raise anything
        raise InputError(
            f"{named}an RT Structure Set does not describe its regions and contours as PS3.3 "
            "C.8.8.5 and C.8.8.6 ask"
        ) from None
    if not is_one_of_several:
        return _Part(outlines, remarks, algorithms, stated)
    of_set = f" of the Structure Set of SHA-256 {read.sha256[:CHECKSUM_TOLD]}..."
    return _Part(
        tuple(replace(one, roi=f"{one.roi} of {read.name}") for one in outlines),
        tuple(replace(flag, evidence=flag.evidence + of_set) for flag in remarks),
        {f"{roi} of {read.name}": made for roi, made in algorithms.items()},
        stated,
    )


Roi = tuple[Dataset, Dataset]
"""Items of the Structure Set ROI Sequence and of the RT ROI Observations Sequence."""


def _rois(dataset: Dataset) -> dict[int, Roi]:
    observed = {
        int(one.ReferencedROINumber): one for one in dataset.get("RTROIObservationsSequence") or ()
    }
    found: dict[int, Roi] = {}
    for one in dataset.StructureSetROISequence:
        number = int(one.ROINumber)
        if number in found:
            raise InputError(f"an RT Structure Set describes ROI {number} twice")
        found[number] = one, observed.get(number, Dataset())
    return found


def _region(number: int, roi: Dataset, observation: Dataset) -> Region | None:
    """Return what a region is, or None: a code and a name that contradict each other are refused.

    The code of the left ventricle stands for the organ too, so that the name may say more.
    """
    coded = structure_coded(observation, "RTROIIdentificationCodeSequence")
    names = (text(roi, "ROIName"), text(observation, "ROIObservationLabel"))
    named = next(filter(None, map(region_named, names)), None)
    if coded is None or named is None:
        return named if coded is None else Region(coded)
    may_differ = coded is Structure.LV and named.structure is Structure.MYOCARDIUM
    if coded is not named.structure and not may_differ:
        raise InputError(
            f"ROI {number} is coded as {coded.value} and named as {named.structure.value}"
        )
    return named


def _outlines(
    dataset: Dataset, rois: Mapping[int, Roi], regions: Mapping[int, Region | None]
) -> tuple[tuple[Outline, ...], tuple[QualityFlag, ...]]:
    """Return the closed contours of known regions, and remarks on the others."""
    found: list[Outline] = []
    unknown: set[int] = set()
    open_ones: Counter[int] = Counter()
    for item in dataset.ROIContourSequence:
        number = int(item.ReferencedROINumber)
        if number not in rois:
            raise InputError(f"contours are of ROI {number}, which the Structure Set does not list")
        contours, region = item.get("ContourSequence") or (), regions[number]
        if region is None:
            unknown |= {number} if contours else set()
            continue
        if len(contours) + len(found) > MOST_CONTOURS:
            raise InputError(f"an RT Structure Set holds more than {MOST_CONTOURS} contours")
        frame = text(rois[number][0], "ReferencedFrameOfReferenceUID").strip()
        for contour in contours:
            kind = text(contour, "ContourGeometricType").strip().upper()
            if kind not in CLOSED:
                open_ones[number] += 1
                continue
            points = _points(contour, number)
            found.append(
                Outline(str(number), region, points, _pictures(contour), frame, CLOSED[kind])
            )
    remarks = []
    if unknown:
        remarks.append(
            _left_out(
                "Regions of the Structure Set are coded and named as no structure that is "
                "measured, and were not read.",
                f"ROI {_listed(unknown)}",
            )
        )
    if open_ones:
        remarks.append(
            _left_out(
                "Points and open contours enclose nothing, and were not read.",
                f"{open_ones.total()} of ROI {_listed(open_ones)}",
            )
        )
    return tuple(found), tuple(remarks)


def _left_out(message: str, evidence: str) -> QualityFlag:
    return QualityFlag(Severity.INFO, "CONTOURS_UNREAD", message, evidence)


def _listed(numbers: Iterable[int]) -> str:
    """Return numbers in order, the first of them.

    >>> _listed({3, 1})
    '1, 3'
    """
    ordered = sorted(numbers)
    further = len(ordered) - MOST_NUMBERS
    told = ", ".join(map(str, ordered[:MOST_NUMBERS]))
    return f"{told} and {further} more" if further > 0 else told


def _points(contour: Dataset, roi: int) -> np.ndarray:
    """Return the points ``(N, 3)`` in mm of a contour.

    Read from the bytes as they stand in the file: pydicom takes ten times as long for many numbers
    and lets pass what is none.
    """
    element: Any = contour.get_item(tag_for_keyword("ContourData") or 0)
    if element is None:
        raise _bad(roi, "no points")
    if is_cut(element):
        raise _bad(roi, "points that end before their stated length")
    stored = element.value
    raw = stored if isinstance(stored, bytes) else text(contour, "ContourData").encode("ascii")
    if raw.count(b"\\") >= 3 * MOST_POINTS:
        raise _bad(roi, f"more than {MOST_POINTS} points")
    try:
        if raw.translate(None, b"0123456789+-.eE\\ \0"):
            raise ValueError
        values = np.array([float(part.strip(b" \0")) for part in raw.split(b"\\")])
    except ValueError:
        raise _bad(roi, "coordinates that are no numbers") from None
    if len(values) % 3:
        raise _bad(roi, f"{len(values)} coordinates, which are no triples of x, y and z")
    stated = whole(contour, "NumberOfContourPoints")
    if stated is not None and 3 * stated != len(values):
        raise _bad(roi, f"{len(values) // 3} points and states {stated}")
    if not (np.abs(values) <= FARTHEST_MM).all():
        raise _bad(roi, f"a point more than {FARTHEST_MM / 1000:g} m away")
    return values.reshape(-1, 3)


def _bad(roi: int, what: str) -> GeometryError:
    return GeometryError(Reason("BAD_CONTOUR", f"a contour of ROI {roi} has {what}"))


def _pictures(contour: Dataset) -> tuple[tuple[str, int | None], ...]:
    """Return the pictures that a contour names."""
    found: dict[tuple[str, int | None], None] = {}
    for image in contour.get("ContourImageSequence") or ():
        numbers = texts(image, "ReferencedFrameNumber")
        for number in map(int, numbers) if numbers else [None]:
            found[str(image.ReferencedSOPInstanceUID), number] = None
    return tuple(found)


def _series_stated(dataset: Dataset) -> Iterator[tuple[str, list[str]]]:
    """Return the series that an object says it was drawn on, each with its pictures."""
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                pictures = series.get("ContourImageSequence") or ()
                yield (
                    str(series.SeriesInstanceUID),
                    [text(one, "ReferencedSOPInstanceUID") for one in pictures],
                )


def _algorithms(dataset: Dataset, rois: Mapping[int, Roi]) -> Mapping[str, str]:
    """Return the algorithm of each region that one made."""
    maker = text(dataset, "ManufacturerModelName").strip()
    return {
        str(number): text(roi, "ROIGenerationDescription").strip()
        or maker
        or "an algorithm without a name"
        for number, (roi, _) in rois.items()
        if text(roi, "ROIGenerationAlgorithm").strip().upper() in ("AUTOMATIC", "SEMIAUTOMATIC")
    }
