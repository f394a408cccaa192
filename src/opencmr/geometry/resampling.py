"""Separable linear resampling between two pixel grids that share their axes."""

import numpy as np


def linear_weights(size_in: int, size_out: int, *, step: float, start: float) -> np.ndarray:
    """Return the matrix ``(size_out, size_in) float32`` that resamples one axis.

    Output sample ``i`` lies at input coordinate ``start + i * step`` (pixels).  The kernel is
    the linear (triangle) one, widened to ``step`` when that is above one, so that fine detail
    is averaged and not aliased.  Outside the input there is zero.
    """
    positions = start + step * np.arange(size_out)
    width = max(step, 1.0)
    distance = np.abs(positions[:, None] - np.arange(size_in)[None, :]) / width
    weights = np.clip(1 - distance, 0, None) / width
    return np.asarray(weights, dtype=np.float32)


def resample_plane(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return ``images (..., Y, X)`` resampled by the weights of both axes."""
    return np.asarray(rows @ images @ columns.T)
