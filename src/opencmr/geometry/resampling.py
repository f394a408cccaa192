"""Linear resampling between pixel grids: the one rule of training and of inference.

Fine detail is averaged first, on the source grid, by the triangle as wide as a step; then
samples are read by linear interpolation.  The first half is the same for every direction of
reading, so that turned and bent grids (:mod:`opencmr.train.augmentation`) resample as
straight ones do.
"""

import numpy as np
from scipy import sparse


def linear_weights(size_in: int, size_out: int, *, step: float, start: float) -> sparse.csr_array:
    """Return the sparse matrix ``(size_out, size_in) float32`` that resamples one axis.

    Output sample ``i`` lies at input coordinate ``start + i * step`` (pixels).  A sample's
    weights sum to one over an endless input; outside the input there is zero.
    """
    positions = start + step * np.arange(size_out)
    below = np.floor(positions)
    taps = below[:, None] + np.arange(2)
    weights = np.stack([1 - (positions - below), positions - below], axis=1)
    inside = (weights > 0) & (taps >= 0) & (taps < size_in)
    rows = np.broadcast_to(np.arange(size_out)[:, None], taps.shape)
    entries = (weights[inside].astype(np.float32), (rows[inside], taps[inside].astype(np.intp)))
    reading = sparse.csr_array(entries, shape=(size_out, size_in))
    return sparse.csr_array(reading @ averaging_weights(size_in, step))


def averaging_weights(size: int, step: float) -> sparse.csr_array:
    """Return the sparse matrix ``(size, size) float32`` that averages an axis before reading.

    Each pixel becomes the mean of those nearer than ``step`` (pixels), weighted by the triangle
    of that half-width.  A ``step`` of one or less loses no detail and changes nothing.
    """
    width = max(step, 1.0)
    reach = int(np.ceil(width)) - 1
    taps = 1 - np.abs(np.arange(-reach, reach + 1)) / width
    return sparse.csr_array(
        sparse.diags_array(
            (taps / taps.sum()).astype(np.float32),
            offsets=np.arange(-reach, reach + 1),
            shape=(size, size),
        )
    )


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
