"""How a phase is named in captions, and the volume curve of a series."""

import numpy as np

from opencmr.imaging.image import Image
from opencmr.imaging.phase_times import phase_times_ms
from opencmr.imaging.study import Series
from opencmr.report.contents import Report

FEWEST_PHASES = 5
"""Fewer phases are neither a curve nor a motion: a pair of ED and ES is shown as two stacks."""


def phase_text(image: Image, phase: int) -> str:
    """Return which phase it is, with its time after the R wave where the input says."""
    if image.phases < FEWEST_PHASES and not np.isfinite(image.trigger_ms).all():
        return "as given"
    where = f"phase {phase + 1} of {image.phases}"
    time_ms = phase_times_ms(image)
    return where if time_ms is None else f"{where}, {time_ms[phase]:.0f} ms"


def volume_curve_ml(report: Report, series: Series, symbol: str) -> np.ndarray | None:
    """Return the measured volume ``(T,)`` of ``LVV`` or ``RVV``, NaN where a phase has none.

    None when fewer than :data:`FEWEST_PHASES` phases have a volume.
    """
    curve_ml = np.full(series.image.phases, np.nan)
    for m in report.measurements:
        if m.quantity.symbol == symbol and m.series == series.key and m.value is not None:
            curve_ml[m.phase] = m.value
    return curve_ml if np.isfinite(curve_ml).sum() >= FEWEST_PHASES else None
