"""Planes, their angles, and the line that they share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.geometry.orientation import best_ras_affine_from_grid, ras_affine_from_grid
from opencmr.geometry.planes import Plane, angle_between_deg, plane_of_slice, shared_point_mm

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
