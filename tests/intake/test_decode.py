"""Decoding: exact values in every encoding, and a reader that nothing stops."""

import io
import signal
import threading
import time

import numpy as np
import psutil
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from opencmr.intake import decode, limits, worker
from opencmr.intake.decode import DicomReader
from opencmr.intake.limits import DecodeLimits
from opencmr.intake.refusal import Refusal

ENDLESS_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(64)
"""A JPEG 2000 file with a box of length 0, on which pydicom spins for ever."""
PHILIPS_SLOPE, PHILIPS_INTERCEPT = 0x2005100E, 0x2005100D


def _frame(read):
    assert not isinstance(read, Refusal), read
    return read[0]


def _endless(dicom, path):
    dataset = dicom.mr(PixelData=encapsulate([ENDLESS_JP2]))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return dicom.save(dataset, path)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("kind", ["uint16", "int16", "uint8"])
def test_lossless_encodings_give_the_pixels_of_the_uncompressed_source(
    reader, dicom, tmp_path, syntax, kind
):
    smooth = np.add.outer(np.arange(64), 2 * np.arange(80))
    pixels = (smooth - (40 if kind == "int16" else 0)).astype(kind)
    dataset = dicom.mr(pixels)
    dataset.compress(syntax, generate_instance_uid=False)
    path = dicom.save(dataset, tmp_path / "a")
    assert np.array_equal(_frame(reader.read(path)).values, pixels)


