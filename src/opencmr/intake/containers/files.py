"""From a path to files on disk whose content looks like an image: folders, zips, DICOMDIRs.

Content decides what a file is, never its name.  Names from inside an archive never become
paths: members are inflated into a spool folder under running numbers.
"""

import os
import stat
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from opencmr.anatomy.reasons import Reason
from opencmr.errors import InputError
from opencmr.intake.containers import limits
from opencmr.intake.leftovers import Leftovers
from opencmr.intake.refusal import RefusedError

HEAD_BYTES = 1024
"""How much of a file is read to see what it is."""
CHUNK_BYTES = limits.MIB
DICOMDIR_CLASS = b"1.2.840.10008.1.3.10\0"
JUNK_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"})
RESULT_FILES = frozenset({"run.json", "measurements.json"})
"""What every result folder of ours holds."""
RESULT_WORDS = (b'"disclaimer"', b'"input_sha256"', b'"opencmr"')
"""What ``run.json`` begins with."""
LOCAL_HEADER_BYTES = 30
"""What stands before an entry's name and data (APPNOTE.TXT 4.3.7)."""
READABLE_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""bzip2 and LZMA may ask for memory before they yield a byte that could be counted."""


class Kind(StrEnum):
    """What a file's first bytes say it is."""

    DICOM = "DICOM"
    DICOMDIR = "DICOMDIR"
    NIFTI = "NIfTI"
    ARCHIVE = "zip archive"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file on disk that looks like an image.

    One from an archive stays as long as the spool folder.

    Attributes
    ----------
    path : Path
    kind : Kind
        DICOM or NIFTI.
    done, total : int
        Entries of the input looked at so far, and known so far.
    name : str
        In the input, as a POSIX path from the folder that was named (or that holds the file that
        was): a member of an archive lies below it.  It may identify, and never becomes a path.
    """

    path: Path
    kind: Kind
    done: int
    total: int
    name: str


def kind_of(head: bytes) -> Kind:
    """Return what the first ``HEAD_BYTES`` of a file say it is.

    >>> kind_of(b"x" * 128 + b"DICM").value
    'DICOM'
    >>> kind_of(b"hello").value
    'other'
    """
    if head[128:132] == b"DICM":
        return Kind.DICOMDIR if DICOMDIR_CLASS in head[132:512] else Kind.DICOM
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        is_document = head[30:49] == b"[Content_Types].xml" or head[30:38] == b"mimetype"
        return Kind.OTHER if is_document else Kind.ARCHIVE
    if _is_nifti(head) or (head[:2] == b"\x1f\x8b" and _is_nifti(_gunzipped(head))):
        return Kind.NIFTI
    return Kind.DICOM if _is_bare_dicom(head) else Kind.OTHER


def _is_nifti(head: bytes) -> bool:
    """NIfTI-1 (magic at byte 344) or NIfTI-2 (at byte 4), single file."""
    return head[344:348] == b"n+1\0" or head[4:12] == b"n+2\0\r\n\x1a\n"


def _gunzipped(head: bytes) -> bytes:
    """Return up to ``HEAD_BYTES`` of what a gzip file begins with."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def _is_bare_dicom(head: bytes) -> bool:
    """Whether it begins with an element of group 2 or 8 without a preamble (older exports)."""
    if len(head) < 16 or head[:2] not in (b"\x02\0", b"\x08\0") or head[3] != 0:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    length = int.from_bytes(head[4:8], "little")
    return explicit or length <= 64


def walk(root: Path, spool: Path, leftovers: Leftovers) -> Iterator[Candidate]:
    """Yield every DICOM and NIfTI file in a file, folder, zip archive or DICOMDIR.

    Parameters
    ----------
    root : Path
        What the user named; a symbolic link is followed here and nowhere below.
    spool : Path
        An empty folder that outlives the use of the candidates.
    leftovers : Leftovers
        Counts what is not yielded.

    Raises
    ------
    InputError
        When there is nothing at ``root``, or it is neither file nor folder.
    """
    paths = _listed(root, leftovers)
    base = root.resolve() if root.is_dir() else root.resolve().parent
    allowance = _Allowance(limits.INPUT_BYTES, limits.ARCHIVE_ENTRIES)
    total = len(paths)
    for done, path in enumerate(paths, start=1):
        kind = _kind_of_file(path, leftovers)
        if kind is Kind.ARCHIVE:
            name = path.relative_to(base).as_posix()
            members = _Archive(path, name, spool / f"archive-{done:06d}", allowance, leftovers)
            yield from members.walk()
        elif kind in (Kind.DICOM, Kind.NIFTI):
            yield Candidate(path, kind, done, total, path.relative_to(base).as_posix())
        elif kind is Kind.OTHER:
            leftovers.add("file", Reason("NOT_AN_IMAGE"))


