"""What the third and fourth axis of a NIfTI file are: slices, phases, and the time between them."""

from itertools import pairwise
from typing import Any

import numpy as np

from opencmr.anatomy.plausible import RR_LIMITS_MS, THICK_SLICES_MM
from opencmr.anatomy.reasons import Reason
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.flag import QualityFlag, Severity

FRAME_LIMITS_MS = (5.0, 250.0)
"""Plausible time between the frames of a cine."""
ORDER_RATIO = 0.7
"""Slices that differ by less than this share of what phases differ by are phases."""
_TIME_UNITS_MS = {8: 1000.0, 16: 1.0, 24: 0.001}


def check_axis_order(values: np.ndarray, grid: Grid, *, given: bool) -> list[QualityFlag]:
    """Refuse a cine whose third axis is time: its slices would be measured as phases."""
    phases, slices = values.shape[:2]
    spacing_mm = grid.slice_spacing_mm
    if phases < 3 or slices < 3 or spacing_mm is None or spacing_mm < THICK_SLICES_MM:
        return []
    along_time = _mean_step(values)
    along_stack = _mean_step(values.swapaxes(0, 1))
    if along_stack >= ORDER_RATIO * along_time:
        return []
    message = (
        "Neighbours on the third axis are more alike than neighbours on the fourth, as if the "
        "axes were x, y, phase, slice; expected x, y, slice, phase. Swap them."
    )
    if not given:
        raise GeometryError(Reason("GEOMETRY_CONFLICT", message))
    evidence = f"mean difference {along_stack:.3g} along the third, {along_time:.3g} the fourth"
    return [QualityFlag(Severity.REVIEW, "GEOMETRY_CONFLICT", message, evidence)]


def _mean_step(values: np.ndarray) -> float:
    """Return the mean absolute difference between neighbours on the first axis."""
    steps = [float(np.abs(two - one).mean()) for one, two in pairwise(values)]
    return float(np.mean(steps))


def timing_of(
    header: Any, shape: tuple[int, int, int, int]
) -> tuple[np.ndarray, np.ndarray, list[QualityFlag]]:
    """Return trigger times ``(T, Z)`` and heartbeats ``(Z,)`` in ms; NaN where unknown."""
    phases, slices = shape[:2]
    trigger_ms, rr_ms = np.full((phases, slices), np.nan), np.full(slices, np.nan)
    if phases == 1:
        return trigger_ms, rr_ms, []
    step = float(header["pixdim"][4])
    step_ms = step * _TIME_UNITS_MS.get(int(header["xyzt_units"]) & 56, np.nan)
    plausible = (
        FRAME_LIMITS_MS[0] <= step_ms <= FRAME_LIMITS_MS[1]
        and RR_LIMITS_MS[0] <= step_ms * phases <= RR_LIMITS_MS[1]
    )
    if plausible:
        trigger_ms[:] = step_ms * np.arange(phases)[:, None]
        rr_ms[:] = step_ms * phases
        return trigger_ms, rr_ms, []
    flag = QualityFlag(
        Severity.INFO,
        "NO_TIMING",
        "The file states no plausible time between its phases; they are used in file order, "
        "and no rate or output is derived from them.",
        f"{phases} phases, step {step:g}",
    )
    return trigger_ms, rr_ms, [flag]
