"""``dicom/map_*.dcm``: T1, T2 and T2* of every pixel in ms, as DICOM Parametric Maps.

Written with pydicom alone, as the segmentations are (ADR 0028).
"""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from opencmr.anatomy.quantities import Code
from opencmr.imaging.relaxation import TimeMap
from opencmr.imaging.study import Series
from opencmr.measure.relaxometry.in_wall import quantities_of
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_frames import (
    derivation,
    dimension,
    item,
    planes,
    position,
    referenced_series,
)
from opencmr.report.dicom_study import (
    FIRST_SERIES_NUMBER,
    FOLDER,
    LO,
    as_stated,
    begin,
    coded,
    frame_of_reference_uid_of,
    legal,
    save,
    uid_of,
    why_unnamed,
)
from opencmr.report.labels import stem_of
from opencmr.report.plain_text import identifying_words, redacted, shown

FIRST_MAP_NUMBER = FIRST_SERIES_NUMBER + 50
"""Series of maps stand between those of the segmentations and the documents."""
MS = Code("ms", "UCUM", "ms")
_QUANTITY = Code("246205007", "SCT", "Quantity")
_DERIVED = Code("112187", "DCM", "Unspecified method of calculation")


def write(report: Report, folder: Path) -> list[Path]:
    """Write the map of every series that has one and whose pictures can be named."""
    written = []
    with as_stated():
        for number, (series, found) in enumerate(_mapped(report)):
            if why_unnamed(report, [series]):
                continue
            name = f"map_{stem_of(series.key)}_{found.kind.value}.dcm"
            d = _dataset(report, series, found, FIRST_MAP_NUMBER + number)
            written.append(save(d, folder / FOLDER / name))
    return written


def why_no_map(report: Report) -> str:
    """Return why a map cannot be written, or nothing where all can."""
    return next((why for one, _ in _mapped(report) if (why := why_unnamed(report, [one]))), "")


def _mapped(report: Report) -> list[tuple[Series, TimeMap]]:
    """Return the series that have a map, in study order."""
    return [(one, report.maps[one.key]) for one in report.study.series if one.key in report.maps]


def _dataset(report: Report, series: Series, found: TimeMap, number: int) -> Dataset:
    """Return the object (PS3.3 A.75): one frame a slice, its pixels as they are in the map."""
    kind = found.kind
    name = f"{kind.text} after contrast" if found.after_contrast else kind.text
    role = f"MAP {series.key} {kind.value}"
    d = begin(
        report,
        ParametricMapStorage,
        role,
        series_role=role,
        modality="MR",
        series_number=number,
        series_description=legal(f"opencmr {name} {stem_of(series.key)}, research use", LO),
    )
    made_by = redacted(shown(found.made_by, LO), identifying_words(report.study.identity))
    d.FrameOfReferenceUID = frame_of_reference_uid_of(report, series)
    d.PositionReferenceIndicator = ""
    d.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    d.BodyPartExamined = "HEART"
    d.ContentQualification = "RESEARCH"
    d.ContentLabel = f"{kind.name}_MAP"
    d.ContentDescription = legal(f"{name}: {made_by}", LO)
    d.ContentCreatorName = ""
    d.ImageComments = f"{DISCLAIMER}."
    d.BurnedInAnnotation = "NO"
    d.RecognizableVisualFeatures = "NO"
    d.PresentationLUTShape = "IDENTITY"
    d.PixelPresentation = "MONOCHROME"
    d.AcquisitionContextSequence = []
    _add_pixels(d, found)
    _add_frames(d, series, found, name)
    d.DimensionOrganizationSequence = [item(DimensionOrganizationUID=uid_of(report, "dimensions"))]
    d.DimensionIndexSequence = [dimension(report, "ImagePositionPatient", "PlanePositionSequence")]
    pictures = [one for row in series.image.instances for one in row]
    d.ReferencedSeriesSequence = referenced_series(pictures)
    return d


def _add_pixels(d: Dataset, found: TimeMap) -> None:
    """Store ms as 32-bit floats; NaN, where there is no value, is valid (PS3.5 section 8.4)."""
    d.SamplesPerPixel = 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.NumberOfFrames, d.Rows, d.Columns = found.values_ms.shape
    d.BitsAllocated = 32
    d.LossyImageCompression = "00"
    d.FloatPixelData = found.values_ms.astype("<f4").tobytes()


def _add_frames(d: Dataset, series: Series, found: TimeMap, name: str) -> None:
    """Say what the pixels mean, and of each frame where it lies and what it was made of."""
    shared, orientations = planes(found.grid, series)
    low, high = _limits_ms(found)
    shared.ParametricMapFrameTypeSequence = [item(FrameType=list(d.ImageType))]
    shared.PixelValueTransformationSequence = [
        item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")
    ]
    shared.FrameVOILUTSequence = [
        item(
            WindowCenter=f"{(low + high) / 2:.1f}",
            WindowWidth=f"{max(high - low, 1.0):.1f}",
            VOILUTFunction="LINEAR_EXACT",
        )
    ]
    quantity = item(
        ValueType="CODE",
        ConceptNameCodeSequence=[coded(_QUANTITY)],
        ConceptCodeSequence=[coded(quantities_of(found.kind, after_contrast=False).mean.code)],
    )
    shared.RealWorldValueMappingSequence = [
        item(
            DoubleFloatRealWorldValueFirstValueMapped=low,
            DoubleFloatRealWorldValueLastValueMapped=high,
            RealWorldValueIntercept=0.0,
            RealWorldValueSlope=1.0,
            LUTLabel="ms",
            LUTExplanation=f"{name} in ms",
            MeasurementUnitsCodeSequence=[coded(MS)],
            QuantityDefinitionSequence=[quantity],
        )
    ]
    d.SharedFunctionalGroupsSequence = [shared]
    d.PerFrameFunctionalGroupsSequence = []
    for z in range(found.grid.shape[0]):
        pictures = [row[z] for row in series.image.instances]
        groups = item(
            FrameContentSequence=[item(DimensionIndexValues=[z + 1])],
            PlanePositionSequence=[position(found.grid, z)],
            DerivationImageSequence=[derivation(series, pictures, _DERIVED)],
        )
        if orientations:
            groups.PlaneOrientationSequence = [orientations[z]]
        d.PerFrameFunctionalGroupsSequence.append(groups)


def _limits_ms(found: TimeMap) -> tuple[float, float]:
    """Return the smallest and the greatest value; 0 and 0 of a map without any."""
    known = found.values_ms[np.isfinite(found.values_ms)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
