"""Manifests: the subjects of a data set as training slices, one builder a data set."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opencmr.errors import ConfigurationError
from opencmr.geometry.grid import Grid
from opencmr.intake.nifti import read_nifti
from opencmr.segment.intensity import intensity_limits

BOX_HALF_WIDTHS_MM = (60.0, 80.0, 105.0, 140.0, float("inf"))
"""Half-widths of the boxes about the heart whose intensities may scale a sample.

At inference the box depends on a heart that was found more or less well, so training meets
the whole range, the uncropped image included.
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """One labelled slice and what its stack says about it.

    Attributes
    ----------
    subject, phase : str
    fold : int
    stack : (Z, Y, X) float32, arbitrary units, the stack at this phase
    z : int
        Which slice of the stack is labelled.
    labels : (Y, X) uint8, ACDC scheme
    spacing_mm : (row, column) spacing
    heart_px : (row, column) centre of the heart in the stack
    limits : tuple of (low, high)
        Intensities of 0 and 1, by each box about the heart.
    """

    subject: str
    phase: str
    fold: int
    stack: np.ndarray
    z: int
    labels: np.ndarray
    spacing_mm: tuple[float, float]
    heart_px: tuple[float, float]
    limits: tuple[tuple[float, float], ...]

    @property
    def from_stack_end(self) -> int:
        """Slices between this one and the nearer end of the stack."""
        return min(self.z, len(self.stack) - 1 - self.z)


def box_limits(
    stack: np.ndarray,
    heart_px: tuple[float, float],
    spacing_mm: tuple[float, float],
    percentiles: tuple[float, float],
) -> tuple[tuple[float, float], ...]:
    """Return the intensities of 0 and 1 by each box about the heart in ``stack (Z, Y, X)``."""
    limits = []
    for half_mm in BOX_HALF_WIDTHS_MM:
        ranges = []
        for axis in (0, 1):
            size = stack.shape[axis + 1]
            half_px = min(half_mm / spacing_mm[axis], size)
            start = int(max(heart_px[axis] - half_px, 0))
            ranges.append(slice(start, int(min(heart_px[axis] + half_px, size)) + 1))
        limits.append(intensity_limits(stack[:, ranges[0], ranges[1]], percentiles))
    return tuple(limits)


def acdc(
    folder: Path, folds: tuple[int, ...], percentiles: tuple[float, float]
) -> tuple[Slice, ...]:
    """Return every ED and ES slice of the ACDC patients in ``folds``.

    Expects ``metadata.csv`` (``patient``, ``fold``) and ``<patient>_{ed,es}[_gt].nii.gz``.
    """
    table = folder / "acdc" / "metadata.csv"
    if not table.is_file():
        raise ConfigurationError(
            f"no acdc/metadata.csv in the data folder {folder}; name the folder with --data"
        )
    slices: list[Slice] = []
    with table.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if int(row["fold"]) in folds]
    for row in rows:
        for phase in ("ed", "es"):
            stem = folder / "acdc" / f"{row['patient']}_{phase}"
            image, grid = _stack(stem.with_name(stem.name + ".nii.gz"))
            labels, _ = _stack(stem.with_name(stem.name + "_gt.nii.gz"))
            spacing_mm = (grid.row_spacing_mm, grid.column_spacing_mm)
            where = np.argwhere(labels > 0)
            heart_px = (float(where[:, 1].mean()), float(where[:, 2].mean()))
            limits = box_limits(image, heart_px, spacing_mm, percentiles)
            for z in range(image.shape[0]):
                slices.append(
                    Slice(
                        row["patient"],
                        phase,
                        int(row["fold"]),
                        image,
                        z,
                        labels[z].astype(np.uint8),
                        spacing_mm,
                        heart_px,
                        limits,
                    )
                )
    return tuple(slices)


def _stack(path: Path) -> tuple[np.ndarray, Grid]:
    """Return the values ``(Z, Y, X)`` and grid of a NIfTI stack at one phase."""
    image = read_nifti(path).image
    return image.values[0], image.grid


Manifest = Callable[[Path, tuple[int, ...], tuple[float, float]], tuple[Slice, ...]]
"""From the data folder, folds and intensity percentiles to labelled slices."""

MANIFESTS: Mapping[str, Manifest] = {"acdc": acdc}
