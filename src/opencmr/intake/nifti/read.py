"""NIfTI files read: stacks and cines, pairs of phases, series of pictures, label maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.errors import GeometryError, InputError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.axis import heartbeat_or_single
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.image import Image, untimed_image
from opencmr.intake.nifti.axes import check_axis_order, timing_of
from opencmr.intake.nifti.geometry import POSITION_AGREEMENT_MM, grid_of, without_geometry
from opencmr.intake.nifti.header import (
    layout_of,
    opened,
    read_header,
    refuse_nearest_affine,
    shape_of,
)
from opencmr.intake.nifti.values import apply_scaling, read_values, scale_and_judge
from opencmr.intake.signal import (
    LOST_SHARE,
    has_signal,
    is_label_map,
    saturation_flags,
    share_at_maximum,
)
from opencmr.storage import sha256_of


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
    with opened(path) as stream:
        header = read_header(stream)
        refuse_nearest_affine(header)
        shape = shape_of(header)
        layout = layout_of(header, shape)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is judged below
            grid, flags = grid_of(header, shape, spacing_mm)
            values = read_values(stream, *layout, shape)
    with np.errstate(invalid="ignore", over="ignore"):
        flags += scale_and_judge(values, header)
        flags += check_axis_order(values, grid, given=spacing_mm is not None)
        trigger_ms, rr_ms, more = timing_of(header, shape)
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
    with opened(path) as stream:
        header = read_header(stream)
        shape = shape_of(header)
        layout = layout_of(header, shape)
        with np.errstate(invalid="ignore", over="ignore"):
            values = read_values(stream, *layout, shape)
            apply_scaling(values, header)
            try:
                grid, flags = grid_of(header, shape, None)
                has_geometry = True
            except GeometryError as error:
                grid, has_geometry = grid_from_spacing(shape[1:], (1.0, 1.0, 1.0)), False
                flags = [without_geometry(str(error))]
    return Pictures(values, grid, has_geometry, sha256_of(path), tuple(flags))


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
    with opened(path) as stream:
        header = read_header(stream)
        shape = shape_of(header)
        layout = layout_of(header, shape)
        grid, _ = grid_of(header, shape, spacing_mm)
        values = read_values(stream, *layout, shape)
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
