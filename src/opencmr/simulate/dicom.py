"""Writing a simulated study as classic MR Image Storage instances (DICOM PS3.3 A.4)."""

import datetime
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from opencmr import __version__
from opencmr.anatomy.plausible import MS_PER_MINUTE
from opencmr.anatomy.techniques import Technique
from opencmr.decimal_string import decimal_string
from opencmr.imaging.image import Image
from opencmr.simulate.export import write_truth
from opencmr.simulate.physics import PROTON_MHZ_PER_T
from opencmr.simulate.study import SimulatedSeries, SimulatedStudy

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STUDY_START = datetime.datetime(2026, 1, 5, 9, 30)
"""When every phantom was examined: fixed, so that the same study is the same bytes."""
BREATH_HOLD = datetime.timedelta(seconds=20)
_NAMESPACE = uuid.UUID("5f0d1e0a-6f3e-5b0a-9d5e-3c2a1b7c9e41")
_UID_BITS_PREFIX = "2.25."


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one instance stands in the study."""

    series_number: int
    series_uid: str
    description: str
    instance_number: int
    phase: int
    slice_index: int
    acquired: datetime.datetime


def write_dicom(
    study: SimulatedStudy, folder: Path, *, series_per_slice: bool = False
) -> list[Path]:
    """Write the study as DICOM files, and ``truth.json`` beside them.

    UIDs are ``2.25.`` and a version 5 UUID of parameters, protocol and role: the same study is
    the same bytes.

    Parameters
    ----------
    series_per_slice : bool
        False: the short-axis stack is one series, as GE writes it.  True: one series a slice,
        as Siemens does.

    Returns
    -------
    list of Path
        The instances, then ``truth.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    common = _study_level(study)
    paths = []
    for series, image, place in _instances(study, series_per_slice):
        dataset = _instance(study, common, series, image, place)
        path = folder / f"{place.series_number:04d}_{place.instance_number:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return [*paths, write_truth(study, folder)]


def _uid(study: SimulatedStudy, role: str) -> str:
    name = f"{study.parameters!r} {study.protocol!r} {role}"
    if study.tissue is not None:
        name += f" {study.tissue.parameters!r}"
    return _UID_BITS_PREFIX + str(uuid.uuid5(_NAMESPACE, name).int)


def _instances(
    study: SimulatedStudy, series_per_slice: bool
) -> Iterator[tuple[SimulatedSeries, Image, _Place]]:
    """Yield every two-dimensional image in the order of acquisition."""
    number, start = 0, STUDY_START
    for index, series in enumerate(study.series):
        split = series_per_slice and series.sequence is Technique.CINE
        number, instance = number + 1, 0
        for image in series.images:
            for z in range(image.grid.shape[0]):
                if split and z > 0:
                    number, instance = number + 1, 0
                start = start + BREATH_HOLD
                uid = _uid(study, f"series {index}" + (f" slice {z}" if split else ""))
                for t in range(image.phases):
                    instance += 1
                    yield (
                        series,
                        image,
                        _Place(number, uid, series.description, instance, t, z, start),
                    )


def _study_level(study: SimulatedStudy) -> "Dataset":
    from pydicom.dataset import Dataset

    parameters, protocol = study.parameters, study.protocol
    birth = STUDY_START.year - int(parameters.age_years)
    d = Dataset()
    d.SpecificCharacterSet = "ISO_IR 192"
    d.StudyDate, d.StudyTime = _date_time(STUDY_START)
    d.AccessionNumber = ""
    d.Modality = "MR"
    d.Manufacturer = "opencmr"
    d.InstitutionName = "opencmr simulator"
    d.ReferringPhysicianName = ""
    d.StudyDescription = "Digital heart phantom"
    d.ManufacturerModelName = "digital heart"
    d.PatientName = "Phantom^Digital"
    d.PatientID = f"PHANTOM-{parameters.seed}"
    d.PatientBirthDate = f"{birth:04d}0101"
    d.PatientSex = parameters.sex
    d.PatientAge = f"{int(parameters.age_years):03d}Y"
    d.PatientSize = decimal_string(parameters.height_cm / 100)
    d.PatientWeight = decimal_string(parameters.weight_kg)
    d.BodyPartExamined = "HEART"
    d.MRAcquisitionType = "2D"
    d.ScanningSequence = "GR"
    d.SequenceVariant = "SS"
    d.RepetitionTime = decimal_string(protocol.tr_ms)
    d.EchoTime = decimal_string(protocol.tr_ms / 2)
    d.FlipAngle = decimal_string(protocol.flip_deg)
    d.EchoTrainLength = 1
    d.NumberOfAverages = "1"
    d.MagneticFieldStrength = decimal_string(protocol.field_strength_t)
    d.ImagingFrequency = decimal_string(PROTON_MHZ_PER_T * protocol.field_strength_t)
    d.ImagedNucleus = "1H"
    d.DeviceSerialNumber = "0"
    d.SoftwareVersions = f"opencmr {__version__}"
    d.PatientPosition = "HFS"
    d.StudyInstanceUID = _uid(study, "study")
    d.StudyID = "1"
    d.FrameOfReferenceUID = _uid(study, "frame of reference")
    d.PositionReferenceIndicator = ""
    return d


