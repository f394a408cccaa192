"""NIfTI files written: labels onto the source's own grid, maps, images."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from opencmr.anatomy.structures import LabelScheme
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.geometry.orientation import best_ras_affine_from_grid
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.image import Image
from opencmr.intake.dicom.scaling import Linear
from opencmr.intake.nifti.geometry import (
    ALIGNED_TOLERANCE,
    LENGTH_UNITS_MM,
    SPACING_AGREEMENT,
    has_bare_sform,
    length_code,
    stated_affines,
)
from opencmr.intake.nifti.header import NEAREST_AFFINE, opened, read_header, shape_of
from opencmr.intake.nifti.values import PRIVATE_FIELDS
from opencmr.storage import write_bytes

FAST = 1
"""Level of compression of pictures: noise packs no better with more work."""
GZIP_BITS = 16 + zlib.MAX_WBITS
"""How zlib is told to write a gzip file, whose header then names no time."""


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
        with opened(like) as stream:
            header = read_header(stream)
        for name in PRIVATE_FIELDS:
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
    values = np.ascontiguousarray(values)
    head = bytes(header.binaryblock) + bytes(4)
    if not packed:
        return b"".join((head, values.data.cast("B")))
    packer = zlib.compressobj(level, wbits=GZIP_BITS)
    parts = [packer.compress(head)]
    parts += [packer.compress(part.data) for part in values]  # a cine is not copied to be packed
    return b"".join((*parts, packer.flush()))


def _header_for(grid: Grid, step_ms: float | None = None) -> Any:
    affine = best_ras_affine_from_grid(grid)
    header: Any = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    header["magic"] = b"n+1"
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm", "unknown" if step_ms is None else "msec")
    header["descrip"] = b"" if grid.is_regular else NEAREST_AFFINE
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
    with opened(Path(like)) as stream:
        header = read_header(stream)
    phases, *shape = shape_of(header)
    if tuple(shape) != labels.shape[1:] or phases not in (1, labels.shape[0]):
        raise GeometryError(
            f"the labels have the shape {labels.shape}, the file that they belong to "
            f"{(phases, *shape)}"
        )
    for name in PRIVATE_FIELDS:
        header[name] = b""
    return header if _states(header, grid) else _header_for(grid)


def _states(header: Any, grid: Grid) -> bool:
    """Whether every statement of spacing in a header is true of the grid."""
    factor = LENGTH_UNITS_MM.get(length_code(header), 1.0)
    stated = [np.asarray(header["pixdim"][1:4], dtype=np.float64)]
    if not has_bare_sform(header):
        stated += [np.linalg.norm(affine[:3, :3], axis=0) for affine in stated_affines(header)]
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
