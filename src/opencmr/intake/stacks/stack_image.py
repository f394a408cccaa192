"""The image of a stack: values, grid, axis, unit, and the instances behind them."""

from collections.abc import Sequence

import numpy as np

from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Axis, Beats, Echo, Heartbeat, Preparation, PreparationKind, Single
from opencmr.imaging.image import Image, Instance, Unit
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.in_time import (
    in_one_time,
    phase_fractions,
    resample_in_time,
    shown_frames,
)
from opencmr.intake.stacks.passes import Pass, clock_times_ms, preparation_of, usual_phases
from opencmr.intake.stacks.placement import affine_of

UNITS = {"ms": Unit.MILLISECONDS, "cm/s": Unit.CM_PER_S, "%": Unit.PERCENT, "pct": Unit.PERCENT}
"""Rescale types (DICOM PS3.3 C.11.1.1.2 and vendors' words) that name a unit."""


def image_of(passes: Sequence[Pass]) -> Image:
    """Return the image of a stack: one pass a position, along the normal.

    Slices of a cine with another number of phases than most are resampled over the heartbeat;
    of those with the usual number, the pictures nearest in time are put together.
    """
    phases = usual_phases(passes)
    passes = in_one_time(passes)
    whole = [one for one in passes if one.phases == phases]
    fractions = np.median([phase_fractions(one, phases) for one in whole], axis=0)
    rows, columns = passes[0].frames[0].matrix
    values = np.empty((phases, len(passes), rows, columns), dtype=np.float32)
    trigger_ms = np.full((phases, len(passes)), np.nan)
    for z, one in enumerate(passes):
        if one.phases == phases:
            for t, frame in enumerate(one.frames):
                values[t, z] = frame.values
            trigger_ms[:, z] = one.moments_ms
            continue
        stacked = np.stack([frame.values for frame in one.frames])
        values[:, z] = resample_in_time(stacked, phase_fractions(one, phases), fractions)
        if one.is_timed and np.isfinite(one.rr_ms):
            trigger_ms[:, z] = fractions * one.rr_ms
    for pictures in values:  # each by itself: the masks of all would take more than the values
        np.nan_to_num(pictures, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    grid = Grid((len(passes), rows, columns), np.array([affine_of(p.frames[0]) for p in passes]))
    shown = [shown_frames(one, phases, fractions) for one in passes]
    return Image(
        values,
        grid,
        _axis_of(passes[0].along, shown, trigger_ms, np.array([one.rr_ms for one in passes])),
        _unit_of(passes[0].frames[0]),
        _sources(passes, phases),
        tuple(tuple(map(_instance_of, row)) for row in zip(*shown, strict=True)),
        passes[0].frames[0].venc_cm_s,
    )


def _instance_of(frame: Frame) -> Instance:
    return Instance(
        frame.sop_class_uid,
        frame.sop_instance_uid,
        frame.frame_number,
        frame.series_instance_uid,
        frame.study_instance_uid,
        frame.instance_number,
    )


def _axis_of(
    along: type[Axis],
    shown: Sequence[tuple[Frame, ...]],
    trigger_ms: np.ndarray,
    rr_ms: np.ndarray,
) -> Axis:
    """Return the axis of a stack from the frames that are shown of each slice."""
    if along is Preparation:
        return _preparation(shown, trigger_ms, rr_ms)
    if along is Echo:
        times_ms = _table([[frame.echo_time_ms for frame in one] for one in shown])
        return Echo(times_ms, trigger_ms, rr_ms)
    if along is Beats:
        clocks = [clock_times_ms([frame.acquisition_time for frame in one]) for one in shown]
        return Beats(np.array(clocks).T, trigger_ms, rr_ms)
    return Single(trigger_ms, rr_ms) if along is Single else Heartbeat(trigger_ms, rr_ms)


def _preparation(
    shown: Sequence[tuple[Frame, ...]], trigger_ms: np.ndarray, rr_ms: np.ndarray
) -> Preparation:
    """Return the axis of prepared pictures; a silent one is infinitely long after none.

    A T2 preparation that nothing states is not known: its length is NaN.
    """
    kind = preparation_of(shown[0]) or PreparationKind.INVERSION
    if kind is PreparationKind.T2_PREPARATION:
        times_ms = _table([[frame.t2_preparation_ms for frame in one] for one in shown])
    else:
        times_ms = _table([[frame.inversion_time_ms for frame in one] for one in shown])
        times_ms = np.where(np.isfinite(times_ms), times_ms, np.inf)
    return Preparation(kind, times_ms, trigger_ms, rr_ms)


def _table(rows: Sequence[Sequence[float | None]]) -> np.ndarray:
    """Return what is stated for each slice and picture as ``(N, Z)``, NaN where it is silent."""
    return np.array(rows, dtype=np.float64).T


def _unit_of(frame: Frame) -> Unit:
    """Return the unit that the scaling of a frame claims, where it is a known one."""
    return UNITS.get(frame.rescale_type.strip().lower(), Unit.ARBITRARY)


def _sources(passes: Sequence[Pass], phases: int) -> tuple[str, ...]:
    """Name the instances phase by phase; slice by slice where a slice was resampled."""
    if all(one.phases == phases for one in passes):
        return tuple(
            passes[z].frames[t].sop_instance_uid for t in range(phases) for z in range(len(passes))
        )
    return tuple(frame.sop_instance_uid for one in passes for frame in one.frames)
