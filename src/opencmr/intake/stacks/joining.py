"""Passes of parallel slices that belong together: a stack, whatever series they came in."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from opencmr.intake.stacks.passes import (
    EVEN_TOLERANCE,
    SAME_POSITION_MM,
    Pass,
    clock_times_ms,
    distinct_positions,
    usual_phases,
)

REPLANNED_SHARE = 0.5
"""A slice nearer to a stack's slice than this share of its thickness was planned anew."""
WHOLE_STACK_SLICES = 3
"""A series of so many slices is a stack by itself, not a part of one."""
WHOLE_STACK_SHARE = 0.5
"""Of so many of its slices acquired again later, a stack was acquired twice (proposal)."""


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
    waits_ms = np.nan_to_num(np.diff(clock_times_ms([time[1] or time[0] for time in times])))
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
