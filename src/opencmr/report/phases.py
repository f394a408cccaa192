"""Which phase is which, and when: for marks and captions."""

import math

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.image import Image
from opencmr.imaging.study import Series
from opencmr.report.contents import Report


def phase_text(image: Image, phase: int) -> str:
    """Return which phase it is, with its time after the R wave where the input says."""
    if image.phases == 1:
        return "the phase given"
    where = f"phase {phase + 1} of {image.phases}"
    time_ms = phase_times_ms(image)
    return where if time_ms is None else f"{where}, {time_ms[phase]:.0f} ms"


def phase_times_ms(image: Image) -> np.ndarray | None:
    """Return the mean time ``(T,)`` of each phase after the R wave, None where unknown."""
    known = np.isfinite(image.trigger_ms).all()
    if known and image.phases > 1:
        times_ms = np.asarray(image.trigger_ms.mean(axis=1))
        if (np.diff(times_ms) > 0).all():
            return times_ms
    if image.mean_rr_ms is not None:
        return np.arange(image.phases) / image.phases * image.mean_rr_ms
    return None


def volume_curve_ml(report: Report, series: Series, symbol: str) -> np.ndarray | None:
    """Return the measured volume ``(T,)`` of ``LVV`` or ``RVV``, None unless it is complete."""
    found = {
        m.phase: m.value
        for m in report.measurements
        if m.quantity.symbol == symbol and m.phase is not None and m.series == series.key
    }
    values = [found.get(phase) for phase in range(series.image.phases)]
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    return np.array(numbers) if len(numbers) == len(values) > 1 else None


def ed_es_phases(report: Report, series: Series) -> tuple[int, int | None]:
    """Return the LV's end-diastolic and end-systolic phase; for a single phase ``(0, None)``.

    From the measured curve, or from the labelled area where there is none.
    """
    if series.image.phases == 1:
        return 0, None
    curve = volume_curve_ml(report, series, "LVV")
    if curve is None:
        segmentation = report.segmentations[series.key]
        known = Structure.LV in segmentation.scheme.structures.values()
        pool = segmentation.mask(Structure.LV) if known else segmentation.labels > 0
        curve = pool.sum(axis=(1, 2, 3))
    return int(curve.argmax()), int(curve.argmin())
