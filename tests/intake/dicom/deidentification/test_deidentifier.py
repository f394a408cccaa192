"""De-identification: what was planted is nowhere in the bytes; what reading needs is."""

import io
import warnings
from contextlib import suppress

import numpy as np
import pydicom
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from opencmr.intake.dicom.deidentification.dates import Dates
from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
from opencmr.intake.dicom.deidentification.table import CHARACTERISTICS, MOMENTS, UIDS
from opencmr.intake.dicom.deidentification.terms import TERMS, listed
from opencmr.intake.refusal import RefusedError

CANARIES = ("CANARYJANE", "Canary^Jane", "canary_jane", "19431224")
TEXTS = listed("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT OB OW OD OF OL OV UN")
SPOILS = frozenset({"SOPClassUID", "PhotometricInterpretation", "PixelData", "FloatPixelData"}) | {
    "DoubleFloatPixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
}
"""Without these as they are there is no picture."""
ARE_NUMBERS = frozenset({"DS", "IS"})
"""A canary of digits is a number to them."""
HOLDERS = (None, "RequestAttributesSequence", "SharedFunctionalGroupsSequence", "private")


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


def cleaned(dataset: Dataset, **how: object) -> tuple[bytes, Dataset]:
    data = Deidentifier(b"salt", **how).clean(bytes_of(dataset), "cine bSSFP SAX")
    return data, pydicom.dcmread(io.BytesIO(data))


def kept_of(dataset: Dataset, **how: object) -> Dataset:
    data = Deidentifier(b"salt", **how).clean(bytes_of(dataset))
    return pydicom.dcmread(io.BytesIO(data))


def plant(dataset: Dataset, tag: int, kind: str, value: bytes) -> None:
    """Put bytes into an element, fit or not, as a file may hold them."""
    value += b" " * (len(value) % 2)
    dataset[Tag(tag)] = RawDataElement(Tag(tag), kind, len(value), value, 0, False, True)


def planted_everywhere(canary: str, holder: str | None) -> tuple[bytes, int]:
    dataset, count = picture(), 0
    target = dataset if holder is None else Dataset()
    for tag, (kind, *_) in DicomDictionary.items():
        keyword, group = keyword_for_tag(tag), tag >> 16
        plain = kind.split(" or ")[-1]
        fits = plain in TEXTS and not (canary.isdigit() and plain in ARE_NUMBERS)
        if fits and keyword not in SPOILS and keyword and group not in (0x0000, 0x0002, 0xFFFE):
            plant(target, tag, plain, canary.encode())
            count += 1
    if holder == "private":
        block = dataset.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        dataset.add_new(0x20050014, "LO", "Philips MR Imaging DD 005")
        dataset.add_new(0x2005140F, "SQ", [target])
        assert block
    elif holder is not None:
        setattr(dataset, holder, [target])
    return bytes_of(dataset), count


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("dates", list(Dates))
def test_a_canary_in_every_text_of_the_dictionary_is_nowhere_in_the_bytes(canary, holder, dates):
    before, planted = planted_everywhere(canary, holder)
    assert planted > 1800
    assert before.count(canary.encode()) >= planted
    data = Deidentifier(b"salt", True, dates).clean(before)
    assert canary.lower().encode() not in data.lower()
    assert pydicom.dcmread(io.BytesIO(data)).PixelData == picture().PixelData


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("canary", CANARIES)
def test_a_canary_in_private_blocks_overlays_curves_and_around_the_data_set_is_gone(canary):
    dataset = picture()
    for group in (0x0019, 0x0021, 0x0029, 0x0051, 0x2001, 0x2005, 0x7FE1):
        block = dataset.private_block(group, f"{canary} {group}", create=True)
        for offset in range(0x01, 0xFF):
            block.add_new(offset, "LO" if offset % 2 else "OB", canary.encode().ljust(12))
    for tag in (0x001910CC, 0x0019109C, 0x2001101A, 0x2005100D, 0x2005100E, 0x2005140F):
        plant(dataset, tag, "UN", canary.encode())
    for group in range(0x5000, 0x5020, 2):
        plant(dataset, group << 16 | 0x2500, "LO", canary.encode())
        plant(dataset, group << 16 | 0x3000, "OW", canary.encode())
    for group in range(0x6000, 0x6020, 2):
        plant(dataset, group << 16 | 0x0022, "LO", canary.encode())
        plant(dataset, group << 16 | 0x3000, "OW", canary.encode())
    plant(dataset, 0xFFFCFFFC, "OB", canary.encode())
    dataset.preamble = canary.encode().ljust(128, b"!")
    dataset.file_meta.SourceApplicationEntityTitle = canary
    dataset.file_meta.ImplementationVersionName = canary
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3.99"
    dataset.file_meta.PrivateInformation = canary.encode().ljust(12)
    dataset.PixelData += canary.encode()[:6]
    plant(dataset, 0x00091010, "LO", canary.encode())
    before = bytes_of(dataset) + canary.encode() * 3
    data = Deidentifier(b"salt").clean(before)
    assert canary.lower()[:6].encode() not in data.lower()
    assert pydicom.dcmread(io.BytesIO(data)).PixelData == picture().PixelData


