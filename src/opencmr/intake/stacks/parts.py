"""A heart in parts: stacks that continue one another though they were planned differently.

Pure: nothing here reads a file.  A *part* is a stack of one kind; parts of one heart may differ
in what says where and how finely they were sampled, never in how they were acquired.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from opencmr.geometry.planes import angle_between_deg
from opencmr.geometry.resampling import linear_weights, resample_plane
from opencmr.imaging.axis import Heartbeat
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.in_time import PHASE_SHARE
from opencmr.intake.stacks.joining import WHOLE_STACK_SLICES
from opencmr.intake.stacks.kinds import (
    PARALLEL_TOLERANCE_DEG,
    SPACING_TOLERANCE,
    THICKNESS_TOLERANCE_MM,
    agree,
    close,
    frames_of_reference,
)
from opencmr.intake.stacks.passes import (
    REPEAT_MINIMUM_PHASES,
    SAME_POSITION_MM,
    Pass,
    distinct_positions,
    usual_phases,
)
from opencmr.intake.stacks.placement import affine_of, axes_of, centre_of

LEAST_SLICES = 4
"""Fewer slices than this together are no short-axis stack in parts: long-axis views come alone,
or as two or three."""
SAME_PLAN_DEG = 3.5
"""Parts tilted by less are one plan, corrected between breath-holds by 1 to 3 degrees
(proposal)."""
OTHER_PLAN_DEG = 10.0
"""Parts tilted by more are different views; in between it is not certain (proposal)."""
SEAM_SHARES = (0.6, 1.5, 2.5)
"""Of the usual distance: nearer than the first, slices overlap or interleave; up to the second
they are neighbours; up to the third a slice may lie between; further away is another heart view
(proposal; the second is where a slice is missing)."""
LEAST_GAP_MM, GREATEST_GAP_MM = 4.0, 20.0
"""Slices of a short-axis cine are planned 6 to 18 mm apart (SCMR: 8 to 10 mm; proposal)."""
PART_ECHO_TIME_TOLERANCE_MS = 0.5
"""A coarser or finer matrix moves the echo of a cine by less (proposal)."""
WHOLE_HEART_MM = 70.0
"""Two stacks that are both shorter cannot be two whole hearts (an adult's LV is 80 to 100 mm
long; proposal)."""
CINES_AT_MOST = 64
"""A study with more cines than this is no heart in parts, and they are not compared."""
SHIFTED_FIELD_MM = 20.0
"""A field of view that moved by more is no longer over the others' pixels (proposal)."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A stack after the parts that continue one another were joined.

    Attributes
    ----------
    passes : tuple of Pass
        Along the normal.
    parts : int
        How many were joined; 1 where it was whole.
    differ : tuple of str
        In what they differed, in words.
    apart : tuple of str
        Why other stacks may be parts of the same heart and were not joined.
    """

    passes: tuple[Pass, ...]
    parts: int = 1
    differ: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where two parts meet: how far apart, and why they may not be joined (empty: they may)."""

    distance_mm: float
    doubts: tuple[str, ...] = ()


def join_parts(stacks: Iterable[Sequence[Pass]]) -> list[Whole]:
    """Join the cines that continue one another, and name those of which it is not certain.

    A part continues a stack where together they are one row of parallel slices: no slice is
    there twice, none lies between two others, and the seam is no wider than one distance.
    """
    kept: list[Whole] = []
    open_parts: list[list[Pass]] = []
    for stack in stacks:
        passes = list(stack)
        is_cine = passes[0].along is Heartbeat and usual_phases(passes) >= REPEAT_MINIMUM_PHASES
        if is_cine:
            open_parts.append(passes)
        else:
            kept.append(Whole(tuple(passes)))
    if len(open_parts) > CINES_AT_MOST:
        return kept + [Whole(tuple(part)) for part in open_parts]
    open_parts.sort(key=lambda part: (-len(distinct_positions(part)), part[0].made_at))
    wholes: list[Whole] = []
    while open_parts:
        wholes.extend(_grown(open_parts))
    return kept + _with_doubts(wholes)


