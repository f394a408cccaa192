"""Walking inputs: content decides, nothing is followed or written outside, everything counted."""

import gzip
import inspect
import json
import os
import stat
import zipfile
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opencmr.errors import InputError
from opencmr.intake.containers import limits
from opencmr.intake.containers.files import HEAD_BYTES, RESULT_WORDS, Kind, kind_of, walk
from opencmr.intake.leftovers import Leftovers
from opencmr.report.run_record import run_record
from opencmr.storage.faults import FULL, is_full


def _walked(root: Path, spool: Path) -> tuple[list[bytes], Counter[str]]:
    """Return the contents of the candidates and the count of what was left out by code."""
    spool.mkdir(exist_ok=True)
    leftovers = Leftovers()
    found = [candidate.path.read_bytes() for candidate in walk(root, spool, leftovers)]
    codes: Counter[str] = Counter()
    for row in leftovers.rows():
        codes[row.reason.code] += row.count
    return found, codes


def _dicom_bytes(number: int = 0, size: int = 400) -> bytes:
    return bytes(128) + b"DICM" + number.to_bytes(4, "little") + bytes(size)


def _nifti(path: Path) -> Path:
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.diag([1.5, 1.5, 8, 1]))
    nibabel.save(image, path)
    return path


def test_content_decides_and_names_do_not(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "holiday.jpg").write_bytes(_dicom_bytes())
    (root / "image.dcm").write_bytes(b"no image at all")
    _nifti(root / "stack.nii.gz").rename(root / "notes.txt")
    found, codes = _walked(root, tmp_path / "spool")
    assert len(found) == 2
    assert codes == {"NOT_AN_IMAGE": 1}


def test_kinds_are_told_apart(dicom, tmp_path):
    nifti = _nifti(tmp_path / "a.nii").read_bytes()
    bare = tmp_path / "bare"
    plain = dicom.mr()
    plain.preamble = None
    plain.save_as(bare, enforce_file_format=False)
    assert kind_of(nifti[:HEAD_BYTES]) is Kind.NIFTI
    assert kind_of(gzip.compress(nifti)[:HEAD_BYTES]) is Kind.NIFTI
    assert kind_of(gzip.compress(b"x" * 5000)[:HEAD_BYTES]) is Kind.OTHER
    assert kind_of(bare.read_bytes()[:HEAD_BYTES]) is Kind.DICOM
    for executable in (b"MZ", b"\x7fELF", b"%PDF", b"#!"):
        assert kind_of(executable.ljust(128, b"\0") + b"DICM") is Kind.DICOM
    assert kind_of(b"") is Kind.OTHER


@given(st.binary(max_size=600))
@settings(max_examples=200)
def test_any_bytes_have_a_kind(head):
    assert kind_of(head) in Kind


def test_nested_folders_are_walked_and_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(_dicom_bytes(1))
    root = tmp_path / "in"
    deep = root.joinpath(*["d"] * 20)
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(_dicom_bytes(2))
    (root / "link").symlink_to(outside / "secret")
    (root / "folder-link").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    (root / ".DS_Store").write_bytes(b"junk")
    found, codes = _walked(root, tmp_path / "spool")
    assert found == [_dicom_bytes(2)]
    assert codes == {"UNSAFE_PATH": 3, "NOT_AN_IMAGE": 1}


def test_members_of_an_archive_are_read_whatever_their_names(tmp_path):
    archive = tmp_path / "in" / "a.zip"
    archive.parent.mkdir()
    names = ["../../evil", "/etc/passwd", "a\\..\\b", "CON", "x" * 300, "__MACOSX/._a", "ok/1"]
    with zipfile.ZipFile(archive, "w") as writer:
        for number, name in enumerate(names):
            writer.writestr(name, _dicom_bytes(number))
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        writer.writestr(link, "/etc/passwd")
        writer.writestr("readme.txt", "hello")
        writer.writestr("inner.zip", b"PK\x03\x04" + bytes(600))
    before = set(tmp_path.rglob("*"))
    spool = tmp_path / "spool"
    found, codes = _walked(archive, spool)
    assert sorted(found) == sorted(_dicom_bytes(n) for n in (0, 1, 2, 3, 4, 6))
    assert codes == {"UNSAFE_PATH": 1, "NOT_AN_IMAGE": 1, "NESTED_ARCHIVE": 1}
    made = set(tmp_path.rglob("*")) - before
    assert all(path == spool or spool in path.parents for path in made)


