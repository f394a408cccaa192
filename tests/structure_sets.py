"""RT Structure Sets written by plain pydicom, as a contouring program writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
)

from opencmr.geometry.grid import Grid
from opencmr.imaging.image import Instance


@dataclass
class Roi:
    """A region: its name and its contours, each with the pictures that it names."""

    name: str
    contours: list[tuple[np.ndarray, Sequence[Instance]]] = field(default_factory=list)
    frame: str = "1.2.3.9"
    code: tuple[str, str] | None = None
    kind: str = "CLOSED_PLANAR"
    made: str = "MANUAL"


def decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    return f"{value:.10g}"[:16]


def uid(keyword: str, value: str) -> DataElement:
    """A UID as it is, be it one or not."""
    return DataElement(keyword, "UI", value, validation_mode=IGNORE)


def in_patient(points: np.ndarray, grid: Grid, z: int) -> np.ndarray:
    """Return points ``(N, 2)`` in pixels as points ``(N, 3)`` in mm."""
    flat = np.column_stack([points, np.zeros(len(points)), np.ones(len(points))])
    return (flat @ grid.affines[z].T)[:, :3]


def circle(centre: tuple[float, float], radius: float, count: int = 60) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.asarray(centre) + radius * np.stack([np.sin(turn), np.cos(turn)], axis=1)


def contour(points_mm: np.ndarray, pictures: Sequence[Instance], kind: str) -> Dataset:
    item = Dataset()
    if pictures:
        item.ContourImageSequence = []
        for one in pictures:
            image = Dataset()
            image.ReferencedSOPClassUID = one.sop_class_uid
            image.add(uid("ReferencedSOPInstanceUID", one.sop_instance_uid))
            if one.sop_class_uid == EnhancedMRImageStorage:
                image.ReferencedFrameNumber = one.frame_number
            item.ContourImageSequence.append(image)
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points_mm)
    item.ContourData = [decimal(value) for value in np.ravel(points_mm)]
    return item


def structure_set(
    *rois: Roi,
    series: str | None = None,
    pictures_of: Mapping[str, Sequence[Instance]] | None = None,
) -> Dataset:
    """``series``, ``pictures_of``: what it says that it was drawn on, without pictures or with."""
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID = RTStructureSetStorage, "1.2.3.77"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.Modality = "1.2.3", "1.2.3.78", "RTSTRUCT"
    d.PatientName, d.PatientID = "Müller^Ève", "ID-17"
    d.SpecificCharacterSet, d.ManufacturerModelName = "ISO_IR 192", "Contourer"
    d.StructureSetLabel = "RS"
    stated = {**({series: ()} if series else {}), **(pictures_of or {})}
    if stated:
        frame, study = Dataset(), Dataset()
        study.RTReferencedSeriesSequence = []
        for of, pictures in stated.items():
            one = Dataset()
            one.add(uid("SeriesInstanceUID", of))
            one.ContourImageSequence = [Dataset() for _ in pictures]
            for item, picture in zip(one.ContourImageSequence, pictures, strict=True):
                item.ReferencedSOPClassUID = picture.sop_class_uid
                item.add(uid("ReferencedSOPInstanceUID", picture.sop_instance_uid))
            study.RTReferencedSeriesSequence.append(one)
        frame.RTReferencedStudySequence = [study]
        d.ReferencedFrameOfReferenceSequence = [frame]
    d.StructureSetROISequence, d.ROIContourSequence = [], []
    d.RTROIObservationsSequence = []
    for number, roi in enumerate(rois, start=1):
        listed, drawn, observed = Dataset(), Dataset(), Dataset()
        listed.ROINumber, listed.ROIName = number, roi.name
        listed.add(uid("ReferencedFrameOfReferenceUID", roi.frame))
        listed.ROIGenerationAlgorithm = roi.made
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = [contour(p, pictures, roi.kind) for p, pictures in roi.contours]
        observed.ObservationNumber = observed.ReferencedROINumber = number
        observed.RTROIInterpretedType = ""
        if roi.code:
            code = Dataset()
            code.CodeValue, code.CodingSchemeDesignator = roi.code
            code.CodeMeaning = "of a structure"
            observed.RTROIIdentificationCodeSequence = [code]
        d.StructureSetROISequence.append(listed)
        d.ROIContourSequence.append(drawn)
        d.RTROIObservationsSequence.append(observed)
    return d


def saved(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path