def _grown(open_parts: list[list[Pass]]) -> list[Whole]:
    """Take the first part and all that continue it, the nearest first, from the list."""
    taken = [open_parts.pop(0)]
    grown = list(taken[0])
    while True:
        seams = [(index, _seam(grown, part)) for index, part in enumerate(open_parts)]
        certain = [(seam.distance_mm, i) for i, seam in seams if seam and not seam.doubts]
        if not certain:
            break
        part = open_parts.pop(min(certain)[1])
        taken.append(part)
        grown = _on_one_line(grown, part)
    if len(taken) > 1 and len(distinct_positions(grown)) < LEAST_SLICES:
        return [Whole(tuple(part)) for part in taken]
    differ = dict.fromkeys(word for part in taken[1:] for word in _differences(taken[0], part))
    grown.sort(key=lambda p: (p.position_mm, p.made_at))
    return [Whole(tuple(grown), len(taken), tuple(differ))]


def _with_doubts(wholes: Sequence[Whole]) -> list[Whole]:
    """Name the stacks that may be parts of one heart, where together they could be a stack."""
    doubts: list[list[str]] = [[] for _ in wholes]
    slices = [len(distinct_positions(one.passes)) for one in wholes]
    seams = {
        (i, j): seam
        for i, j in combinations(range(len(wholes)), 2)
        if (seam := _seam(wholes[i].passes, wholes[j].passes)) and seam.doubts
    }
    for (i, j), seam in seams.items():
        linked = _linked(i, seams)
        if sum(slices[k] for k in linked) >= LEAST_SLICES:
            doubts[i].extend(seam.doubts)
            doubts[j].extend(seam.doubts)
    return [
        replace(one, apart=tuple(dict.fromkeys(found)))
        for one, found in zip(wholes, doubts, strict=True)
    ]


def _linked(start: int, pairs: Iterable[tuple[int, int]]) -> set[int]:
    linked, pairs = {start}, list(pairs)
    while True:
        more = {k for pair in pairs if linked & set(pair) for k in pair}
        if more <= linked:
            return linked
        linked |= more


def _seam(stack: Sequence[Pass], part: Sequence[Pass]) -> _Seam | None:
    """Return where a part continues a stack, or None where it does not."""
    one, other = stack[0].frames[0], part[0].frames[0]
    tilt_deg = angle_between_deg(axes_of(one)[2], axes_of(other)[2])
    if not _of_one_protocol(one, other) or tilt_deg > OTHER_PLAN_DEG:
        return None
    there, new = distinct_positions(stack), distinct_positions(_on_line(stack, part))
    doubts = list(_doubts(stack, part, tilt_deg))
    if not _share_a_space(stack, part):
        doubts.append("their positions are not stated in one common space")
        if _both_short(there, new) and not _coincide(there, new):
            return _Seam(0.0, tuple(doubts))
    if not _over_each_other(stack, part):
        return None
    gaps_mm, across = _gaps_across(there, new)
    usual_mm = _usual_gap_mm(there, new)
    least, neighbours, furthest = np.multiply(SEAM_SHARES, usual_mm)
    nearest = float(across.min())
    if gaps_mm.min() < max(least, LEAST_GAP_MM) or nearest > furthest:
        return None
    if nearest > neighbours:
        doubts.append(f"{nearest:.0f} mm lie between them, usually {usual_mm:.0f} mm")
    return _Seam(nearest, tuple(doubts))


def _of_one_protocol(one: Frame, other: Frame) -> bool:
    """Whether two pictures may come from one plan: how they were acquired, not where."""
    mine, theirs = one.header, other.header
    return (
        one.modality == other.modality
        and one.rescale_type == other.rescale_type
        and one.venc_cm_s == other.venc_cm_s
        and agree(_kind_of_image(one), _kind_of_image(other))
        and agree(mine.scanning_sequence, theirs.scanning_sequence)
        and agree(mine.sequence_variant, theirs.sequence_variant)
        and agree(mine.mr_acquisition_type, theirs.mr_acquisition_type)
        and close(one.echo_time_ms, other.echo_time_ms, PART_ECHO_TIME_TOLERANCE_MS)
    )


