"""Which frames may lie in one stack, whatever the scanner called a series."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.placement import axes_of

PARALLEL_TOLERANCE_DEG = 1.0
"""Slices whose rows and columns turn by less than this against each other are parallel."""
SPACING_TOLERANCE = 0.005
"""Relative: pixel spacings closer than this are equal (headers round to four digits)."""
ECHO_TIME_TOLERANCE_MS = 0.1
"""Echo times closer than this are equal; the echoes of a T2* train are 1 ms apart or more."""
THICKNESS_TOLERANCE_MM = 0.5
"""Slice thicknesses closer than this are equal."""
CONTRAST_TIMES = 3
"""So many inversion or echo times in one slice are no cine's; a fit takes at least three."""


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
