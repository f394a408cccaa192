"""The DICOM objects that are to be sent, found in files and folders."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom

from opencmr.errors import InputError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A DICOM file, and what must be said of it before it is sent."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


def dicom_files(paths: Iterable[Path]) -> list[Path]:
    """Return the DICOM files among files and, deep, in folders, in order of name.

    Links are not followed in folders.  A DICOMDIR is a table of contents and not sent.

    Raises
    ------
    InputError
        When there is none, or a file that was named is none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = (p for p in sorted(path.rglob("*")) if p.is_file() and not p.is_symlink())
            found += [p for p in below if p.name.upper() != "DICOMDIR" and _is_dicom(p)]
        elif path.is_file() and _is_dicom(path):
            found.append(path)
        else:
            raise InputError(f"{path} is no DICOM file (Part 10); nothing was sent")
    if not found:
        raise InputError("no DICOM file (Part 10) was found; nothing was sent")
    return list(dict.fromkeys(found))


def described(path: Path) -> Outgoing:
    """Read what must be said of a file.

    Raises
    ------
    InputError
        When its meta information is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            meta = pydicom.filereader.read_file_meta_info(path)
            return Outgoing(
                path,
                str(meta.MediaStorageSOPClassUID),
                str(meta.MediaStorageSOPInstanceUID),
                str(meta.TransferSyntaxUID),
            )
    except Exception:  # hostile bytes raise anything
        raise InputError(f"{path} has no readable DICOM header; nothing was sent") from None


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
