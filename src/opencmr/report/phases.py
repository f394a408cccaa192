"""How a phase is named in captions."""

import numpy as np

from opencmr.imaging.image import Image
from opencmr.imaging.phase_times import phase_times_ms

FEWEST_PHASES = 5
"""Fewer phases are neither a curve nor a motion: a pair of ED and ES is shown as two stacks."""


def phase_text(image: Image, phase: int) -> str:
    """Return which phase it is, with its time after the R wave where the input says."""
    if image.phases < FEWEST_PHASES and not np.isfinite(image.trigger_ms).all():
        return "as given"
    where = f"phase {phase + 1} of {image.phases}"
    time_ms = phase_times_ms(image)
    return where if time_ms is None else f"{where}, {time_ms[phase]:.0f} ms"
