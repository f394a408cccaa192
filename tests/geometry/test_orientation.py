"""A NIfTI file's one affine is known again as the stack that it was written from."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.geometry.orientation import (
    best_ras_affine_from_grid,
    grid_from_ras_affine,
    is_grid_of_file,
)

SHAPE = (5, 40, 50)
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", (0.5, -0.4, 0.9)).as_matrix() @ np.diag([1.4, 1.6, 8])
OBLIQUE[:3, 3] = (-130.0, 240.0, 312.0)
STACK = grid_from_ras_affine(OBLIQUE, SHAPE)


def moved(slices_mm: object) -> Grid:
    """The stack with each slice moved along the normal."""
    affines = STACK.affines.copy()
    affines[:, :3, 3] += np.asarray(slices_mm)[:, None] * STACK.normal
    return Grid(SHAPE, affines)


def of_file(grid: Grid) -> Grid:
    """The grid that a file states, in single precision."""
    affine = best_ras_affine_from_grid(grid).astype(np.float32)
    return grid_from_ras_affine(affine.astype(np.float64), grid.shape)


def test_single_precision_moves_no_stack() -> None:
    assert is_grid_of_file(of_file(STACK), STACK)


def test_an_uneven_stack_is_known_by_the_affine_nearest_to_it() -> None:
    uneven = moved([0, 0, 3, 3, -2])
    assert not uneven.is_regular
    assert is_grid_of_file(of_file(uneven), uneven)
    assert not is_grid_of_file(of_file(uneven), STACK)


@pytest.mark.parametrize(
    "other",
    [
        moved([0.2] * 5),
        grid_from_ras_affine(OBLIQUE @ np.diag([1, -1, 1, 1.0]), SHAPE),
        grid_from_ras_affine(OBLIQUE @ np.diag([1.01, 1, 1, 1.0]), SHAPE),
        grid_from_ras_affine(OBLIQUE, (4, 40, 50)),
        grid_from_spacing(SHAPE, (8.0, 1.6, 1.4)),
    ],
    ids=["0.2 mm off", "mirrored", "1 % wider", "a slice less", "nowhere"],
)
def test_another_place_is_another_grid(other: Grid) -> None:
    assert not is_grid_of_file(other, STACK)


@pytest.mark.parametrize(("slice_mm", "same"), [(8.0, True), (8.1, False)])
def test_where_nobody_knows_how_the_patient_lies_spacings_decide(
    slice_mm: float, same: bool
) -> None:
    affine = np.diag([-1.4, 1.6, 8.0, 1.0])
    told = grid_from_ras_affine(affine, SHAPE, orientation_known=False)
    assert is_grid_of_file(grid_from_spacing(SHAPE, (slice_mm, 1.6, 1.4)), told) is same
