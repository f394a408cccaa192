"""What the picture network sees of a stack: three slices, four channels, one size.

The same function feeds training and inference, so nothing can differ between them.
"""

import numpy as np

from opencmr.imaging.image import Image

SIDE_PX = 64
"""Side of the pictures: chest and heart can be told, no vessel."""
HEIGHTS = (0.25, 0.5, 0.75)
"""Where in the stack the slices lie; of few slices one may be shown several times."""
CHANNELS = ("mean", "change", "first", "last")
"""Mean and standard deviation over the pictures of a slice (motion, contrast), first and last."""
INTENSITY_PERCENTILES = (1.0, 99.0)
"""Of the mean picture: they become 0 and 1, and what lies beyond is clipped."""


def frames_of(image: Image) -> np.ndarray:
    """Return what the network sees ``(3, 4, 64, 64)`` float32, each value within 0 and 1.

    The largest centred square of each slice, in mm, is averaged over the network's pixels.  The
    change is on the scale of the mean picture.  A slice without any contrast is all zero; values
    that are no numbers count as zero.
    """
    chosen = np.minimum(
        (np.array(HEIGHTS) * image.grid.shape[0]).astype(int), image.grid.shape[0] - 1
    )
    rows_mm, columns_mm = image.grid.row_spacing_mm, image.grid.column_spacing_mm
    rows, columns = image.grid.shape[1:]
    side_mm = min(rows * rows_mm, columns * columns_mm)
    down = averaging(rows, side_mm / rows_mm)
    across = averaging(columns, side_mm / columns_mm)
    shown = np.stack([down @ _numbers(image.values[:, z]) @ across.T for z in chosen])
    return np.stack([_channels(pictures) for pictures in shown])


def averaging(pixels: int, width: float) -> np.ndarray:
    """Return the weights ``(64, pixels)`` that average a centred stretch of ``width`` pixels.

    Each row sums to one: an output pixel is the mean of the input over its own extent.
    """
    edges = (pixels - width) / 2 + width / SIDE_PX * np.arange(SIDE_PX + 1)
    starts = np.arange(pixels)
    low = np.maximum(edges[:-1, None], starts)
    high = np.minimum(edges[1:, None], starts + 1)
    overlap = np.maximum(high - low, 0.0)
    return np.asarray(overlap / overlap.sum(1, keepdims=True), dtype=np.float32)


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))


def _channels(pictures: np.ndarray) -> np.ndarray:
    """Return the channels ``(4, 64, 64)`` of the pictures ``(N, 64, 64)`` of one slice."""
    mean = pictures.mean(0)
    low, high = np.percentile(mean, INTENSITY_PERCENTILES)
    if high <= low:
        return np.zeros((len(CHANNELS), *mean.shape), np.float32)
    change = pictures.std(0) / (high - low)
    shown = (np.stack([mean, pictures[0], pictures[-1]]) - low) / (high - low)
    channels = np.stack([shown[0], change, shown[1], shown[2]])
    return np.asarray(np.clip(channels, 0.0, 1.0), dtype=np.float32)