def _listed(root: Path, leftovers: Leftovers) -> list[Path]:
    """Return the regular files of the input in sorted order."""
    root = root.resolve()
    if root.is_file():
        with root.open("rb") as file:
            is_index = kind_of(file.read(HEAD_BYTES)) is Kind.DICOMDIR
        # The index is not needed and not trusted: its folder is walked instead.
        return _files_below(root.parent, leftovers) if is_index else [root]
    if root.is_dir():
        return _files_below(root, leftovers)
    if root.exists():
        raise InputError("the input is neither a file nor a folder; give a file, folder or zip")
    raise InputError("there is nothing at the given input path; check the path")


def _files_below(folder: Path, leftovers: Leftovers) -> list[Path]:
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as scanned:
                entries = list(scanned)
            is_result = place != folder and _is_own_result(entries)
        except OSError:
            leftovers.add("folder", Reason("UNREADABLE", "The folder may not be read."))
            continue
        if is_result:
            leftovers.add("folder", Reason("OWN_RESULT"))
            continue
        for entry in entries:
            if _is_junk(entry.name):
                continue
            if entry.is_symlink():
                leftovers.add(
                    "symbolic link", Reason("UNSAFE_PATH", "Symbolic links are not followed.")
                )
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                found.append(Path(entry.path))
            else:
                leftovers.add("special file", Reason("NOT_AN_IMAGE"))
    return sorted(found)


def _is_own_result(entries: Sequence[os.DirEntry[str]]) -> bool:
    """Whether a folder holds an earlier result: its labels and its demo are no new studies."""
    ours = {
        entry.name: Path(entry.path)
        for entry in entries
        if entry.name in RESULT_FILES and entry.is_file(follow_symlinks=False)
    }
    if len(ours) < len(RESULT_FILES):
        return False
    with ours["run.json"].open("rb") as file:
        head = file.read(HEAD_BYTES)
    return all(word in head for word in RESULT_WORDS)


def _is_junk(name: str) -> bool:
    return name in JUNK_NAMES or name.startswith("._")


def _kind_of_file(path: Path, leftovers: Leftovers) -> Kind | None:
    """Return the kind of a file, or None when it was counted as left out."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = kind_of(file.read(HEAD_BYTES))
    except OSError:
        leftovers.add("file", Reason("UNREADABLE", "The file may not be read."))
        return None
    if kind in (Kind.DICOM, Kind.NIFTI) and size > limits.INSTANCE_BYTES:
        leftovers.add(f"{kind} file", Reason("TOO_LARGE", "The file has more than 512 MiB."))
        return None
    return kind


@dataclass(slots=True)
class _Allowance:
    """What the archives of one input may still inflate to."""

    bytes_left: int
    entries_left: int


class _TooManyEntriesError(Exception):
    """The list of contents is longer than any study's."""


class _CautiousFile:
    """A file that refuses to hand ``zipfile`` a list of contents that is too long.

    ``zipfile`` reads the whole list in one go and makes an object of every entry before its
    caller can count them.
    """

    def __init__(self, file: BinaryIO, entries: int) -> None:
        self._file = file
        self._entries = entries
        self.is_opening = True

    def read(self, size: int = -1) -> bytes:
        if self.is_opening and size > limits.ARCHIVE_INDEX_BYTES:
            raise _TooManyEntriesError
        data = self._file.read(size)
        if self.is_opening and data.count(b"PK\x01\x02") > self._entries:
            raise _TooManyEntriesError
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