def _kind_of_image(frame: Frame) -> tuple[str, ...]:
    """Return the values that tell magnitude from phase; later ones name filters."""
    return tuple(part.upper() for part in frame.image_type[:3])


def _doubts(stack: Sequence[Pass], part: Sequence[Pass], tilt_deg: float) -> Iterable[str]:
    if tilt_deg > SAME_PLAN_DEG:
        yield f"they are tilted by {tilt_deg:.0f} degrees against each other"
    turned_deg = _turn_deg(stack[0].frames[0], part[0].frames[0])
    if turned_deg > OTHER_PLAN_DEG:
        yield f"they are turned in plane by {turned_deg:.0f} degrees against each other"
    phases = sorted((usual_phases(stack), usual_phases(part)))
    if phases[0] < PHASE_SHARE * phases[1]:
        yield f"they have {phases[0]} and {phases[1]} cardiac phases"
    spacings = [np.median(np.diff(p)) for p in map(distinct_positions, (stack, part)) if p.size > 1]
    if len(spacings) == 2 and max(spacings) > SEAM_SHARES[1] * min(spacings):
        yield f"their slices lie {spacings[0]:.0f} and {spacings[1]:.0f} mm apart"


def _turn_deg(one: Frame, other: Frame) -> float:
    """Return the turn in plane, 0 to 45 degrees: quarter turns do not count."""
    right = axes_of(one)[0]
    return min(angle_between_deg(right, along) for along in axes_of(other)[:2])


def _share_a_space(stack: Sequence[Pass], part: Sequence[Pass]) -> bool:
    frames = [[frame for one in passes for frame in one.frames] for passes in (stack, part)]
    references = [set(frames_of_reference(f).values()) for f in frames]
    series = [{frame.series_instance_uid for frame in f} for f in frames]
    stated = references[0] | references[1]
    return (len(stated) == 1 and "" not in stated) or bool(
        series[0] & series[1] - {""}
    )  # a series has one frame of reference (DICOM PS3.3 C.7.4.1)


def _both_short(there: np.ndarray, new: np.ndarray) -> bool:
    usual_mm = _usual_gap_mm(there, new)
    return all(np.ptp(places) + usual_mm < WHOLE_HEART_MM for places in (there, new))


def _coincide(there: np.ndarray, new: np.ndarray) -> bool:
    return bool((np.abs(there[:, None] - new[None]) <= SAME_POSITION_MM).any())


def _usual_gap_mm(there: np.ndarray, new: np.ndarray) -> float:
    """Return the usual distance of slices: of the longer part, else the least there is."""
    longer = max(there, new, key=len)
    if longer.size >= WHOLE_STACK_SLICES:
        return float(np.median(np.diff(longer)))
    return min(float(_gaps_across(there, new)[0].min()), GREATEST_GAP_MM)


