"""Small DICOM files, made on the fly."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from opencmr.intake.dicom.decode import DicomReader

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"
STUDY_UID = "1.2.3.4"
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def picture(seed: int = 0, shape: tuple[int, int] = (12, 16)) -> np.ndarray:
    """Return pixels (Y, X) uint16 of 12 bits."""
    return np.random.default_rng(seed).integers(0, 4096, shape).astype(np.uint16)


def mr_dataset(pixels: np.ndarray | None = None, **elements: Any) -> FileDataset:
    """Return a classic MR instance; keyword arguments replace or (None) remove elements."""
    pixels = picture() if pixels is None else pixels
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    facts: dict[str, Any] = {
        "SOPClassUID": MR_IMAGE,
        "SOPInstanceUID": "1.2.3.4.5.1",
        "SeriesInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": STUDY_UID,
        "FrameOfReferenceUID": "1.2.3.4.9",
        "Modality": "MR",
        "Manufacturer": "ACME",
        "MagneticFieldStrength": "1.5",
        "PatientName": "Doe^Jane",
        "PatientID": "SECRET-17",
        "PatientBirthDate": "19700102",
        "PatientSex": "F",
        "StudyDate": "20200102",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "InstanceNumber": "1",
        "SeriesNumber": "3",
        "PixelSpacing": ["1.5", "1.25"],
        "ImagePositionPatient": ["-10", "-20", "30"],
        "ImageOrientationPatient": AXIAL,
        "SliceThickness": "8",
        "TriggerTime": "120.5",
        "NominalInterval": "800",
        "EchoTime": "1.5",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[-2],
        "Columns": pixels.shape[-1],
        "BitsAllocated": pixels.dtype.itemsize * 8,
        "BitsStored": pixels.dtype.itemsize * 8,
        "HighBit": pixels.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "PixelData": pixels.tobytes(),
    }
    for keyword, value in {**facts, **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2.3"
    return dataset


def cine_datasets(slices: int = 3, phases: int = 4, **elements: Any) -> list[FileDataset]:
    """Return a short cine: one instance a slice and phase, 10 mm apart."""
    return [
        mr_dataset(
            picture(seed=100 * z + t),
            SOPInstanceUID=f"1.2.3.4.5.{z}.{t}",
            InstanceNumber=str(1 + z * phases + t),
            ImagePositionPatient=["-10", "-20", str(10 * z)],
            TriggerTime=f"{800 * t / phases:.3f}",
            CardiacNumberOfImages=str(phases),
            **elements,
        )
        for z in range(slices)
        for t in range(phases)
    ]


def enhanced_dataset(classic: list[FileDataset]) -> FileDataset:
    """Return the enhanced multi-frame twin of classic instances of one series."""
    first = classic[0]
    pixels = np.stack([instance.pixel_array for instance in classic])
    twin = mr_dataset(
        pixels,
        SOPClassUID=ENHANCED_MR_IMAGE,
        SOPInstanceUID="1.2.3.4.6.1",
        NumberOfFrames=str(len(classic)),
        **dict.fromkeys(
            ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness")
        ),
        **dict.fromkeys(("TriggerTime", "NominalInterval", "EchoTime")),
    )
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        _item(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)
    ]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=first.ImageOrientationPatient)]
    shared.MREchoSequence = [_item(EffectiveEchoTime=float(first.EchoTime))]
    twin.SharedFunctionalGroupsSequence = [shared]
    twin.PerFrameFunctionalGroupsSequence = [_groups_of(instance) for instance in classic]
    return twin


def _groups_of(instance: FileDataset) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = [_item(ImagePositionPatient=instance.ImagePositionPatient)]
    groups.CardiacSynchronizationSequence = [
        _item(
            NominalCardiacTriggerDelayTime=float(instance.TriggerTime),
            RRIntervalTimeNominal=float(instance.NominalInterval),
        )
    ]
    groups.PixelValueTransformationSequence = [
        _item(
            RescaleSlope=instance.get("RescaleSlope", "1"),
            RescaleIntercept=instance.get("RescaleIntercept", "0"),
            RescaleType="US",
        )
    ]
    return groups


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def save(dataset: pydicom.Dataset, path: Path) -> Path:
    """Write a data set as it is, right or wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=False)
    return path


@pytest.fixture(autouse=True)
def _wrong_values_may_be_written() -> Iterator[None]:
    """These tests make files that pydicom would rather not write."""
    settings = pydicom.config.settings
    before = settings.writing_validation_mode, settings.reading_validation_mode
    settings.writing_validation_mode = pydicom.config.IGNORE
    settings.reading_validation_mode = pydicom.config.IGNORE
    yield
    settings.writing_validation_mode, settings.reading_validation_mode = before


class Dicom:
    """The makers of DICOM files, as one fixture."""

    picture = staticmethod(picture)
    mr = staticmethod(mr_dataset)
    cine = staticmethod(cine_datasets)
    enhanced = staticmethod(enhanced_dataset)
    save = staticmethod(save)


@pytest.fixture(scope="session")
def dicom() -> type[Dicom]:
    """Makers of small DICOM data sets and files."""
    return Dicom


@pytest.fixture(scope="module")
def reader() -> Iterator[DicomReader]:
    """A reader whose process the tests of a module share."""
    with DicomReader() as shared:
        yield shared


@pytest.fixture
def cine_folder(tmp_path: Path) -> Callable[..., Path]:
    """A maker of a folder that holds a small cine."""

    def make(name: str = "cine", **elements: Any) -> Path:
        folder = tmp_path / name
        for number, dataset in enumerate(cine_datasets(**elements)):
            save(dataset, folder / f"{number:03d}")
        return folder

    return make
