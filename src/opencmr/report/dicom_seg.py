"""``dicom/seg_*.dcm``: the labels as DICOM Segmentation, one instance for each cardiac phase.

Written with pydicom alone: a stack is often one series a slice, or one multi-frame instance a
slice, and its slices may be tilted (ADR 0028).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.tag import Tag
from pydicom.uid import (
    MRImageStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pydicom.valuerep import format_number_as_ds
from skimage.color import rgb2lab

from opencmr.anatomy.codes import STRUCTURE_CODES
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.quantities import Code
from opencmr.anatomy.structures import Structure
from opencmr.imaging.image import Instance
from opencmr.imaging.segmentation import AuthorKind, Segmentation
from opencmr.imaging.study import Series
from opencmr.report import palette
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_study import (
    FIRST_SERIES_NUMBER,
    FOLDER,
    LO,
    as_stated,
    begin,
    coded,
    frame_of_reference_uid_of,
    legal,
    reference,
    save,
    uid_of,
    why_none,
)
from opencmr.report.labels import stem_of
from opencmr.report.phases import phase_text

SINGLE_FRAME = frozenset({MRImageStorage, SecondaryCaptureImageStorage})
"""Classes whose instances are one picture each."""
COLOURS: Mapping[Structure, str] = MappingProxyType(
    {
        Structure.LV: palette.ON_DARK["endo"],
        Structure.MYOCARDIUM: palette.ON_DARK["epi"],
        Structure.RV: palette.ON_DARK["rv"],
    }
)
SAME_DIRECTION = 1e-6
"""Greatest difference between direction cosines that are one orientation."""
_SEGMENTATION = Code("113076", "DCM", "Segmentation")
_SOURCE = Code("121322", "DCM", "Source image for image processing operation")
_NETWORK = Code("123110", "DCM", "Artificial Intelligence")


@dataclass(frozen=True, slots=True, eq=False)
class _Mask:
    """Where one segment is on one slice."""

    segment: int
    z: int
    pixels: np.ndarray


@dataclass(frozen=True, slots=True)
class SegInstance:
    """One SEG of a result: what it shows and what others refer to it by."""

    series: Series
    phase: int
    label: str
    instance: Instance

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"seg_{stem_of(self.series.key)}_{self.label.lower()}.dcm"


def write(report: Report, folder: Path) -> list[Path]:
    """Write the SEG of every measured series and phase; none where no DICOM can be written."""
    place = folder / FOLDER
    with as_stated():
        return [save(_dataset(report, one), place / one.name) for one in seg_instances(report)]


def seg_instances(report: Report) -> list[SegInstance]:
    """Return every SEG that a report gives; phases without a label give none."""
    if why_none(report):
        return []
    return [
        SegInstance(
            series,
            phase,
            label,
            Instance(
                SegmentationStorage,
                uid_of(report, f"SEG {series.key} {phase}"),
                1,
                uid_of(report, f"series SEG {series.key}"),
                report.study.uid,
            ),
        )
        for series in report.measured_series()
        for phase, label in phases_of(report, series).items()
        if report.segmentations[series.key].labels[phase].any()
    ]


def phases_of(report: Report, series: Series) -> dict[int, str]:
    """Return the name of each cardiac phase that is written, by its 0-based number.

    Each ventricle has its own end-diastole and end-systole; where there are none, or all are
    asked for, every phase.
    """
    named: dict[int, str] = {}
    landmarks = report.landmarks.get(series.key)
    for ventricle, cycle in (("", landmarks.lv), ("RV", landmarks.rv)) if landmarks else ():
        if cycle is not None:
            named.setdefault(cycle.ed_phase, f"{ventricle}ED")
            named.setdefault(cycle.es_phase, f"{ventricle}ES")
    if report.seg_phases is SegPhases.ALL or not named:
        phases = range(report.segmentations[series.key].labels.shape[0])
        named = {phase: f"PHASE{phase + 1:02d}" for phase in phases} | named
    return dict(sorted(named.items()))


def _dataset(report: Report, one: SegInstance) -> Dataset:
    """Return the object (PS3.3 A.51)."""
    series = one.series
    segmentation = report.segmentations[series.key]
    number = report.measured_series().index(series)
    d = begin(
        report,
        SegmentationStorage,
        f"SEG {series.key} {one.phase}",
        series_role=f"SEG {series.key}",
        modality="SEG",
        series_number=FIRST_SERIES_NUMBER + number,
        series_description=legal(f"opencmr segmentation {stem_of(series.key)}, research use", LO),
        instance_number=one.phase + 1,
    )
    d.FrameOfReferenceUID = frame_of_reference_uid_of(report, series)
    d.PositionReferenceIndicator = ""
    d.ImageType = ["DERIVED", "PRIMARY"]
    d.ContentLabel = one.label
    d.ContentDescription = legal(f"{one.label}, {phase_text(series.image, one.phase)}", LO)
    d.ContentCreatorName = ""
    d.ImageComments = f"{DISCLAIMER}."
    d.SegmentationType = "BINARY"
    structures = tuple(structure for _, structure in segmentation.scheme.pairs)
    masks = list(_masks(segmentation, structures, one.phase))
    d.SegmentSequence = [
        _segment(report, segmentation, structure, place)
        for place, structure in enumerate(structures, start=1)
    ]
    _add_pixels(d, masks, segmentation)
    pictures = series.image.instances[one.phase]
    _add_frames(d, masks, segmentation, series, pictures)
    d.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=uid_of(report, "dimensions"))]
    d.DimensionIndexSequence = [
        _dimension(report, "ReferencedSegmentNumber", "SegmentIdentificationSequence"),
        _dimension(report, "ImagePositionPatient", "PlanePositionSequence"),
    ]
    d.ReferencedSeriesSequence = referenced_series([pictures[z] for z in {m.z for m in masks}])
    return d


def _masks(
    segmentation: Segmentation, structures: Sequence[Structure], phase: int
) -> Iterator[_Mask]:
    """Yield each segment on each slice that has it: a structure with all inside it."""
    labels = segmentation.labels[phase]
    for number, structure in enumerate(structures, start=1):
        for z, pixels in enumerate(segmentation.scheme.mask(labels, structure)):
            if pixels.any():
                yield _Mask(number, z, pixels)


def _segment(
    report: Report, segmentation: Segmentation, structure: Structure, number: int
) -> Dataset:
    """Return what a segment is and who made it (PS3.3 C.8.20.2)."""
    codes, author = STRUCTURE_CODES[structure], segmentation.author
    item = _item(
        SegmentNumber=number,
        SegmentLabel=legal(codes.kind.meaning, LO),
        SegmentDescription=f"{segmentation.policy.text}. {DISCLAIMER}.",
        SegmentedPropertyCategoryCodeSequence=[coded(codes.category)],
        SegmentedPropertyTypeCodeSequence=[coded(codes.kind)],
    )
    if codes.region is not None:
        item.AnatomicRegionSequence = [coded(codes.region)]
    if structure in COLOURS:
        item.RecommendedDisplayCIELabValue = _cielab(COLOURS[structure])
    if author.kind is AuthorKind.READER and segmentation.derived_from is None:
        item.SegmentAlgorithmType = "MANUAL"
        return item
    by_network = author.kind is AuthorKind.MODEL
    item.SegmentAlgorithmType = "AUTOMATIC" if by_network else "SEMIAUTOMATIC"
    item.SegmentAlgorithmName = legal(segmentation.derived_from or author.text, LO)
    if by_network:
        item.SegmentationAlgorithmIdentificationSequence = [_algorithm(report, segmentation)]
    return item


def _algorithm(report: Report, segmentation: Segmentation) -> Dataset:
    """Return the network with version and checksum (PS3.3 table 10-19)."""
    author = segmentation.author
    checksums = [
        model.sha256
        for model in report.provenance.models
        if (model.name, model.version) == (author.name, author.version)
    ]
    item = _item(
        AlgorithmFamilyCodeSequence=[coded(_NETWORK)],
        AlgorithmName=legal(author.name, LO),
        AlgorithmVersion=legal(author.version, LO) or "unknown",
    )
    if checksums:
        item.AlgorithmParameters = f"weights sha256 {checksums[0]}"
    return item


def _add_pixels(d: Dataset, masks: Sequence[_Mask], segmentation: Segmentation) -> None:
    """Pack the masks one bit a pixel, frames without a gap (PS3.5 section 8.1.1)."""
    frames = np.stack([mask.pixels for mask in masks])
    covered = np.zeros(segmentation.grid.shape, dtype=np.uint8)
    for mask in masks:
        covered[mask.z] += mask.pixels
    d.SegmentsOverlap = "YES" if covered.max() > 1 else "NO"
    d.SamplesPerPixel = 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.NumberOfFrames = len(masks)
    d.Rows, d.Columns = segmentation.grid.shape[1:]
    d.BitsAllocated = d.BitsStored = 1
    d.HighBit = d.PixelRepresentation = 0
    d.LossyImageCompression = "00"
    d.PixelData = pack_bits(frames.astype(np.uint8).ravel(), pad=True)
    d["PixelData"].VR = "OB"


def _add_frames(
    d: Dataset,
    masks: Sequence[_Mask],
    segmentation: Segmentation,
    series: Series,
    pictures: Sequence[Instance],
) -> None:
    """Say of each frame where it lies and which picture it was drawn on (PS3.3 A.51.5)."""
    grid = segmentation.grid
    spacing_mm = grid.slice_spacing_mm
    measures = _item(PixelSpacing=_numbers([grid.row_spacing_mm, grid.column_spacing_mm]))
    measures.SliceThickness = _numbers([series.header.slice_thickness_mm or spacing_mm or 1.0])[0]
    if spacing_mm is not None:
        measures.SpacingBetweenSlices = _numbers([spacing_mm])[0]
    shared = _item(PixelMeasuresSequence=[measures])
    directions = [_directions(affine) for affine in grid.affines]
    is_parallel = bool(np.abs(np.array(directions) - directions[0]).max() <= SAME_DIRECTION)
    if is_parallel:
        shared.PlaneOrientationSequence = [_orientation(directions[0])]
    d.SharedFunctionalGroupsSequence = [shared]
    aligned = series.facts is None or not series.facts.realigned_slices
    d.PerFrameFunctionalGroupsSequence = []
    for mask in masks:
        source = reference(pictures[mask.z])
        if source.ReferencedSOPClassUID not in SINGLE_FRAME:
            source.ReferencedFrameNumber = pictures[mask.z].frame_number
        source.SpatialLocationsPreserved = "YES" if aligned else "NO"
        source.PurposeOfReferenceCodeSequence = [coded(_SOURCE)]
        position = _numbers(grid.affines[mask.z, :3, 3])
        groups = _item(
            FrameContentSequence=[_item(DimensionIndexValues=[mask.segment, mask.z + 1])],
            PlanePositionSequence=[_item(ImagePositionPatient=position)],
            DerivationImageSequence=[
                _item(SourceImageSequence=[source], DerivationCodeSequence=[coded(_SEGMENTATION)])
            ],
            SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=mask.segment)],
        )
        if not is_parallel:
            groups.PlaneOrientationSequence = [_orientation(directions[mask.z])]
        d.PerFrameFunctionalGroupsSequence.append(groups)


def _directions(affine: np.ndarray) -> np.ndarray:
    """Return the direction cosines (6,) of a row, then of a column, of a slice."""
    right, down = affine[:3, 1], affine[:3, 0]
    return np.concatenate([right / np.linalg.norm(right), down / np.linalg.norm(down)])


def _orientation(directions: np.ndarray) -> Dataset:
    return _item(ImageOrientationPatient=_numbers(directions))


def referenced_series(instances: Sequence[Instance]) -> list[Dataset]:
    """Return the instances by their series, each once (PS3.3 C.12.2)."""
    by_series: dict[str, dict[str, Instance]] = {}
    for one in instances:
        by_series.setdefault(one.series_instance_uid, {})[one.sop_instance_uid] = one
    return [
        _item(
            SeriesInstanceUID=uid,
            ReferencedInstanceSequence=[reference(one) for one in found.values()],
        )
        for uid, found in sorted(by_series.items())
    ]


def _dimension(report: Report, keyword: str, group: str) -> Dataset:
    return _item(
        DimensionOrganizationUID=uid_of(report, "dimensions"),
        DimensionIndexPointer=Tag(keyword),
        FunctionalGroupPointer=Tag(group),
    )


def _cielab(colour: str) -> list[int]:
    """Return a colour as DICOM stores it: CIELab, 16 bits each (PS3.3 C.10.7.1.1)."""
    lightness, a, b = rgb2lab(np.array(palette.rgb(colour)) / 255.0)
    scaled = (lightness * 655.35, (a + 128) * 257, (b + 128) * 257)
    return [round(float(value)) for value in scaled]


def _numbers(values: Sequence[float] | np.ndarray) -> list[str]:
    """Return decimal strings: at most 16 characters, as exact as they allow."""
    return [format_number_as_ds(float(value)) for value in values]


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
