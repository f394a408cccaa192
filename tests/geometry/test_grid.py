"""Grids: spacing from positions, extents of slices, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.geometry.orientation import grid_from_ras_affine, ras_affine_from_grid

spacings_mm = st.floats(0.5, 20.0)
turns = st.tuples(*[st.floats(-3.1, 3.1)] * 3)
shapes = st.tuples(st.integers(2, 6), st.integers(1, 7), st.integers(1, 8))
offsets_mm = st.tuples(*[st.floats(-300, 300)] * 3)


def oblique_affine(
    turn: tuple[float, ...], zooms_mm: tuple[float, ...], offset: tuple[float, ...], flip: bool
) -> np.ndarray:
    """An affine from NIfTI voxels to RAS mm, of either handedness."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn).as_matrix() @ np.diag(zooms_mm)
    if flip:
        affine[:3, 2] *= -1
    affine[:3, 3] = offset
    return affine


def positioned(positions_mm: list[float], row_mm: float = 1.0, column_mm: float = 1.0) -> Grid:
    """An axial grid whose slices lie where ``positions_mm`` says."""
    affines = np.tile(np.eye(4), (len(positions_mm), 1, 1))
    affines[:, :3, :3] = 0
    affines[:, 1, 0] = row_mm
    affines[:, 0, 1] = column_mm
    affines[:, 2, 3] = positions_mm
    return Grid((len(positions_mm), 4, 6), affines)


@given(turns, st.tuples(spacings_mm, spacings_mm, spacings_mm), offsets_mm, shapes, st.booleans())
def test_an_oblique_affine_survives_the_round_trip_through_lps(turn, zooms, offset, shape, flip):
    affine = oblique_affine(turn, zooms, offset, flip)
    grid = grid_from_ras_affine(affine, shape)
    np.testing.assert_allclose(ras_affine_from_grid(grid), affine, atol=1e-9)


@given(turns, st.tuples(spacings_mm, spacings_mm, spacings_mm), offsets_mm, shapes, st.booleans())
def test_every_voxel_keeps_its_place_in_the_patient(turn, zooms, offset, shape, flip):
    affine = oblique_affine(turn, zooms, offset, flip)
    grid = grid_from_ras_affine(affine, shape)
    z, row, column = shape[0] - 1, shape[1] - 1, shape[2] - 1
    ras = (affine @ [column, row, z, 1])[:3]
    lps = ras * [-1, -1, 1]
    np.testing.assert_allclose(grid.position_mm(z, row, column), lps, atol=1e-9)


@given(turns, st.tuples(spacings_mm, spacings_mm, spacings_mm), offsets_mm, shapes, st.booleans())
def test_spacing_is_read_along_the_right_axes(turn, zooms, offset, shape, flip):
    grid = grid_from_ras_affine(oblique_affine(turn, zooms, offset, flip), shape)
    assert grid.column_spacing_mm == pytest.approx(zooms[0])
    assert grid.row_spacing_mm == pytest.approx(zooms[1])
    assert grid.slice_spacing_mm == pytest.approx(zooms[2])


def test_moving_to_the_next_nifti_column_of_an_identity_affine_moves_right_in_ras():
    grid = grid_from_ras_affine(np.eye(4), (2, 3, 4))
    np.testing.assert_allclose(grid.position_mm(0, 0, 1), [-1, 0, 0])
    np.testing.assert_allclose(grid.position_mm(0, 1, 0), [0, -1, 0])
    np.testing.assert_allclose(grid.position_mm(1, 0, 0), [0, 0, 1])


def test_the_normal_is_rows_cross_columns_as_in_dicom():
    axial = positioned([0.0, 10.0])
    np.testing.assert_allclose(axial.normal, [0, 0, 1])


def test_swapped_row_and_column_spacing_is_noticed():
    grid = positioned([0.0, 8.0], row_mm=2.0, column_mm=1.0)
    assert (grid.row_spacing_mm, grid.column_spacing_mm) == (2.0, 1.0)
    np.testing.assert_allclose(grid.position_mm(0, 1, 0) - grid.position_mm(0, 0, 0), [0, 2, 0])
    np.testing.assert_allclose(grid.position_mm(0, 0, 1) - grid.position_mm(0, 0, 0), [1, 0, 0])