def test_lossless_jpeg_gives_the_pixels_of_the_uncompressed_source(reader, dicom, tmp_path):
    gdcm = pytest.importorskip("gdcm")
    path, target = dicom.save(dicom.mr(), tmp_path / "a"), tmp_path / "b"
    source = gdcm.ImageReader()
    source.SetFileName(str(path))
    assert source.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(source.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(source.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(target))
    assert writer.Write()
    assert pydicom.dcmread(target).file_meta.TransferSyntaxUID == JPEGLosslessSV1
    assert np.array_equal(_frame(reader.read(target)).values, dicom.picture())


def test_every_encoding_that_the_documentation_names_has_a_codec():
    from pydicom.pixels.decoders.base import get_decoder

    for syntax in (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless, RLELossless):
        assert get_decoder(syntax).is_available, syntax.name


@pytest.mark.parametrize("syntax", [MPEG2MPML, "1.2.3.4.5.6.7"])
def test_an_encoding_without_a_codec_is_refused_by_name(reader, dicom, tmp_path, syntax):
    dataset = dicom.mr(PixelData=encapsulate([b"\0" * 64]))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    read = reader.read(dicom.save(dataset, tmp_path / "a"))
    assert isinstance(read, Refusal)
    assert read.reason.code == "UNKNOWN_TRANSFER_SYNTAX"
    assert ("MPEG2" if syntax == MPEG2MPML else "private") in read.reason.sentence


def test_a_codec_that_never_ends_is_stopped_and_the_next_file_is_read(dicom, tmp_path):
    endless = _endless(dicom, tmp_path / "endless")
    good = dicom.save(dicom.mr(), tmp_path / "good")
    with DicomReader(DecodeLimits(pixels_s=2.0)) as reader:
        assert _frame(reader.read(good)).matrix == (12, 16)
        started = time.monotonic()
        read = reader.read(endless)
        assert time.monotonic() - started < 30
        assert isinstance(read, Refusal)
        assert (read.reason.code, read.series_instance_uid) == ("DECODE_TIMEOUT", "1.2.3.4.5")
        assert _frame(reader.read(good)).matrix == (12, 16)


def test_a_folder_full_of_traps_ends_soon(dicom, tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "PATIENCE", 1)
    endless = _endless(dicom, tmp_path / "endless")
    with DicomReader(DecodeLimits(pixels_s=2.0)) as reader:
        reader.read(endless)
        monkeypatch.setattr(decode, "HASTE_S", 0.2)
        reader._limits = DecodeLimits(pixels_s=600.0)
        started = time.monotonic()
        assert reader.read(endless).reason.code == "DECODE_TIMEOUT"
        assert time.monotonic() - started < decode.QUICK_S


def _is_not_tried(read):
    return isinstance(read, Refusal) and read.reason == decode.NOT_TRIED


def test_after_too_many_stops_no_further_file_is_read(dicom, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "STOPPED_DECODINGS", 1)
    endless = _endless(dicom, tmp_path / "endless")
    good = dicom.save(dicom.mr(), tmp_path / "good")
    with DicomReader(DecodeLimits(pixels_s=0.5)) as reader:
        assert not _is_not_tried(reader.read(endless))
        assert _frame(reader.read(good)).matrix == (12, 16)
        assert not _is_not_tried(reader.read(endless))
        assert _is_not_tried(reader.read(good))


def test_files_that_exhaust_their_process_count_as_stopped(dicom, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "STOPPED_DECODINGS", 0)
    path = dicom.save(dicom.mr(np.zeros((8192, 8192), np.uint16)), tmp_path / "a")
    with DicomReader(DecodeLimits(memory_bytes=300 << 20)) as reader:
        assert not _is_not_tried(reader.read(path))
        assert _is_not_tried(reader.read(path))


@pytest.mark.parametrize("hostile", [True, False])
def test_the_time_that_all_files_overrun_together_is_limited(dicom, tmp_path, monkeypatch, hostile):
    path = _endless(dicom, tmp_path / "a") if hostile else dicom.save(dicom.mr(), tmp_path / "a")
    monkeypatch.setattr(limits, "OVERRUN_S", 0.0)
    monkeypatch.setattr(decode, "ORDINARY_S", 0.2 if hostile else 0.0)
    monkeypatch.setattr(decode, "ORDINARY_S_PER_MIB", 0.0)
    with DicomReader(DecodeLimits(pixels_s=0.5)) as reader:
        assert not _is_not_tried(reader.read(path))
        assert _is_not_tried(reader.read(path))


def test_files_read_in_ordinary_time_use_nothing_up(dicom, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "OVERRUN_S", 0.0)
    monkeypatch.setattr(decode, "ORDINARY_S", 60.0)
    good = dicom.save(dicom.mr(), tmp_path / "good")
    with DicomReader() as reader:
        assert all(_frame(reader.read(good)).matrix == (12, 16) for _ in range(3))


@pytest.mark.real_data
def test_the_hostile_files_that_hang_pydicom_are_stopped(dicom, tmp_path, data_folder):
    with DicomReader(DecodeLimits(pixels_s=2.0)) as reader:
        for path in sorted((data_folder / "hostile").glob("*.dcm")):
            dataset = pydicom.dcmread(path)
            dataset.Modality = "MR"
            dataset.SOPClassUID = dicom.mr().SOPClassUID
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
            read = reader.read(dicom.save(dataset, tmp_path / path.name))
            assert isinstance(read, Refusal)
            assert read.reason.code == "DECODE_TIMEOUT"


def _dying(reader, monkeypatch, deaths):
    """Let the reader's first processes die with a request in hand; return those started."""
    start, processes = reader._started, []

    def started():
        process = start()
        processes.append(process.pid)
        if len(processes) <= deaths:
            process.send_signal(signal.SIGSTOP)
            threading.Timer(0.2, process.kill).start()
        return process

    monkeypatch.setattr(reader, "_started", started)
    return processes


def test_a_process_that_dies_twice_is_named_and_replaced(dicom, tmp_path, monkeypatch):
    good = dicom.save(dicom.mr(), tmp_path / "good")
    with DicomReader() as reader:
        with monkeypatch.context() as patched:
            started = _dying(reader, patched, deaths=9)
            read = reader.read(good)
        assert isinstance(read, Refusal)
        assert read.reason.code == "DECODE_CRASH"
        assert len(started) == 2
        assert _frame(reader.read(good)).matrix == (12, 16)


def test_a_file_whose_process_dies_once_is_read_by_the_next(dicom, tmp_path, monkeypatch):
    good = dicom.save(dicom.mr(), tmp_path / "good")
    with DicomReader() as reader:
        started = _dying(reader, monkeypatch, deaths=1)
        assert _frame(reader.read(good)).matrix == (12, 16)
        assert len(started) == 2


def test_a_file_that_takes_too_long_is_not_tried_again(dicom, tmp_path, monkeypatch):
    endless = _endless(dicom, tmp_path / "endless")
    with DicomReader(DecodeLimits(pixels_s=1.0)) as reader:
        started = _dying(reader, monkeypatch, deaths=0)
        assert reader.read(endless).reason.code == "DECODE_TIMEOUT"
        assert len(started) == 1


def test_no_process_outlives_the_reader(dicom, tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    with DicomReader() as reader:
        reader.read(dicom.save(dicom.mr(), tmp_path / "a"))
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_codec_that_asks_for_too_much_memory_is_refused(dicom, tmp_path):
    side = 8192
    zeros = np.zeros((side, side), np.uint16)
    dataset = dicom.mr(zeros)
    dataset.compress(RLELossless, generate_instance_uid=False)
    path = dicom.save(dataset, tmp_path / "a")
    with DicomReader(DecodeLimits(memory_bytes=300 << 20)) as reader:
        read = reader.read(path)
        assert isinstance(read, Refusal)
        assert read.reason.code in ("TOO_LARGE", "DECODE_CRASH", "DECODE_FAILED")
        good = dicom.save(dicom.mr(), tmp_path / "good")
        assert _frame(reader.read(good)).matrix == (12, 16)


class _PanicError(BaseException):
    """As raised by codecs written in Rust: no Exception."""


def test_a_codecs_panic_is_answered_with_a_refusal(monkeypatch):
    def panic(path, pixels_of, answers, known, captures_with_times):
        known["has_header"] = True
        raise _PanicError

    monkeypatch.setattr(worker, "_read", panic)
    answers = io.BytesIO()
    worker._answer("somewhere", None, answers)
    assert answers.getvalue().startswith(worker.FAILED)
    assert b"DECODE_FAILED" in answers.getvalue()


def test_damaged_compressed_pixels_are_refused_by_a_code(reader, dicom, tmp_path):
    dataset = dicom.mr()
    dataset.compress(RLELossless, generate_instance_uid=False)
    data = bytearray(dicom.save(dataset, tmp_path / "a").read_bytes())
    random = np.random.default_rng(3)
    for number in range(60):
        mutant = bytearray(data)
        for place in random.integers(len(data) - 500, len(data), 6):
            mutant[place] = random.integers(0, 256)
        path = tmp_path / f"mutant-{number}"
        path.write_bytes(mutant)
        read = reader.read(path)
        assert isinstance(read, tuple) or read.reason.code in (
            "DECODE_FAILED",
            "TRUNCATED",
            "UNREADABLE",
            "TOO_LARGE",
        )


def test_signed_values_and_a_rescaling_are_honoured(reader, dicom, tmp_path):
    pixels = np.array([[-5, 0], [7, -32768]], np.int16)
    dataset = dicom.mr(pixels, RescaleSlope="0.5", RescaleIntercept="-3")
    frame = _frame(reader.read(dicom.save(dataset, tmp_path / "a")))
    assert np.array_equal(frame.values, pixels * 0.5 - 3)
    assert frame.scaling == "rescale"


@pytest.mark.parametrize("high_bit", [11, 15, 13])
def test_overlay_bits_beside_twelve_stored_ones_are_removed(reader, dicom, tmp_path, high_bit):
    truth = dicom.picture()
    low = high_bit - 11
    rest = np.random.default_rng(5).integers(0, 1 << 16, truth.shape)
    rest &= ~(0xFFF << low)
    cells = ((truth.astype(int) << low) | rest).astype(np.uint16)
    dataset = dicom.mr(cells, BitsStored=12, HighBit=high_bit)
    assert np.array_equal(_frame(reader.read(dicom.save(dataset, tmp_path / "a"))).values, truth)


def test_signed_twelve_bit_values_are_extended_by_their_sign(reader, dicom, tmp_path):
    truth = np.array([[-2048, -1], [0, 2047]], np.int16)
    cells = (truth.view(np.uint16) & 0x0FFF) | 0x7000
    dataset = dicom.mr(cells, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert np.array_equal(_frame(reader.read(dicom.save(dataset, tmp_path / "a"))).values, truth)


def test_an_inverted_picture_is_turned_so_that_bright_is_bright(reader, dicom, tmp_path):
    dataset = dicom.mr(PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    frame = _frame(reader.read(dicom.save(dataset, tmp_path / "a")))
    assert np.array_equal(frame.values, 4095 - dicom.picture().astype(int))


def test_a_maps_values_are_its_meaning_even_when_it_is_shown_inverted(reader, dicom, tmp_path):
    dataset = dicom.mr(
        PhotometricInterpretation="MONOCHROME1", ImageType=["DERIVED", "PRIMARY", "T1 MAP"]
    )
    frame = _frame(reader.read(dicom.save(dataset, tmp_path / "a")))
    assert np.array_equal(frame.values, dicom.picture())


def test_a_modality_table_is_applied(reader, dicom, tmp_path):
    pixels = np.array([[0, 1], [2, 1]], np.uint16)
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [3, 0, 16])
    item.ModalityLUTType = "US"
    item.add_new("LUTData", "US", [10, 500, 7])
    dataset = dicom.mr(pixels, ModalityLUTSequence=[item])
    frame = _frame(reader.read(dicom.save(dataset, tmp_path / "a")))
    assert frame.values.tolist() == [[10, 500], [7, 500]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_float_pixels_are_read_unless_they_are_not_finite(reader, dicom, tmp_path, bad):
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    facts = {"PixelData": None, "BitsStored": None, "HighBit": None, "PixelRepresentation": None}
    good = dicom.mr(values, FloatPixelData=values.tobytes(), **facts)
    frame = _frame(reader.read(dicom.save(good, tmp_path / "a")))
    assert np.array_equal(frame.values, values)
    values[0, 0] = bad
    dataset = dicom.mr(values, FloatPixelData=values.tobytes(), **facts)
    read = reader.read(dicom.save(dataset, tmp_path / "b"))
    assert isinstance(read, Refusal)
    assert read.reason.code == "NO_SIGNAL"


@pytest.mark.parametrize(
    ("slope", "intercept", "photometric", "unit", "refused"),
    [
        ("1e300", "0", "MONOCHROME2", "US", True),
        ("-1", "4095", "MONOCHROME2", "US", True),
        ("-1", "4095", "MONOCHROME2", None, True),
        ("1", "1e12", "MONOCHROME2", "US", True),
        ("-1", "4095", "MONOCHROME1", "US", False),
        ("-0.1", "200", "MONOCHROME2", "cm/s", False),
    ],
)
def test_a_rescaling_that_cannot_be_meant_is_refused(
    reader, dicom, tmp_path, slope, intercept, photometric, unit, refused
):
    dataset = dicom.mr(
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        RescaleType=unit,
        PhotometricInterpretation=photometric,
    )
    read = reader.read(dicom.save(dataset, tmp_path / "a"))
    assert isinstance(read, Refusal) == refused
    assert not refused or read.reason.code == "BAD_SCALING"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"Rows": 11}, "DECODE_FAILED"),
        ({"Columns": 15}, "DECODE_FAILED"),
        ({"Rows": 13}, "TRUNCATED"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "DECODE_FAILED"),
    ],
)
def test_a_matrix_of_another_size_than_its_pixels_is_refused(reader, dicom, tmp_path, wrong, code):
    read = reader.read(dicom.save(dicom.mr(**wrong), tmp_path / "a"))
    assert isinstance(read, Refusal)
    assert read.reason.code == code


