"""From frames in any order to stacks: positions and trigger times decide, names never.

Pure: nothing here reads a file.  A *pass* is one acquisition of one slice, all its cardiac
phases; a *stack* is a set of passes of parallel slices that belong together.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.geometry.grid import ORTHOGONALITY_TOLERANCE, SPACING_LIMITS_MM, Grid
from opencmr.imaging.axis import Axis, Beats, Echo, Heartbeat, Preparation, PreparationKind, Single
from opencmr.imaging.image import Image, Instance, Unit
from opencmr.intake.containers.limits import FIELD_OF_VIEW_MM
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.timing import beat_shares, is_doubtful, nearest_pictures, shares_apart

UNIT_LENGTH_TOLERANCE = 1e-3
"""Greatest deviation of a direction cosine's length from one."""
PARALLEL_TOLERANCE_DEG = 1.0
"""Slices whose rows and columns turn by less than this against each other are parallel."""
SPACING_TOLERANCE = 0.005
"""Relative: pixel spacings closer than this are equal (headers round to four digits)."""
ECHO_TIME_TOLERANCE_MS = 0.1
"""Echo times closer than this are equal; the echoes of a T2* train are 1 ms apart or more."""
THICKNESS_TOLERANCE_MM = 0.5
"""Slice thicknesses closer than this are equal."""
SAME_POSITION_MM = 0.5
"""Slices whose positions along the normal are closer than this are one slice."""
REPLANNED_SHARE = 0.5
"""A slice nearer to a stack's slice than this share of its thickness was planned anew."""
WHOLE_STACK_SLICES = 3
"""A series of so many slices is a stack by itself, not a part of one."""
WHOLE_STACK_SHARE = 0.5
"""Of so many of its slices acquired again later, a stack was acquired twice (proposal)."""
EVEN_TOLERANCE = 0.1
"""Relative: gaps within this share of their median are equal (reliability row D12)."""
TRIGGER_EQUAL_MS = 0.01
"""Trigger times closer than this are the same time."""
REPEAT_MINIMUM_PHASES = 5
"""Fewer phases than this are no cine, and their trigger times prove no repetition."""
SECONDS_SPAN = (0.2, 2.5)
"""A cine whose trigger times span so little states seconds: no heartbeat lasts 2.5 ms."""
CONTRAST_TIMES = 3
"""So many inversion or echo times in one slice are no cine's; a fit takes at least three."""
SWEEP_SHARE = 0.5
"""Trigger times that span so much of a heartbeat are a cine's."""
BEAT_MS = 300.0
"""Pictures acquired so far apart, at one moment of the heartbeat, are of one beat each."""
REAL_TIME_MS = 3000.0
"""Pictures without trigger times that were acquired over so long are of several beats."""
DAY_MS = 86_400_000.0
UNITS = {"ms": Unit.MILLISECONDS, "cm/s": Unit.CM_PER_S, "%": Unit.PERCENT, "pct": Unit.PERCENT}
"""Rescale types (DICOM PS3.3 C.11.1.1.2 and vendors' words) that name a unit."""
PHASE_SHARE = 0.8
"""A slice with fewer than this share of the stack's phases is not resampled but left out."""


def why_unplaceable(frame: Frame) -> Reason | None:
    """Return why a frame has no usable place, or None.

    Nothing is ever defaulted: a length that nobody stated is not 1 mm (reliability D09, D10).
    """
    spacing = frame.pixel_spacing_mm
    if spacing is None:
        return Reason("BAD_SPACING", "the pixel spacing is missing: nothing can be measured in mm")
    if (
        not all(SPACING_LIMITS_MM[0] <= value <= SPACING_LIMITS_MM[1] for value in spacing)
        or max(np.multiply(spacing, frame.matrix)) > FIELD_OF_VIEW_MM
    ):
        return Reason(
            "BAD_SPACING", "the pixel spacing is impossible: nothing can be measured in mm"
        )
    if frame.image_orientation is None or frame.image_position_mm is None:
        return Reason("NO_GEOMETRY", "the position or orientation is missing")
    if not np.isfinite(frame.image_position_mm).all():
        return Reason("NO_GEOMETRY", "the position is not a number")
    if not _is_orthonormal(np.reshape(frame.image_orientation, (2, 3)).astype(np.float64)):
        return Reason("BAD_ORIENTATION", "the row and column directions are not orthonormal")
    return None


