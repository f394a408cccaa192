"""Where a frame lies in the patient, or why that cannot be said."""

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.geometry.grid import ORTHOGONALITY_TOLERANCE, SPACING_LIMITS_MM
from opencmr.intake.containers.limits import FIELD_OF_VIEW_MM
from opencmr.intake.dicom.frame import Frame

UNIT_LENGTH_TOLERANCE = 1e-3
"""Greatest deviation of a direction cosine's length from one."""


def why_unplaceable(frame: Frame) -> Reason | None:
    """Return why a frame has no usable place, or None.

    Nothing is ever defaulted: a length that nobody stated is not 1 mm (reliability D09, D10).
    """
    spacing = frame.pixel_spacing_mm
    if spacing is None:
        return Reason("BAD_SPACING", "the pixel spacing is missing: nothing can be measured in mm")
    if (
        not all(SPACING_LIMITS_MM[0] <= value <= SPACING_LIMITS_MM[1] for value in spacing)
        or max(np.multiply(spacing, frame.matrix)) > FIELD_OF_VIEW_MM
    ):
        return Reason(
            "BAD_SPACING", "the pixel spacing is impossible: nothing can be measured in mm"
        )
    if frame.image_orientation is None or frame.image_position_mm is None:
        return Reason("NO_GEOMETRY", "the position or orientation is missing")
    if not np.isfinite(frame.image_position_mm).all():
        return Reason("NO_GEOMETRY", "the position is not a number")
    if not _is_orthonormal(np.reshape(frame.image_orientation, (2, 3)).astype(np.float64)):
        return Reason("BAD_ORIENTATION", "the row and column directions are not orthonormal")
    return None


def _is_orthonormal(cosines: np.ndarray) -> bool:
    """Judge the directions ``(2, 3)`` of a row and a column; not finite is not orthonormal."""
    lengths = np.linalg.norm(cosines, axis=1)
    return bool(
        np.abs(lengths - 1).max() <= UNIT_LENGTH_TOLERANCE
        and abs(cosines[0] @ cosines[1]) <= ORTHOGONALITY_TOLERANCE
    )


def axes_of(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the unit directions ``(3,)`` along a row, along a column, and their normal."""
    right, down = np.reshape(frame.image_orientation, (2, 3)).astype(np.float64)  # type: ignore[arg-type]
    return right, down, np.cross(right, down)


def affine_of(frame: Frame) -> np.ndarray:
    """Return the affine ``(4, 4)`` from (row, column, 0, 1) to LPS mm.

    DICOM PS3.3 C.7.6.2.1.1: PixelSpacing is (between rows, between columns), the orientation
    (along a row, along a column).
    """
    assert frame.pixel_spacing_mm is not None
    right, down, normal = axes_of(frame)
    affine = np.eye(4)
    affine[:3, 0] = down * frame.pixel_spacing_mm[0]
    affine[:3, 1] = right * frame.pixel_spacing_mm[1]
    affine[:3, 2] = normal
    affine[:3, 3] = frame.image_position_mm
    return affine


def centre_of(frame: Frame) -> np.ndarray:
    """Return the LPS position ``(3,)`` in mm of the frame's centre."""
    rows, columns = frame.matrix
    return np.asarray((affine_of(frame) @ [(rows - 1) / 2, (columns - 1) / 2, 0, 1])[:3])
