"""NIfTI files: reading stacks and cines, writing labels onto the source's own grid.

The header is parsed field by field and never repaired silently: a length that the file does
not state, or states twice and differently, is refused (reliability row D25).
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import nibabel
import numpy as np

from opencmr.anatomy.plausible import RR_LIMITS_MS, THICK_SLICES_MM
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import LabelScheme
from opencmr.errors import GeometryError, InputError
from opencmr.geometry.grid import SPACING_LIMITS_MM, Grid, grid_from_spacing
from opencmr.geometry.orientation import (
    best_ras_affine_from_grid,
    grid_from_ras_affine,
)
from opencmr.imaging.axis import heartbeat_or_single
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import Image, untimed_image
from opencmr.intake.containers import limits
from opencmr.intake.containers.files import HEAD_BYTES, Kind, kind_of
from opencmr.intake.dicom.scaling import Linear, doubt_about
from opencmr.intake.signal import (
    LOST_SHARE,
    has_signal,
    is_label_map,
    saturation_flags,
    share_at_maximum,
)
from opencmr.storage import sha256_of, write_bytes

CHUNK_VOXELS = 4 << 20
"""So many stored values are held beside the converted ones."""
OFFSET_LIMIT_BYTES = 16 << 20
"""Greatest room for header extensions before the values."""
SPACING_AGREEMENT = 1e-2
"""Relative: two statements of a spacing that differ by more contradict each other."""
POSITION_AGREEMENT_MM = 1.0
"""Two affines that put a corner of the volume further apart contradict each other."""
ALIGNED_TOLERANCE = 1e-4
"""Share of a step that may point along another axis in an axis-aligned affine."""
FRAME_LIMITS_MS = (5.0, 250.0)
"""Plausible time between the frames of a cine."""
ORDER_RATIO = 0.7
"""Slices that differ by less than this share of what phases differ by are phases."""

FAST = 1
"""Level of compression of pictures: noise packs no better with more work."""

_LENGTH_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_TIME_UNITS_MS = {8: 1000.0, 16: 1.0, 24: 0.001}
_KINDS = "iuf"
_GIVE_SPACING = "Give the true spacing with --spacing X,Y,Z."
_BEGINNINGS = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))
_ONE_FILE = "segment takes one NIfTI file; for DICOM use analyze"
_NEAREST_AFFINE = b"opencmr: nearest affine of an irregular stack"
"""Stands in ``descrip`` of what was written from a stack that no single affine describes."""
_PRIVATE_FIELDS = ("descrip", "aux_file", "db_name", "intent_name")


@dataclass(frozen=True, slots=True, eq=False)
class NiftiReading:
    """A NIfTI file's image and what was found on the way."""

    image: Image
    flags: tuple[QualityFlag, ...] = ()


def read_nifti(path: Path, *, spacing_mm: tuple[float, float, float] | None = None) -> NiftiReading:
    """Read a stack (3-D) or a cine (4-D: x, y, slice, phase).

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; what it is, is read from its bytes.
    spacing_mm : (slice, row, column) or None
        The true spacing, where the file's is missing or wrong.

    Raises
    ------
    InputError
        When the file is no NIfTI image, too large, cut short, or without signal.
    GeometryError
        When its spacing is missing, impossible or contradictory and none was given, or it was
        written from a stack that no single affine describes.
    """
    path = Path(path)
    with _opened(path) as stream:
        header = _read_header(stream)
        _refuse_nearest_affine(header)
        shape = _shape_of(header)
        layout = _layout_of(header, shape)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is judged below
            grid, flags = _grid_of(header, shape, spacing_mm)
            values = _read_values(stream, *layout, shape)
    with np.errstate(invalid="ignore", over="ignore"):
        flags += _scale(values, header)
        flags += _check_axis_order(values, grid, given=spacing_mm is not None)
        trigger_ms, rr_ms, more = _timing_of(header, shape)
    image = Image(values, grid, heartbeat_or_single(trigger_ms, rr_ms), sources=(sha256_of(path),))
    return NiftiReading(image, tuple(flags + more))


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A NIfTI file's pictures ``(N, Z, Y, X) float32``, taken along no axis yet.

    Values that are not finite are kept.

    Attributes
    ----------
    values : (N, Z, Y, X) float32
    grid : Grid
    has_geometry : bool
        False where the header's geometry is missing or contradictory: the grid is then of rows
        and columns, 1 mm each.
    sha256 : str
    flags : tuple of QualityFlag
    """

    values: np.ndarray
    grid: Grid
    has_geometry: bool
    sha256: str
    flags: tuple[QualityFlag, ...] = ()


def read_pictures(path: Path) -> Pictures:
    """Read the pictures of each slice (4-D: x, y, slice, picture), whatever they differ in.

    Raises
    ------
    InputError
        When the file is no NIfTI image, too large, cut short, or its scaling cannot be meant.
    """
    with _opened(path) as stream:
        header = _read_header(stream)
        shape = _shape_of(header)
        layout = _layout_of(header, shape)
        with np.errstate(invalid="ignore", over="ignore"):
            values = _read_values(stream, *layout, shape)
            _rescale(values, header)
            try:
                grid, flags = _grid_of(header, shape, None)
                has_geometry = True
            except GeometryError as error:
                grid, has_geometry = grid_from_spacing(shape[1:], (1.0, 1.0, 1.0)), False
                flags = [without_geometry(str(error))]
    return Pictures(values, grid, has_geometry, sha256_of(path), tuple(flags))


def without_geometry(evidence: str = "") -> QualityFlag:
    """Return the flag of pictures that lie nowhere."""
    return QualityFlag(
        Severity.REVIEW,
        "NO_GEOMETRY",
        "The source states no usable position, orientation or spacing: times are mapped pixel by "
        "pixel, and no size may be measured in the map.",
        evidence,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """A NIfTI file's labels as they stand there, ``(T, Z, Y, X) uint8``, and their grid."""

    labels: np.ndarray
    grid: Grid
    sha256: str


