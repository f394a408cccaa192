"""The slices that a network sees beside the one that it labels."""

import numpy as np


def context_slices(z: int, slices: int, context: int, *, step: int = 1) -> np.ndarray:
    """Return the indices ``(2 context + 1,)`` of slice ``z`` between its neighbours.

    A neighbour outside the stack of ``slices`` is the slice itself, so that a single slice is
    its own surroundings.  ``step`` -1 turns the order of the stack; 2 skips every other slice.

    Examples
    --------
    >>> context_slices(0, 9, 1)
    array([0, 0, 1])
    >>> context_slices(4, 9, 1, step=-2)
    array([6, 4, 2])
    """
    indices = z + step * np.arange(-context, context + 1)
    return np.where((indices < 0) | (indices >= slices), z, indices)