def _gaps_across(there: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all distances between neighbours, and those between a new and an old one."""
    places = np.concatenate([there, new])
    order = np.argsort(places)
    is_new = (np.arange(places.size) >= there.size)[order]
    gaps = np.diff(places[order])
    return gaps, gaps[is_new[1:] != is_new[:-1]]


def _over_each_other(stack: Sequence[Pass], part: Sequence[Pass]) -> bool:
    """Whether the middle of each part lies within the field of view of the other."""
    one, other = stack[0].frames[0], part[0].frames[0]
    normal = axes_of(one)[2]
    apart = centre_of(other) - centre_of(one)
    beside_mm = float(np.linalg.norm(apart - (apart @ normal) * normal))
    fields_mm = [np.multiply(f.matrix, f.pixel_spacing_mm).min() for f in (one, other)]  # type: ignore[arg-type]
    return bool(beside_mm < min(fields_mm) / 2)


def _on_line(stack: Sequence[Pass], part: Sequence[Pass]) -> list[Pass]:
    """Return the part with its positions along the line on which the stack's slices lie.

    The line goes through the middle of the stack's nearest slice, so that neither a tilt nor a
    moved field of view counts as a distance.
    """
    normal = axes_of(stack[0].frames[0])[2]
    placed = []
    for one in part:
        centre, plane = centre_of(one.frames[0]), axes_of(one.frames[0])[2]
        along = float(centre @ normal)
        nearest = min(stack, key=lambda p: abs(p.position_mm - along))
        through = centre_of(nearest.frames[0])
        step_mm = float((centre - through) @ plane / (normal @ plane))
        placed.append(replace(one, position_mm=nearest.position_mm + step_mm))
    return placed


def _on_one_line(stack: Sequence[Pass], part: Sequence[Pass]) -> list[Pass]:
    """Return a stack and its continuation, the stack's own first slice's kind in front."""
    both = [*stack, *_on_line(stack, part)]
    return [both[0], *sorted(both[1:], key=lambda p: (p.position_mm, p.made_at))]


def _differences(one: Sequence[Pass], other: Sequence[Pass]) -> Iterable[str]:
    """Say in words in what two parts differ."""
    first, second = one[0].frames[0], other[0].frames[0]
    tilt_deg = angle_between_deg(axes_of(first)[2], axes_of(second)[2])
    if tilt_deg > PARALLEL_TOLERANCE_DEG:
        yield f"tilt ({tilt_deg:.1f} degrees)"
    if not _is_upright(first, second):
        yield "direction of rows"
    if sorted(first.matrix) != sorted(second.matrix):
        yield "matrix"
    spacings = np.sort([first.pixel_spacing_mm, second.pixel_spacing_mm])
    if np.abs(spacings[0] / spacings[1] - 1).max() > SPACING_TOLERANCE:
        yield "pixel spacing"
    thicknesses = first.header.slice_thickness_mm, second.header.slice_thickness_mm
    if not close(*thicknesses, THICKNESS_TOLERANCE_MM):
        yield "slice thickness"
    if {f.series_instance_uid for f in first_frames(one)}.isdisjoint(
        f.series_instance_uid for f in first_frames(other)
    ):
        yield "series"


def first_frames(passes: Iterable[Pass]) -> list[Frame]:
    """Return one frame of each pass."""
    return [one.frames[0] for one in passes]


def on_one_grid(passes: Sequence[Pass]) -> list[Pass]:
    """Return the passes of a cine with one pixel of each slice over that of the next.

    Where matrix, spacing, direction of rows or field of view differ, slices are resampled in
    plane to the finest; each keeps its own plane.  A stack that has one grid is not touched, nor
    are pictures that are no cine: a scout's lie where they were wanted.
    """
    if passes[0].along is not Heartbeat:
        return list(passes)
    finest = min(
        passes,
        key=lambda p: (float(np.prod(p.frames[0].pixel_spacing_mm)), _rarity(p, passes)),  # type: ignore[arg-type]
    )
    alike = [p for p in passes if _has_grid_of(p.frames[0], finest.frames[0])]
    model = alike[len(alike) // 2].frames[0]
    kept = [p for p in alike if _beside_mm(p.frames[0], model) <= SHIFTED_FIELD_MM]
    if len(kept) == len(passes):
        return list(passes)
    names = {id(p) for p in kept}
    aligned = [
        one
        if id(one) in names
        else _resampled(one, min(kept, key=lambda p: _apart_mm(p, one)).frames[0])
        for one in passes
    ]
    normal = axes_of(model)[2]
    return sorted(aligned, key=lambda p: float(centre_of(p.frames[0]) @ normal))


def _rarity(one: Pass, passes: Sequence[Pass]) -> int:
    return -sum(_has_grid_of(other.frames[0], one.frames[0]) for other in passes)


def _apart_mm(one: Pass, other: Pass) -> float:
    return abs(one.position_mm - other.position_mm)


def _has_grid_of(one: Frame, other: Frame) -> bool:
    spacings = np.array([one.pixel_spacing_mm, other.pixel_spacing_mm])
    return (
        one.matrix == other.matrix
        and bool(np.abs(spacings[0] / spacings[1] - 1).max() <= SPACING_TOLERANCE)
        and _is_upright(one, other)
    )


def _is_upright(one: Frame, other: Frame) -> bool:
    """Whether rows and columns run the same way, but for a small turn."""
    least = np.cos(np.radians(OTHER_PLAN_DEG))
    return all(a @ b >= least for a, b in zip(axes_of(one)[:2], axes_of(other)[:2], strict=True))


def _beside_mm(one: Frame, other: Frame) -> float:
    """Return how far the middle of one picture lies beside the line through the other's."""
    normal = axes_of(other)[2]
    apart = centre_of(one) - centre_of(other)
    return float(np.linalg.norm(apart - (apart @ normal) * normal))


def _resampled(one: Pass, like: Frame) -> Pass:
    """Return a pass on the rows, columns and spacing of another slice, in its own plane."""
    one = _turned(one, like)
    frame = one.frames[0]
    affine, spacing_mm = affine_of(frame), np.array(frame.pixel_spacing_mm)
    step = np.array(like.pixel_spacing_mm) / spacing_mm
    middle = (np.linalg.inv(affine) @ [*_middle_on_plane(frame, like), 1.0])[:2]
    start = middle - step * (np.array(like.matrix) - 1) / 2
    rows, columns = (
        linear_weights(frame.matrix[a], like.matrix[a], step=float(step[a]), start=float(start[a]))
        for a in (0, 1)
    )
    corner = (affine @ [*start, 0.0, 1.0])[:3]
    values = resample_plane(np.stack([f.values for f in one.frames]), rows, columns)
    return _replaced(
        one,
        values.astype(np.float32),
        pixel_spacing_mm=like.pixel_spacing_mm,
        image_position_mm=tuple(corner.tolist()),
    )


def _turned(one: Pass, like: Frame) -> Pass:
    """Return a pass whose rows and columns run as those of another slice: pixels change places."""
    frame = one.frames[0]
    right, down, _ = axes_of(frame)
    like_right, like_down, _ = axes_of(like)
    swap = bool(abs(like_down @ right) > abs(like_down @ down))
    if swap:
        right, down = down, right
    rows, columns = frame.matrix[::-1] if swap else frame.matrix
    back = [
        axis for axis, turned in enumerate((like_down @ down, like_right @ right)) if turned < 0
    ]
    corner = np.array([(rows - 1) * (0 in back), (columns - 1) * (1 in back)])
    in_pixels = [*(corner[::-1] if swap else corner), 0.0, 1.0]
    spacing_mm = frame.pixel_spacing_mm
    values = np.stack([f.values.T if swap else f.values for f in one.frames])
    signed = np.concatenate([right * (-1 if 1 in back else 1), down * (-1 if 0 in back else 1)])
    return _replaced(
        one,
        np.ascontiguousarray(np.flip(values, tuple(axis + 1 for axis in back))),
        pixel_spacing_mm=spacing_mm[::-1] if swap and spacing_mm else spacing_mm,
        image_position_mm=tuple((affine_of(frame) @ in_pixels)[:3].tolist()),
        image_orientation=tuple(signed.tolist()),
    )


def _replaced(one: Pass, values: np.ndarray, **place: object) -> Pass:
    frames = (
        replace(frame, values=value, **place)  # type: ignore[arg-type]
        for frame, value in zip(one.frames, values, strict=True)
    )
    return replace(one, frames=tuple(frames))


def _middle_on_plane(frame: Frame, like: Frame) -> np.ndarray:
    """Return where the line through the middle of ``like`` meets the plane of a frame."""
    normal, plane = axes_of(like)[2], axes_of(frame)[2]
    middle = centre_of(like)
    step_mm = (centre_of(frame) - middle) @ plane / (normal @ plane)
    return np.asarray(middle + step_mm * normal)