def read_label_map(path: Path, *, spacing_mm: tuple[float, float, float] | None = None) -> LabelMap:
    """Read a label map of a stack or a cine; one that is empty throughout is none the less one.

    Parameters
    ----------
    path : Path
    spacing_mm : (slice, row, column) or None
        The true spacing, where the file's is missing or wrong.

    Raises
    ------
    InputError
        When the file is no NIfTI image, too large, cut short, or not of whole numbers from 0
        to 255.
    GeometryError
        When its spacing is missing, impossible or contradictory and none was given.
    """
    with _opened(path) as stream:
        header = _read_header(stream)
        shape = _shape_of(header)
        layout = _layout_of(header, shape)
        grid, _ = _grid_of(header, shape, spacing_mm)
        values = _read_values(stream, *layout, shape)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isfinite(slope) and slope != 0:
        values = values * np.float32(slope) + np.float32(intercept if intercept else 0)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255):
        raise InputError("values outside 0 to 255: an image, not a label map")
    whole = values.astype(np.uint8)
    if not np.array_equal(whole, values):
        raise InputError("values between whole numbers: an image or shares, not a label map")
    return LabelMap(whole, grid, sha256_of(path))


def require_image(reading: NiftiReading) -> NiftiReading:
    """Return a reading, flagged where it is clipped, that an analysis may take for a picture.

    Raises
    ------
    InputError
        When it is a label map, or two-valued or clipped as good as everywhere.
    """
    values = reading.image.values
    if is_label_map(values):
        raise InputError(
            Reason("LABEL_MAP", "few distinct whole numbers: a label map, not an image")
        )
    share = share_at_maximum(list(values.reshape(-1, *values.shape[2:])))
    if not has_signal(values) or share >= LOST_SHARE:
        raise InputError(
            Reason("NO_SIGNAL", "the image is two-valued or mostly clipped. Check the export.")
        )
    return replace(reading, flags=(*reading.flags, *saturation_flags(share)))


def read_nifti_pair(
    ed: Path, es: Path, *, spacing_mm: tuple[float, float, float] | None = None
) -> NiftiReading:
    """Read the same stack at end-diastole and end-systole as one image of two phases.

    Raises
    ------
    InputError
        When either cannot be read or is no picture.
    GeometryError
        When the two do not lie on one grid.
    """
    first, second = (require_image(read_nifti(path, spacing_mm=spacing_mm)) for path in (ed, es))
    for reading, name in ((first, "ED"), (second, "ES")):
        if reading.image.phases != 1:
            raise InputError(
                f"the {name} file holds {reading.image.phases} phases; expected a 3-D stack"
            )
    one, other = first.image.grid, second.image.grid
    if one.shape != other.shape:
        raise GeometryError(f"ED has the shape {one.shape}, ES {other.shape}: not one stack")
    apart_mm = np.abs(one.affines - other.affines) @ [one.shape[1], one.shape[2], 0, 1]
    if apart_mm.max() > POSITION_AGREEMENT_MM:
        raise GeometryError(
            f"ED and ES lie up to {apart_mm.max():.1f} mm apart: not one stack. Export both again."
        )
    return as_phases((first, second))