def _instance(
    study: SimulatedStudy,
    common: "Dataset",
    series: SimulatedSeries,
    image: Image,
    place: _Place,
) -> "Dataset":
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    d = Dataset()
    d.update(common)
    role = f"series {series.description} {place.series_uid} instance {place.instance_number}"
    d.SOPClassUID = MRImageStorage
    d.SOPInstanceUID = _uid(study, role)
    d.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    d.SeriesInstanceUID = place.series_uid
    d.SeriesNumber = place.series_number
    d.SeriesDescription = place.description
    d.ProtocolName = place.description
    d.AcquisitionNumber = place.slice_index + 1
    d.InstanceNumber = place.instance_number
    d.SeriesDate, d.SeriesTime = _date_time(place.acquired)
    d.AcquisitionDate, d.AcquisitionTime = _date_time(place.acquired)
    d.ContentDate, d.ContentTime = _date_time(place.acquired)
    _add_plane(d, study, image, place.slice_index)
    if series.sequence is Technique.CINE:
        _add_timing(d, image, place)
        d.CardiacNumberOfImages = image.phases
        d.TemporalPositionIdentifier = place.phase + 1
        d.NumberOfTemporalPositions = image.phases
    elif series.stated:
        _add_timing(d, image, place)
        _add_stated(d, series.stated[place.phase])
    else:
        d.ScanOptions = ""
    _add_pixels(d, image.values[place.phase, place.slice_index])
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return d


def _add_plane(d: "Dataset", study: SimulatedStudy, image: Image, z: int) -> None:
    grid = image.grid
    affine = grid.affines[z]
    right = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    down = affine[:3, 0] / np.linalg.norm(affine[:3, 0])
    d.PixelSpacing = [decimal_string(grid.row_spacing_mm), decimal_string(grid.column_spacing_mm)]
    d.ImageOrientationPatient = [decimal_string(value) for value in (*right, *down)]
    d.ImagePositionPatient = [decimal_string(value) for value in affine[:3, 3]]
    d.SliceThickness = decimal_string(study.protocol.thickness_mm)
    if grid.shape[0] > 1:
        d.SpacingBetweenSlices = decimal_string(float(grid.slice_gaps_mm.mean()))
    d.SliceLocation = decimal_string(float(grid.slice_positions_mm[z]))


def _add_timing(d: "Dataset", image: Image, place: _Place) -> None:
    rr_ms = float(image.rr_ms[place.slice_index])
    d.ScanOptions = ["CG"]
    d.TriggerTime = decimal_string(float(image.trigger_ms[place.phase, place.slice_index]))
    d.NominalInterval = round(rr_ms)
    d.HeartRate = round(MS_PER_MINUTE / rr_ms)


def _add_stated(d: "Dataset", stated: Mapping[str, Any]) -> None:
    """Write what a picture says of how it was made in place of what the cine says."""
    for keyword, value in stated.items():
        setattr(d, keyword, decimal_string(value) if isinstance(value, float | int) else value)


def _add_pixels(d: "Dataset", values: np.ndarray) -> None:
    pixels = values.astype("<u2")
    high = int(pixels.max())
    d.SamplesPerPixel = 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.Rows, d.Columns = pixels.shape
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.PixelRepresentation = 0
    d.SmallestImagePixelValue = int(pixels.min())
    d.LargestImagePixelValue = high
    d.WindowCenter, d.WindowWidth = decimal_string(high / 2), decimal_string(max(high, 1))
    d.PixelData = pixels.tobytes()


def _date_time(moment: datetime.datetime) -> tuple[str, str]:
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
