"""Pixels: what is no picture is gone from their bytes, and the pictures stay to the bit."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
from opencmr.intake.refusal import RefusedError

CANARY = b"CANARYJANE"
COMPRESSED = ("MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm")
PLAIN = ("MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_padded.dcm")


def cleaned(dataset: pydicom.Dataset) -> tuple[bytes, pydicom.Dataset]:
    target = io.BytesIO()
    dataset.save_as(target)
    data = Deidentifier(b"salt").clean(target.getvalue())
    return data, pydicom.dcmread(io.BytesIO(data))


def packaged(name: str) -> pydicom.Dataset:
    path = get_testdata_file(name, download=False)
    assert path is not None
    return pydicom.dcmread(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*COMPRESSED, *PLAIN])
def test_the_pictures_stay_to_the_bit(name):
    dataset = packaged(name)
    _, kept = cleaned(dataset)
    assert kept.pixel_array.dtype == dataset.pixel_array.dtype
    assert (kept.pixel_array == dataset.pixel_array).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMPRESSED)
def test_comments_among_compressed_pixels_and_bytes_after_them_are_gone(name):
    dataset = packaged(name)
    (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
    length = len(CANARY).to_bytes(2, "big")
    if "jpeg_ls" in name:
        size = (len(CANARY) + 2).to_bytes(2, "big")
        stream = stream[:2] + b"\xff\xfe" + size + CANARY + b"\xff\xe5" + size + CANARY + stream[2:]
    elif "jp2k" in name:
        place = stream.index(b"\xff\x90")
        size = (len(CANARY) + 4).to_bytes(2, "big")
        stream = stream[:place] + b"\xff\x64" + size + b"\0\1" + CANARY + stream[place:]
    stream += CANARY + length
    dataset.PixelData = encapsulate([stream])
    data, kept = cleaned(dataset)
    assert CANARY not in data
    assert (kept.pixel_array == packaged(name).pixel_array).all()


def test_bits_that_no_picture_uses_are_cleared_and_a_sign_is_not():
    dataset = packaged("MR_small.dcm")
    stored = np.frombuffer(dataset.PixelData, "<u2") & 0x0FFF
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    dataset.PixelData = (stored | 0x8000).astype("<u2").tobytes()
    assert cleaned(dataset)[1].PixelData == stored.tobytes()
    dataset.PixelRepresentation = 1
    signed = ((stored.astype("<u2") << 4).view("<i2") >> 4).tobytes()
    dataset.PixelData = signed
    assert cleaned(dataset)[1].PixelData == signed


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COMPRESSED[:2])
def test_damaged_streams_are_refused_in_time(name):
    dataset = packaged(name)
    (stream,) = generate_frames(dataset.PixelData, number_of_frames=1)
    for end in range(2, 200, 3):
        dataset.PixelData = encapsulate([stream[:end]])
        with pytest.raises(RefusedError) as refused:
            cleaned(dataset)
        assert refused.value.reason.code == "DECODE_FAILED"