class _Archive:
    """One zip archive, whose members are inflated one by one into the spool folder."""

    def __init__(
        self, path: Path, name: str, spool: Path, allowance: _Allowance, leftovers: Leftovers
    ) -> None:
        self._path = path
        self._name = name
        self._spool = spool
        self._allowance = allowance
        self._leftovers = leftovers

    def walk(self) -> Iterator[Candidate]:
        with ExitStack() as open_files:
            try:
                file = open_files.enter_context(self._path.open("rb"))
                cautious = _CautiousFile(file, self._allowance.entries_left)
                archive = open_files.enter_context(zipfile.ZipFile(cautious))
            except _TooManyEntriesError:
                self._leftovers.add("archive", Reason("TOO_MANY_FILES"))
                return
            except Exception:  # zipfile raises anything over a damaged list of contents
                self._leftovers.add("archive", Reason("UNREADABLE", "The archive is damaged."))
                return
            cautious.is_opening = False
            yield from self._members(archive)

    def _members(self, archive: zipfile.ZipFile) -> Iterator[Candidate]:
        listed = archive.infolist()
        if not listed:
            self._leftovers.add("archive", Reason("UNREADABLE", "The archive lists no contents."))
        # A folder is empty: what a file is, its name does not decide.
        members = [one for one in listed if one.file_size or not one.filename.endswith("/")]
        self._allowance.entries_left -= len(members)
        overlapping = _overlapping(members)
        self._spool.mkdir(mode=0o700)
        for number, member in enumerate(members, start=1):
            if any(_is_junk(part) for part in PurePosixPath(member.filename).parts):
                continue
            path = self._spool / f"{number:06d}"
            try:
                _refuse_by_entry(member, overlaps=member.header_offset in overlapping)
                kind = self._inflate(archive, member, path)
            except RefusedError as refused:
                path.unlink(missing_ok=True)
                self._leftovers.add("archive entry", refused.reason)
                continue
            if kind is Kind.NIFTI:
                path = _with_nifti_suffix(path)
            if kind in (Kind.DICOM, Kind.NIFTI):
                name = f"{self._name}/{member.filename}"
                yield Candidate(path, kind, number, len(members), name)
            else:
                path.unlink(missing_ok=True)

    def _inflate(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Kind:
        """Write a member to ``path`` if it looks like an image, and return what it is."""
        ceiling = max(
            limits.INFLATION_FLOOR_BYTES, limits.INFLATION_RATIO * max(member.compress_size, 1)
        )
        with closing(_chunks(archive, member)) as chunks:
            head = next(chunks, b"")
            kind = kind_of(head)
            if kind is Kind.ARCHIVE:
                raise RefusedError("NESTED_ARCHIVE")
            if kind is Kind.OTHER:
                raise RefusedError("NOT_AN_IMAGE")
            if kind is Kind.DICOMDIR:
                return kind
            size = 0
            with path.open("xb") as target:
                for chunk in chain((head,), chunks):
                    size += len(chunk)
                    self._allowance.bytes_left -= len(chunk)
                    self._refuse_by_size(size, ceiling)
                    target.write(chunk)
        return kind

    def _refuse_by_size(self, size: int, ceiling: int) -> None:
        if size > limits.INSTANCE_BYTES:
            raise RefusedError("TOO_LARGE", "The entry inflates to more than 512 MiB.")
        if size > ceiling:
            raise RefusedError("TOO_LARGE", "The entry inflates more than 200-fold.")
        if self._allowance.bytes_left < 0:
            raise RefusedError("TOO_LARGE", "The archives inflate to more than 4 GiB in total.")


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Generator[bytes, None, None]:
    """Yield what a member inflates to: its head, then the rest.

    Raises
    ------
    RefusedError
        ``UNREADABLE``, whatever ``zipfile`` raises: places before the start, names that are no
        text, wrong checksums, unknown methods.  Errors of writing are none of these.
    """
    try:
        with archive.open(member) as source:
            chunk = source.read(HEAD_BYTES)
            while chunk:
                yield chunk
                chunk = source.read(CHUNK_BYTES)
    except Exception as error:
        raise RefusedError("UNREADABLE", "The archive entry is damaged.") from error


def _overlapping(members: Sequence[zipfile.ZipInfo]) -> frozenset[int]:
    """Return the offsets of entries that reach into the next: one byte could be read for ever."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    return frozenset(
        one.header_offset
        for one, following in pairwise(ordered)
        if one.header_offset + LOCAL_HEADER_BYTES + one.compress_size > following.header_offset
    )


def _refuse_by_entry(member: zipfile.ZipInfo, *, overlaps: bool) -> None:
    """Refuse what an entry's own description rules out."""
    if overlaps:
        raise RefusedError("UNREADABLE", "The archive's entries overlap.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RefusedError("UNSAFE_PATH", "Symbolic links are not followed.")
    if member.flag_bits & 0x1:
        raise RefusedError("UNREADABLE", "The archive is encrypted: unpack it first.")
    if member.compress_type not in READABLE_COMPRESSIONS:
        raise RefusedError("UNREADABLE", "The archive is neither stored nor deflated.")


def _with_nifti_suffix(path: Path) -> Path:
    """Rename a spooled NIfTI so that its readers know whether it is compressed."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return path.rename(path.with_suffix(".nii.gz" if is_gzip else ".nii"))
