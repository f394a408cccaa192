"""A pass is one acquisition of one slice: all its cardiac phases, echoes or preparations."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from opencmr.imaging.axis import (
    Axis,
    Beats,
    Echo,
    Heartbeat,
    Preparation,
    PreparationKind,
    Single,
)
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.kinds import CONTRAST_TIMES
from opencmr.intake.stacks.placement import axes_of, centre_of
from opencmr.intake.stacks.timing import is_doubtful

SAME_POSITION_MM = 0.5
"""Slices whose positions along the normal are closer than this are one slice."""
EVEN_TOLERANCE = 0.1
"""Relative: gaps within this share of their median are equal (reliability row D12)."""
TRIGGER_EQUAL_MS = 0.01
"""Trigger times closer than this are the same time."""
REPEAT_MINIMUM_PHASES = 5
"""Fewer phases than this are no cine, and their trigger times prove no repetition."""
SECONDS_SPAN = (0.2, 2.5)
"""A cine whose trigger times span so little states seconds: no heartbeat lasts 2.5 ms."""
SWEEP_SHARE = 0.5
"""Trigger times that span so much of a heartbeat are a cine's."""
BEAT_MS = 300.0
"""Pictures acquired so far apart, at one moment of the heartbeat, are of one beat each."""
REAL_TIME_MS = 3000.0
"""Pictures without trigger times that were acquired over so long are of several beats."""
DAY_MS = 86_400_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One acquisition of one slice.

    Attributes
    ----------
    frames : tuple of Frame
        In their order along the axis.
    along : type of Axis
        What differs between them.
    position_mm : float
        Of the centre, along the normal of the stack.
    trigger_ms : (T,) float64
        NaN where unknown.
    rr_ms : float
        NaN where unknown.
    repaired : bool
        The trigger times were in seconds.
    doubted : bool
        The heartbeat that the header states was not believed.
    """

    frames: tuple[Frame, ...]
    along: type[Axis]
    position_mm: float
    trigger_ms: np.ndarray
    rr_ms: float
    repaired: bool = False
    doubted: bool = False

    @property
    def phases(self) -> int:
        """Number of frames."""
        return len(self.frames)

    @property
    def is_timed(self) -> bool:
        """Whether every frame has its own trigger time."""
        times = self.trigger_ms
        return bool(np.isfinite(times).all() and np.unique(times).size == times.size)

    @property
    def moments_ms(self) -> np.ndarray:
        """When in the heartbeat each frame shows the heart ``(T,)``, NaN where unknown.

        Trigger times that do not tell the phases of a cine apart are none of its times; the
        pictures of a map share one moment on purpose.
        """
        untold = self.along is Heartbeat and not self.is_timed
        return np.full_like(self.trigger_ms, np.nan) if untold else self.trigger_ms

    @property
    def made_at(self) -> tuple[str, str, int, int, str]:
        """When it was made; orders repeats."""
        return max(
            (
                frame.header.series_time,
                frame.acquisition_time or frame.header.acquisition_time,
                frame.header.series_number or 0,
                frame.acquisition_number or 0,
                frame.series_instance_uid,
            )
            for frame in self.frames
        )


def passes_of(frames: Sequence[Frame]) -> list[Pass]:
    """Return the acquisitions of slices in frames of one kind, along the normal."""
    normal = axes_of(frames[0])[2]
    by_series: dict[str, list[tuple[float, Frame]]] = defaultdict(list)
    for frame in frames:
        by_series[frame.series_instance_uid].append((float(centre_of(frame) @ normal), frame))
    passes: list[Pass] = []
    for placed in by_series.values():
        for position_mm, there in _cluster_positions(placed):
            passes.extend(pass_of(run, position_mm) for run in _separate_repeats(there))
    return sorted(passes, key=lambda p: (p.position_mm, p.made_at))


def _cluster_positions(placed: list[tuple[float, Frame]]) -> list[tuple[float, list[Frame]]]:
    placed = sorted(placed, key=lambda pair: pair[0])
    clusters: list[tuple[float, list[Frame]]] = []
    for position_mm, frame in placed:
        if clusters and position_mm - clusters[-1][0] <= SAME_POSITION_MM:
            clusters[-1][1].append(frame)
        else:
            clusters.append((position_mm, [frame]))
    return clusters


def _separate_repeats(frames: list[Frame]) -> list[list[Frame]]:
    """Split frames of one slice and series where it was acquired again.

    Either the whole heartbeat is there more than once, or a few pictures in which nothing
    speaks of time, contrast or a cine (scouts are often repeated so).
    """
    moments = [_moment(frame) for frame in frames]
    counts = Counter(moments)
    times = set(counts.values())
    again = len(counts) >= REPEAT_MINIMUM_PHASES and len(times) == 1 and times != {1}
    alike = (
        len(counts) == 1 < len(frames) < REPEAT_MINIMUM_PHASES
        and frames[0].trigger_time_ms is None
        and (frames[0].cardiac_number_of_images or 0) <= 1
    )
    if not again and not alike:
        return [frames]
    runs: dict[int, list[Frame]] = defaultdict(list)
    seen: Counter[object] = Counter()
    ordered = sorted(zip(moments, frames, strict=True), key=lambda pair: _acquired(pair[1]))
    for moment, frame in ordered:
        runs[seen[moment]].append(frame)
        seen[moment] += 1
    return list(runs.values())


def _moment(frame: Frame) -> tuple[float, ...]:
    trigger_ms = frame.trigger_time_ms
    rounded = -1.0 if trigger_ms is None else round(trigger_ms / TRIGGER_EQUAL_MS)
    contrasts = frame.inversion_time_ms, frame.echo_time_ms, frame.t2_preparation_ms
    return rounded, frame.temporal_position or 0, *(time_ms or 0.0 for time_ms in contrasts)


def _acquired(frame: Frame) -> tuple[int, str, str, int, str, int]:
    return (
        frame.acquisition_number or 0,
        frame.acquisition_time,
        frame.content_time,
        frame.instance_number or 0,
        frame.sop_instance_uid,
        frame.frame_number,
    )


def _axis_kind(frames: Sequence[Frame]) -> type[Axis]:
    """Return what differs between the pictures of a slice.

    Pictures of a mapping series and of a TI scout differ in their preparation, those of a T2*
    series in their echo time; a cine states none or one of each.
    """
    if len(frames) == 1:
        return Single
    if preparation_of(frames) is not None:
        return Preparation
    if _distinct([frame.echo_time_ms for frame in frames]) >= CONTRAST_TIMES:
        return Echo
    return Beats if _are_of_many_beats(frames) else Heartbeat


def preparation_of(frames: Sequence[Frame]) -> PreparationKind | None:
    """Return the preparation in whose times the pictures of a slice differ, or None.

    Saturation recovery states its times as inversion times, too; only its name tells it apart.
    """
    if _distinct([frame.inversion_time_ms for frame in frames]) >= CONTRAST_TIMES:
        return PreparationKind.INVERSION
    if _distinct([frame.t2_preparation_ms for frame in frames]) >= CONTRAST_TIMES:
        return PreparationKind.T2_PREPARATION
    return None


def _distinct(times_ms: Sequence[float | None]) -> int:
    return len({time_ms for time_ms in times_ms if time_ms is not None})


def _are_of_many_beats(frames: Sequence[Frame]) -> bool:
    """Whether the clock ran on between the pictures as it does not within a heartbeat."""
    clock_ms = np.sort(clock_times_ms([frame.acquisition_time for frame in frames]))
    if len(frames) < CONTRAST_TIMES or not (np.diff(clock_ms) > 0).all():
        return False
    stated = [frame.trigger_time_ms for frame in frames if frame.trigger_time_ms is not None]
    heartbeats = [frame.rr_ms for frame in frames if frame.rr_ms is not None]
    if not stated:
        return bool(np.ptp(clock_ms) >= REAL_TIME_MS)
    rr_ms = float(np.median(heartbeats)) if heartbeats else float(np.median(np.diff(clock_ms)))
    return bool(np.ptp(stated) < SWEEP_SHARE * rr_ms and np.median(np.diff(clock_ms)) >= BEAT_MS)


def clock_times_ms(times: Sequence[str]) -> np.ndarray:
    """Return times of the day ``(N,)`` in ms since the first; NaN where one is unknown.

    From DICOM TM, ``HHMMSS.FFFFFF``; past midnight the clock goes on.
    """
    texts = [time.strip() for time in times]
    if not all(len(text) >= len("HHMMSS") for text in texts):
        return np.full(len(texts), np.nan)
    try:
        parts = [(int(text[:2]), int(text[2:4]), float(text[4:])) for text in texts]
    except ValueError:
        return np.full(len(texts), np.nan)
    clock_ms = np.array([1000 * (3600 * h + 60 * m + s) for h, m, s in parts])
    clock_ms[clock_ms < clock_ms.max() - DAY_MS / 2] += DAY_MS
    return np.asarray(clock_ms - clock_ms.min())


def pass_of(frames: list[Frame], position_mm: float) -> Pass:
    """Order the frames of a pass along their axis; by instance number where that is silent."""
    along = _axis_kind(frames)
    times = np.array([np.nan if f.trigger_time_ms is None else f.trigger_time_ms for f in frames])
    timed = bool(np.isfinite(times).all())
    leading = times if timed else np.zeros(len(frames))
    if along is Beats:
        leading = clock_times_ms([frame.acquisition_time for frame in frames])
    elif along is Echo:
        leading = np.array([frame.echo_time_ms or 0.0 for frame in frames])

    def place(index: int) -> tuple[float, int, int, int, str]:
        frame = frames[index]
        return (
            float(leading[index]),
            frame.temporal_position or 0,
            frame.instance_number or 0,
            frame.frame_number,
            frame.sop_instance_uid,
        )

    order = sorted(range(len(frames)), key=place)
    heartbeats = [frame.rr_ms for frame in frames if frame.rr_ms is not None]
    rr_ms = float(np.median(heartbeats)) if heartbeats else float("nan")
    times = times[order]
    in_seconds = (
        timed
        and along is Heartbeat
        and len(frames) >= REPEAT_MINIMUM_PHASES
        and SECONDS_SPAN[0] <= np.ptp(times) <= SECONDS_SPAN[1]
    )
    if in_seconds:
        times = times * 1000.0
    if timed and times.max() > rr_ms * (1 + EVEN_TOLERANCE):
        rr_ms = float("nan")  # a heartbeat shorter than its own last phase is junk
    doubted = (
        timed
        and along is Heartbeat
        and len(frames) >= REPEAT_MINIMUM_PHASES
        and not _is_prospective(frames[0])
        and is_doubtful(times, rr_ms)
    )
    if doubted:
        rr_ms = float("nan")
    ordered = tuple(frames[i] for i in order)
    return Pass(ordered, along, position_mm, times, rr_ms, in_seconds, doubted)


def _is_prospective(frame: Frame) -> bool:
    """Whether anything says that the pictures were gated forward from the R wave."""
    header = frame.header
    words = f"{header.series_description} {header.protocol_name} {header.sequence_name}".lower()
    return header.cardiac_synchronization.upper() == "PROSPECTIVE" or "prosp" in words


def distinct_positions(passes: Iterable[Pass]) -> np.ndarray:
    """Return the slice positions ``(Z,)`` in mm along the normal, each once, ascending."""
    kept: list[float] = []
    for position_mm in sorted(one.position_mm for one in passes):
        if not kept or position_mm - kept[-1] > SAME_POSITION_MM:
            kept.append(position_mm)
    return np.array(kept)


def usual_phases(passes: Iterable[Pass]) -> int:
    """Return the number of phases that most slices have; of equals the greater."""
    counts = Counter(one.phases for one in passes)
    return max(counts, key=lambda phases: (counts[phases], phases))
