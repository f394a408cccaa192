"""The intensity rule of a network: two percentiles of what it sees become 0 and 1."""

import numpy as np

LEAST_RANGE = 1e-6
"""Of a constant picture, whose range is zero."""


def intensity_limits(pixels: np.ndarray, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return the intensities that become 0 and 1: two percentiles of ``pixels``."""
    low, high = np.percentile(pixels, percentiles)
    return float(low), float(high)


def scale_intensity(pixels: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return ``pixels`` with ``limits`` at 0 and 1; what lies outside is not yet clipped."""
    low, high = limits
    return (pixels - low) / max(high - low, LEAST_RANGE)
