"""Headers: what is stated becomes facts, what is damaged is refused by a code."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from opencmr.intake.containers import limits
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.refusal import Refusal

EXPLICIT_META = b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
DEFLATED_META = b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"


def _frames(read: tuple[Frame, ...] | Refusal) -> tuple[Frame, ...]:
    assert not isinstance(read, Refusal), read
    return read


def _code(read: tuple[Frame, ...] | Refusal) -> str:
    return read.reason.code if isinstance(read, Refusal) else "READ"


def test_geometry_timing_and_pixels_are_read_as_stored(reader, dicom, tmp_path):
    (frame,) = _frames(reader.read(dicom.save(dicom.mr(), tmp_path / "a")))
    assert np.array_equal(frame.values, dicom.picture())
    assert frame.pixel_spacing_mm == (1.5, 1.25)
    assert frame.image_position_mm == (-10, -20, 30)
    assert frame.image_orientation == (1, 0, 0, 0, 1, 0)
    assert (frame.trigger_time_ms, frame.rr_ms, frame.echo_time_ms) == (120.5, 800, 1.5)
    assert frame.header.slice_thickness_mm == 8
    assert frame.scanner.field_strength_t == 1.5
    assert frame.has_geometry


def test_no_repr_shows_the_patient(reader, dicom, tmp_path):
    (frame,) = _frames(reader.read(dicom.save(dicom.mr(), tmp_path / "a")))
    shown = repr(frame) + repr(frame.identity) + repr(frame.patient) + repr(frame.body)
    for secret in ("Doe", "Jane", "SECRET", "19700102"):
        assert secret not in shown
    assert frame.identity.patient_name == "Doe^Jane"


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [(None, None), (["0", "0"], (0, 0)), (["-1", "1"], (-1, 1)), (["1e9", "1e9"], (1e9, 1e9))],
)
def test_impossible_spacing_is_kept_as_found_and_never_defaulted(
    reader, dicom, tmp_path, spacing, expected
):
    path = dicom.save(dicom.mr(PixelSpacing=spacing), tmp_path / "a")
    (frame,) = _frames(reader.read(path))
    assert frame.pixel_spacing_mm == expected


def _with_raw_value(path: Path, tag: bytes, old: bytes, representation: bytes, new: bytes) -> Path:
    """Write another value, of any representation, into the bytes of a saved file."""
    short = tag + b"DS" + len(old).to_bytes(2, "little") + old
    content = path.read_bytes()
    assert content.count(short) == 1
    long = representation in (b"UT", b"UN")
    length = b"\0\0" + len(new).to_bytes(4, "little") if long else len(new).to_bytes(2, "little")
    path.write_bytes(content.replace(short, tag + representation + length + new))
    return path


@pytest.mark.parametrize(
    ("representation", "stored", "spacing_mm"),
    [
        (b"DS", b"1,5\\1,25", (1.5, 1.25)),
        (b"UT", b"1.5\\1.25", (1.5, 1.25)),
        (b"LO", b"1,5\\1,25", (1.5, 1.25)),
        (b"UN", b"1,5\\1.25", (1.5, 1.25)),
        (b"DS", b"1.5,1.25", None),
        (b"DS", b"1.000,5\\1,5", None),
        (b"LO", b"1 mm\\1 mm", None),
    ],
)
def test_numbers_with_a_comma_or_in_a_text_field_are_read_and_named(
    reader, dicom, tmp_path, representation, stored, spacing_mm
):
    path = dicom.save(dicom.mr(), tmp_path / "a")
    stored += b" " * (len(stored) % 2)
    spacing = b"\x28\0\x30\0"
    (frame,) = _frames(
        reader.read(_with_raw_value(path, spacing, b"1.5\\1.25", representation, stored))
    )
    assert frame.pixel_spacing_mm == spacing_mm
    assert frame.repaired_numbers == (("PixelSpacing",) if spacing_mm else ())


def test_a_file_cut_anywhere_is_refused_and_the_reader_lives(reader, dicom, tmp_path):
    whole = dicom.save(dicom.mr(), tmp_path / "whole")
    data = whole.read_bytes()
    for cut in np.random.default_rng(1).integers(140, len(data), 60):
        path = tmp_path / "cut"
        path.write_bytes(data[:cut])
        read = reader.read(path)
        assert _code(read) == "TRUNCATED", cut
    assert _code(reader.read(whole)) == "READ"


def test_a_declared_length_beyond_the_file_is_refused(reader, tmp_path):
    element = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFF0)
    path = tmp_path / "a"
    path.write_bytes(bytes(128) + b"DICM" + EXPLICIT_META + element + bytes(150))
    assert _code(reader.read(path)) == "TRUNCATED"


def _nested(depth: int, *, undefined: bool) -> bytes:
    data = b""
    for _ in range(depth):
        if undefined:
            item = b"\xfe\xff\0\xe0\xff\xff\xff\xff" + data + b"\xfe\xff\r\xe0\0\0\0\0"
            end = b"\xfe\xff\xdd\xe0\0\0\0\0"
            data = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff" + item + end
        else:
            item = b"\xfe\xff\0\xe0" + struct.pack("<I", len(data)) + data
            data = b"\x08\0\x15\x11SQ\0\0" + struct.pack("<I", len(item)) + item
    return data


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("depth", [limits.NESTING + 1, 2000])
def test_deeply_nested_sequences_are_refused(reader, dicom, tmp_path, undefined, depth):
    data = dicom.save(dicom.mr(), tmp_path / "a").read_bytes()
    start = data.index(b"\x08\0\x16\0UI")
    path = tmp_path / "nested"
    path.write_bytes(data[:start] + _nested(depth, undefined=undefined) + data[start:])
    assert _code(reader.read(path)) == "NESTING"


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_of_ordinary_depth_are_read(reader, dicom, tmp_path, undefined):
    data = dicom.save(dicom.mr(), tmp_path / "a").read_bytes()
    start = data.index(b"\x08\0\x16\0UI")
    path = tmp_path / "nested"
    path.write_bytes(data[:start] + _nested(8, undefined=undefined) + data[start:])
    assert _code(reader.read(path)) == "READ"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, None])
def test_a_file_without_preamble_and_meta_information_is_read(reader, dicom, tmp_path, syntax):
    path = tmp_path / "a"
    bare = Dataset(dicom.mr())
    bare.save_as(path, implicit_vr=syntax is not None, little_endian=True)
    (frame,) = _frames(reader.read(path))
    assert np.array_equal(frame.values, dicom.picture())


def test_wrong_value_representations_are_read_or_refused_by_a_code(reader, dicom, tmp_path):
    data = dicom.save(dicom.mr(), tmp_path / "a").read_bytes()
    wrong_length = b"\x02\0\0\0UL\x04\0\x0f\x27\0\0"
    broken = {
        "no group length": data,
        "wrong group length": data[:132] + wrong_length + data[132:],
        "wrong VR": data.replace(b"\x28\0\x30\0DS", b"\x28\0\x30\0US"),
        "bad VR bytes": data.replace(b"\x28\0\x30\0DS", b"\x28\0\x30\0\x01\xff"),
        "text for a number": data.replace(b"120.5 ", b"soon!!"),
        "VR of rows": data.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0FD"),
    }
    codes = {}
    for name, content in broken.items():
        path = tmp_path / "broken"
        path.write_bytes(content)
        codes[name] = _code(reader.read(path))
    assert b"\x02\0\0\0UL" not in data
    assert codes["no group length"] == "READ"
    assert codes["wrong group length"] == "READ"
    assert codes["wrong VR"] == "READ"
    assert codes["text for a number"] == "READ"
    assert set(codes.values()) <= {"READ", "TRUNCATED", "UNREADABLE"}


def test_a_deflated_data_set_is_read_and_a_bomb_is_stopped(reader, dicom, tmp_path):
    dataset = dicom.mr()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (frame,) = _frames(reader.read(dicom.save(dataset, tmp_path / "a")))
    assert np.array_equal(frame.values, dicom.picture())
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflater.compress(bytes(64 << 20)) + deflater.flush()
    bomb = tmp_path / "bomb"
    bomb.write_bytes(bytes(128) + b"DICM" + DEFLATED_META + body)
    assert _code(reader.read(bomb)) == "TOO_LARGE"


def test_big_endian_is_read(reader, dicom, tmp_path):
    dataset, meta = Dataset(dicom.mr()), dicom.mr().file_meta
    dataset.file_meta, meta.TransferSyntaxUID = meta, ExplicitVRBigEndian
    dataset.PixelData = dicom.picture().astype(">u2").tobytes()
    path = tmp_path / "a"
    dataset.save_as(path, implicit_vr=False, little_endian=False)
    (frame,) = _frames(reader.read(path))
    assert np.array_equal(frame.values, dicom.picture())


@pytest.mark.parametrize(
    "claims",
    [
        {"Rows": 65535, "Columns": 65535},
        {"NumberOfFrames": "1000000000"},
        {"Rows": 60000, "Columns": 60000, "NumberOfFrames": "3"},
    ],
)
def test_a_claim_of_more_pixels_than_a_gibibyte_is_refused_before_decoding(
    reader, dicom, tmp_path, claims
):
    read = reader.read(dicom.save(dicom.mr(**claims), tmp_path / "a"))
    assert _code(read) == "TOO_LARGE"
    assert isinstance(read, Refusal)
    assert read.study_instance_uid == "1.2.3.4"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Modality": "CT"}, "NOT_MR"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "NOT_MEASURABLE_PIXELS"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "NOT_MEASURABLE_PIXELS"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "NOT_MEASURABLE_PIXELS"),
        ({"BurnedInAnnotation": "YES"}, "NOT_MEASURABLE_PIXELS"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11", "PixelData": None}, "NOT_AN_IMAGE"),
        ({"PixelData": None}, "TRUNCATED"),
    ],
)
def test_what_is_no_measurable_mr_picture_is_refused(reader, dicom, tmp_path, changes, code):
    assert _code(reader.read(dicom.save(dicom.mr(**changes), tmp_path / "a"))) == code


@pytest.mark.filterwarnings("ignore:The PN component length")
@pytest.mark.parametrize(
    ("name", "character_set"),
    [
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
        ("Müller^Jörg", "ISO_IR 192"),
        ("Wang^XiaoDong=王^小东", "GB18030"),
        ("evil\u202egpj^name", "ISO_IR 192"),
        ("long^" + "x" * 60_000, "ISO_IR 192"),
    ],
)
def test_names_in_any_script_are_kept_unchanged(reader, dicom, tmp_path, name, character_set):
    dataset = dicom.mr(SpecificCharacterSet=character_set, PatientName=name)
    path = dicom.save(dataset, tmp_path / "a")
    (frame,) = _frames(reader.read(path))
    assert frame.identity.patient_name == name


@pytest.mark.parametrize("character_set", [b"NONSENSE", b"ISO_IR 6 ", b"ISO_IR 192"])
def test_names_in_a_wrong_character_set_do_not_stop_the_reader(
    reader, dicom, tmp_path, character_set
):
    dataset = dicom.mr(SpecificCharacterSet="ISO_IR 100", PatientName="J\xf6rg^\xe9\xe8")
    data = dicom.save(dataset, tmp_path / "a").read_bytes()
    path = tmp_path / "wrong"
    old = b"\x08\0\x05\0CS\x0a\0ISO_IR 100"
    new = b"\x08\0\x05\0CS" + struct.pack("<H", len(character_set) + len(character_set) % 2)
    assert old in data
    path.write_bytes(data.replace(old, new + character_set + b" " * (len(character_set) % 2)))
    (frame,) = _frames(reader.read(path))
    assert frame.identity.patient_name.startswith("J")


def test_a_heartbeat_comes_from_the_interval_then_the_rate_and_junk_is_ignored(
    reader, dicom, tmp_path
):
    cases = [
        ({"NominalInterval": "900", "HeartRate": "60"}, 900),
        ({"NominalInterval": None, "LowRRValue": "700", "HighRRValue": "900"}, 800),
        ({"NominalInterval": None, "HeartRate": "60"}, 1000),
        ({"NominalInterval": "0", "HeartRate": "9999"}, None),
        ({"NominalInterval": None, "HeartRate": "0"}, None),
    ]
    for changes, expected in cases:
        (frame,) = _frames(reader.read(dicom.save(dicom.mr(**changes), tmp_path / "a")))
        assert frame.rr_ms == expected, changes


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"SequenceName": "*fl2d1_v150in"}, 150.0),
        ({"SequenceName": "*tfi2d1_15"}, None),
        ({"SequenceName": "*fl2d1_v99999in"}, None),
        ({}, None),
    ],
)
def test_the_velocity_encoding_is_read_from_siemens_sequence_names(
    reader, dicom, tmp_path, elements, expected
):
    (frame,) = reader.read(dicom.save(dicom.mr(**elements), tmp_path / "a"))
    assert frame.venc_cm_s == expected


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (0x001910CC, "SS", 1500, 150.0),
        (0x2001101A, "FL", [0.0, 0.0, 120.0], 120.0),
        (0x2001101A, "FL", [0.0, 0.0, 0.0], None),
        (0x001910CC, "LO", "junk", None),
    ],
)
def test_the_velocity_encoding_is_read_from_private_elements(
    reader, dicom, tmp_path, tag, vr, value, expected
):
    dataset = dicom.mr()
    dataset.add_new(tag, vr, value)
    (frame,) = reader.read(dicom.save(dataset, tmp_path / "a"))
    assert frame.venc_cm_s == expected


def test_an_enhanced_instance_says_the_same_as_its_classic_twin(reader, dicom, tmp_path):
    classic = dicom.cine(slices=2, phases=3)
    twin = _frames(reader.read(dicom.save(dicom.enhanced(classic), tmp_path / "twin")))
    assert [frame.frame_number for frame in twin] == [1, 2, 3, 4, 5, 6]
    for number, (instance, frame) in enumerate(zip(classic, twin, strict=True)):
        (single,) = _frames(reader.read(dicom.save(instance, tmp_path / str(number))))
        assert np.array_equal(single.values, frame.values)
        for name in (
            "pixel_spacing_mm",
            "image_position_mm",
            "image_orientation",
            "trigger_time_ms",
            "rr_ms",
            "echo_time_ms",
            "image_type",
        ):
            assert getattr(single, name) == getattr(frame, name), name


def test_random_damage_never_stops_the_reader(reader, dicom, tmp_path):
    data = dicom.save(dicom.mr(), tmp_path / "a").read_bytes()
    random = np.random.default_rng(7)
    path = tmp_path / "mutant"
    for _ in range(200):
        mutant = bytearray(data)
        for place in random.integers(132, len(data) - 400, random.integers(1, 12)):
            mutant[place] = random.integers(0, 256)
        path.write_bytes(mutant)
        read = reader.read(path)
        assert isinstance(read, Refusal | tuple)
    assert _code(reader.read(tmp_path / "a")) == "READ"


def test_the_reader_says_nothing_of_where_the_file_was(reader, tmp_path):
    read = reader.read(Path(tmp_path / "patient-name-in-path"))
    assert isinstance(read, Refusal)
    assert read.reason.code == "UNREADABLE"
    assert "patient" not in repr(read)
