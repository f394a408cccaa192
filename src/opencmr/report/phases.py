"""Which phase is which, and when: for marks and captions."""

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
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
    """Return the measured volume ``(T,)`` of ``LVV`` or ``RVV``, NaN where a phase has none.

    None when fewer than :data:`FEWEST_PHASES` phases have a volume.
    """
    curve_ml = np.full(series.image.phases, np.nan)
    for m in report.measurements:
        if m.quantity.symbol == symbol and m.series == series.key and m.value is not None:
            curve_ml[m.phase] = m.value
    return curve_ml if np.isfinite(curve_ml).sum() >= FEWEST_PHASES else None


def ed_es_phases(report: Report, series: Series, chamber: str) -> tuple[int, int] | None:
    """Return a ventricle's end-diastolic and end-systolic phase, None for a single phase.

    As measured; else from the curve, else from the area that is labelled.

    Parameters
    ----------
    chamber : str
        ``LV`` or ``RV``.
    """
    if series.image.phases == 1:
        return None
    measured = (_measured_phase(report, series, f"{chamber}{name}_PHASE") for name in ("ED", "ES"))
    ed, es = measured
    if ed is not None and es is not None:
        return ed, es
    curve = volume_curve_ml(report, series, f"{chamber}V")
    if curve is None:
        curve = _labelled_area(report.segmentations[series.key], Structure(chamber))
    return int(np.nanargmax(curve)), int(np.nanargmin(curve))


def _measured_phase(report: Report, series: Series, symbol: str) -> int | None:
    for m in report.measurements:
        if m.quantity.symbol == symbol and m.series == series.key and m.value is not None:
            phase = round(m.value)
            return phase if 0 <= phase < series.image.phases else None
    return None


def _labelled_area(segmentation: Segmentation, structure: Structure) -> np.ndarray:
    """Return how many voxels of a structure, or of any where it is not labelled, a phase has."""
    if structure in segmentation.scheme.structures.values():
        return np.asarray(segmentation.mask(structure).sum(axis=(1, 2, 3)))
    return np.asarray((segmentation.labels > 0).sum(axis=(1, 2, 3)))