def _is_orthonormal(cosines: np.ndarray) -> bool:
    """Judge the directions ``(2, 3)`` of a row and a column; not finite is not orthonormal."""
    lengths = np.linalg.norm(cosines, axis=1)
    return bool(
        np.abs(lengths - 1).max() <= UNIT_LENGTH_TOLERANCE
        and abs(cosines[0] @ cosines[1]) <= ORTHOGONALITY_TOLERANCE
    )


def axes_of(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the unit directions ``(3,)`` along a row, along a column, and their normal."""
    right, down = np.reshape(frame.image_orientation, (2, 3)).astype(np.float64)  # type: ignore[arg-type]
    return right, down, np.cross(right, down)


def affine_of(frame: Frame) -> np.ndarray:
    """Return the affine ``(4, 4)`` from (row, column, 0, 1) to LPS mm.

    DICOM PS3.3 C.7.6.2.1.1: PixelSpacing is (between rows, between columns), the orientation
    (along a row, along a column).
    """
    assert frame.pixel_spacing_mm is not None
    right, down, normal = axes_of(frame)
    affine = np.eye(4)
    affine[:3, 0] = down * frame.pixel_spacing_mm[0]
    affine[:3, 1] = right * frame.pixel_spacing_mm[1]
    affine[:3, 2] = normal
    affine[:3, 3] = frame.image_position_mm
    return affine


def centre_of(frame: Frame) -> np.ndarray:
    """Return the LPS position ``(3,)`` in mm of the frame's centre."""
    rows, columns = frame.matrix
    return np.asarray((affine_of(frame) @ [(rows - 1) / 2, (columns - 1) / 2, 0, 1])[:3])


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


def canonical_order(frames: Iterable[Frame]) -> list[Frame]:
    """Return the frames in an order that no file name or transfer order can change."""
    return sorted(frames, key=lambda f: (f.sop_instance_uid, f.frame_number, f.content_sha256))


def frames_of_reference(frames: Iterable[Frame]) -> dict[str, str]:
    """Return each series' frame of reference UID; empty where it does not state one alone.

    A series has one frame of reference (DICOM PS3.3 C.7.4.1).  One that states several went
    through a careless de-identification: its pictures still share their coordinates, so that
    parallel slices of one protocol may be stacked, but no planes are combined across series.
    """
    stated: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        stated[frame.series_instance_uid].add(frame.frame_of_reference_uid)
    return {uid: found.pop() if len(found) == 1 else "" for uid, found in stated.items()}


def split_by_kind(frames: Iterable[Frame]) -> list[list[Frame]]:
    """Group frames that may lie in one stack, whatever the scanner called a series.

    Same matrix, spacing, orientation, frame of reference, echo time, thickness, image type
    and sequence, as far as the headers state them; never trigger time, repetition time, flip
    angle or heart rate, which differ between the slices of one cine.  The echoes of one series
    are of one kind.
    """
    frames = canonical_order(frames)
    references = frames_of_reference(frames)
    trains = _echo_trains(frames)
    exact: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    for frame in frames:
        exact[
            frame.matrix,
            references[frame.series_instance_uid],
            frame.modality,
            tuple(part.upper() for part in frame.image_type),
            frame.header.scanning_sequence,
            frame.header.sequence_variant,
            frame.header.mr_acquisition_type,
            frame.rescale_type,
            frame.series_instance_uid if frame.series_instance_uid in trains else None,
            frame.echo_time_ms is None,
            frame.header.slice_thickness_mm is None,
        ].append(frame)
    kinds: list[list[Frame]] = []
    for alike in exact.values():
        clusters: list[list[Frame]] = []
        for frame in alike:
            for cluster in clusters:
                if _is_alike(cluster[0], frame, trains):
                    cluster.append(frame)
                    break
            else:
                clusters.append([frame])
        kinds.extend(clusters)
    return _with_silent(kinds, references, trains)


def _echo_trains(frames: Iterable[Frame]) -> frozenset[str]:
    """Return the series in which every slice has one picture of each of several echoes."""
    echoes: dict[str, dict[object, list[float]]] = defaultdict(lambda: defaultdict(list))
    for frame in frames:
        time_ms = float("nan") if frame.echo_time_ms is None else frame.echo_time_ms
        place = frame.image_position_mm, frame.image_type
        echoes[frame.series_instance_uid][place].append(time_ms)
    return frozenset(
        uid
        for uid, slices in echoes.items()
        if all(
            len(times_ms) >= CONTRAST_TIMES
            and (np.diff(np.sort(times_ms)) > ECHO_TIME_TOLERANCE_MS).all()
            for times_ms in slices.values()
        )
    )


def _is_alike(first: Frame, second: Frame, trains: frozenset[str]) -> bool:
    """Whether two pictures have one plan and one protocol, where both state them."""
    least_cosine = np.cos(np.radians(PARALLEL_TOLERANCE_DEG))
    one, other = axes_of(first), axes_of(second)
    if one[0] @ other[0] < least_cosine or one[1] @ other[1] < least_cosine:
        return False
    spacings = np.array([first.pixel_spacing_mm, second.pixel_spacing_mm])
    if np.abs(spacings[0] / spacings[1] - 1).max() > SPACING_TOLERANCE:
        return False
    thicknesses = first.header.slice_thickness_mm, second.header.slice_thickness_mm
    same_echo = first.series_instance_uid in trains or close(
        first.echo_time_ms, second.echo_time_ms, ECHO_TIME_TOLERANCE_MS
    )
    return same_echo and close(*thicknesses, THICKNESS_TOLERANCE_MM)


def close(one: float | None, other: float | None, tolerance: float) -> bool:
    """Whether two stated numbers are equal; silence contradicts nobody."""
    return one is None or other is None or abs(one - other) <= tolerance


def agree(one: object, other: object) -> bool:
    """Whether two stated facts are equal; silence (empty) contradicts nobody."""
    return not one or not other or one == other


def _with_silent(
    kinds: Sequence[list[Frame]], references: Mapping[str, str], trains: frozenset[str]
) -> list[list[Frame]]:
    """Add the frames whose headers are silent to the kind that they do not contradict.

    Where several kinds would do, the one that shares a series with them is taken, else none.
    """
    merged = [[kind] for kind in kinds if not _silence(kind[0])]  # what is stated differs
    silent = (kind for kind in kinds if _silence(kind[0]))
    for kind in sorted(silent, key=lambda kind: _silence(kind[0])):
        fitting = [
            group
            for group in merged
            if all(
                references[part[0].series_instance_uid] == references[kind[0].series_instance_uid]
                and _does_not_contradict(part[0], kind[0], trains)
                for part in group
            )
        ]
        series = {frame.series_instance_uid for frame in kind}
        if len(fitting) > 1:
            fitting = [
                group
                for group in fitting
                if not series.isdisjoint(f.series_instance_uid for part in group for f in part)
            ]
        if len(fitting) == 1:
            fitting[0].append(kind)
        else:
            merged.append([kind])
    return [canonical_order(f for part in group for f in part) for group in merged]


def _stated(frame: Frame) -> tuple[object, ...]:
    """Return the header's facts about a kind of which any may be missing."""
    header = frame.header
    return (
        tuple(part.upper() for part in frame.image_type),
        header.scanning_sequence,
        header.sequence_variant,
        header.mr_acquisition_type,
    )


def _silence(frame: Frame) -> int:
    numbers = frame.echo_time_ms, frame.header.slice_thickness_mm
    return sum(not fact for fact in _stated(frame)) + sum(number is None for number in numbers)


def _does_not_contradict(one: Frame, other: Frame, trains: frozenset[str]) -> bool:
    in_train = {f.series_instance_uid for f in (one, other)} & trains
    return (
        one.matrix == other.matrix
        and one.modality == other.modality
        and one.rescale_type == other.rescale_type
        and (not in_train or one.series_instance_uid == other.series_instance_uid)
        and all(agree(*pair) for pair in zip(_stated(one), _stated(other), strict=True))
        and _is_alike(one, other, trains)
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


def _moment(frame: Frame) -> tuple[float, int, float, float]:
    trigger_ms = frame.trigger_time_ms
    rounded = -1.0 if trigger_ms is None else round(trigger_ms / TRIGGER_EQUAL_MS)
    position = frame.temporal_position or 0
    return rounded, position, frame.inversion_time_ms or 0.0, frame.echo_time_ms or 0.0


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

    Pictures of a mapping series and of a TI scout differ in their inversion time, those of a
    T2* series in their echo time; a cine states none or one of each.
    """
    if len(frames) == 1:
        return Single
    if _distinct([frame.inversion_time_ms for frame in frames]) >= CONTRAST_TIMES:
        return Preparation
    if _distinct([frame.echo_time_ms for frame in frames]) >= CONTRAST_TIMES:
        return Echo
    return Beats if _are_of_many_beats(frames) else Heartbeat


def _distinct(times_ms: Sequence[float | None]) -> int:
    return len({time_ms for time_ms in times_ms if time_ms is not None})


def _are_of_many_beats(frames: Sequence[Frame]) -> bool:
    """Whether the clock ran on between the pictures as it does not within a heartbeat."""
    clock_ms = np.sort(_clock_ms([frame.acquisition_time for frame in frames]))
    if len(frames) < CONTRAST_TIMES or not (np.diff(clock_ms) > 0).all():
        return False
    stated = [frame.trigger_time_ms for frame in frames if frame.trigger_time_ms is not None]
    heartbeats = [frame.rr_ms for frame in frames if frame.rr_ms is not None]
    if not stated:
        return bool(np.ptp(clock_ms) >= REAL_TIME_MS)
    rr_ms = float(np.median(heartbeats)) if heartbeats else float(np.median(np.diff(clock_ms)))
    return bool(np.ptp(stated) < SWEEP_SHARE * rr_ms and np.median(np.diff(clock_ms)) >= BEAT_MS)


def _clock_ms(times: Sequence[str]) -> np.ndarray:
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
        leading = _clock_ms([frame.acquisition_time for frame in frames])
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


def join_passes(passes: Sequence[Pass]) -> list[list[Pass]]:
    """Join the passes of several series into stacks.

    Series that hold one slice each become one stack; a series that is a stack by itself
    stays one, unless another continues or interleaves it evenly.  Passes along different axes
    are never joined, nor are two acquisitions of the whole (at rest and under stress).
    """
    stacks: list[list[Pass]] = []
    for along in dict.fromkeys(one.along for one in passes):
        by_series: dict[str, list[Pass]] = defaultdict(list)
        for one in passes:
            if one.along is along:
                by_series[one.frames[0].series_instance_uid].append(one)
        joined: list[list[Pass]] = []
        series = sorted(by_series.values(), key=lambda s: (-len(s), s[0].made_at))
        for part in series:
            for stack in joined:
                if _belongs(stack, part):
                    stack.extend(part)
                    break
            else:
                joined.append(list(part))
        acquired = [one for stack in joined for one in _acquisitions(stack)]
        stacks.extend(sorted(s, key=lambda p: (p.position_mm, p.made_at)) for s in acquired)
    return stacks


def _acquisitions(stack: list[Pass]) -> list[list[Pass]]:
    """Split a stack at the moment after which most of its slices were acquired again.

    A few slices acquired again are repeats of one acquisition, and so are those of a stack of
    which each slice was repeated at once.
    """
    ordered = sorted(stack, key=lambda one: one.made_at)
    positions_mm = [one.position_mm for one in ordered]
    places = np.searchsorted(distinct_positions(ordered), positions_mm, side="right")
    _, first = np.unique(places, return_index=True)
    last = len(places) - 1 - np.unique(places[::-1], return_index=True)[1]
    # A place is on both sides of every cut after its first and up to its last acquisition.
    begins, ends = (np.bincount(one, minlength=len(places)) for one in (first, last))
    shared = np.cumsum(begins - ends)[:-1]
    most = int(shared.max(initial=0))
    if most < max(WHOLE_STACK_SLICES, WHOLE_STACK_SHARE * len(first)):
        return [stack]
    times = [one.made_at[:3] for one in ordered]
    waits_ms = np.nan_to_num(np.diff(_clock_ms([time[1] or time[0] for time in times])))
    cut = 1 + int(np.where(shared == most, waits_ms, -np.inf).argmax())
    if times[cut - 1] >= times[cut]:
        return [stack]
    return [*_acquisitions(ordered[:cut]), *_acquisitions(ordered[cut:])]


def _belongs(stack: list[Pass], part: list[Pass]) -> bool:
    there = distinct_positions(stack)
    new = distinct_positions(part)
    distances = np.abs(new[:, None] - there[None]).min(1)
    shared = distances <= SAME_POSITION_MM
    thickness_mm = part[0].frames[0].header.slice_thickness_mm or 0.0
    replanned = ~shared & (distances < REPLANNED_SHARE * thickness_mm)
    if replanned.any() or _made_from_one_acquisition(stack, part):
        return False
    if len(new) < WHOLE_STACK_SLICES or len(there) < WHOLE_STACK_SLICES:
        return True
    if shared.any():
        return False
    gaps = np.diff(np.sort(np.concatenate([there, new])))
    return bool(np.abs(gaps / np.median(gaps) - 1).max() <= EVEN_TOLERANCE)


def _made_from_one_acquisition(stack: list[Pass], part: list[Pass]) -> bool:
    """Whether a slice is there twice from one moment: the scanner's map beside those of its fit.

    What was acquired again has another time.  A cine's says nothing here: exports that hide dates
    set them all alike.
    """
    if part[0].is_timed:
        return False
    return any(
        one.made_at[1] == other.made_at[1] != ""
        and abs(one.position_mm - other.position_mm) <= SAME_POSITION_MM
        for one in part
        for other in stack
    )


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


def keep_latest(passes: Sequence[Pass]) -> tuple[list[Pass], list[Pass]]:
    """Return, for each position, the latest complete pass; and those that it replaces."""
    phases = usual_phases(passes)
    kept: list[Pass] = []
    replaced: list[Pass] = []
    for one in sorted(passes, key=lambda p: p.position_mm):
        if not kept or one.position_mm - kept[-1].position_mm > SAME_POSITION_MM:
            kept.append(one)
            continue
        rivals = (kept[-1], one)
        best = max(rivals, key=lambda p: (min(p.phases, phases), p.made_at))
        kept[-1] = best
        replaced.append(rivals[0] if best is one else one)
    return kept, replaced


def phase_fractions(one: Pass, phases: int) -> np.ndarray:
    """Return the fraction of the heartbeat ``(T,)`` at which each frame of a pass lies.

    From trigger times; without them from the place in the sequence, counting the gaps that
    temporal positions or instance numbers show.
    """
    if one.is_timed and one.phases > 1:
        steps_ms = np.diff(one.trigger_ms)
        # the last frame lasts as long as the others, so the heartbeat cannot be shorter
        shortest_ms = float(np.ptp(one.trigger_ms) + np.median(steps_ms) / 2)
        if one.rr_ms >= shortest_ms:
            return np.asarray(one.trigger_ms / one.rr_ms)
        beat_ms = np.median(steps_ms) * max(phases, one.phases)
        # a clock that runs on from slice to slice does not start at the R wave
        start_ms = one.trigger_ms[0] if one.trigger_ms[0] > beat_ms else 0.0
        return np.asarray((one.trigger_ms - start_ms) / beat_ms)
    for numbers in (
        [frame.temporal_position for frame in one.frames],
        [frame.instance_number for frame in one.frames],
    ):
        known = np.array([n for n in numbers if n is not None], dtype=np.float64)
        if known.size == one.phases > 1 and (np.diff(known) > 0).all():
            step = np.diff(known).min()
            places = (known - known[0]) / step
            if places[-1] < phases:
                return np.asarray(places / phases)
    return np.arange(one.phases) / one.phases


def resample_in_time(values: np.ndarray, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return frames ``(T, Y, X)`` at other fractions of a heartbeat that repeats itself.

    Parameters
    ----------
    values : (N, Y, X)
    at : (N,)
        Fraction of the heartbeat of each frame, growing.
    wanted : (T,)

    Examples
    --------
    >>> frames = np.array([0.0, 2.0, 6.0]).reshape(3, 1, 1)
    >>> resample_in_time(frames, np.array([0, 0.25, 0.75]), np.array([0.5, 0.875])).ravel()
    array([4., 3.])
    """
    start = at[0]
    circle = np.concatenate([at - start, [1.0]])
    places = np.interp((wanted - start) % 1.0, circle, np.arange(circle.size))
    below = np.floor(places).astype(int)
    share = (places - below)[:, None, None]
    last = len(values)
    return np.asarray(values[below % last] * (1 - share) + values[(below + 1) % last] * share)


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
            if one.is_timed:
                trigger_ms[:, z] = one.trigger_ms
            continue
        stacked = np.stack([frame.values for frame in one.frames])
        values[:, z] = resample_in_time(stacked, phase_fractions(one, phases), fractions)
        if one.is_timed and np.isfinite(one.rr_ms):
            trigger_ms[:, z] = fractions * one.rr_ms
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    grid = Grid((len(passes), rows, columns), np.array([affine_of(p.frames[0]) for p in passes]))
    shown = [_shown_frames(one, phases, fractions) for one in passes]
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


def in_one_time(passes: Sequence[Pass]) -> list[Pass]:
    """Return the passes of a stack with one phase at one share of the heartbeat in every slice.

    By time, never by rank: slices gated at other heart rates, or from another moment on, show at
    each phase the picture that is nearest in their own heartbeat.  A slice without a heartbeat
    keeps its order.
    """
    phases = usual_phases(passes)
    shares = [
        beat_shares(one.trigger_ms, one.rr_ms)
        if one.along is Heartbeat
        and one.phases == phases > 1
        and one.is_timed
        and np.isfinite(one.rr_ms)
        else None
        for one in passes
    ]
    gated = [found for found in shares if found is not None]
    if not gated:
        return list(passes)
    wanted = np.median(gated, axis=0)
    return [
        one if found is None else _at_shares(one, nearest_pictures(found, wanted), wanted)
        for one, found in zip(passes, shares, strict=True)
    ]


def _at_shares(one: Pass, order: np.ndarray, shares: np.ndarray) -> Pass:
    """Return a pass with its pictures in another order, which lie at shares of its heartbeat."""
    if (order == np.arange(one.phases)).all():
        return one
    frames = tuple(one.frames[index] for index in order)
    return replace(one, frames=frames, trigger_ms=shares * one.rr_ms)


def in_one_beat(one: Pass, order: Sequence[int], phases: int) -> Pass:
    """Return the pictures of one heartbeat, timed by the step between them."""
    step_ms = float(np.median(np.diff(one.trigger_ms))) if one.is_timed else float("nan")
    return replace(
        one,
        frames=tuple(one.frames[index] for index in order),
        trigger_ms=step_ms * np.arange(phases),
        rr_ms=step_ms * phases,
    )


def _shown_frames(one: Pass, phases: int, fractions: np.ndarray) -> tuple[Frame, ...]:
    """Return the frame behind each phase; of a slice resampled in time, the nearest one."""
    if one.phases == phases:
        return one.frames
    nearest = shares_apart(phase_fractions(one, phases), fractions).argmin(1)
    return tuple(one.frames[index] for index in nearest)


def _axis_of(
    along: type[Axis],
    shown: Sequence[tuple[Frame, ...]],
    trigger_ms: np.ndarray,
    rr_ms: np.ndarray,
) -> Axis:
    """Return the axis of a stack from the frames that are shown of each slice."""
    if along is Preparation:
        times_ms = _table([[frame.inversion_time_ms for frame in one] for one in shown])
        times_ms = np.where(np.isfinite(times_ms), times_ms, np.inf)
        return Preparation(PreparationKind.INVERSION, times_ms, trigger_ms, rr_ms)
    if along is Echo:
        times_ms = _table([[frame.echo_time_ms for frame in one] for one in shown])
        return Echo(times_ms, trigger_ms, rr_ms)
    if along is Beats:
        clocks = [_clock_ms([frame.acquisition_time for frame in one]) for one in shown]
        return Beats(np.array(clocks).T, trigger_ms, rr_ms)
    return Single(trigger_ms, rr_ms) if along is Single else Heartbeat(trigger_ms, rr_ms)


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