@given(names=st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=5, unique=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_member_name_leads_outside(tmp_path_factory, names):
    top = tmp_path_factory.mktemp("top")
    with zipfile.ZipFile(top / "a.zip", "w") as writer:
        for name in names:
            try:
                writer.writestr(name.replace("\0", "") or "x", _dicom_bytes())
            except UnicodeEncodeError:
                continue
    _walked(top / "a.zip", top / "spool")
    assert {path.name for path in top.iterdir()} == {"a.zip", "spool"}


def test_pictures_in_an_archive_stay_as_files_and_the_rest_is_not_written(tmp_path):
    nifti = _nifti(tmp_path / "s.nii.gz")
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.write(nifti, "one")
        writer.writestr("two", _dicom_bytes())
        writer.writestr("three", b"no picture")
    spool = tmp_path / "spool"
    spool.mkdir()
    candidates = list(walk(archive, spool, Leftovers()))
    kept = sorted(path for path in spool.rglob("*") if path.is_file())
    assert kept == [candidate.path for candidate in candidates]
    assert [path.suffixes for path in kept] == [[".nii", ".gz"], []]
    assert [path.read_bytes() for path in kept] == [nifti.read_bytes(), _dicom_bytes()]


def test_a_member_that_inflates_too_much_is_stopped(tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("bomb", _dicom_bytes(0, 64 << 20))
        writer.writestr("good", _dicom_bytes(1))
    found, codes = _walked(archive, tmp_path / "spool")
    assert found == [_dicom_bytes(1)]
    assert codes == {"TOO_LARGE": 1}
    left = [path.name for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert left == ["000002"]


def test_archives_stop_at_the_limits_of_the_whole_input(tmp_path, monkeypatch):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a.zip", "b.zip"):
        with zipfile.ZipFile(root / name, "w") as writer:
            for number in range(10):
                writer.writestr(str(number), _dicom_bytes(number, 5000))
    monkeypatch.setattr(limits, "INPUT_BYTES", 12 * 6000)
    found, codes = _walked(root, tmp_path / "spool")
    assert 12 <= len(found) <= 15
    assert codes["TOO_LARGE"] == 20 - len(found)
    monkeypatch.setattr(limits, "ARCHIVE_ENTRIES", 15)
    found, codes = _walked(root, tmp_path / "spool-2")
    assert len(found) == 10
    assert codes["TOO_MANY_FILES"] == 1


def test_an_archive_with_too_long_a_list_of_contents_is_refused_unread(tmp_path, monkeypatch):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        for number in range(200):
            writer.writestr(f"{number}", b"")
    monkeypatch.setattr(limits, "ARCHIVE_INDEX_BYTES", 4000)
    found, codes = _walked(archive, tmp_path / "spool")
    assert found == []
    assert codes == {"TOO_MANY_FILES": 1}


def test_damaged_and_encrypted_and_exotic_archives_are_named(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "damaged.zip").write_bytes(b"PK\x03\x04" + bytes(400))
    with zipfile.ZipFile(root / "bz2.zip", "w", zipfile.ZIP_BZIP2) as writer:
        writer.writestr("x", _dicom_bytes())
    with zipfile.ZipFile(root / "crypt.zip", "w") as writer:
        writer.writestr("x", _dicom_bytes())
    data = bytearray((root / "crypt.zip").read_bytes())
    for place in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    (root / "crypt.zip").write_bytes(data)
    found, codes = _walked(root, tmp_path / "spool")
    assert found == []
    assert codes == {"UNREADABLE": 3}


def _zipped(path: Path, *names: str) -> bytearray:
    with zipfile.ZipFile(path, "w") as writer:
        for number, name in enumerate(names):
            writer.writestr(name, _dicom_bytes(number))
    return bytearray(path.read_bytes())


def _write(data: bytearray, place: int, change: bytes) -> None:
    data[place : place + len(change)] = change


LOCAL, LISTED = b"PK\x03\x04", b"PK\x01\x02"


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ((LOCAL, 26), b"\0\0"),  # an empty name, said once
        ((LISTED, 42), b"\xff\xff\xff\x7f"),  # an offset beyond the end
        ((LISTED, 8), b"\x20\x00"),  # patched data
        ((LISTED, 8), b"\x40\x00"),  # strong encryption
        ((LISTED, 10), b"\x63\x00"),  # an unknown method
        ((LISTED, 16), b"\1\2\3\4"),  # a wrong checksum
        ((LISTED, 20), b"\x10\0\0\0"),  # too small when compressed
        ((LISTED, 24), b"\x10\0\0\0"),  # too small when inflated
        ((LOCAL, 6), b"\x00\x08" + bytes(18) + b"\1\0\0\0\xff"),  # a name that is no text
    ],
)
def test_a_damaged_entry_is_named_and_the_others_are_read(tmp_path, where, change):
    data = _zipped(tmp_path / "a.zip", "x", "y")
    _write(data, data.index(where[0]) + where[1], change)
    (tmp_path / "a.zip").write_bytes(data)
    found, codes = _walked(tmp_path / "a.zip", tmp_path / "spool")
    assert found == [_dicom_bytes(1)]
    assert codes == {"UNREADABLE": 1}
    assert len([path for path in (tmp_path / "spool").rglob("*") if path.is_file()]) == 1


def test_an_entry_without_a_name_is_read_like_any_other(tmp_path):
    data = _zipped(tmp_path / "a.zip", "x", "y")
    for signature, length_at, name_at in ((LISTED, 28, 46), (LOCAL, 26, 30)):
        start = data.index(signature)
        _write(data, start + length_at, b"\0\0\1\0")  # the name's byte becomes an extra field's
        assert data[start + name_at] == ord("x")
    (tmp_path / "a.zip").write_bytes(data)
    found, codes = _walked(tmp_path / "a.zip", tmp_path / "spool")
    assert len(found) + codes["UNREADABLE"] == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: data.index(LISTED) + 20],
        lambda data: data.replace(LISTED, b"PK\x09\x09"),
        lambda data: data[200:],  # every offset before the start
        lambda data: data[:-6] + b"\xff\xff\xff\x7f" + data[-2:],
        lambda data: b"PK\x05\x06" + data,
        lambda data: data + data,
    ],
)
def test_a_damaged_archive_is_named_and_the_next_file_is_read(tmp_path, change):
    root = tmp_path / "in"
    root.mkdir()
    data = _zipped(root / "a.zip", "x", "y")
    (root / "a.zip").write_bytes(change(bytes(data)))
    (root / "b").write_bytes(_dicom_bytes(9))
    found, codes = _walked(root, tmp_path / "spool")
    assert found[-1] == _dicom_bytes(9)
    assert len(found) + sum(codes.values()) >= 2
    assert not codes.keys() - {"UNREADABLE", "NOT_AN_IMAGE"}