def test_slice_spacing_comes_from_positions_and_counts_the_gap():
    grid = positioned([0.0, 10.0, 20.0])
    assert grid.slice_spacing_mm == pytest.approx(10.0)
    np.testing.assert_allclose(grid.voxel_mm3, [10.0, 10.0, 10.0])


def test_an_end_slice_reaches_as_far_outwards_as_inwards():
    grid = positioned([0.0, 8.0, 20.0, 26.0])
    np.testing.assert_allclose(grid.slice_extents_mm, [8.0, 10.0, 9.0, 6.0])


@given(st.lists(st.floats(1, 30), min_size=1, max_size=10))
def test_slice_extents_do_not_depend_on_the_direction_of_the_stack(gaps):
    positions = [0.0, *np.cumsum(gaps)]
    forward = positioned(positions).slice_extents_mm
    backward = positioned(positions[::-1]).slice_extents_mm
    np.testing.assert_allclose(forward, backward[::-1], rtol=1e-9)
    half_ends = (gaps[0] + gaps[-1]) / 2
    assert forward.sum() == pytest.approx(sum(gaps) + half_ends)


def test_slices_off_the_common_axis_are_measured_along_the_normal():
    affines = np.array(positioned([0.0, 8.0]).affines)
    affines[1, 0, 3] = 6.0
    grid = Grid((2, 4, 6), affines)
    assert grid.slice_spacing_mm == pytest.approx(8.0)


def test_a_single_slice_has_no_extent():
    with pytest.raises(GeometryError, match="single slice"):
        _ = positioned([0.0]).slice_extents_mm


def test_two_slices_at_one_position_have_no_extent():
    with pytest.raises(GeometryError, match="one position"):
        _ = positioned([0.0, 0.0, 8.0]).slice_extents_mm


def test_an_uneven_stack_is_not_regular_and_has_no_single_affine():
    grid = positioned([0.0, 8.0, 20.0])
    assert not grid.is_regular
    with pytest.raises(GeometryError, match="no single affine"):
        ras_affine_from_grid(grid)


def test_a_tilted_slice_makes_the_stack_irregular():
    affines = np.array(positioned([0.0, 8.0, 16.0]).affines)
    affines[1, :3, :3] = Rotation.from_euler("x", 10, degrees=True).as_matrix() @ affines[1, :3, :3]
    assert not Grid((3, 4, 6), affines).is_regular


@pytest.mark.parametrize("bad_mm", [0.0, np.nan, np.inf, 1e9])
def test_an_impossible_spacing_is_refused(bad_mm):
    with pytest.raises(GeometryError):
        positioned([0.0, 8.0], row_mm=bad_mm)


def test_rows_that_are_not_orthogonal_to_columns_are_refused():
    affines = np.array(positioned([0.0, 8.0]).affines)
    affines[:, 0, 0] = 0.01
    with pytest.raises(GeometryError, match="orthogonal"):
        Grid((2, 4, 6), affines)


def test_a_grid_does_not_follow_later_changes_of_the_array_it_was_made_from():
    affines = np.array(positioned([0.0, 8.0]).affines)
    grid = Grid((2, 4, 6), affines)
    affines[:] = 0
    assert grid.row_spacing_mm == pytest.approx(1.0)
    with pytest.raises(ValueError, match="read-only"):
        grid.affines[0, 0, 0] = 5


def test_selected_slices_keep_their_positions_and_order():
    grid = positioned([0.0, 8.0, 16.0]).select([2, 0])
    np.testing.assert_allclose(grid.slice_positions_mm, [16.0, 0.0])


def test_spacing_alone_gives_a_grid_of_unknown_orientation():
    grid = grid_from_spacing((3, 4, 5), (10.0, 2.0, 1.0))
    assert not grid.orientation_known
    assert grid.slice_spacing_mm == pytest.approx(10.0)
    assert (grid.row_spacing_mm, grid.column_spacing_mm) == pytest.approx((2.0, 1.0))
