"""De-identification: what was planted is nowhere in the bytes; what reading needs is."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from opencmr.intake.dicom.deidentification import Deidentifier

CANARY = "Canary-Jane"
TEXTS = {"LO", "SH", "PN", "LT", "ST", "UT", "UC", "CS", "AE", "UR"}


def picture(**stated: object) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.1"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.3.2", "1.2.3.3"
    dataset.StudyDate, dataset.SeriesDate, dataset.SeriesTime = "20240310", "20240311", "101500"
    dataset.Modality, dataset.Manufacturer = "MR", "SIEMENS"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.PatientSex, dataset.PatientWeight, dataset.PatientAge = "F", "61.5", "093Y"
    dataset.EchoTime, dataset.SequenceName = "1.5", "*tfi2d1_10"
    dataset.ImagePositionPatient = ["1", "2", "3"]
    dataset.Rows = dataset.Columns = 4
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = np.arange(16, dtype="<u2").tobytes()
    for keyword, value in stated.items():
        setattr(dataset, keyword, value)
    return dataset


def bytes_of(dataset: Dataset) -> bytes:
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def cleaned(dataset: Dataset, **how: bool) -> tuple[bytes, Dataset]:
    data = Deidentifier(b"salt", **how).clean(bytes_of(dataset), "cine bSSFP SAX")
    return data, pydicom.dcmread(io.BytesIO(data))


@pytest.mark.filterwarnings("ignore")
def test_a_name_planted_in_every_text_is_nowhere_in_the_bytes():
    dataset = picture()
    planted = 0
    for tag, (kind, *_) in DicomDictionary.items():
        if kind in TEXTS and tag >> 16 not in (0x0000, 0x0002, 0xFFFE) and keyword_for_tag(tag):
            dataset.add_new(tag, kind, CANARY)
            planted += 1
    assert planted > 1000
    dataset.PhotometricInterpretation, dataset.Modality = "MONOCHROME2", "MR"
    for group in (0x0019, 0x0021, 0x0051, 0x2001, 0x2005):
        block = dataset.private_block(group, f"{CANARY} {group}", create=True)
        block.add_new(0x01, "LO", CANARY)
        block.add_new(0xCC, "OB", CANARY.encode() + b"!")
    dataset.add_new(0x001910CC, "LO", CANARY)
    dataset.add_new(0x60000022, "LO", CANARY)
    dataset.add_new(0x60003000, "OB", CANARY.encode() + b"!")
    item = Dataset()
    item.PatientName, item.FrameComments = CANARY, CANARY
    inner = Dataset()
    inner.StackID, inner.FrameAcquisitionNumber = CANARY, 7
    item.FrameContentSequence = [inner]
    dataset.SharedFunctionalGroupsSequence = [item]
    dataset.RequestAttributesSequence = [item]
    dataset.DataSetTrailingPadding = CANARY.encode() + b"!"
    before = bytes_of(dataset)
    assert before.count(CANARY.encode()) > 1000
    data, kept = cleaned(dataset)
    assert CANARY.encode() not in data
    assert CANARY.upper().encode() not in data.upper()
    shared = kept.SharedFunctionalGroupsSequence[0]
    assert shared.FrameContentSequence[0].FrameAcquisitionNumber == 7


def test_what_reading_needs_is_kept():
    dataset = picture()
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0xCC, "DS", "1500")
    scale = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    scale.add_new(0x0E, "FL", 0.25)
    dataset.ImageComments = "of Jane, T2 prep. duration = 25 ms"
    dataset.ContrastBolusAgent = "Gadovist by Dr Doe"
    _, kept = cleaned(dataset)
    assert kept.PixelData == dataset.PixelData
    assert kept.ImagePositionPatient == [1, 2, 3]
    assert (kept.EchoTime, kept.SequenceName, kept.Manufacturer) == (1.5, "*tfi2d1_10", "SIEMENS")
    assert kept[0x001910CC].value == 1500
    assert kept[0x2005100E].value == 0.25
    assert kept.ImageComments == "T2 prep. duration = 25 ms"
    assert kept.ContrastBolusAgent == "contrast agent"
    assert kept.SeriesDescription == "cine bSSFP SAX"
    assert kept.PatientIdentityRemoved == "YES"


def test_dates_keep_their_distance_and_uids_what_they_share():
    _, kept = cleaned(picture())
    _, other = cleaned(picture(SOPInstanceUID="1.2.3.9"))
    assert (kept.StudyDate, kept.SeriesDate, kept.SeriesTime) == ("20000101", "20000102", "101500")
    assert kept.SeriesInstanceUID == other.SeriesInstanceUID != "1.2.3.2"
    assert kept.SOPInstanceUID != other.SOPInstanceUID
    assert kept.SOPClassUID == MRImageStorage
    elsewhere = Deidentifier(b"another salt").uid("1.2.3.2")
    assert kept.SeriesInstanceUID != elsewhere


def test_characteristics_are_kept_on_request_alone():
    _, kept = cleaned(picture())
    assert not {"PatientSex", "PatientWeight", "PatientAge"} & set(kept.dir())
    _, kept = cleaned(picture(), keeps_characteristics=True)
    assert (kept.PatientSex, kept.PatientWeight, kept.PatientAge) == ("F", 61.5, "090Y")