def as_phases(readings: Sequence[NiftiReading]) -> NiftiReading:
    """Return stacks of one phase each, on one grid, as a cine whose times are unknown."""
    images = [reading.image for reading in readings]
    image = untimed_image(
        np.concatenate([one.values for one in images]),
        images[0].grid,
        tuple(source for one in images for source in one.sources),
    )
    return NiftiReading(image, tuple(dict.fromkeys(f for one in readings for f in one.flags)))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
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


def _read_up_to(stream: BinaryIO, count: int) -> bytes:
    try:
        return stream.read(count)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            Reason("TRUNCATED", "the compressed file is damaged or cut short")
        ) from error


def _read_exactly(stream: BinaryIO, count: int, found: bytes = b"") -> bytes:
    """Return ``count`` bytes, of which some may have been ``found`` before."""
    found += _read_up_to(stream, count - len(found))
    if len(found) < count:
        raise InputError(
            Reason(
                "TRUNCATED",
                f"the file ends {count - len(found)} bytes before its data do. Transfer it again.",
            )
        )
    return found


def _read_header(stream: BinaryIO) -> Any:
    """Return a nibabel header, unchecked: its checks repair what must be refused."""
    start = _read_up_to(stream, 4)
    if not any(known.startswith(start) for known in _BEGINNINGS):
        raise InputError(Reason("NOT_AN_IMAGE", f"no NIfTI file by its first bytes; {_ONE_FILE}"))
    block = _read_exactly(stream, 348, start)
    size = {int.from_bytes(block[:4], order) for order in ("little", "big")}
    kind: Any = nibabel.Nifti1Header
    if 540 in size:
        block += _read_exactly(stream, 540 - 348)
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


def _refuse_nearest_affine(header: Any) -> None:
    """Refuse a copy of an irregular stack: its affine puts slices where they are not."""
    if bytes(header["descrip"]).rstrip(b"\0") == _NEAREST_AFFINE:
        raise GeometryError(
            Reason(
                "GEOMETRY_CONFLICT",
                "this image is a copy of a stack that no single affine describes (slices shifted, "
                "tilted or unevenly spaced): volumes cannot be measured in it. Measure from the "
                "original study.",
            )
        )


def _shape_of(header: Any) -> tuple[int, int, int, int]:
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


def _layout_of(header: Any, shape: tuple[int, int, int, int]) -> tuple[np.dtype[Any], int]:
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
    _refuse_large(shape, dtype.itemsize)
    smallest = int(header["sizeof_hdr"])
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or not (offset == 0 or smallest <= offset <= OFFSET_LIMIT_BYTES):
        raise InputError(f"the header puts the values at the impossible place {offset:g}")
    return dtype, (int(offset) or smallest + 4) - smallest


def _read_values(
    stream: BinaryIO, dtype: np.dtype[Any], gap_bytes: int, shape: tuple[int, int, int, int]
) -> np.ndarray:
    """Return the stored values ``(T, Z, Y, X)`` as float32.

    Converted on the way: stored and converted together would take twice the memory.
    """
    _read_exactly(stream, gap_bytes)
    values = np.empty(shape, dtype=np.float32)
    flat = values.reshape(-1)
    for begin in range(0, flat.size, CHUNK_VOXELS):
        part = flat[begin : begin + CHUNK_VOXELS]
        part[:] = np.frombuffer(_read_exactly(stream, part.size * dtype.itemsize), dtype)
    _read_up_to(stream, 1)  # the checksum of a compressed file is judged at its end
    return values


def _refuse_large(shape: tuple[int, int, int, int], bytes_each: int) -> None:
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


def _scale(values: np.ndarray, header: Any) -> list[QualityFlag]:
    """Apply slope and intercept (0 or not a number: none) in place; refuse what has no signal."""
    _rescale(values, header)
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


