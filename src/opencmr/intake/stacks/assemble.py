"""From the frames of one study to its series, with the facts that were counted on the way."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.flag import LeftOut
from opencmr.imaging.study import Series, SeriesHeader, StackFacts, number_or_last
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.signal import has_signal, share_at_maximum
from opencmr.intake.stacks.gating import LEAST_PHASES, find_gating
from opencmr.intake.stacks.in_time import PHASE_SHARE, in_one_beat, in_one_time
from opencmr.intake.stacks.joining import WHOLE_STACK_SLICES, join_passes, keep_latest
from opencmr.intake.stacks.kinds import canonical_order, frames_of_reference, split_by_kind
from opencmr.intake.stacks.one_phase import join_phases
from opencmr.intake.stacks.pairs import with_partners
from opencmr.intake.stacks.parts import Whole, join_parts, on_one_grid
from opencmr.intake.stacks.passes import REPEAT_MINIMUM_PHASES, Pass, passes_of, usual_phases
from opencmr.intake.stacks.placement import why_unplaceable
from opencmr.intake.stacks.stack_image import image_of
from opencmr.intake.stacks.timing import largest_step, uncovered_end

DISPLACED_SHARE = 0.2
"""Of a stack whose header states no heartbeat: so many slices that begin at another moment were
not gated (in three gated cines at most one slice of ten seems to; proposal)."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """What became of a study's frames.

    Attributes
    ----------
    series : tuple of Series
        Not yet sorted and not yet judged: view and sequence are ``other``, flags empty.
    left_out : tuple of LeftOut
    """

    series: tuple[Series, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stack:
    """A stack on its way: its passes, what was counted and what was left out so far."""

    passes: tuple[Pass, ...]
    facts: StackFacts
    left_out: tuple[LeftOut, ...] = ()


def assemble_series(frames: Iterable[Frame]) -> Assembled:
    """Build the series of one study from its frames, in any order.

    Stacks are separated by orientation, spacing, matrix, frame of reference, echo time and
    image type, joined where they continue one another, and ordered by position along the normal
    and trigger time.  Shuffling the frames changes nothing.
    """
    placed, left_out = _triage(canonical_order(frames))
    series: list[Series] = []
    stacks = (
        passes
        for kind in split_by_kind(placed)
        for passes in join_passes(join_phases(passes_of(kind)))
    )
    for whole in join_parts(stacks):
        stack = _without_silent(_Stack(whole.passes, _first_facts(whole)))
        if not stack.passes:
            left_out.extend(stack.left_out)
            continue
        stack = _gated(_without_short(_without_repeats(stack)))
        series.append(_series_of(stack))
        left_out.extend(stack.left_out)
    series.sort(key=_study_order)
    keyed = tuple(replace(one, key=f"s{i:02d}") for i, one in enumerate(series, start=1))
    return Assembled(with_partners(keyed), tuple(_merged(left_out)))


def _first_facts(whole: Whole) -> StackFacts:
    return StackFacts(
        sum(one.phases for one in whole.passes),
        joined_parts=whole.parts,
        parts_differ=whole.differ,
        parts_apart=whole.apart,
    )


def misplaced(frame: Frame) -> LeftOut | None:
    """Return why a frame has no place in the patient, or None; its pixels are not asked."""
    if "MOSAIC" in (part.upper() for part in frame.image_type):
        reason = Reason("MOSAIC", "many slices are tiled into one picture, which is no slice")
        return LeftOut("mosaic picture", reason)
    problem = why_unplaceable(frame)
    return LeftOut("picture without usable geometry", problem) if problem else None


def _triage(frames: Iterable[Frame]) -> tuple[list[Frame], list[LeftOut]]:
    """Separate the frames that have a place in the patient from those that have none."""
    placed: list[Frame] = []
    left_out: list[LeftOut] = []
    for frame in frames:
        problem = misplaced(frame)
        if problem is None:
            placed.append(frame)
        else:
            left_out.append(problem)
    return placed, left_out


def _merged(left_out: Iterable[LeftOut]) -> list[LeftOut]:
    counts: Counter[tuple[str, Reason]] = Counter()
    for one in left_out:
        counts[one.what, one.reason] += one.count
    rows = (LeftOut(what, reason, count) for (what, reason), count in counts.items())
    return sorted(rows, key=lambda row: (row.what, row.reason.code, row.reason.sentence))


def _without_silent(stack: _Stack) -> _Stack:
    """Drop frames that hold no picture; a slice of nothing else goes whole."""
    kept: list[Pass] = []
    silent = 0
    for one in stack.passes:
        audible = [has_signal(frame.values) for frame in one.frames]
        silent += audible.count(False)
        if all(audible):
            kept.append(one)
        elif any(audible):
            index = np.flatnonzero(audible)
            frames = tuple(one.frames[i] for i in index)
            kept.append(replace(one, frames=frames, trigger_ms=one.trigger_ms[index]))
    if not silent:
        return stack
    reason = Reason("NO_SIGNAL", "constant, two-valued, mostly clipped or not finite")
    gone = LeftOut("picture without signal", reason, silent)
    facts = replace(stack.facts, silent_pictures=silent)
    return _Stack(tuple(kept), facts, (*stack.left_out, gone))


def _without_repeats(stack: _Stack) -> _Stack:
    kept, replaced = keep_latest(stack.passes)
    if not replaced:
        return stack
    pictures = sum(one.phases for one in replaced)
    reason = Reason("REPEATED_SLICE", "the same slice was acquired again later, or more completely")
    gone = LeftOut("picture of a repeated slice", reason, pictures)
    facts = replace(stack.facts, repeated_slices=len(replaced))
    return _Stack(tuple(kept), facts, (*stack.left_out, gone))


def _without_short(stack: _Stack) -> _Stack:
    """Count slices with another number of phases; leave out those that lack too many.

    What differs in preparation, echo or beat cannot be resampled: there any other number is
    too few or too many.
    """
    phases = usual_phases(stack.passes)
    other = [one for one in stack.passes if one.phases != phases]
    short = [
        one
        for one in other
        if one.along is not Heartbeat
        or (one.phases < phases * PHASE_SHARE and not _states_its_phases(one))
    ]
    resampled = [one for one in other if one not in short]
    facts = replace(
        stack.facts,
        short_slices=len(short),
        other_phases=tuple(one.phases for one in resampled),
        other_phases_stated=bool(resampled) and all(map(_states_its_phases, resampled)),
    )
    left_out = stack.left_out
    if short:
        lacking = "cardiac phases" if short[0].along is Heartbeat else "of the stack's pictures"
        reason = Reason("MISSING_FRAMES", f"its slice lacks too many {lacking}")
        left_out = (*left_out, LeftOut("picture", reason, sum(one.phases for one in short)))
    return _Stack(tuple(one for one in stack.passes if one not in short), facts, left_out)


def _gated(stack: _Stack) -> _Stack:
    """Put the slices of a cine in time by its pictures where no header states a heartbeat."""
    passes = stack.passes
    phases = {one.phases for one in passes}
    if (
        len(passes) < WHOLE_STACK_SLICES
        or any(one.along is not Heartbeat for one in passes)
        or any(frame.rr_ms is not None for one in passes for frame in one.frames)
        or len(phases) > 1
        or min(phases) < LEAST_PHASES
    ):
        return stack
    gating, repeats = find_gating([np.stack([f.values for f in one.frames]) for one in passes])
    if not repeats or not gating.is_certain:
        astray = gating.displaced > max(1, DISPLACED_SHARE * len(passes))
        is_free = repeats or astray or any(map(_is_ungated, passes))
        return replace(stack, facts=replace(stack.facts, ungated=is_free))
    size = min(phases)
    placed = tuple(
        in_one_beat(one, gating.pictures(z, size), gating.phases) for z, one in enumerate(passes)
    )
    reason = Reason("GATED_FROM_IMAGES", "pictures of a further heartbeat")
    gone = LeftOut("picture", reason, (size - gating.phases) * len(passes))
    facts = replace(stack.facts, gated_slices=len(passes))
    return _Stack(placed, facts, (*stack.left_out, gone))


def _is_ungated(one: Pass) -> bool:
    """Whether the header says that the pictures were acquired without an R wave."""
    header = one.frames[0].header
    words = f"{header.series_description} {header.protocol_name}".lower()
    return header.cardiac_synchronization.upper() in ("REALTIME", "NONE") or bool(
        re.search(r"real[ _-]?time", words)
    )


def _states_its_phases(one: Pass) -> bool:
    """Whether the header says that the slice was meant to have just so many phases."""
    return one.frames[0].cardiac_number_of_images == one.phases


def _series_of(stack: _Stack) -> Series:
    passes = on_one_grid(stack.passes)
    image = image_of(passes)
    frames = [frame for one in stack.passes for frame in one.frames]
    clipped = share_at_maximum([frame.values for frame in frames])
    facts = replace(
        _with_timing(stack.facts, stack.passes),
        share_at_maximum=clipped,
        realigned_slices=len(set(map(id, passes)) - set(map(id, stack.passes))),
    )
    return Series(
        key="",
        image=image,
        uids=tuple(sorted({frame.series_instance_uid for frame in frames})),
        frame_of_reference_uid=frames_of_reference(frames)[frames[0].series_instance_uid],
        header=_header_of(stack.passes),
        facts=facts,
    )


def _with_timing(facts: StackFacts, passes: Sequence[Pass]) -> StackFacts:
    cines = [one for one in passes if one.along is Heartbeat]
    declared = {one.frames[0].cardiac_number_of_images or 0 for one in cines}
    if facts.gated_slices:
        declared = set()  # of all the beats that were acquired
    timed = [one for one in cines if one.is_timed and one.phases >= REPEAT_MINIMUM_PHASES]
    ends = [uncovered_end(one.trigger_ms, one.rr_ms) for one in timed if np.isfinite(one.rr_ms)]
    kept = set(map(id, in_one_time(passes)))
    return replace(
        facts,
        cine_slices=len(cines),
        untimed_slices=sum(not one.is_timed for one in cines),
        slices_in_seconds=sum(one.repaired for one in cines),
        declared_phases=declared.pop() if len(declared) == 1 else 0,
        largest_step=max((largest_step(one.trigger_ms, one.rr_ms) for one in timed), default=0.0),
        uncovered_end=max(float(np.median(ends)), 0.0) if ends else 0.0,
        doubted_heartbeats=sum(one.doubted for one in cines),
        retimed_slices=sum(id(one) not in kept for one in passes),
        series_a_slice=max(len({f.series_instance_uid for f in one.frames}) for one in passes),
    )


def _header_of(passes: Sequence[Pass]) -> SeriesHeader:
    """Return the header of the earliest pass, with the latest times: repeats are ordered."""
    by_time = sorted(passes, key=lambda one: one.made_at)
    latest = by_time[-1].made_at
    return replace(by_time[0].frames[0].header, series_time=latest[0], acquisition_time=latest[1])


def _study_order(series: Series) -> tuple[int, str, tuple[float, ...], tuple[str, ...], str]:
    corner = tuple(np.round(series.image.grid.position_mm(0, 0, 0), 3).tolist())
    first = series.image.sources[0] if series.image.sources else ""
    return (
        number_or_last(series.header.series_number),
        series.header.series_time,
        corner,
        (series.uids),
        first,
    )
