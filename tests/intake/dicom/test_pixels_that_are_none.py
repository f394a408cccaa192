"""Stored values that the header declares to be no picture, and pictures that lost something."""

import numpy as np
import pytest
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSNearLossless

from opencmr.imaging.flag import Severity
from opencmr.intake.dicom.headers import is_lossy
from opencmr.intake.refusal import Refusal
from opencmr.intake.studies import read_studies


def _values(reader, dicom, tmp_path, pixels: np.ndarray, **elements: object) -> np.ndarray:
    read = reader.read(dicom.save(dicom.mr(pixels, **elements), tmp_path / "a"))
    assert not isinstance(read, Refusal), read
    return read[0].values


PICTURE = np.arange(100, 292, dtype=np.uint16).reshape(12, 16)


@pytest.mark.parametrize(
    ("padding", "elements"),
    [
        (4095, {"PixelPaddingValue": 4095}),
        (4000, {"PixelPaddingValue": 3900, "PixelPaddingRangeLimit": 4095}),
        (4000, {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 3900}),
        (0, {"PixelPaddingValue": 0}),
        (4000, {"SmallestValidPixelValue": 1, "LargestValidPixelValue": 3000}),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_padding_is_as_dark_as_the_darkest_of_the_picture(
    reader, dicom, tmp_path, padding, elements, photometric
):
    pixels = PICTURE.copy()
    pixels[:2] = padding
    facts = {**elements, "PhotometricInterpretation": photometric, "BitsStored": 12, "HighBit": 11}
    values = _values(reader, dicom, tmp_path, pixels, **facts)
    plain = _values(reader, dicom, tmp_path, pixels, **{**facts, **dict.fromkeys(elements)})
    assert np.array_equal(values[2:], plain[2:])
    assert (values[:2] == values[2:].min()).all()


def test_a_signed_padding_that_is_written_unsigned_is_known(reader, dicom, tmp_path):
    pixels = PICTURE.astype(np.int16)
    pixels[0] = -2000
    path = dicom.save(dicom.mr(pixels), tmp_path / "a")
    element = b"\x28\0\x20\x01US\x02\0" + (65536 - 2000).to_bytes(2, "little")
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\0")
    path.write_bytes(content[:at] + element + content[at:])
    (frame,) = reader.read(path)
    assert (frame.values[0] == frame.values[1:].min()).all()


def test_without_a_declaration_nothing_is_changed(reader, dicom, tmp_path):
    pixels = PICTURE.copy()
    pixels[0] = 4095
    assert np.array_equal(_values(reader, dicom, tmp_path, pixels), pixels)


def test_a_picture_of_nothing_but_padding_has_no_signal(reader, dicom, tmp_path):
    pixels = np.full((12, 16), 7, dtype=np.uint16)
    assert not _values(reader, dicom, tmp_path, pixels, PixelPaddingValue=7).any()


@pytest.mark.parametrize(
    ("syntax", "said", "lossy"),
    [
        (JPEGBaseline8Bit, None, True),
        (JPEGLSNearLossless, "00", True),
        (JPEG2000, None, True),
        (JPEG2000, "00", False),
        (JPEG2000Lossless, None, False),
        (JPEG2000Lossless, "01", True),
    ],
)
def test_loss_is_told_by_the_header_and_the_transfer_syntax(dicom, syntax, said, lossy):
    dataset = dicom.mr(LossyImageCompression=said)
    dataset.file_meta.TransferSyntaxUID = syntax
    assert is_lossy(dataset) is lossy


def test_pictures_that_were_once_compressed_with_loss_are_said(cine_folder):
    (study,) = read_studies(cine_folder(LossyImageCompression="01"))
    assert [(f.severity, f.code, f.evidence) for f in study.flags] == [
        (Severity.INFO, "LOSSY", "12 of 12 pictures")
    ]
