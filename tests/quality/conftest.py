"""A heart of discs that passes every check, to be spoilt one way at a time."""

from collections.abc import Callable

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.image import Image
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics, Series
from opencmr.measure import Ventricles, measure_all
from opencmr.quality.checks import check

Judged = tuple[Measurements, tuple[QualityFlag, ...]]


def heart_labels(phases: int = 24, muscle_at_es: float = 1.0) -> np.ndarray:
    """Labels ``(T, 10, 96, 96)``: both ventricles taper from slice 1 to 8; 1.5 mm, 10 mm.

    The muscle weighs the same at every phase, times ``muscle_at_es`` at end-systole.
    """
    rows, columns = np.mgrid[0:96, 0:96]
    labels = np.zeros((phases, 10, 96, 96), dtype=np.uint8)
    for phase in range(phases):
        beat = (1 + np.cos(2 * np.pi * phase / phases)) / 2
        muscle = 200 * (muscle_at_es if phase == phases // 2 else 1.0)
        for z in range(1, 9):
            taper = np.sqrt(1 - ((z - 1) / 8.5) ** 2)
            inner = (11.0 + 5.0 * beat) * taper
            outer = np.sqrt(inner**2 + muscle * taper**2)
            reach = np.hypot(rows - 48.2, columns - 52.4)
            beside = np.hypot(rows - 48.2, columns - 52.4 + 0.8 * outer)
            labels[phase, z][beside <= outer * (0.83 + 0.14 * beat)] = 1
            labels[phase, z][reach <= outer] = 2
            labels[phase, z][reach <= inner] = 3
    return labels


@pytest.fixture
def labels() -> np.ndarray:
    return heart_labels()


@pytest.fixture(scope="session")
def judge() -> Callable[..., Judged]:
    """Measure and check labels ``(T, Z, Y, X)``; more flags may come with the series."""

    def run(
        labels: np.ndarray,
        spacing_mm: tuple[float, float, float] = (10.0, 1.5, 1.5),
        flags: tuple[QualityFlag, ...] = (),
        rr_ms: float = 900.0,
        given_heart_rate_bpm: float | None = None,
        drawn_by: AuthorKind = AuthorKind.IMPORT,
    ) -> Judged:
        grid = grid_from_spacing(labels.shape[1:], spacing_mm)
        timing = np.arange(labels.shape[0])[:, None] / labels.shape[0] * rr_ms
        image = Image(
            np.zeros(labels.shape, dtype=np.float32),
            grid,
            Heartbeat(np.repeat(timing, labels.shape[1], axis=1), np.full(labels.shape[1], rr_ms)),
        )
        masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(drawn_by, "phantom"))
        body = Demographics("F", 50.0, 170.0, 65.0)
        ventricles = Ventricles(masks, image, body, "s01", given_heart_rate_bpm)
        found = measure_all(ventricles)
        return found, check(Series("s01", image, flags=flags), ventricles, found)

    return run
