"""Figures over patients with their 95 % intervals over resampled patients."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Measure = Callable[[np.ndarray], Any]
"""A figure as a function of chosen patients, by their places."""


def with_intervals(
    measures: Mapping[str, Measure], patients: int, resamples: int
) -> dict[str, list[float]]:
    """Return each measure of all patients with the ends of its interval, always by the same draws.

    Draws in which a measure is NaN, for want of some group, do not count.
    """
    draws = np.random.default_rng(0).integers(0, patients, (resamples, patients))
    everyone = np.arange(patients)
    found = {}
    for name, measure in measures.items():
        spread = np.nanpercentile([measure(draw) for draw in draws], [2.5, 97.5])
        found[name] = [round(float(v), 4) for v in (measure(everyone), *spread)]
    return found
