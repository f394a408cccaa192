"""Where the voxels of a NIfTI file lie.

A length that the file does not state, or states twice and differently, is refused (reliability
row D25).
"""

from typing import Any

import nibabel
import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.errors import GeometryError
from opencmr.geometry.grid import SPACING_LIMITS_MM, Grid, grid_from_spacing
from opencmr.geometry.orientation import grid_from_ras_affine
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.intake.containers import limits
from opencmr.intake.nifti.header import as_text, shape_of

SPACING_AGREEMENT = 1e-2
"""Relative: two statements of a spacing that differ by more contradict each other."""
POSITION_AGREEMENT_MM = 1.0
"""Two affines that put a corner of the volume further apart contradict each other."""
ALIGNED_TOLERANCE = 1e-4
"""Share of a step that may point along another axis in an axis-aligned affine."""
LENGTH_UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_GIVE_SPACING = "Give the true spacing with --spacing X,Y,Z."


def without_geometry(evidence: str = "") -> QualityFlag:
    """Return the flag of pictures that lie nowhere."""
    return QualityFlag(
        Severity.REVIEW,
        "NO_GEOMETRY",
        "The source states no usable position, orientation or spacing: times are mapped pixel by "
        "pixel, and no size may be measured in the map.",
        evidence,
    )


def grid_of(
    header: Any, shape: tuple[int, int, int, int], given_mm: tuple[float, float, float] | None
) -> tuple[Grid, list[QualityFlag]]:
    """Return where the voxels lie, by the header or by the spacing that a user gives.

    Raises
    ------
    GeometryError
        When no spacing, an impossible one, or two different ones are stated.
    """
    if given_mm is not None:
        return _grid_with_given_spacing(header, shape[1:], given_mm)
    axes = 3 if shape[1] > 1 else 2
    zooms = np.asarray(header["pixdim"][1 : axes + 1], dtype=np.float64)
    if not (np.isfinite(zooms).all() and (zooms > 0).all()):
        raise GeometryError(
            Reason("BAD_SPACING", f"the file states the spacing {as_text(zooms)}. {_GIVE_SPACING}")
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
    code = length_code(header)
    if code in LENGTH_UNITS_MM:
        return LENGTH_UNITS_MM[code], []
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
        f"spacing {as_text(zooms)}",
    )
    return 1.0, [flag]


def has_bare_sform(header: Any) -> bool:
    """Return whether an sform of 1 x 1 x 1 mm beside another pixdim says nothing at all.

    Some software writes the identity or a flip of it where it knows no orientation, and the true
    spacing into pixdim alone, with its unit (the native files of ACDC).
    """
    if int(header["sform_code"]) <= 0 or LENGTH_UNITS_MM.get(length_code(header)) != 1.0:
        return False
    sform = np.asarray(header.get_sform(), dtype=np.float64)
    zooms = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    return bool(
        np.isfinite(sform).all()
        and np.abs(np.abs(sform[:3, :3]) - np.eye(3)).max() < ALIGNED_TOLERANCE
        and says_nothing_of_orientation(sform, shape_of(header)[1:])
        and np.abs(zooms - 1).max() >= SPACING_AGREEMENT
    )


def _pixdim_used(zooms: np.ndarray) -> QualityFlag:
    return QualityFlag(
        Severity.INFO,
        "PIXDIM_USED",
        "The file's affine is a bare 1 x 1 x 1 mm, which software writes when it knows no "
        "orientation; the spacing is that of pixdim.",
        f"pixdim {as_text(zooms)} mm",
    )


def _affine_offer(header: Any) -> str:
    """Offer the spacings that the file's affines state."""
    try:
        affines = stated_affines(header)
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


def length_code(header: Any) -> int:
    """Return the header's code for the unit of its lengths."""
    return int(header["xyzt_units"]) & 7


def _agreed_affine(
    header: Any, zooms: np.ndarray, shape: tuple[int, int, int, int]
) -> np.ndarray | None:
    """Return the affine ``(4, 4)`` in the file's unit, or None where it states none."""
    candidates = stated_affines(header)
    for affine in candidates:
        steps = np.linalg.norm(affine[:3, : len(zooms)], axis=0)
        if not np.isfinite(affine).all() or (np.abs(steps / zooms - 1) > SPACING_AGREEMENT).any():
            raise GeometryError(
                Reason(
                    "GEOMETRY_CONFLICT",
                    f"the affine says {as_text(steps)}, pixdim says "
                    f"{as_text(zooms)}: which is the spacing? {_GIVE_SPACING}"
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


def stated_affines(header: Any) -> list[np.ndarray]:
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
        f"slice, row, column {as_text(given_mm)} mm",
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
        candidates = stated_affines(header)
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
                f"the spacing of {as_text(spacing_mm)} mm is impossible; expected {low} to {high} "
                f"mm. Is the unit of length right? {_GIVE_SPACING}",
            )
        )
    widths_mm = spacing_mm[:2] * shape[:0:-1]
    if widths_mm.max() > limits.FIELD_OF_VIEW_MM:
        raise GeometryError(
            Reason(
                "BAD_SPACING",
                f"the pictures are {as_text(widths_mm)} mm wide and high; expected at most "
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