def cleaned_with_code(code):
    dataset = picture(ImageType=["ORIGINAL", "PRIMARY", code], ScanOptions=["PER", code])
    dataset.BodyPartExamined = code
    return Deidentifier(b"salt").clean(bytes_of(dataset))


@pytest.fixture(scope="module")
def nameless():
    return cleaned_with_code("QXQXQXQX")


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=7, max_size=16))
@example("MODIFIE")
def test_no_name_passes_as_a_code(nameless, name):
    assume(name not in {"SIEMENS", *TERMS})
    data = cleaned_with_code(name)
    assert data == nameless
    # What every copy says of itself, MODIFIED for instance, may hold the letters of a name.
    assert name.encode() not in data or name.encode() in nameless
    kept = pydicom.dcmread(io.BytesIO(data))
    assert list(kept.ImageType) == ["ORIGINAL", "PRIMARY", "OTHER"]
    assert kept.ScanOptions == "PER"


def test_what_reading_needs_is_kept():
    dataset = picture(ProtocolName="cine SAX")
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0xCC, "DS", "1500")
    block.add_new(0x9C, "LO", "fiesta")
    scale = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    scale.add_new(0x0D, "FL", -1.5)
    scale.add_new(0x0E, "FL", 0.25)
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "2.5", "-7", "US"
    dataset.ImageComments = "of Jane, T2 prep. duration = 25 ms"
    dataset.ContrastBolusAgent = "Gadovist by Dr Doe"
    _, kept = cleaned(dataset)
    assert kept.PixelData == dataset.PixelData
    assert kept.ImagePositionPatient == [1, 2, 3]
    assert (kept.EchoTime, kept.SequenceName, kept.Manufacturer) == (1.5, "*tfi2d1_10", "SIEMENS")
    assert (kept[0x001910CC].value, kept[0x0019109C].value) == (1500, "fiesta")
    assert (kept[0x2005100D].value, kept[0x2005100E].value) == (-1.5, 0.25)
    assert kept[0x20050010].value == "Philips MR Imaging DD 001"
    assert (kept.RescaleSlope, kept.RescaleIntercept, kept.RescaleType) == (2.5, -7, "US")
    assert kept.ImageComments == "T2 prep. duration = 25 ms"
    assert kept.ContrastBolusAgent == "contrast agent"
    assert kept.SeriesDescription == "cine bSSFP SAX"


def test_a_private_number_under_another_creator_is_not_safe():
    dataset = picture()
    dataset.private_block(0x2005, "JANE", create=True).add_new(0x0E, "FL", 0.25)
    assert [element for element in kept_of(dataset) if element.tag.is_private] == []


def test_uids_are_the_same_for_the_same_and_for_the_same_key():
    kept, other = kept_of(picture()), kept_of(picture(SOPInstanceUID="1.2.3.9"))
    assert kept.SeriesInstanceUID == other.SeriesInstanceUID != "1.2.3.2"
    assert kept.SOPInstanceUID != other.SOPInstanceUID
    assert kept.SOPInstanceUID == kept.file_meta.MediaStorageSOPInstanceUID
    assert kept.SOPClassUID == MRImageStorage
    assert kept == kept_of(picture())
    elsewhere = Deidentifier(b"another salt")
    assert kept.SeriesInstanceUID != elsewhere.uid("1.2.3.2")
    assert kept.PatientName != elsewhere.label("")
    assert elsewhere.shift_days("A") != Deidentifier(b"salt").shift_days("A")


@given(st.dates(), st.dates(), st.text(max_size=20))
def test_intervals_between_a_patients_studies_stay_to_the_day(one, other, patient):
    how = Deidentifier(b"salt")
    days = how.shift_days(patient)
    assert -3652 <= days <= -1
    assert days == Deidentifier(b"salt").shift_days(patient)
    kept = [
        kept_of(picture(PatientID="A", StudyDate=f"{day.year:04d}{day:%m%d}")).StudyDate
        for day in (one, other)
    ]
    if all(kept):  # a year before 1 has no date
        first, second = (pydicom.valuerep.DA(day) for day in kept)
        assert first - second == one - other


def test_dates_are_shifted_alike_within_a_patient_and_times_of_the_day_stay():
    kept = kept_of(picture(AcquisitionDateTime="20240311101500.25+0100", ContentTime="Jane"))
    assert kept.StudyDate < "20240310"
    days = [pydicom.valuerep.DA(one) for one in (kept.StudyDate, kept.SeriesDate, "20240310")]
    assert (days[1] - days[0]).days == 1
    assert kept.SeriesTime == "101500"
    assert kept.AcquisitionDateTime == f"{kept.SeriesDate}101500.25"
    assert "ContentTime" not in kept
    assert kept.LongitudinalTemporalInformationModified == "MODIFIED"
    assert kept_of(picture(PatientID="B")).StudyDate != kept.StudyDate


