"""A beating ring with a right ventricle, as a cine with labels and as tissue of known times."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Axis, Echo, Heartbeat, Preparation, PreparationKind, Single
from opencmr.imaging.image import Image, Unit
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Series, SeriesHeader

CINE_RR_MS, MAP_RR_MS = 1000.0, 750.0
PHASES = 10
SLICES = 6
SLICE_MM = 8.0
SYSTOLE = 0.4
MOMENT = 0.7
"""Fraction of the heartbeat at which maps are acquired."""
SEPTAL_DEG = 62.0
"""Half of the septum's tissue: a little more than the right ventricle touches."""
MOLLI_MS = np.array([100.0, 180, 260, 850, 930, 1010, 1600, 2350])
FRAME = "1.2.3"


@dataclass(frozen=True)
class Tissue:
    """A value for each structure; the septum is that part of the wall which meets the RV."""

    wall: float
    septum: float
    blood: float
    outside: float


T1_MS = Tissue(1000.0, 1100.0, 1700.0, 300.0)
T2_MS = Tissue(50.0, 60.0, 180.0, 30.0)
T2_STAR_MS = Tissue(28.0, 16.0, 60.0, 12.0)


def grid(positions_mm: np.ndarray, size: int, spacing_mm: float, turn_deg: float = 0.0) -> Grid:
    """Slices across the body's axis about its middle, turned in their plane; base is on top."""
    turn = np.deg2rad(turn_deg)
    down = np.array([-np.sin(turn), np.cos(turn), 0.0])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    affines = np.tile(np.eye(4), (len(positions_mm), 1, 1))
    affines[:, :3, 0], affines[:, :3, 1], affines[:, :3, 2] = (
        down * spacing_mm,
        right * spacing_mm,
        np.cross(right, down),
    )
    affines[:, :3, 3] = -(down + right) * spacing_mm * (size - 1) / 2
    affines[:, 2, 3] = positions_mm
    return Grid((len(positions_mm), size, size), affines)


def radii_mm(moment: float) -> tuple[float, float]:
    """Inner and outer radius of the ring at a fraction of the heartbeat."""
    squeeze = np.exp(-(((moment - SYSTOLE) / 0.15) ** 2))
    return 24 - 9 * squeeze, 35 - 6 * squeeze


def labels_at(where: Grid, moment: float) -> np.ndarray:
    """ACDC labels ``(Z, Y, X)`` at a fraction of the heartbeat, tapering to the apex."""
    labels = np.zeros(where.shape, dtype=np.uint8)
    rows, columns = np.indices(where.shape[1:])
    inner_mm, outer_mm = radii_mm(moment)
    for z in range(where.shape[0]):
        pixels = np.stack([rows, columns, np.zeros_like(rows), np.ones_like(rows)])
        x, y, height, _ = np.einsum("ij,jyx->iyx", where.affines[z], pixels)
        narrow = 1 + 0.008 * float(height.mean())
        radius_mm = np.hypot(x, y) / narrow
        labels[z][np.hypot(x + 30 * narrow, y) < 30 * narrow] = 1
        labels[z][radius_mm < outer_mm] = 2
        labels[z][radius_mm < inner_mm] = 3
    return labels


def tissue_at(where: Grid, moment: float, tissue: Tissue) -> np.ndarray:
    """The value of every pixel ``(Z, Y, X)``."""
    labels = labels_at(where, moment)
    table = np.array([tissue.outside, tissue.blood, tissue.wall, tissue.blood])
    values = table[labels]
    rows, columns = np.indices(where.shape[1:])
    for z in range(where.shape[0]):
        pixels = np.stack([rows, columns, np.zeros_like(rows), np.ones_like(rows)])
        x, y, _, _ = np.einsum("ij,jyx->iyx", where.affines[z], pixels)
        septal = np.abs(np.arctan2(y, -x)) < np.deg2rad(SEPTAL_DEG)
        values[z][septal & (labels[z] == 2)] = tissue.septum
    return values