def _rescale(values: np.ndarray, header: Any) -> None:
    """Apply slope and intercept (0 or not a number: none) in place."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    intercept = intercept if np.isfinite(intercept) else 0.0
    if np.isfinite(slope) and slope != 0:
        if doubt := doubt_about(Linear(slope, intercept)):
            raise InputError(Reason("BAD_SCALING", doubt))
        values *= np.float32(slope)
        values += np.float32(intercept)


def _grid_of(
    header: Any, shape: tuple[int, int, int, int], given_mm: tuple[float, float, float] | None
) -> tuple[Grid, list[QualityFlag]]:
    if given_mm is not None:
        return _grid_with_given_spacing(header, shape[1:], given_mm)
    axes = 3 if shape[1] > 1 else 2
    zooms = np.asarray(header["pixdim"][1 : axes + 1], dtype=np.float64)
    if not (np.isfinite(zooms).all() and (zooms > 0).all()):
        raise GeometryError(
            Reason("BAD_SPACING", f"the file states the spacing {_numbers(zooms)}. {_GIVE_SPACING}")
        )
    factor, flags = _length_unit(header, zooms)
    _refuse_spacing(zooms * factor, shape[1:])
    if has_bare_sform(header):
        flags.append(_pixdim_used(zooms))
        affine = None
    else:
        affine = _agreed_affine(header, zooms, shape)
    if affine is None:
        spacing = np.append(zooms * factor, 1.0)[:3]
        grid = grid_from_spacing(shape[1:], (spacing[2], spacing[1], spacing[0]))
        return _checked(grid), [*flags, _orientation_unknown()]
    affine[:3] *= factor
    known = not says_nothing_of_orientation(affine, shape[1:])
    grid = _checked(grid_from_ras_affine(affine, shape[1:], orientation_known=known))
    return grid, flags if known else [*flags, _orientation_unknown()]


def _length_unit(header: Any, zooms: np.ndarray) -> tuple[float, list[QualityFlag]]:
    code = _length_code(header)
    if code in _LENGTH_UNITS_MM:
        return _LENGTH_UNITS_MM[code], []
    if np.abs(zooms - 1).max() < SPACING_AGREEMENT:
        raise GeometryError(
            Reason(
                "BAD_SPACING",
                "the file states a spacing of 1 without a unit, which usually means "
                f"that the spacing was lost. {_GIVE_SPACING}{_affine_offer(header)}",
            )
        )
    flag = QualityFlag(
        Severity.INFO,
        "UNITS_UNKNOWN",
        "The file does not name its unit of length; its spacing was taken as millimetres.",
        f"spacing {_numbers(zooms)}",
    )
    return 1.0, [flag]


def has_bare_sform(header: Any) -> bool:
    """Return whether an sform of 1 x 1 x 1 mm beside another pixdim says nothing at all.

    Some software writes the identity or a flip of it where it knows no orientation, and the true
    spacing into pixdim alone, with its unit (the native files of ACDC).
    """
    if int(header["sform_code"]) <= 0 or _LENGTH_UNITS_MM.get(_length_code(header)) != 1.0:
        return False
    sform = np.asarray(header.get_sform(), dtype=np.float64)
    zooms = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    return bool(
        np.isfinite(sform).all()
        and np.abs(np.abs(sform[:3, :3]) - np.eye(3)).max() < ALIGNED_TOLERANCE
        and says_nothing_of_orientation(sform, _shape_of(header)[1:])
        and np.abs(zooms - 1).max() >= SPACING_AGREEMENT
    )


def _pixdim_used(zooms: np.ndarray) -> QualityFlag:
    return QualityFlag(
        Severity.INFO,
        "PIXDIM_USED",
        "The file's affine is a bare 1 x 1 x 1 mm, which software writes when it knows no "
        "orientation; the spacing is that of pixdim.",
        f"pixdim {_numbers(zooms)} mm",
    )


def _affine_offer(header: Any) -> str:
    """Offer the spacings that the file's affines state."""
    try:
        affines = _affines(header)
    except GeometryError:
        return ""
    steps = (np.linalg.norm(affine[:3, :3], axis=0) for affine in affines)
    return "".join(dict.fromkeys(_offer("the affine", one) for one in steps))


def _offer(name: str, lengths: Any) -> str:
    """Offer a stated spacing in the words of the option, unless it is 1 or no spacing."""
    stated = np.asarray(lengths, dtype=np.float64)
    low, high = SPACING_LIMITS_MM
    if not ((stated >= low) & (stated <= high)).all() or np.abs(stated - 1).max() < 1e-6:
        return ""
    return f" If {name} is right: --spacing {','.join(f'{one:.6g}' for one in stated)}"


def _length_code(header: Any) -> int:
    return int(header["xyzt_units"]) & 7