@pytest.mark.parametrize("compressed", [True, False])
def test_frames_beyond_the_declared_ones_are_refused(reader, dicom, tmp_path, compressed):
    dataset = dicom.enhanced(dicom.cine(slices=1, phases=4))
    if compressed:
        dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.NumberOfFrames = "3"
    read = reader.read(dicom.save(dataset, tmp_path / "a"))
    assert isinstance(read, Refusal)
    assert read.reason.code == "DECODE_FAILED"


@pytest.mark.parametrize("padding", [1, 2, 20])
def test_padding_after_the_pixels_is_no_fault(reader, dicom, tmp_path, padding):
    pixels = dicom.picture()
    dataset = dicom.mr(pixels, PixelData=pixels.tobytes() + bytes(padding))
    assert np.array_equal(_frame(reader.read(dicom.save(dataset, tmp_path / "a"))).values, pixels)


def _philips(dicom, scale_slope, **elements):
    dataset = dicom.mr(**elements)
    dataset.add_new(PHILIPS_SLOPE, "FL", scale_slope)
    dataset.add_new(PHILIPS_INTERCEPT, "FL", 0.0)
    return dataset


def test_philips_slices_with_their_own_slopes_become_comparable(reader, dicom, tmp_path):
    truth = dicom.picture()
    for slope in ("0.5", "2.0"):
        dataset = _philips(dicom, 4.0, RescaleSlope=slope, RescaleIntercept="0")
        frame = _frame(reader.read(dicom.save(dataset, tmp_path / slope)))
        assert frame.scaling == "philips"
        assert np.allclose(frame.values, truth / 4.0)


def test_a_philips_map_keeps_milliseconds_and_is_refused_when_its_scales_disagree(
    reader, dicom, tmp_path
):
    facts = {"ImageType": ["DERIVED", "PRIMARY", "T1_MAP"], "RescaleIntercept": "0"}
    agreeing = _philips(dicom, 2.0, RescaleSlope="0.5", **facts)
    frame = _frame(reader.read(dicom.save(agreeing, tmp_path / "a")))
    assert np.array_equal(frame.values, dicom.picture() * 0.5)
    conflicting = _philips(dicom, 4.0, RescaleSlope="0.5", **facts)
    read = reader.read(dicom.save(conflicting, tmp_path / "b"))
    assert isinstance(read, Refusal)
    assert read.reason.code == "SCALING_CONFLICT"
