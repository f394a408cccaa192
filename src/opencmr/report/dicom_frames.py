"""Where the frames of a multi-frame object lie, and which pictures they were made of.

Of a stack, which is often one series a slice, or one multi-frame instance a slice, and whose slices
may be tilted.
"""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage

from opencmr.anatomy.quantities import Code
from opencmr.decimal_string import decimal_string
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import Instance
from opencmr.imaging.study import Series
from opencmr.report.contents import Report
from opencmr.report.dicom_study import coded, reference, uid_of

SINGLE_FRAME = frozenset({MRImageStorage, SecondaryCaptureImageStorage})
"""Classes whose instances are one picture each."""
SAME_DIRECTION = 1e-6
"""Greatest difference between direction cosines that are one orientation."""
_SOURCE = Code("121322", "DCM", "Source image for image processing operation")


def planes(grid: Grid, series: Series) -> tuple[Dataset, list[Dataset]]:
    """Return the groups that all frames share, and each slice's own orientation.

    The orientations are empty where all slices share one (PS3.3 C.7.6.16.2.1 and 4).
    """
    spacing_mm = grid.slice_spacing_mm
    measures = item(PixelSpacing=numbers([grid.row_spacing_mm, grid.column_spacing_mm]))
    measures.SliceThickness = numbers([series.header.slice_thickness_mm or spacing_mm or 1.0])[0]
    if spacing_mm is not None:
        measures.SpacingBetweenSlices = numbers([spacing_mm])[0]
    shared = item(PixelMeasuresSequence=[measures])
    found = [directions(affine) for affine in grid.affines]
    orientations = [item(ImageOrientationPatient=numbers(one)) for one in found]
    if np.abs(np.array(found) - found[0]).max() <= SAME_DIRECTION:
        shared.PlaneOrientationSequence = orientations[:1]
        return shared, []
    return shared, orientations


def position(grid: Grid, z: int) -> Dataset:
    """Return where the first pixel of a slice lies."""
    return item(ImagePositionPatient=numbers(grid.affines[z, :3, 3]))


def derivation(series: Series, pictures: Sequence[Instance], how: Code) -> Dataset:
    """Return the pictures that a frame was made of (PS3.3 C.7.6.16.2.6)."""
    aligned = series.facts is None or not series.facts.realigned_slices
    sources = []
    for one in dict.fromkeys(pictures):
        source = reference(one)
        if source.ReferencedSOPClassUID not in SINGLE_FRAME:
            source.ReferencedFrameNumber = one.frame_number
        source.SpatialLocationsPreserved = "YES" if aligned else "NO"
        source.PurposeOfReferenceCodeSequence = [coded(_SOURCE)]
        sources.append(source)
    return item(SourceImageSequence=sources, DerivationCodeSequence=[coded(how)])


def dimension(report: Report, keyword: str, group: str) -> Dataset:
    """Return a dimension along which frames are told apart (PS3.3 C.7.6.17)."""
    return item(
        DimensionOrganizationUID=uid_of(report, "dimensions"),
        DimensionIndexPointer=Tag(keyword),
        FunctionalGroupPointer=Tag(group),
    )


def directions(affine: np.ndarray) -> np.ndarray:
    """Return the direction cosines (6,) of a row, then of a column, of a slice."""
    right, down = affine[:3, 1], affine[:3, 0]
    return np.concatenate([right / np.linalg.norm(right), down / np.linalg.norm(down)])


def referenced_series(instances: Sequence[Instance]) -> list[Dataset]:
    """Return the instances by their series, each once (PS3.3 C.12.2)."""
    by_series: dict[str, dict[str, Instance]] = {}
    for one in instances:
        by_series.setdefault(one.series_instance_uid, {})[one.sop_instance_uid] = one
    return [
        item(
            SeriesInstanceUID=uid,
            ReferencedInstanceSequence=[reference(one) for one in found.values()],
        )
        for uid, found in sorted(by_series.items())
    ]


def numbers(values: Sequence[float] | np.ndarray) -> list[str]:
    """Return decimal strings: at most 16 characters, as exact as they allow."""
    return [decimal_string(value) for value in values]


def item(**elements: object) -> Dataset:
    """Return a sequence's item."""
    found = Dataset()
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    return found
