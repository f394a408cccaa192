"""Scanning: from the digital heart to images and true labels on any plane."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.structures import ACDC, Structure
from opencmr.geometry.grid import Grid
from opencmr.simulate.body import (
    Body,
    HeartFrame,
    body_of,
    body_texture,
    heart_frame,
    paint_body,
)
from opencmr.simulate.heart import HeartParameters, HeartShape
from opencmr.simulate.painter import (
    MAX_REACH_MM,
    HeartPainter,
    HeartTexture,
    heart_texture,
)
from opencmr.simulate.physics import (
    band_profile,
    coil_sensitivity,
    field_error_hz,
    k_space_window,
    magnitude_image,
)

LARGEST_VALUE = 4095
"""Scanners store twelve bits."""
COARSE_STEP = 4
"""Pixels between the points at which the heart is looked for."""
MARGIN_MM = 7.0
"""The heart's fat and its outline's irregularities lie within this distance."""


@dataclass(frozen=True)
class World:
    """A patient lying in the scanner: chest, heart, and where they are."""

    parameters: HeartParameters
    frame: HeartFrame
    body: Body
    heart: HeartTexture


def world_of(parameters: HeartParameters) -> World:
    """Return the patient of ``parameters``; the same seed is the same patient."""
    random = np.random.default_rng([parameters.seed, 1])
    texture = body_texture(random)
    return World(
        parameters, heart_frame(parameters), body_of(parameters, texture), heart_texture(random)
    )


@dataclass(frozen=True)
class Scan:
    """How one series is acquired.

    Attributes
    ----------
    signals : mapping from tissue to signal
    gain : float
        Stored value of a signal of 1.
    thickness_mm : float
    samples : int
        Points through the slice.
    shading : float
        0 flat to 1 surface coils without correction.
    noise : float
        Standard deviation of the noise, in stored values.
    acquired : (rows, columns)
        Share of k-space that was acquired.
    off_resonance_hz : float
        Field error at the body's edge.
    flip_deg, tr_ms : float
    """

    signals: Mapping[str, float]
    gain: float
    thickness_mm: float
    samples: int
    shading: float
    noise: float
    acquired: tuple[float, float]
    off_resonance_hz: float = 0.0
    flip_deg: float = 52.0
    tr_ms: float = 3.0


@dataclass(frozen=True)
class Acquired:
    """What a scan gives.

    Attributes
    ----------
    values : (T, Z, Y, X) float32
        Whole numbers, as a scanner stores them.
    labels : (T, Z, Y, X) uint8
        Truth in the ACDC scheme: what fills most of the voxel.
    """

    values: np.ndarray
    labels: np.ndarray


def acquire(
    world: World,
    grid: Grid,
    shapes: tuple[HeartShape, ...],
    scan: Scan,
    random: np.random.Generator,
    shifts_mm: np.ndarray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Acquired:
    """Scan every phase of a beat on a grid.

    Parameters
    ----------
    shapes : tuple of HeartShape
        One a phase.
    random : numpy.random.Generator
        Noise.
    shifts_mm : (Z, 3) or None
        Displacement of the patient (LPS) while each slice was acquired: breathing.
    progress : callable
        Called with (slices done, in all).
    """
    values = np.zeros((len(shapes), *grid.shape), dtype=np.float32)
    labels = np.zeros((len(shapes), *grid.shape), dtype=np.uint8)
    window = k_space_window(grid.shape[1:], scan.acquired)
    for z in range(grid.shape[0]):
        shift = np.zeros(3) if shifts_mm is None else shifts_mm[z]
        _acquire_slice(world, grid, z, shapes, scan, shift, values[:, z], labels[:, z])
        middle = slice_points(grid, z, np.zeros(1))[:, 0]
        shading = coil_sensitivity(middle, scan.shading) * _bands(middle, scan)
        for t in range(len(shapes)):
            values[t, z] = magnitude_image(
                values[t, z] * shading * np.float32(scan.gain), window, scan.noise, random
            )
        progress(z + 1, grid.shape[0])
    np.clip(np.rint(values, out=values), 0, LARGEST_VALUE, out=values)
    return Acquired(values, labels)


def _bands(position_mm: np.ndarray, scan: Scan) -> np.ndarray | float:
    """Return what off-resonance leaves of the signal, alike for all tissues (plausible)."""
    if not scan.off_resonance_hz:
        return 1.0
    return band_profile(
        field_error_hz(position_mm, scan.off_resonance_hz),
        flip_deg=scan.flip_deg,
        tr_ms=scan.tr_ms,
    )


def slice_points(
    grid: Grid, z: int, offsets_mm: np.ndarray, window: tuple[slice, slice] | None = None
) -> np.ndarray:
    """Return LPS positions ``(3, S, Y, X)`` float32 of a slice's voxels, at offsets along it."""
    affine = grid.affines[z]
    rows, columns = np.arange(grid.shape[1]), np.arange(grid.shape[2])
    if window is not None:
        rows, columns = rows[window[0]], columns[window[1]]
    point = (
        affine[:3, 3, None, None, None]
        + affine[:3, 2, None, None, None] * offsets_mm[:, None, None]
        + affine[:3, 0, None, None, None] * rows[:, None]
        + affine[:3, 1, None, None, None] * columns
    )
    return np.asarray(point, dtype=np.float32)


