"""From the frames of one study to its series, with what was found wrong on the way."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.geometry.grid import Grid
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.imaging.study import Series, SeriesHeader
from opencmr.intake.frame import Frame
from opencmr.intake.signal import has_signal, saturation_flags, share_at_maximum
from opencmr.intake.stacks import (
    EVEN_TOLERANCE,
    PHASE_SHARE,
    Pass,
    canonical_order,
    frames_of_reference,
    image_of,
    join_passes,
    keep_latest,
    passes_of,
    split_by_kind,
    usual_phases,
    why_unplaceable,
)

SPARSE_SHARE = 2.0
"""Slices further apart than this many thicknesses leave more than half unseen; 6 mm slices
every 10 mm are common practice."""
SPARSE_MM = 15.0
"""Slices further apart than this are sparse whatever their thickness (SCMR: 8 to 10 mm)."""
OVERLAP_SHARE = 0.9
"""Slices nearer to each other than this share of their thickness overlap."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """What became of a study's frames.

    Attributes
    ----------
    series : tuple of Series
        Not yet sorted: view and sequence are ``other``.
    left_out : tuple of LeftOut
    flags : tuple of QualityFlag
        On the study as a whole; flags on one stack are in its series.
    """

    series: tuple[Series, ...]
    left_out: tuple[LeftOut, ...] = ()
    flags: tuple[QualityFlag, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stack:
    """A stack on its way: its passes, and what was remarked so far."""

    passes: tuple[Pass, ...]
    flags: tuple[QualityFlag, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def noting(
        self, passes: Sequence[Pass], flag: QualityFlag, left_out: LeftOut | None = None
    ) -> "_Stack":
        more = () if left_out is None else (left_out,)
        return _Stack(tuple(passes), (*self.flags, flag), (*self.left_out, *more))


def assemble_series(frames: Iterable[Frame]) -> Assembled:
    """Build the series of one study from its frames, in any order.

    Stacks are separated by orientation, spacing, matrix, frame of reference, echo time and
    image type, and ordered by position along the normal and trigger time.  Shuffling the
    frames changes nothing.
    """
    placed, left_out = _triage(canonical_order(frames))
    series: list[Series] = []
    for kind in split_by_kind(placed):
        for passes in join_passes(passes_of(kind)):
            stack = _without_silent(_Stack(tuple(passes)))
            if not stack.passes:
                left_out.extend(stack.left_out)
                continue
            stack = _without_short(_without_repeats(stack))
            series.append(_series_of(stack))
            left_out.extend(stack.left_out)
    series.sort(key=_study_order)
    keyed = tuple(replace(one, key=f"s{i:02d}") for i, one in enumerate(series, start=1))
    return Assembled(keyed, tuple(_merged(left_out)))


def _triage(frames: Iterable[Frame]) -> tuple[list[Frame], list[LeftOut]]:
    """Separate the frames that have a place in the patient from those that have none."""
    placed: list[Frame] = []
    left_out: list[LeftOut] = []
    for frame in frames:
        if "MOSAIC" in (part.upper() for part in frame.image_type):
            reason = Reason("MOSAIC", "many slices are tiled into one picture, which is no slice")
            left_out.append(LeftOut("mosaic picture", reason))
            continue
        problem = why_unplaceable(frame)
        if problem is None:
            placed.append(frame)
        else:
            left_out.append(LeftOut("picture without usable geometry", problem))
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
    flag = QualityFlag(
        Severity.REVIEW,
        "NO_SIGNAL",
        "Pictures without signal (constant, two-valued, mostly clipped or not finite) were left "
        "out of this stack. Check the export.",
        f"{silent} of {sum(one.phases for one in stack.passes)} pictures",
    )
    reason = Reason("NO_SIGNAL", "constant, two-valued, mostly clipped or not finite")
    gone = LeftOut("picture without signal", reason, silent)
    return stack.noting(kept, flag, gone)


def _without_repeats(stack: _Stack) -> _Stack:
    kept, replaced = keep_latest(stack.passes)
    if not replaced:
        return stack
    most = len(replaced) > len(kept) / 2
    flag = QualityFlag(
        Severity.REVIEW if most else Severity.INFO,
        "REPEATED_SLICE",
        "Slices were acquired more than once at the same position; the latest complete "
        "acquisition of each is used.",
        f"{len(replaced)} repeated acquisitions of {len(kept)} slices",
    )
    pictures = sum(one.phases for one in replaced)
    reason = Reason("REPEATED_SLICE", "the same slice was acquired again later, or more completely")
    gone = LeftOut("picture of a repeated slice", reason, pictures)
    return stack.noting(kept, flag, gone)


def _without_short(stack: _Stack) -> _Stack:
    """State slices with another number of phases; leave out those that lack too many."""
    phases = usual_phases(stack.passes)
    other = [one for one in stack.passes if one.phases != phases]
    if not other:
        return stack
    short = [
        one for one in other if one.phases < phases * PHASE_SHARE and not _states_its_phases(one)
    ]
    kept = [one for one in stack.passes if one not in short]
    resampled = [one for one in other if one not in short]
    if short:
        flag = QualityFlag(
            Severity.DO_NOT_REPORT,
            "MISSING_FRAMES",
            "Slices that lack too many cardiac phases were left out: volumes would miss them. "
            "Transfer the study again.",
            f"{len(short)} of {len(stack.passes)} slices have fewer than "
            f"{PHASE_SHARE:.0%} of {phases} phases",
        )
        reason = Reason("MISSING_FRAMES", "its slice lacks too many cardiac phases")
        gone = LeftOut("picture", reason, sum(one.phases for one in short))
        stack = stack.noting(kept, flag, gone)
    if resampled:
        whole = all(_states_its_phases(one) for one in resampled)
        flag = QualityFlag(
            Severity.INFO if whole else Severity.REVIEW,
            "MISSING_FRAMES",
            "Slices with another number of cardiac phases than the rest were resampled over "
            "the heartbeat.",
            f"{len(resampled)} of {len(kept)} slices have "
            f"{', '.join(str(n) for n in sorted({p.phases for p in resampled}))} phases, "
            f"the others {phases}",
        )
        stack = stack.noting(kept, flag)
    return stack


def _states_its_phases(one: Pass) -> bool:
    """Whether the header says that the slice was meant to have just so many phases."""
    return one.frames[0].cardiac_number_of_images == one.phases


def _series_of(stack: _Stack) -> Series:
    image = image_of(stack.passes)
    frames = [frame for one in stack.passes for frame in one.frames]
    header = _header_of(stack.passes)
    flags = (
        *stack.flags,
        *_timing_flags(stack.passes),
        *stack_flags(image.grid, header.slice_thickness_mm),
        *saturation_flags(share_at_maximum([frame.values for frame in frames])),
    )
    return Series(
        key="",
        image=image,
        uids=tuple(sorted({frame.series_instance_uid for frame in frames})),
        frame_of_reference_uid=frames_of_reference(frames)[frames[0].series_instance_uid],
        header=header,
        flags=flags,
    )


def _header_of(passes: Sequence[Pass]) -> SeriesHeader:
    """Return the header of the earliest pass, with the latest times: repeats are ordered."""
    by_time = sorted(passes, key=lambda one: one.made_at)
    latest = by_time[-1].made_at
    return replace(by_time[0].frames[0].header, series_time=latest[0], acquisition_time=latest[1])


def _study_order(series: Series) -> tuple[int, str, tuple[float, ...], tuple[str, ...], str]:
    number = series.header.series_number
    corner = tuple(np.round(series.image.grid.position_mm(0, 0, 0), 3).tolist())
    first = series.image.sources[0] if series.image.sources else ""
    return (
        number if number is not None else 1 << 31,
        series.header.series_time,
        corner,
        (series.uids),
        first,
    )


def _timing_flags(passes: Sequence[Pass]) -> list[QualityFlag]:
    flags: list[QualityFlag] = []
    cines = [one for one in passes if one.phases > 1]
    untimed = [one for one in cines if not one.is_timed]
    repaired = [one for one in cines if one.repaired]
    if untimed:
        flags.append(
            QualityFlag(
                Severity.REVIEW,
                "NO_TIMING",
                "Trigger times are missing or do not differ, so cardiac phases are in the "
                "order of their instance numbers. Review the volume curve.",
                f"{len(untimed)} of {len(cines)} slices",
            )
        )
    if repaired:
        flags.append(
            QualityFlag(
                Severity.INFO,
                "TIMING_REPAIRED",
                "Trigger times were given in seconds and were taken as such.",
                f"{len(repaired)} of {len(cines)} slices",
            )
        )
    declared = {one.frames[0].cardiac_number_of_images or 0 for one in cines}
    phases = usual_phases(passes)
    if len(declared) == 1 and max(declared) > phases > 1:
        flags.append(
            QualityFlag(
                Severity.REVIEW,
                "MISSING_FRAMES",
                "Every slice lacks cardiac phases that the header declares. Transfer the study "
                "again.",
                f"{phases} of {max(declared)} phases",
            )
        )
    return flags


def stack_flags(grid: Grid, thickness_mm: float | None) -> tuple[QualityFlag, ...]:
    """Judge the positions of a stack's slices (reliability D12).

    Parameters
    ----------
    grid : Grid
    thickness_mm : float or None
        Nominal thickness; never used as a spacing (D22).

    Examples
    --------
    >>> from opencmr.geometry.grid import grid_from_spacing
    >>> [f.code for f in stack_flags(grid_from_spacing((4, 9, 9), (18.0, 1.0, 1.0)), 6.0)]
    ['SPARSE_STACK']
    """
    if grid.shape[0] < 2:
        return ()
    gaps = np.sort(grid.slice_gaps_mm)
    usual_mm = float(gaps[(len(gaps) - 1) // 2])  # the lower median: of 10 and 20, 10
    evidence = f"slice distances {gaps[0]:.1f} to {gaps[-1]:.1f} mm, usually {usual_mm:.1f} mm"
    flags: list[QualityFlag] = []
    if gaps[-1] > usual_mm * (1 + EVEN_TOLERANCE):
        flags.append(
            QualityFlag(
                Severity.DO_NOT_REPORT,
                "MISSING_SLICE",
                "The stack has a gap where a slice is missing, so its volumes are withheld. "
                "Transfer the study again or add the slice.",
                evidence,
            )
        )
    uneven = gaps[0] < usual_mm * (1 - EVEN_TOLERANCE)
    overlapping = thickness_mm is not None and gaps[0] < thickness_mm * OVERLAP_SHARE
    if uneven or overlapping:
        flags.append(
            QualityFlag(
                Severity.REVIEW if uneven else Severity.INFO,
                "OVERLAPPING_SLICES",
                "Slices lie closer than the others, or than they are thick. Volumes use the "
                "positions; review them.",
                evidence + ("" if thickness_mm is None else f", thickness {thickness_mm:g} mm"),
            )
        )
    beyond = thickness_mm is not None and usual_mm > thickness_mm * SPARSE_SHARE
    if beyond or usual_mm >= SPARSE_MM:
        why = (
            "more than twice their thickness apart: most of the heart between them was not seen"
            if beyond
            else f"at least {SPARSE_MM:g} mm apart: few of them cross the heart"
        )
        flags.append(
            QualityFlag(
                Severity.REVIEW,
                "SPARSE_STACK",
                f"Slices lie {why}, and volumes are rough.",
                evidence + ("" if thickness_mm is None else f", thickness {thickness_mm:g} mm"),
            )
        )
    return tuple(flags)