def test_entries_that_overlap_are_named_and_their_bytes_read_once(tmp_path):
    data = _zipped(tmp_path / "a.zip", "x", "y", "z")
    listed = data.index(LISTED)
    entry = bytes(data[listed : listed + 47])
    end = data.index(b"PK\x05\x06")
    many = entry * 1000
    data[end:end] = many
    end += len(many)
    _write(data, end + 8, (1003).to_bytes(2, "little") * 2)
    _write(data, end + 12, (end - listed).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(data)
    found, codes = _walked(tmp_path / "a.zip", tmp_path / "spool")
    assert len(found) <= 3
    assert codes["UNREADABLE"] >= 1000


def test_a_mutated_archive_never_stops_the_walk(tmp_path):
    random = np.random.default_rng(20261125)
    whole = bytes(_zipped(tmp_path / "a.zip", "n\u00e4me", "b/c", "d"))
    listed = whole.index(LISTED)
    for number in range(400):
        data = bytearray(whole)
        for place in random.integers(listed * (number % 2), len(data), random.integers(1, 8)):
            data[place] = random.choice([0, 255, random.integers(256)])
        (tmp_path / "a.zip").write_bytes(data[: len(data) - number % 5 * 40])
        found, codes = _walked(tmp_path / "a.zip", tmp_path / f"spool-{number}")
        assert found or codes


@pytest.mark.parametrize("code", sorted(FULL))
def test_a_full_disk_is_no_damage_of_the_archive(tmp_path, monkeypatch, code):
    _zipped(tmp_path / "a.zip", "x")
    opened = Path.open

    def full(path, mode="r", *rest, **more):
        if "x" in mode:
            raise OSError(code, os.strerror(code))
        return opened(path, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        _walked(tmp_path / "a.zip", tmp_path / "spool")
    assert is_full(caught.value)


def test_an_entry_with_a_wrong_checksum_is_left_out(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("x", _dicom_bytes(7))
        writer.writestr("y", _dicom_bytes(8))
    data = bytearray(archive.read_bytes())
    data[data.index(b"DICM") + 50] ^= 0xFF
    archive.write_bytes(data)
    found, codes = _walked(archive, tmp_path / "spool")
    assert found == [_dicom_bytes(8)]
    assert codes == {"UNREADABLE": 1}


def test_a_document_is_no_archive_of_images(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    with zipfile.ZipFile(root / "letter.docx", "w") as writer:
        writer.writestr("[Content_Types].xml", "<x/>")
    found, codes = _walked(root, tmp_path / "spool")
    assert found == []
    assert codes == {"NOT_AN_IMAGE": 1}


def test_a_dicomdir_stands_for_its_folder_and_its_paths_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(_dicom_bytes(1))
    root = tmp_path / "disc"
    (root / "IMAGES").mkdir(parents=True)
    (root / "IMAGES" / "I1").write_bytes(_dicom_bytes(2))
    meta = b"\x02\0\x02\0UI\x16\x001.2.840.10008.1.3.10\0\0"
    (root / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + meta + b"..\\outside")
    for named in (root / "DICOMDIR", root):
        found, codes = _walked(named, tmp_path / f"spool-{named.name}")
        assert found == [_dicom_bytes(2)]
        assert not codes


def test_a_wrong_path_is_an_error_that_says_so(tmp_path):
    with pytest.raises(InputError, match="nothing at the given"):
        _walked(tmp_path / "missing", tmp_path / "spool")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        _walked(tmp_path / "pipe", tmp_path / "spool")


def test_progress_counts_up_to_the_total(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}").write_bytes(_dicom_bytes(number))
    steps = [(c.done, c.total) for c in walk(tmp_path, tmp_path, Leftovers())]
    assert steps == [(n, 5) for n in range(1, 6)]


def _result(folder: Path) -> Path:
    """Make a folder as an analysis leaves it."""
    (folder / "segmentation").mkdir(parents=True)
    _nifti(folder / "segmentation" / "s01.nii.gz")
    (folder / "measurements.json").write_text('{"measurements": []}')
    run = {
        "disclaimer": "Research use only, not for diagnosis",
        "created": "2024-01-01T00:00:00",
        "study": "abc",
        "input_sha256": "0" * 64,
        "versions": {"opencmr": "0.1"},
    }
    (folder / "run.json").write_text(json.dumps(run, indent=1))
    return folder


def test_our_own_earlier_results_below_the_input_are_left_out(tmp_path):
    root = tmp_path / "in"
    result = _result(root / "deep" / "result")
    (result / "simulated-study").mkdir()
    (result / "simulated-study" / "1").write_bytes(_dicom_bytes(1))
    (root / "2").write_bytes(_dicom_bytes(2))
    found, codes = _walked(root, tmp_path / "spool")
    assert found == [_dicom_bytes(2)]
    assert codes == {"OWN_RESULT": 1}


def test_what_is_named_itself_is_read_even_inside_a_result(tmp_path):
    result = _result(tmp_path / "demo")
    (result / "simulated-study").mkdir()
    (result / "simulated-study" / "1").write_bytes(_dicom_bytes(1))
    found, codes = _walked(result / "simulated-study", tmp_path / "spool")
    assert (found, codes) == ([_dicom_bytes(1)], {})
    found, _ = _walked(result, tmp_path / "spool")
    assert _dicom_bytes(1) in found


def test_a_strangers_run_json_hides_nothing(tmp_path):
    result = _result(tmp_path / "in" / "study")
    (result / "run.json").write_text('{"disclaimer": "run your own"}')
    found, codes = _walked(tmp_path / "in", tmp_path / "spool")
    assert len(found) == 1
    assert "OWN_RESULT" not in codes


def test_a_result_folder_is_known_by_what_run_json_is_written_with():
    source = inspect.getsource(run_record)
    assert all(word.decode() in source for word in RESULT_WORDS)
