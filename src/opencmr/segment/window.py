"""Windows: the part of a slice that the network sees, on the network's own grid."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from opencmr.geometry.resampling import linear_weights, resample_plane
from opencmr.imaging.image import Image
from opencmr.models.card import SegmentationInput
from opencmr.segment.intensity import intensity_limits, scale_intensity

LARGEST_WINDOW_PX = 1024
"""Longest side of a network's input (proposal): a metre at 1 mm, and 1 GiB of activations."""


@dataclass(frozen=True)
class Window:
    """A rectangle of network pixels laid over source pixels, axes parallel.

    Attributes
    ----------
    centre : (row, column)
        Its centre in source pixels.
    rows_px, columns_px : int
        Its size in network pixels.
    row_step, column_step : float
        Source pixels to a network pixel.
    source_shape : (Y, X)
    """

    centre: tuple[float, float]
    rows_px: int
    columns_px: int
    row_step: float
    column_step: float
    source_shape: tuple[int, int]

    @property
    def _starts(self) -> tuple[float, float]:
        return (
            self.centre[0] - self.row_step * (self.rows_px - 1) / 2,
            self.centre[1] - self.column_step * (self.columns_px - 1) / 2,
        )

    def source_rows(self, rows_px: np.ndarray) -> tuple[float, float]:
        """Return the source rows of the first and last of ``rows_px``."""
        rows = self._starts[0] + self.row_step * rows_px
        return float(rows[0]), float(rows[-1])

    def source_columns(self, columns_px: np.ndarray) -> tuple[float, float]:
        """Return the source columns of the first and last of ``columns_px``."""
        columns = self._starts[1] + self.column_step * columns_px
        return float(columns[0]), float(columns[-1])

    @cached_property
    def _cutting(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Weights of rows and columns from source to window; every phase uses the same."""
        (rows, columns), (start_row, start_column) = self.source_shape, self._starts
        return (
            linear_weights(rows, self.rows_px, step=self.row_step, start=start_row),
            linear_weights(columns, self.columns_px, step=self.column_step, start=start_column),
        )

    @cached_property
    def _pasting(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Weights of rows and columns from window to source; every slice uses the same."""
        (rows, columns), (start_row, start_column) = self.source_shape, self._starts
        row_step, column_step = 1 / self.row_step, 1 / self.column_step
        return (
            linear_weights(self.rows_px, rows, step=row_step, start=-start_row * row_step),
            linear_weights(
                self.columns_px, columns, step=column_step, start=-start_column * column_step
            ),
        )

    @cached_property
    def reached(self) -> tuple[slice, slice]:
        """The source rows and columns that something of the window is pasted on."""
        rows, columns = (_reached(weights) for weights in self._pasting)
        return rows, columns

    def cut(self, images: np.ndarray) -> np.ndarray:
        """Return source ``images (..., Y, X)`` on the window ``(..., rows_px, columns_px)``."""
        return resample_plane(images, *self._cutting)

    def paste(self, shares: np.ndarray) -> np.ndarray:
        """Return window ``shares (..., rows_px, columns_px)`` on the source's :attr:`reached` part.

        Elsewhere they are zero, on most of a picture.
        """
        (row_weights, column_weights), (rows, columns) = self._pasting, self.reached
        return resample_plane(shares, row_weights[rows], column_weights[columns])

    def paste_shares(self, shares: np.ndarray) -> np.ndarray:
        """Return class shares ``(C, rows_px, columns_px)`` pasted so; the rest is background."""
        pasted = self.paste(shares)
        pasted[0] += 1 - pasted.sum(0)
        return pasted


def _reached(weights: sparse.csr_array) -> slice:
    """Return the outputs between the first and the last that have any weight."""
    weighted = np.flatnonzero(np.diff(weights.indptr))
    return slice(int(weighted[0]), int(weighted[-1]) + 1) if weighted.size else slice(0, 0)


def side_px(side_mm: float, wanted: SegmentationInput) -> int:
    """Return the window side in network pixels that holds ``side_mm``: whole strides, capped.

    >>> from types import SimpleNamespace
    >>> side_px(300.0, SimpleNamespace(spacing_mm=1.25, stride_px=16))
    240
    """
    strides = math.ceil(side_mm / wanted.spacing_mm / wanted.stride_px)
    return wanted.stride_px * max(min(strides, LARGEST_WINDOW_PX // wanted.stride_px), 1)


def whole_window(image: Image, wanted: SegmentationInput, scale: float = 1.0) -> Window:
    """Return the window that holds the whole image, padded to the network's stride.

    Its pixels are ``scale`` times those of the network's own grid.
    """
    grid = image.grid
    step_mm = scale * wanted.spacing_mm
    return Window(
        centre=((grid.shape[1] - 1) / 2, (grid.shape[2] - 1) / 2),
        rows_px=side_px(grid.shape[1] * grid.row_spacing_mm / scale, wanted),
        columns_px=side_px(grid.shape[2] * grid.column_spacing_mm / scale, wanted),
        row_step=step_mm / grid.row_spacing_mm,
        column_step=step_mm / grid.column_spacing_mm,
        source_shape=(grid.shape[1], grid.shape[2]),
    )


def read_window(
    stack: np.ndarray,
    window: Window,
    wanted: SegmentationInput,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return ``stack (..., Y, X)`` on the window, scaled to 0..1 by the network's intensity rule.

    ``limits`` are the intensities of 0 and 1; by default this window's own percentiles.
    """
    pixels = window.cut(stack.astype(np.float32, copy=False))
    if limits is None:
        limits = intensity_limits(pixels, wanted.intensity_percentiles)
    return np.asarray(np.clip(scale_intensity(pixels, limits), 0, 1))
