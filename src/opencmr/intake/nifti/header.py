"""The header of a NIfTI file, parsed field by field; what it does not state is never repaired."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import nibabel
import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.errors import GeometryError, InputError
from opencmr.intake.containers import limits
from opencmr.intake.containers.files import HEAD_BYTES, Kind, kind_of

OFFSET_LIMIT_BYTES = 16 << 20
"""Greatest room for header extensions before the values."""
_KINDS = "iuf"
_BEGINNINGS = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))
_ONE_FILE = "segment takes one NIfTI file; for DICOM use analyze"
NEAREST_AFFINE = b"opencmr: nearest affine of an irregular stack"
"""Stands in ``descrip`` of what was written from a stack that no single affine describes."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacking it on the way when it is gzip by its first bytes."""
    if path.is_dir():
        raise InputError(Reason("NOT_AN_IMAGE", f"a folder; {_ONE_FILE}"))
    with path.open("rb") as raw:
        head = raw.read(HEAD_BYTES)
        if kind_of(head) in (Kind.DICOM, Kind.DICOMDIR):
            raise InputError(Reason("NOT_AN_IMAGE", f"a DICOM file; {_ONE_FILE}"))
        packed = head[:2] == b"\x1f\x8b"
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked  # type: ignore[misc]


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """Return the next bytes, fewer where the file ends; damage is an InputError."""
    try:
        return stream.read(count)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            Reason("TRUNCATED", "the compressed file is damaged or cut short")
        ) from error


def read_exactly(stream: BinaryIO, count: int, found: bytes = b"") -> bytes:
    """Return ``count`` bytes, of which some may have been ``found`` before."""
    found += read_up_to(stream, count - len(found))
    if len(found) < count:
        raise InputError(
            Reason(
                "TRUNCATED",
                f"the file ends {count - len(found)} bytes before its data do. Transfer it again.",
            )
        )
    return found


def read_header(stream: BinaryIO) -> Any:
    """Return a nibabel header, unchecked: its checks repair what must be refused."""
    start = read_up_to(stream, 4)
    if not any(known.startswith(start) for known in _BEGINNINGS):
        raise InputError(Reason("NOT_AN_IMAGE", f"no NIfTI file by its first bytes; {_ONE_FILE}"))
    block = read_exactly(stream, 348, start)
    size = {int.from_bytes(block[:4], order) for order in ("little", "big")}
    kind: Any = nibabel.Nifti1Header
    if 540 in size:
        block += read_exactly(stream, 540 - 348)
        kind = nibabel.Nifti2Header
    header = kind(block, check=False)
    magic = bytes(header["magic"])[:3]
    if magic not in (b"n+1", b"n+2"):
        raise InputError(
            Reason(
                "NOT_AN_IMAGE",
                "no single-file NIfTI (magic n+1 or n+2); Analyze and .hdr/.img "
                "pairs state no orientation and are not read",
            )
        )
    return header


def refuse_nearest_affine(header: Any) -> None:
    """Refuse a copy of an irregular stack: its affine puts slices where they are not."""
    if bytes(header["descrip"]).rstrip(b"\0") == NEAREST_AFFINE:
        raise GeometryError(
            Reason(
                "GEOMETRY_CONFLICT",
                "this image is a copy of a stack that no single affine describes (slices shifted, "
                "tilted or unevenly spaced): volumes cannot be measured in it. Measure from the "
                "original study.",
            )
        )


def shape_of(header: Any) -> tuple[int, int, int, int]:
    """Return the shape (T, Z, Y, X)."""
    count = int(header["dim"][0])
    if not 2 <= count <= 7:
        raise InputError(Reason("NOT_AN_IMAGE", f"the header claims {count} dimensions"))
    sizes = [int(size) for size in header["dim"][1 : count + 1]]
    if min(sizes) < 1:
        raise InputError(Reason("NOT_AN_IMAGE", f"the header claims the impossible size {sizes}"))
    while len(sizes) > 4 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) > 4:
        raise InputError(f"a cine has 4 dimensions (x, y, slice, phase); found {sizes}")
    columns, rows, slices, phases = [*sizes, 1, 1][:4]
    if slices * phases > limits.FRAMES:
        raise InputError(
            Reason("TOO_LARGE", f"the header declares {slices * phases} pictures of one image")
        )
    return phases, slices, rows, columns


def layout_of(header: Any, shape: tuple[int, int, int, int]) -> tuple[np.dtype[Any], int]:
    """Return the type of the stored values and the bytes between the header and them.

    Their size is judged here, before anything is read.
    """
    try:
        dtype = header.get_data_dtype()
    except (nibabel.spatialimages.HeaderDataError, KeyError) as error:
        raise InputError("the header names an unknown type of values") from error
    if dtype.kind not in _KINDS or dtype.itemsize not in (1, 2, 4, 8):
        raise InputError(
            Reason("NOT_MEASURABLE_PIXELS", f"values of type {dtype} are no MR signal")
        )
    refuse_large(shape, dtype.itemsize)
    smallest = int(header["sizeof_hdr"])
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or not (offset == 0 or smallest <= offset <= OFFSET_LIMIT_BYTES):
        raise InputError(f"the header puts the values at the impossible place {offset:g}")
    return dtype, (int(offset) or smallest + 4) - smallest


def as_text(values: Any) -> str:
    """Return lengths as a message shows them."""
    return " x ".join(f"{float(value):.4g}" for value in values)


def refuse_large(shape: tuple[int, int, int, int], bytes_each: int) -> None:
    """Refuse by the header alone what would exhaust the machine."""
    voxels = int(np.prod(shape, dtype=object))
    if voxels * max(bytes_each, 4) > limits.DECODED_BYTES:
        raise InputError(
            Reason(
                "TOO_LARGE",
                f"the header declares {voxels} voxels of {bytes_each} bytes; "
                f"at most {limits.DECODED_BYTES >> 20} MiB are read",
            )
        )