def _offsets_mm(scan: Scan) -> np.ndarray:
    return ((np.arange(scan.samples) + 0.5) / scan.samples - 0.5) * scan.thickness_mm


def _acquire_slice(
    world: World,
    grid: Grid,
    z: int,
    shapes: tuple[HeartShape, ...],
    scan: Scan,
    shift_mm: np.ndarray,
    values: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Fill ``values`` and ``labels`` ``(T, Y, X)`` of one slice: signal without coil or noise."""
    pixel_mm = float(np.sqrt(grid.pixel_mm2))
    offsets_mm = _offsets_mm(scan)
    points = slice_points(grid, z, offsets_mm) - shift_mm.astype(np.float32)[:, None, None, None]
    still = paint_body(points, world.body, scan.signals, pixel_mm)
    values[:] = still.signal.mean(0)
    window = heart_window(world, points)
    if window is None:
        return
    window = _beating_window(world, points, window, shapes, pixel_mm)
    region = (slice(None), *window)
    painter = HeartPainter(
        world.frame.to_heart(points[(slice(None), *region)]).astype(np.float32),
        still.room[region],
        world.heart,
        scan.signals,
        pixel_mm,
    )
    background = still.signal[region]
    for t, shape in enumerate(shapes):
        painted = painter.paint(shape, background, t / len(shapes))
        values[t][window] = painted.signal.mean(0)
        labels[t][window] = label_voxels(painted.rv, painted.myocardium, painted.lv)


def heart_window(world: World, points: np.ndarray) -> tuple[slice, slice] | None:
    """Return the rows and columns in which something beats."""
    middle = world.frame.to_patient(np.array([18.0, 0.0, world.parameters.long_axis_mm * 0.72]))
    square = sum(np.square(points[i] - np.float32(middle[i])) for i in range(3))
    near = (square < MAX_REACH_MM**2).any(0)
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    if min(rows.size, columns.size) < 2 * COARSE_STEP:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _beating_window(
    world: World,
    points: np.ndarray,
    window: tuple[slice, slice],
    shapes: tuple[HeartShape, ...],
    pixel_mm: float,
) -> tuple[slice, slice]:
    """Narrow ``window`` to the heart of this slice, looked for on every fourth pixel."""
    coarse = tuple(slice(part.start, part.stop, COARSE_STEP) for part in window)
    position = world.frame.to_heart(points[(slice(None), slice(None), *coarse)])
    position = position.astype(np.float32)
    painter = HeartPainter(position, position[0], world.heart, {}, COARSE_STEP * pixel_mm)
    extremes = (max(shapes, key=_fullness), min(shapes, key=_fullness))
    inside = np.zeros(position.shape[2:], dtype=bool)
    for shape in extremes:
        inside |= (painter.reach(shape) < MARGIN_MM).any(0)
    if not inside.any():
        return window
    narrowed = []
    for part, axis in zip(window, (1, 0), strict=True):
        hit = np.flatnonzero(inside.any(axis))
        start = part.start + COARSE_STEP * max(int(hit[0]) - 1, 0)
        narrowed.append(slice(start, min(part.start + COARSE_STEP * (int(hit[-1]) + 2), part.stop)))
    return narrowed[0], narrowed[1]


def _fullness(shape: HeartShape) -> float:
    return shape.filling + shape.rv_filling


def label_voxels(rv: np.ndarray, myocardium: np.ndarray, lv: np.ndarray) -> np.ndarray:
    """Return the labels ``(Y, X)`` uint8 in the ACDC scheme, from shares ``(S, Y, X)``.

    Endocardium, epicardium and the outline of both ventricles are each drawn where half of the
    voxel lies inside, so that no structure gains where three meet.
    """
    cavity = lv.mean(0)
    ventricle = cavity + myocardium.mean(0)
    both = ventricle + rv.mean(0)
    labels = np.where(both > 0.5, ACDC.label_of(Structure.RV), 0)
    labels = np.where(ventricle > 0.5, ACDC.label_of(Structure.MYOCARDIUM), labels)
    labels = np.where(cavity > 0.5, ACDC.label_of(Structure.LV), labels)
    return np.asarray(labels, dtype=np.uint8)