def _agreed_affine(
    header: Any, zooms: np.ndarray, shape: tuple[int, int, int, int]
) -> np.ndarray | None:
    """Return the affine ``(4, 4)`` in the file's unit, or None where it states none."""
    candidates = _affines(header)
    for affine in candidates:
        steps = np.linalg.norm(affine[:3, : len(zooms)], axis=0)
        if not np.isfinite(affine).all() or (np.abs(steps / zooms - 1) > SPACING_AGREEMENT).any():
            raise GeometryError(
                Reason(
                    "GEOMETRY_CONFLICT",
                    f"the affine says {_numbers(steps)}, pixdim says "
                    f"{_numbers(zooms)}: which is the spacing? {_GIVE_SPACING}"
                    f"{_offer('pixdim', header['pixdim'][1:4])}{_affine_offer(header)}",
                )
            )
    if len(candidates) == 2:
        apart = _corner_distance(candidates[0], candidates[1], shape)
        if apart > POSITION_AGREEMENT_MM:
            raise GeometryError(
                Reason(
                    "GEOMETRY_CONFLICT",
                    f"sform and qform put a corner of the image {apart:.1f} mm "
                    f"apart. Export it again, or measure without orientation: {_GIVE_SPACING}",
                )
            )
    return candidates[0] if candidates else None


def _affines(header: Any) -> list[np.ndarray]:
    """Return the affines that the header declares valid: sform first, then qform."""
    found: list[np.ndarray] = []
    if int(header["sform_code"]) > 0:
        found.append(np.asarray(header.get_sform(), dtype=np.float64))
    if int(header["qform_code"]) > 0:
        tidy = header.copy()
        if float(tidy["pixdim"][0]) != -1:
            tidy["pixdim"][0] = 1  # the standard: every other value of qfac means 1
        try:
            found.append(np.asarray(tidy.get_qform(), dtype=np.float64))
        except (nibabel.spatialimages.HeaderDataError, ValueError) as error:
            raise GeometryError(
                Reason(
                    "BAD_ORIENTATION", f"the quaternion of the file is impossible. {_GIVE_SPACING}"
                )
            ) from error
    return found