CINE_GRID = grid(-SLICE_MM * np.arange(SLICES), 90, 1.4)
MAP_GRID = grid(-SLICE_MM * np.array([1.0, 2.0, 4.0]) + 2.0, 96, 1.2, turn_deg=25.0)
"""Finer, turned, and two millimetres off the cine's slices."""


@pytest.fixture(scope="session")
def cine() -> Series:
    moments = np.arange(PHASES) / PHASES
    values = np.stack([labels_at(CINE_GRID, moment) for moment in moments]).astype(np.float32)
    trigger_ms = np.repeat(moments[:, None] * CINE_RR_MS, SLICES, axis=1)
    image = Image(values, CINE_GRID, Heartbeat(trigger_ms, np.full(SLICES, CINE_RR_MS)))
    return Series(
        "s01",
        image,
        frame_of_reference_uid=FRAME,
        view=View.SAX,
        sequence=Technique.CINE,
        header=SeriesHeader(modality="MR"),
    )


@pytest.fixture(scope="session")
def contours() -> Segmentation:
    moments = np.arange(PHASES) / PHASES
    labels = np.stack([labels_at(CINE_GRID, moment) for moment in moments])
    author = Author(AuthorKind.READER, "truth")
    return Segmentation(labels, ACDC, CINE_GRID, ACDC_POLICY, author)


def series(
    key: str, values: np.ndarray, along: Axis, technique: Technique, where: Grid = MAP_GRID,
    unit: Unit = Unit.ARBITRARY, **header: object,
) -> Series:  # fmt: skip
    return Series(
        key,
        Image(values.astype(np.float32), where, along, unit),
        frame_of_reference_uid=FRAME,
        view=View.SAX,
        sequence=technique,
        header=SeriesHeader(modality="MR", **header),
    )


def moment_of(pictures: int, moment: float, slices: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return np.full((pictures, slices), moment * MAP_RR_MS), np.full(slices, MAP_RR_MS)


def molli(
    key: str = "s02", times_ms: np.ndarray = MOLLI_MS, tissue: Tissue = T1_MS,
    moment: float = MOMENT, scale: float = 1.0, **header: object,
) -> Series:  # fmt: skip
    """Magnitudes after an inversion of 95 %, driven by the readouts, free of noise."""
    t1_ms = tissue_at(MAP_GRID, moment, tissue)
    ratio = 1.9
    signals = 500 * (1 - ratio * np.exp(-times_ms[:, None, None, None] / (t1_ms / (ratio - 1))))
    stated_ms = np.repeat(times_ms[:, None], 3, axis=1)
    along = Preparation(PreparationKind.INVERSION, stated_ms, *moment_of(len(times_ms), moment))
    header = {"series_description": "T1 MOLLI 5(3)3", **header}
    return series(key, scale * np.abs(signals), along, Technique.T1_MAPPING, **header)


def echoes(
    key: str, times_ms: np.ndarray, tissue: Tissue, technique: Technique, scanning: str
) -> Series:
    decay_ms = tissue_at(MAP_GRID, MOMENT, tissue)
    signals = 800 * np.exp(-times_ms[:, None, None, None] / decay_ms)
    along = Echo(np.repeat(times_ms[:, None], 3, axis=1), *moment_of(len(times_ms), MOMENT))
    return series(key, signals, along, technique, scanning_sequence=(scanning,))


def finished(
    key: str, values: np.ndarray, technique: Technique, unit: Unit, image_type: str
) -> Series:
    along = Single(*moment_of(1, MOMENT))
    types = ("DERIVED", "PRIMARY", image_type)
    return series(key, values[None], along, technique, unit=unit, image_type=types)


def with_axis(one: Series, along: Axis) -> Series:
    return replace(one, image=Image(one.image.values, one.image.grid, along, one.image.unit))
