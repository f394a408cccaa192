"""Windows: the part of a slice that the network sees, on the network's own grid."""

from dataclasses import dataclass

import numpy as np

from opencmr.geometry.resampling import linear_weights, resample_plane
from opencmr.imaging.image import Image
from opencmr.models.card import ModelCard


@dataclass(frozen=True, slots=True)
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

    def cut(self, images: np.ndarray) -> np.ndarray:
        """Return source ``images (..., Y, X)`` on the window ``(..., rows_px, columns_px)``."""
        start_row, start_column = self._starts
        return resample_plane(
            images,
            linear_weights(self.source_shape[0], self.rows_px, step=self.row_step, start=start_row),
            linear_weights(
                self.source_shape[1], self.columns_px, step=self.column_step, start=start_column
            ),
        )

    def paste(self, shares: np.ndarray) -> np.ndarray:
        """Return window ``shares (..., rows_px, columns_px)`` on the source grid.

        Zero outside the window.
        """
        start_row, start_column = self._starts
        return resample_plane(
            shares,
            linear_weights(
                self.rows_px,
                self.source_shape[0],
                step=1 / self.row_step,
                start=-start_row / self.row_step,
            ),
            linear_weights(
                self.columns_px,
                self.source_shape[1],
                step=1 / self.column_step,
                start=-start_column / self.column_step,
            ),
        )


def whole_window(image: Image, card: ModelCard) -> Window:
    """Return the window that holds the whole image, padded to the network's stride."""
    grid = image.grid
    sizes = [
        card.stride_px * int(np.ceil(size * spacing_mm / card.spacing_mm / card.stride_px))
        for size, spacing_mm in (
            (grid.shape[1], grid.row_spacing_mm),
            (grid.shape[2], grid.column_spacing_mm),
        )
    ]
    return Window(
        centre=((grid.shape[1] - 1) / 2, (grid.shape[2] - 1) / 2),
        rows_px=sizes[0],
        columns_px=sizes[1],
        row_step=card.spacing_mm / grid.row_spacing_mm,
        column_step=card.spacing_mm / grid.column_spacing_mm,
        source_shape=(grid.shape[1], grid.shape[2]),
    )


def read_window(
    stack: np.ndarray,
    window: Window,
    card: ModelCard,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return ``stack (..., Y, X)`` on the window, scaled to 0..1 by the card's intensity rule.

    ``limits`` are the intensities of 0 and 1; by default this window's own percentiles.
    """
    pixels = window.cut(stack.astype(np.float32, copy=False))
    low, high = limits if limits is not None else intensity_limits(pixels, card)
    return np.clip((pixels - low) / max(high - low, 1e-6), 0, 1)


def intensity_limits(pixels: np.ndarray, card: ModelCard) -> tuple[float, float]:
    """Return the percentiles that the card's intensity rule asks for."""
    low, high = np.percentile(pixels, card.intensity_percentiles)
    return float(low), float(high)