def _corner_distance(one: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> float:
    _, slices, rows, columns = shape
    ends = np.array(np.meshgrid([0, columns - 1], [0, rows - 1], [0, slices - 1])).reshape(3, -1)
    corners = np.vstack([ends, np.ones(ends.shape[1])])
    return float(np.linalg.norm(((one - other) @ corners)[:3], axis=0).max())


def says_nothing_of_orientation(affine: np.ndarray, shape: tuple[int, int, int]) -> bool:
    """Return whether an affine is one that software writes when it knows no orientation.

    Steps along the axes and the origin in a corner or in the centre of the volume: the
    identity and its flips.  Read literally, it would mirror hearts (79 of 80 in ACDC).

    Parameters
    ----------
    affine : (4, 4), mm
    shape : (Z, Y, X)

    Examples
    --------
    >>> says_nothing_of_orientation(np.diag([1.4, 1.4, 10.0, 1.0]), (10, 256, 216))
    True
    >>> says_nothing_of_orientation(nibabel.affines.from_matvec(np.eye(3), (3, 9, 7)), (5, 9, 9))
    False
    """
    steps = np.abs(affine[:3, :3])
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if (np.sort(steps / lengths, axis=0)[:2] > ALIGNED_TOLERANCE).any():
        return False
    extent = affine[:3, :3] @ (np.array(shape[::-1]) - 1)
    origin = affine[:3, 3]
    half = np.abs(affine[:3, :3]).sum(1)  # one step along each axis of the patient
    return bool(
        all(
            min(abs(at), abs(at + far)) < ALIGNED_TOLERANCE * step or abs(at + far / 2) <= step
            for at, far, step in zip(origin, extent, half, strict=True)
        )
    )


def _grid_with_given_spacing(
    header: Any, shape: tuple[int, int, int], given_mm: tuple[float, float, float]
) -> tuple[Grid, list[QualityFlag]]:
    _refuse_spacing(np.array(given_mm[::-1]), shape)
    flag = QualityFlag(
        Severity.INFO,
        "SPACING_GIVEN",
        "The spacing was given by hand and is not that of the file.",
        f"slice, row, column {_numbers(given_mm)} mm",
    )
    affine = _agreed_directions(header)
    if affine is None:
        return grid_from_spacing(shape, given_mm), [flag, _orientation_unknown()]
    known = not says_nothing_of_orientation(affine, shape)
    affine[:3, :3] *= np.array(given_mm[::-1]) / np.linalg.norm(affine[:3, :3], axis=0)
    grid = grid_from_ras_affine(affine, shape, orientation_known=known)
    return _checked(grid), [flag] if known else [flag, _orientation_unknown()]


def _agreed_directions(header: Any) -> np.ndarray | None:
    """Return an affine ``(4, 4)`` whose directions no other of the header denies, or None."""
    try:
        candidates = _affines(header)
    except GeometryError:
        return None
    units: list[np.ndarray] = []
    for affine in candidates:
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not (np.isfinite(affine).all() and (lengths > 0).all()):
            return None
        units.append(np.asarray(affine[:3, :3] / lengths))
    if not units or any(np.abs(unit - units[0]).max() > SPACING_AGREEMENT for unit in units):
        return None
    return candidates[0]


def _refuse_spacing(spacing_mm: np.ndarray, shape: tuple[int, int, int]) -> None:
    """Refuse lengths ``(column, row[, slice])`` in mm that no picture of a heart has.

    A length in mm that the file calls metres is found here too.
    """
    low, high = SPACING_LIMITS_MM
    if not ((spacing_mm >= low) & (spacing_mm <= high)).all():
        raise GeometryError(
            Reason(
                "BAD_SPACING",
                f"the spacing of {_numbers(spacing_mm)} mm is impossible; expected {low} to {high} "
                f"mm. Is the unit of length right? {_GIVE_SPACING}",
            )
        )
    widths_mm = spacing_mm[:2] * shape[:0:-1]
    if widths_mm.max() > limits.FIELD_OF_VIEW_MM:
        raise GeometryError(
            Reason(
                "BAD_SPACING",
                f"the pictures are {_numbers(widths_mm)} mm wide and high; expected at most "
                f"{limits.FIELD_OF_VIEW_MM:g} mm. {_GIVE_SPACING}",
            )
        )


def _checked(grid: Grid) -> Grid:
    """Refuse a distance between slices that is impossible."""
    if grid.slice_spacing_mm is not None:
        spacing = (grid.column_spacing_mm, grid.row_spacing_mm, grid.slice_spacing_mm)
        _refuse_spacing(np.array(spacing), grid.shape)
    return grid


def _orientation_unknown() -> QualityFlag:
    return QualityFlag(
        Severity.INFO,
        "ORIENTATION_UNKNOWN",
        "The file does not say how the patient lies in it: sizes hold, but anterior, inferior "
        "and mirroring are not judged.",
    )


def _check_axis_order(values: np.ndarray, grid: Grid, *, given: bool) -> list[QualityFlag]:
    """Refuse a cine whose third axis is time: its slices would be measured as phases."""
    phases, slices = values.shape[:2]
    spacing_mm = grid.slice_spacing_mm
    if phases < 3 or slices < 3 or spacing_mm is None or spacing_mm < THICK_SLICES_MM:
        return []
    along_time = _mean_step(values)
    along_stack = _mean_step(values.swapaxes(0, 1))
    if along_stack >= ORDER_RATIO * along_time:
        return []
    message = (
        "Neighbours on the third axis are more alike than neighbours on the fourth, as if the "
        "axes were x, y, phase, slice; expected x, y, slice, phase. Swap them."
    )
    if not given:
        raise GeometryError(Reason("GEOMETRY_CONFLICT", message))
    evidence = f"mean difference {along_stack:.3g} along the third, {along_time:.3g} the fourth"
    return [QualityFlag(Severity.REVIEW, "GEOMETRY_CONFLICT", message, evidence)]


def _mean_step(values: np.ndarray) -> float:
    """Return the mean absolute difference between neighbours on the first axis."""
    steps = [float(np.abs(two - one).mean()) for one, two in pairwise(values)]
    return float(np.mean(steps))


def _timing_of(
    header: Any, shape: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray, list[QualityFlag]]:
    """Return trigger times ``(T, Z)`` and heartbeats ``(Z,)`` in ms; NaN where unknown."""
    phases, slices = shape[:2]
    trigger_ms, rr_ms = np.full((phases, slices), np.nan), np.full(slices, np.nan)
    if phases == 1:
        return trigger_ms, rr_ms, []
    step = float(header["pixdim"][4])
    step_ms = step * _TIME_UNITS_MS.get(int(header["xyzt_units"]) & 56, np.nan)
    plausible = (
        FRAME_LIMITS_MS[0] <= step_ms <= FRAME_LIMITS_MS[1]
        and RR_LIMITS_MS[0] <= step_ms * phases <= RR_LIMITS_MS[1]
    )
    if plausible:
        trigger_ms[:] = step_ms * np.arange(phases)[:, None]
        rr_ms[:] = step_ms * phases
        return trigger_ms, rr_ms, []
    flag = QualityFlag(
        Severity.INFO,
        "NO_TIMING",
        "The file states no plausible time between its phases; they are used in file order, "
        "and no rate or output is derived from them.",
        f"{phases} phases, step {step:g}",
    )
    return trigger_ms, rr_ms, [flag]


def _numbers(values: Any) -> str:
    return " x ".join(f"{float(value):.4g}" for value in values)


def sidecar_of(path: Path) -> Path:
    """Return the JSON file that :func:`write_labels_nifti` puts beside a NIfTI file.

    >>> sidecar_of(Path("labels.nii.gz")).name
    'labels.json'
    """
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def write_labels_nifti(
    path: Path,
    labels: np.ndarray,
    *,
    scheme: LabelScheme,
    grid: Grid,
    like: Path | None = None,
    flags: Sequence[QualityFlag] | None = None,
    step_ms: float | None = None,
) -> list[Path]:
    """Write labels as NIfTI, with a JSON file beside it that says what they mean.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; the JSON file has the same stem.
    labels : (T, Z, Y, X) uint8
    scheme : LabelScheme
    grid : Grid
        Where the labels are.  A stack that no single affine describes is written with the
        nearest one; the JSON file says so and holds every slice's own affine.
    like : Path or None
        The NIfTI file that was segmented: its affine, codes, zooms and units are copied bit
        by bit, unless its spacing was corrected by hand.
    flags : sequence of QualityFlag or None
        What was remarked on the image; stands in the JSON file.
    step_ms : float or None
        Time between the phases, where it is not ``like`` that says it; None: unknown.

    Returns
    -------
    list of Path
        The NIfTI file and the JSON file.

    Raises
    ------
    GeometryError
        When the labels do not fit the grid or the source.
    """
    if labels.dtype != np.uint8 or labels.ndim != 4 or labels.shape[1:] != grid.shape:
        raise GeometryError(
            f"labels must be (T, {', '.join(map(str, grid.shape))}) uint8, "
            f"found {labels.shape} {labels.dtype}"
        )
    header = _header_for(grid, step_ms) if like is None else _header_like(like, labels, grid)
    path = Path(path)
    content = _file_of(
        header, labels if labels.shape[0] > 1 else labels[0], packed=_is_packed(path)
    )
    beside = sidecar_of(path)
    description = _description(scheme, grid)
    if flags is not None:
        description["flags"] = [_plain(flag) for flag in flags]
    write_bytes(beside, (json.dumps(description, indent=2) + "\n").encode("utf-8"))
    write_bytes(path, content)
    return [path, beside]


def write_map_nifti(
    path: Path, values: np.ndarray, *, grid: Grid | None, like: Path | None = None
) -> None:
    """Write one value a voxel as NIfTI of single precision; what is not finite is kept.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    values : (Z, Y, X)
    grid : Grid or None
        Where they lie, unless ``like`` says it; None: nowhere, and no unit of length is written.
    like : Path or None
        The NIfTI file with the pictures: its affine, codes, zooms and units are copied bit by bit.
    """
    if like is not None:
        with _opened(like) as stream:
            header = _read_header(stream)
        for name in _PRIVATE_FIELDS:
            header[name] = b""
        header["pixdim"][4:] = 0
    elif grid is not None:
        header = _header_for(grid)
    else:
        header = _header_for(grid_from_spacing(values.shape, (1.0, 1.0, 1.0)))
        header.set_xyzt_units("unknown")
    write_bytes(path, _file_of(header, values.astype(np.float32), packed=_is_packed(path)))


def write_image_nifti(path: Path, image: Image, *, step_ms: float | None) -> None:
    """Write a stack or a cine as NIfTI of a stored integer type, for an editor of its labels.

    Whole numbers are kept exactly; other values to half a step of 1/65534 of their range.  A
    stack that no single affine describes is written with the nearest one, and its header says
    so: :func:`read_nifti` refuses it.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    image : Image
        Its values are finite.
    step_ms : float or None
        Time between the phases; None: unknown, and none is stated.
    """
    stored, scaling = _as_integers(image.values)
    header = _header_for(image.grid, step_ms)
    content = _file_of(
        header,
        stored if len(stored) > 1 else stored[0],
        packed=_is_packed(path),
        scaling=scaling,
        level=FAST,
    )
    write_bytes(path, content)


def _as_integers(values: np.ndarray) -> tuple[np.ndarray, Linear | None]:
    """Return values as int16 or uint16 of the same shape, and the scaling back where needed."""
    low, high = float(values.min()), float(values.max())
    is_whole = all(np.array_equal(stack, np.rint(stack)) for stack in values)
    for kind in (np.int16, np.uint16):
        if is_whole and np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind), None
    scaling = Linear((high - low) / 65534 or 1.0, (high + low) / 2)
    stored = np.empty(values.shape, np.int16)
    for one, stack in zip(stored, values, strict=True):
        one[:] = np.rint((stack - scaling.intercept) / scaling.slope)
    return stored, scaling