def test_dates_are_removed_on_request():
    kept = kept_of(picture(AcquisitionTime="101500"), dates=Dates.REMOVE)
    assert (kept.StudyDate, kept.StudyTime) == ("", "")
    assert not {"SeriesDate", "SeriesTime", "AcquisitionTime"} & set(kept.dir())
    assert kept.LongitudinalTemporalInformationModified == "REMOVED"


def test_characteristics_are_kept_on_request_alone():
    kept = kept_of(picture())
    assert kept.PatientSex == ""
    assert "PatientWeight" not in kept
    assert "PatientAge" not in kept
    kept = kept_of(picture(), keeps_characteristics=True)
    assert (kept.PatientSex, kept.PatientWeight, kept.PatientAge) == ("F", 61.5, "090Y")


def test_the_header_says_what_was_done_as_the_standard_asks():
    kept = kept_of(picture(), keeps_characteristics=True)
    assert kept.PatientIdentityRemoved == "YES"
    assert [
        (item.CodeValue, item.CodingSchemeDesignator)
        for item in kept.DeidentificationMethodCodeSequence
    ] == [(code, "DCM") for code in ("113100", "113105", "113107", "113108", "113111")]
    kept = kept_of(picture(), dates=Dates.REMOVE)
    codes = [item.CodeValue for item in kept.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113111"]


def test_without_its_option_no_moment_or_characteristic_is_kept_and_no_uid_ever():
    moments = {"DA": "20240310", "TM": "101500", "DT": "20240310101500"}
    stated = {keyword: moments[dictionary_VR(tag_for_keyword(keyword))] for keyword in MOMENTS}
    stated |= {"PatientSex": "F", "PatientAge": "044Y", "PatientSize": "1.7", "PatientWeight": "61"}
    assert stated.keys() >= CHARACTERISTICS.keys()
    own = dict.fromkeys(UIDS - {"SOPClassUID"}, "1.2.3.4")
    kept = kept_of(picture(**stated, **own), dates=Dates.REMOVE)
    assert not [one for one in (*MOMENTS, *CHARACTERISTICS) if kept.get(one)]
    assert not [one for one in own if kept.get(one) == own[one]]


def test_who_has_no_identifier_gets_none_and_a_new_one_is_given_on_request():
    kept = kept_of(picture(PatientName="Doe^Jane"))
    assert kept.PatientID == ""
    assert str(kept.PatientName).startswith("ANON-")
    kept = kept_of(picture(PatientName="Doe^Jane", PatientID="7"), new_id="P07")
    assert (kept.PatientID, kept.PatientName) == ("P07", "P07")


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"BurnedInAnnotation": "YES"}, "NOT_MEASURABLE_PIXELS"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "NOT_MEASURABLE_PIXELS"),
        ({"ConversionType": "WSD"}, "NOT_MEASURABLE_PIXELS"),
        ({"PhotometricInterpretation": "RGB"}, "NOT_MEASURABLE_PIXELS"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "NOT_MR"),
        ({"SOPClassUID": UltrasoundImageStorage}, "NOT_MR"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "NOT_MR"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, "NOT_MR"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1"}, "NOT_MR"),
    ],
)
def test_what_may_have_text_burned_in_is_refused(stated, code):
    with pytest.raises(RefusedError) as refused:
        Deidentifier(b"salt").clean(bytes_of(picture(**stated)))
    assert refused.value.reason.code == code


def test_an_enhanced_image_keeps_its_frames_and_required_times():
    item, content, times = Dataset(), Dataset(), Dataset()
    content.FrameAcquisitionDateTime, content.StackID = "20240310101500", "Jane"
    content.InStackPositionNumber = 7
    item.FrameContentSequence = [content]
    times.RealWorldValueSlope, times.RealWorldValueIntercept = 0.5, 1.0
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "ms", "UCUM", "Jane"
    times.MeasurementUnitsCodeSequence = [unit]
    item.RealWorldValueMappingSequence = [times]
    dataset = picture(SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=1, ContentDate="20240310")
    dataset.PerFrameFunctionalGroupsSequence = [item]
    kept = kept_of(dataset, dates=Dates.REMOVE)
    (frame,) = kept.PerFrameFunctionalGroupsSequence
    assert frame.FrameContentSequence[0].InStackPositionNumber == 7
    assert frame.FrameContentSequence[0].FrameAcquisitionDateTime == "20000101000000"
    assert frame.RealWorldValueMappingSequence[0].RealWorldValueSlope == 0.5
    assert frame.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "ms"
    assert kept.ContentDate == "20000101"


def test_nothing_is_said_of_values_that_are_no_dicom():
    dataset = picture()
    plant(dataset, 0x0020000D, "UI", b"1.02.Jane")
    plant(dataset, 0x00080005, "CS", b"Jane")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = bytes_of(dataset)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        Deidentifier(b"salt").clean(data)
    assert said == []


@given(st.binary(max_size=300), st.integers(132, 700))
def test_damaged_bytes_are_cleaned_or_refused(noise, at):
    data, out = bytes_of(picture(PatientComments="Jane" * 20)), b""
    with suppress(Exception):  # whoever calls lists the file as unreadable
        out = Deidentifier(b"salt").clean(data[:at] + noise + data[at:])
    assert b"JaneJane" not in out
