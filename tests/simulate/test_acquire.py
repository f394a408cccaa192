"""Voxels against formulas, on a fine grid and on any plane."""

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.simulate import HeartParameters, Protocol
from opencmr.simulate.acquire import Scan, acquire, world_of
from opencmr.simulate.body import capsule_distance, ellipsoid_distance
from opencmr.simulate.heart import heart_shape
from opencmr.simulate.physics import tissue_signals
from opencmr.simulate.study import (
    analytic_truth,
    plane_grid,
    short_axis_grid,
    voxelised_truth,
)


def _scan(**changes: float) -> Scan:
    values: dict[str, float] = {"thickness_mm": 1.0, "samples": 1, "noise": 0.0, "shading": 0.0}
    values |= changes
    return Scan(
        signals=tissue_signals(1.5, 52, 3.0),
        gain=3000.0,
        acquired=(1.0, 1.0),
        thickness_mm=values["thickness_mm"],
        samples=int(values["samples"]),
        noise=values["noise"],
        shading=values["shading"],
    )


def test_on_a_one_millimetre_grid_the_voxels_hold_the_analytic_volumes() -> None:
    parameters = HeartParameters(seed=3)
    world = world_of(parameters)
    shapes = (heart_shape(parameters, 1.0, 1.0), heart_shape(parameters, 0.0, 0.0))
    middle = np.array([18.0, 0.0, parameters.long_axis_mm + 9.5])
    grid = plane_grid(
        world.frame.to_patient(middle),
        world.frame.axes[2],
        np.array([0.0, 0.0, 1.0]),
        shape=(106, 118, 118),
        pixel_mm=1.0,
        step_mm=1.0,
    )
    acquired = acquire(world, grid, shapes, _scan(), np.random.default_rng(0))
    voxels = voxelised_truth(
        Segmentation(acquired.labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.IMPORT, "truth"))
    )
    formulas = analytic_truth(shapes)
    for symbol, value in formulas.items():
        assert voxels[symbol] == pytest.approx(value, rel=0.01), symbol


def test_a_plane_through_the_long_axis_sees_the_same_heart() -> None:
    parameters = HeartParameters()
    world = world_of(parameters)
    shape = heart_shape(parameters, 1.0, 1.0)
    _, y, _ = world.frame.axes
    middle = world.frame.to_patient(np.array([0.0, 0.0, parameters.long_axis_mm / 2]))
    grid = plane_grid(middle, y, np.array([0.0, -1.0, 0.0]), shape=(1, 200, 200), pixel_mm=1.0)
    acquired = acquire(world, grid, (shape,), _scan(), np.random.default_rng(0))
    rows, columns = np.nonzero(acquired.labels[0, 0] == 3)
    points = np.array([grid.position_mm(0, r, c) for r, c in zip(rows, columns, strict=True)])
    heights = world.frame.to_heart(points.T)[2]
    assert heights.max() == pytest.approx(shape.base_mm, abs=1.5)
    apex_mm = shape.centre_mm - shape.endo_half_axis_mm
    assert heights.min() == pytest.approx(apex_mm, abs=1.5)


def test_the_long_axis_points_left_anterior_and_inferior() -> None:
    base = world_of(HeartParameters()).frame.axes[2]
    left, posterior, superior = -base
    assert left > 0.5
    assert posterior < -0.4
    assert superior < -0.3
    axes = world_of(HeartParameters()).frame.axes
    assert np.linalg.det(axes) == pytest.approx(1)


def test_breathing_moves_the_picture_and_its_truth_together() -> None:
    parameters = HeartParameters()
    world, protocol = world_of(parameters), Protocol.small()
    grid = short_axis_grid(parameters, world.frame, protocol).select([4])
    shapes = (heart_shape(parameters, 1.0, 1.0),)
    scan = _scan(thickness_mm=8, samples=3)
    right = grid.affines[0, :3, 1] * 3
    still = acquire(world, grid, shapes, scan, np.random.default_rng(0))
    moved = acquire(world, grid, shapes, scan, np.random.default_rng(0), right[None])
    shifted = np.roll(still.labels, 3, axis=-1)
    assert (shifted == moved.labels).mean() > 0.998
    inside = np.s_[0, 0, 30:80, 40:90]
    assert np.abs(np.roll(still.values, 3, axis=-1)[inside] - moved.values[inside]).max() <= 8


def test_blood_is_bright_muscle_grey_and_lung_dark() -> None:
    parameters = HeartParameters()
    world = world_of(parameters)
    grid = short_axis_grid(parameters, world.frame, Protocol()).select([3])
    shapes = (heart_shape(parameters, 1.0, 1.0),)
    acquired = acquire(world, grid, shapes, _scan(thickness_mm=8), np.random.default_rng(0))
    image, labels = acquired.values[0, 0], acquired.labels[0, 0]
    blood, muscle = np.median(image[labels == 3]), np.median(image[labels == 2])
    assert 2.2 < blood / muscle < 4
    assert np.median(image[labels == 1]) > 2 * muscle


def test_distances_to_tubes_and_ellipsoids_are_true() -> None:
    points = np.array([[0, 0, 12.0], [0, 0, -5.0], [3, 0, 5.0]]).T
    tube = capsule_distance(points, (0, 0, 0), (0, 0, 10), 1.0)
    assert tube == pytest.approx([1, 4, 2])
    sphere = ellipsoid_distance(points, (0, 0, 0), (5, 5, 5))
    assert sphere == pytest.approx([7, 0, np.hypot(3, 5) - 5], abs=1e-5)