def _is_packed(path: Path) -> bool:
    return path.name.endswith(".gz")


def _file_of(
    header: Any,
    values: np.ndarray,
    *,
    packed: bool,
    scaling: Linear | None = None,
    level: int = 6,
) -> bytes:
    """Return a NIfTI file of values with the slowest axis first, under a header that is changed."""
    header.set_data_shape(values.shape[::-1])
    header.set_data_dtype(values.dtype)
    header["scl_slope"], header["scl_inter"] = (
        (np.nan, np.nan) if scaling is None else (scaling.slope, scaling.intercept)
    )
    header["cal_max"], header["cal_min"] = 0, 0
    start = int(header["sizeof_hdr"]) + 4
    header["vox_offset"] = start
    block = bytes(header.binaryblock) + bytes(4) + np.ascontiguousarray(values).tobytes()
    return gzip.compress(block, compresslevel=level, mtime=0) if packed else block


def _header_for(grid: Grid, step_ms: float | None = None) -> Any:
    affine = best_ras_affine_from_grid(grid)
    header: Any = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    header["magic"] = b"n+1"
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm", "unknown" if step_ms is None else "msec")
    header["descrip"] = b"" if grid.is_regular else _NEAREST_AFFINE
    code = 1 if grid.orientation_known else 0
    header.set_sform(affine, code=code)
    orthogonal = grid.is_regular and _is_orthogonal(affine)
    header.set_qform(affine, code=code if orthogonal else 0, strip_shears=True)
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header["pixdim"][4] = step_ms or 0
    return header


