"""Planes, their angles, and the line that they share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.geometry.orientation import best_ras_affine_from_grid, ras_affine_from_grid
from opencmr.geometry.planes import (
    Plane,
    angle_between_deg,
    cut_of_slice_mm,
    in_slice_mm,
    plane_of_slice,
    shared_point_mm,
)

turns = st.tuples(*[st.floats(-3.1, 3.1)] * 3)


def planes_about(axis: np.ndarray, point: np.ndarray, angles_deg: list[float]) -> list[Plane]:
    """Planes that hold an axis through a point, turned about it."""
    start = np.cross(axis, [0.3, 0.4, 0.5])
    start /= np.linalg.norm(start)
    normals = [Rotation.from_rotvec(np.radians(a) * axis).apply(start) for a in angles_deg]
    return [Plane(point + 30 * np.cross(axis, n) + 11 * axis, n) for n in normals]


def test_the_plane_of_a_slice_goes_through_its_centre():
    plane = plane_of_slice(grid_from_spacing((3, 5, 7), (10.0, 2.0, 1.0)), 2)
    np.testing.assert_allclose(plane.point_mm, [3, 4, 20])
    assert plane.distance_mm(np.array([99.0, -5.0, 13.0])) == pytest.approx(7.0)


@given(turns, st.floats(0, 90))
def test_the_angle_between_lines_does_not_depend_on_their_sense(turn, angle):
    rotation = Rotation.from_euler("xyz", turn)
    one = rotation.apply([1.0, 0, 0])
    other = rotation.apply([np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0])
    assert angle_between_deg(one, other) == pytest.approx(angle, abs=1e-4)
    assert angle_between_deg(-one, other) == pytest.approx(angle, abs=1e-4)


@given(turns, st.tuples(*[st.floats(-100, 100)] * 3))
def test_three_planes_about_a_line_find_it_and_a_plane_beside_it_does_not_disturb(turn, point):
    axis = Rotation.from_euler("xyz", turn).apply([0.0, 0, 1])
    point = np.array(point)
    planes = planes_about(axis, point, [0, 60, 120])
    beside = Plane(planes[0].point_mm + 45 * planes[0].normal, planes[0].normal)
    found = shared_point_mm([beside, *planes], axis, point, 12.0)
    assert found is not None
    np.testing.assert_allclose(found, point, atol=1e-6)


def test_two_planes_alone_and_parallel_planes_prove_no_line():
    axis, point = np.array([0.0, 0, 1]), np.zeros(3)
    assert shared_point_mm(planes_about(axis, point, [0, 60]), axis, point, 12.0) is None
    assert shared_point_mm(planes_about(axis, point, [0, 1, 2]), axis, point, 12.0) is None


def test_the_best_affine_of_a_regular_grid_is_its_affine():
    grid = grid_from_spacing((4, 5, 6), (8.0, 1.5, 1.2))
    np.testing.assert_allclose(best_ras_affine_from_grid(grid), ras_affine_from_grid(grid))


def test_the_best_affine_of_a_shifted_stack_is_off_by_no_more_than_the_shift():
    affines = np.array(grid_from_spacing((5, 5, 6), (8.0, 1.5, 1.2)).affines)
    affines[2, 0, 3] += 2.0
    grid = Grid((5, 5, 6), affines)
    affine = best_ras_affine_from_grid(grid)
    for z in range(5):
        lps = (affine @ [0, 0, z, 1])[:3] * [-1, -1, 1]
        assert np.linalg.norm(lps - grid.position_mm(z, 0, 0)) <= 2.0


def test_a_plane_cuts_a_slice_along_a_line_that_lies_in_both() -> None:
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affines = np.zeros((1, 4, 4))
    affines[0, :3, 0], affines[0, :3, 1] = 1.5 * turn[0], 1.2 * turn[1]
    affines[0, :3, 3], affines[0, 3, 3] = (12.0, -40.0, 7.0), 1
    grid = Grid((1, 40, 60), affines)
    plane = Plane(grid.position_mm(0, 20, 31), turn[0] * 0.3 + turn[1] * 0.8 + turn[2] * 0.52)
    ends = cut_of_slice_mm(grid, 0, plane)
    assert ends is not None
    assert np.allclose((ends - plane.point_mm) @ plane.normal, 0, atol=1e-9)
    assert max(plane_of_slice(grid).distance_mm(end) for end in ends) < 1e-9
    rows, columns = (in_slice_mm(grid, 0, ends) / (1.5, 1.2)).T
    on_edge = np.isclose(rows, -0.5) | np.isclose(rows, 39.5)
    on_edge |= np.isclose(columns, -0.5) | np.isclose(columns, 59.5)
    assert on_edge.all()


def test_a_plane_beside_a_slice_or_along_it_cuts_nothing() -> None:
    affines = np.eye(4)[None].copy()
    grid = Grid((1, 8, 8), affines)
    assert cut_of_slice_mm(grid, 0, Plane(np.array([50.0, 0, 0]), np.array([1.0, 0, 0]))) is None
    assert cut_of_slice_mm(grid, 0, Plane(np.array([0, 0, 5.0]), grid.normal)) is None
    assert cut_of_slice_mm(grid, 0, plane_of_slice(grid)) is None


def test_a_point_projected_into_a_slice_is_counted_from_its_first_pixel() -> None:
    grid = Grid((1, 8, 9), np.diag([2.0, 3.0, 1.0, 1.0])[None])
    beside = grid.position_mm(0, 4, 7) + 6 * grid.normal
    assert np.allclose(in_slice_mm(grid, 0, beside[None]), [[8.0, 21.0]])
