"""Overlap of two masks."""

import numpy as np


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of two boolean masks of one shape.

    Two empty masks agree: 1.0.  One empty mask: 0.0.

    >>> dice(np.array([True, True]), np.array([True, False]))
    0.6666666666666666
    """
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else float(2 * np.count_nonzero(first & second) / total)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Return intersection over union (Jaccard index) of two boolean masks of one shape.

    Two empty masks agree: 1.0.  One empty mask: 0.0.

    >>> iou(np.array([True, True]), np.array([True, False]))
    0.5
    """
    union = np.count_nonzero(first | second)
    return 1.0 if union == 0 else float(np.count_nonzero(first & second) / union)