def _is_orthogonal(affine: np.ndarray) -> bool:
    units = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(units.T @ units - np.eye(3)).max() < ALIGNED_TOLERANCE)


def _header_like(like: Path, labels: np.ndarray, grid: Grid) -> Any:
    with _opened(Path(like)) as stream:
        header = _read_header(stream)
    phases, *shape = _shape_of(header)
    if tuple(shape) != labels.shape[1:] or phases not in (1, labels.shape[0]):
        raise GeometryError(
            f"the labels have the shape {labels.shape}, the file that they belong to "
            f"{(phases, *shape)}"
        )
    for name in _PRIVATE_FIELDS:
        header[name] = b""
    return header if _states(header, grid) else _header_for(grid)


def _states(header: Any, grid: Grid) -> bool:
    """Whether every statement of spacing in a header is true of the grid."""
    factor = _LENGTH_UNITS_MM.get(_length_code(header), 1.0)
    stated = [np.asarray(header["pixdim"][1:4], dtype=np.float64)]
    if not has_bare_sform(header):
        stated += [np.linalg.norm(affine[:3, :3], axis=0) for affine in _affines(header)]
    true_mm = [grid.column_spacing_mm, grid.row_spacing_mm]
    if grid.shape[0] > 1:
        true_mm.append(float(np.linalg.norm(np.diff(grid.affines[:2, :3, 3], axis=0))))
    count = len(true_mm)
    return all(
        np.allclose(steps[:count] * factor, true_mm, rtol=2 * SPACING_AGREEMENT) for steps in stated
    )


def _description(scheme: LabelScheme, grid: Grid) -> dict[str, object]:
    """Say what the integers mean and where the slices are."""
    described: dict[str, object] = {
        "labels": {
            "0": "background",
            **{str(label): structure.value for label, structure in scheme.structures.items()},
        },
        "scheme": scheme.name,
        "scheme_source": scheme.source,
        "axes": "x (column), y (row), slice, cardiac phase",
        "spacing_mm": {
            "slice": grid.slice_spacing_mm,
            "row": grid.row_spacing_mm,
            "column": grid.column_spacing_mm,
        },
        "orientation_known": grid.orientation_known,
        "is_regular": grid.is_regular,
    }
    if not grid.is_regular:
        described["note"] = (
            "No single affine describes this stack: that of the NIfTI file is the nearest one. "
            "Each slice's own affine, from (row, column, 0, 1) to LPS mm, is below."
        )
        described["slice_affines_lps_mm"] = grid.affines.tolist()
    return described


def _plain(flag: QualityFlag) -> dict[str, str]:
    """Return a flag as programs read it."""
    return {
        "severity": flag.severity.value,
        "code": flag.code,
        "message": flag.message,
        "evidence": flag.evidence,
    }
