"""``dicom/seg_*.dcm``: the labels as DICOM Segmentation, one instance for each cardiac phase.

Written with pydicom alone (ADR 0028).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import (
    UID,
    SegmentationStorage,
)

from opencmr.anatomy.codes import STRUCTURE_CODES
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.quantities import Code
from opencmr.anatomy.seg_types import SegType
from opencmr.anatomy.structures import Structure, with_inside
from opencmr.imaging.image import Instance
from opencmr.imaging.segmentation import AuthorKind, Segmentation
from opencmr.imaging.study import Series
from opencmr.report import palette
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
    why_none,
)
from opencmr.report.labels import stem_of
from opencmr.report.phases import phase_text

STORAGE: Mapping[SegType, UID] = MappingProxyType(
    {
        SegType.BINARY: SegmentationStorage,
        SegType.LABELMAP: UID("1.2.840.10008.5.1.4.1.1.66.7"),
    }
)
"""Label Map Segmentation Storage is newer than pydicom's names."""
COLOURS: Mapping[Structure, str] = MappingProxyType(
    {
        Structure.LV: palette.ON_DARK["endo"],
        Structure.MYOCARDIUM: palette.ON_DARK["epi"],
        Structure.RV: palette.ON_DARK["rv"],
    }
)
_XYZ_OF_RGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""CIE XYZ of linear sRGB (ITU-R BT.709 primaries, white D65)."""
_WHITE_XYZ = np.array([0.95047, 1.0, 1.08883])
"""D65, observer of 2 degrees."""
_SEGMENTATION = Code("113076", "DCM", "Segmentation")
_BACKGROUND = Code("125040", "DCM", "Background")
_NETWORK = Code("123110", "DCM", "Artificial Intelligence")


@dataclass(frozen=True, slots=True, eq=False)
class _Mask:
    """Where one segment is on one slice; of a label map (segment 0), which is where."""

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
                STORAGE[report.seg_type],
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
        STORAGE[report.seg_type],
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
    d.SegmentationType = report.seg_type.name
    structures = tuple(structure for _, structure in segmentation.scheme.pairs)
    is_map = report.seg_type is SegType.LABELMAP
    masks = list((_label_maps if is_map else _masks)(segmentation, structures, one.phase))
    d.SegmentSequence = [
        _segment(report, segmentation, structure, place)
        for place, structure in enumerate(structures, start=1)
    ]
    if is_map:
        d.SegmentSequence.insert(0, _background())
    _add_pixels(d, masks, segmentation)
    pictures = series.image.instances[one.phase]
    _add_frames(d, masks, segmentation, series, pictures)
    d.DimensionOrganizationSequence = [item(DimensionOrganizationUID=uid_of(report, "dimensions"))]
    by_segment = dimension(report, "ReferencedSegmentNumber", "SegmentIdentificationSequence")
    by_place = dimension(report, "ImagePositionPatient", "PlanePositionSequence")
    d.DimensionIndexSequence = [by_place] if is_map else [by_segment, by_place]
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


def _label_maps(
    segmentation: Segmentation, structures: Sequence[Structure], phase: int
) -> Iterator[_Mask]:
    """Yield the segment of every pixel of each slice that has any: the innermost structure."""
    labels = segmentation.labels[phase]
    numbers = np.zeros(labels.shape, dtype=np.uint8)
    outermost_first = sorted(structures, key=lambda one: -len(with_inside(one)))
    for structure in outermost_first:
        mask = segmentation.scheme.mask(labels, structure)
        numbers[mask] = structures.index(structure) + 1
    for z, pixels in enumerate(numbers):
        if pixels.any():
            yield _Mask(0, z, pixels)


def _background() -> Dataset:
    """Return what 0 is in a label map (PS3.3 C.8.20.2)."""
    return item(
        SegmentNumber=0,
        SegmentLabel="Background",
        SegmentedPropertyCategoryCodeSequence=[coded(_BACKGROUND)],
        SegmentedPropertyTypeCodeSequence=[coded(_BACKGROUND)],
        SegmentAlgorithmType="AUTOMATIC",
        SegmentAlgorithmName="opencmr",
    )


def _segment(
    report: Report, segmentation: Segmentation, structure: Structure, number: int
) -> Dataset:
    """Return what a segment is and who made it (PS3.3 C.8.20.2)."""
    codes, author = STRUCTURE_CODES[structure], segmentation.author
    found = item(
        SegmentNumber=number,
        SegmentLabel=legal(codes.kind.meaning, LO),
        SegmentDescription=f"{segmentation.policy.text}. {DISCLAIMER}.",
        SegmentedPropertyCategoryCodeSequence=[coded(codes.category)],
        SegmentedPropertyTypeCodeSequence=[coded(codes.kind)],
    )
    if codes.region is not None:
        found.AnatomicRegionSequence = [coded(codes.region)]
    if structure in COLOURS:
        found.RecommendedDisplayCIELabValue = cielab(COLOURS[structure])
    if author.kind is AuthorKind.READER and segmentation.derived_from is None:
        found.SegmentAlgorithmType = "MANUAL"
        return found
    by_network = author.kind is AuthorKind.MODEL
    found.SegmentAlgorithmType = "AUTOMATIC" if by_network else "SEMIAUTOMATIC"
    name = author.text if by_network else segmentation.derived_from or author.text
    found.SegmentAlgorithmName = legal(name, LO)
    if by_network:
        found.SegmentationAlgorithmIdentificationSequence = [_algorithm(report, segmentation)]
    return found


def _algorithm(report: Report, segmentation: Segmentation) -> Dataset:
    """Return the network with version and checksum (PS3.3 table 10-19)."""
    author = segmentation.author
    checksums = [
        model.sha256
        for model in report.provenance.models
        if (model.name, model.version) == (author.name, author.version)
    ]
    found = item(
        AlgorithmFamilyCodeSequence=[coded(_NETWORK)],
        AlgorithmName=legal(author.name, LO),
        AlgorithmVersion=legal(author.version, LO) or "unknown",
    )
    if checksums:
        found.AlgorithmParameters = f"weights sha256 {checksums[0]}"
    return found


def _add_pixels(d: Dataset, masks: Sequence[_Mask], segmentation: Segmentation) -> None:
    """Store frames without a gap: one bit a pixel, or of a label map one byte (PS3.5 section 8)."""
    frames = np.stack([mask.pixels for mask in masks]).astype(np.uint8)
    d.SamplesPerPixel = 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.NumberOfFrames = len(masks)
    d.Rows, d.Columns = segmentation.grid.shape[1:]
    d.PixelRepresentation = 0
    d.LossyImageCompression = "00"
    if d.SegmentationType == SegType.LABELMAP.name:
        d.SegmentsOverlap = "NO"
        d.PixelPaddingValue = 0
        bits, packed = 8, frames.tobytes() + bytes(frames.size % 2)
    else:
        d.SegmentsOverlap = "YES" if _overlap(masks, segmentation) else "NO"
        bits, packed = 1, pack_bits(frames.ravel(), pad=True)
    d.BitsAllocated = d.BitsStored = bits
    d.HighBit = bits - 1
    d.PixelData = packed
    d["PixelData"].VR = "OB"


def _overlap(masks: Sequence[_Mask], segmentation: Segmentation) -> bool:
    covered = np.zeros(segmentation.grid.shape, dtype=np.uint8)
    for mask in masks:
        covered[mask.z] += mask.pixels
    return bool(covered.max() > 1)


def _add_frames(
    d: Dataset,
    masks: Sequence[_Mask],
    segmentation: Segmentation,
    series: Series,
    pictures: Sequence[Instance],
) -> None:
    """Say of each frame where it lies and which picture it was drawn on (PS3.3 A.51.5)."""
    shared, orientations = planes(segmentation.grid, series)
    d.SharedFunctionalGroupsSequence = [shared]
    d.PerFrameFunctionalGroupsSequence = []
    for mask in masks:
        index = [mask.segment, mask.z + 1] if mask.segment else [mask.z + 1]
        groups = item(
            FrameContentSequence=[item(DimensionIndexValues=index)],
            PlanePositionSequence=[position(segmentation.grid, mask.z)],
            DerivationImageSequence=[derivation(series, [pictures[mask.z]], _SEGMENTATION)],
        )
        if mask.segment:
            groups.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=mask.segment)]
        if orientations:
            groups.PlaneOrientationSequence = [orientations[mask.z]]
        d.PerFrameFunctionalGroupsSequence.append(groups)


def cielab(colour: str) -> list[int]:
    """Return a colour as DICOM stores it: CIELab, 16 bits each (PS3.3 C.10.7.1.1).

    From sRGB (IEC 61966-2-1) by CIE 15, with white at D65.
    """
    rgb = np.array(palette.rgb(colour)) / 255.0
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = _XYZ_OF_RGB @ linear / _WHITE_XYZ
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    scaled = ((116 * y - 16) * 655.35, (500 * (x - y) + 128) * 257, (200 * (y - z) + 128) * 257)
    return [round(float(value)) for value in scaled]
