"""Separable linear resampling between two pixel grids that share their axes."""

import numpy as np
from scipy import sparse


def linear_weights(size_in: int, size_out: int, *, step: float, start: float) -> sparse.csr_array:
    """Return the sparse matrix ``(size_out, size_in) float32`` that resamples one axis.

    Output sample ``i`` lies at input coordinate ``start + i * step`` (pixels).  The kernel is
    the linear (triangle) one, widened to ``step`` when that is above one, so that fine detail
    is averaged and not aliased.  A sample's weights sum to one over an endless input; outside
    the input there is zero.
    """
    positions = start + step * np.arange(size_out)
    width = max(step, 1.0)
    reach = int(np.ceil(width))
    taps = np.floor(positions)[:, None] + np.arange(-reach, reach + 2)[None, :]
    weights = np.clip(1 - np.abs(positions[:, None] - taps) / width, 0, None)
    weights /= weights.sum(1, keepdims=True)
    inside = (weights > 0) & (taps >= 0) & (taps < size_in)
    rows = np.broadcast_to(np.arange(size_out)[:, None], taps.shape)
    entries = (weights[inside].astype(np.float32), (rows[inside], taps[inside].astype(np.intp)))
    return sparse.csr_array(entries, shape=(size_out, size_in))


def resample_plane(
    images: np.ndarray, rows: sparse.csr_array, columns: sparse.csr_array
) -> np.ndarray:
    """Return ``images (..., Y, X)`` resampled by the weights of both axes.

    Sparse, because a dense product of this size costs more in waking threads than in sums.
    """
    *leading, height, width = images.shape
    stack = images.reshape(-1, height, width)
    by_row = rows @ stack.transpose(1, 0, 2).reshape(height, -1)
    by_row = by_row.reshape(rows.shape[0], len(stack), width)
    by_column = columns @ by_row.transpose(2, 0, 1).reshape(width, -1)
    resampled = by_column.reshape(columns.shape[0], rows.shape[0], len(stack))
    return np.ascontiguousarray(resampled.transpose(2, 1, 0)).reshape(
        *leading, rows.shape[0], columns.shape[0]
    )
