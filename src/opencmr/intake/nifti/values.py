"""The stored values of a NIfTI file: read up to what memory allows, and scaled."""

from typing import Any, BinaryIO

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.errors import InputError
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.intake.dicom.scaling import Linear, doubt_about
from opencmr.intake.nifti.header import read_exactly, read_up_to

CHUNK_VOXELS = 4 << 20
"""So many stored values are held beside the converted ones."""
PRIVATE_FIELDS = ("descrip", "aux_file", "db_name", "intent_name")


def read_values(
    stream: BinaryIO, dtype: np.dtype[Any], gap_bytes: int, shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Return the stored values ``(T, Z, Y, X)`` as float32.

    Converted on the way: stored and converted together would take twice the memory.
    """
    read_exactly(stream, gap_bytes)
    values = np.empty(shape, dtype=np.float32)
    flat = values.reshape(-1)
    for begin in range(0, flat.size, CHUNK_VOXELS):
        part = flat[begin : begin + CHUNK_VOXELS]
        part[:] = np.frombuffer(read_exactly(stream, part.size * dtype.itemsize), dtype)
    read_up_to(stream, 1)  # the checksum of a compressed file is judged at its end
    return values


def scale_and_judge(values: np.ndarray, header: Any) -> list[QualityFlag]:
    """Apply slope and intercept (0 or not a number: none) in place; refuse what has no signal."""
    apply_scaling(values, header)
    finite = np.isfinite(values)
    share = 1 - finite.mean()
    least = values.min(where=finite, initial=np.inf)
    if share == 1 or least == values.max(where=finite, initial=-np.inf):
        raise InputError(
            Reason("NO_SIGNAL", "the image is constant or not finite. Check the export.")
        )
    if share == 0:
        return []
    values[~finite] = least
    flag = QualityFlag(
        Severity.REVIEW,
        "NO_SIGNAL",
        "Values that are not finite were replaced by the smallest one. Check the export.",
        f"{share:.2%} of the voxels",
    )
    return [flag]


def apply_scaling(values: np.ndarray, header: Any) -> None:
    """Apply slope and intercept (0 or not a number: none) in place."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    intercept = intercept if np.isfinite(intercept) else 0.0
    if np.isfinite(slope) and slope != 0:
        if doubt := doubt_about(Linear(slope, intercept)):
            raise InputError(Reason("BAD_SCALING", doubt))
        values *= np.float32(slope)
        values += np.float32(intercept)
