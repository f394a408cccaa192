"""What intake counted on a stack, judged once sorting has said what the stack shows."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from opencmr.anatomy.techniques import Technique
from opencmr.geometry.grid import Grid
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.study import Series, StackFacts, Study
from opencmr.intake.signal import saturation_flags
from opencmr.intake.stacks import EVEN_TOLERANCE, PHASE_SHARE
from opencmr.quality.limits import OVERLAP_SHARE, SPARSE_MM, SPARSE_SHARE
from opencmr.quality.one_phase import joined_flags, lone_phase_flags
from opencmr.quality.scope import OF_WHOLE_STACKS


def judge_stacks(study: Study) -> Study:
    """Return a sorted study whose series bear the flags that their facts deserve.

    The choice of a series reads them, so that it comes after.
    """
    flags = dict.fromkeys((*study.flags, *lone_phase_flags(study.series)))
    return replace(study, series=tuple(map(_judged, study.series)), flags=tuple(flags))


def _judged(series: Series) -> Series:
    if series.facts is None:
        return series
    found = [
        replace(flag, about=replace(flag.about, series=series.key))
        for flag in _flags(series, series.facts)
    ]
    # a study that comes back to be analysed again bears each flag once
    return replace(series, flags=tuple(dict.fromkeys((*series.flags, *found))))


def _flags(series: Series, facts: StackFacts) -> Iterator[QualityFlag]:
    slices, phases = series.image.grid.shape[0], series.image.phases
    yield from _left_out(facts, slices, phases)
    yield from _resampled(facts, slices, phases)
    yield from _timing(facts, phases)
    if series.sequence is not Technique.SCOUT:  # its slices lie where they were wanted
        yield from spacing_flags(series.image.grid, series.header.slice_thickness_mm)
    yield from saturation_flags(facts.share_at_maximum)
    yield from joined_flags(series)


def _left_out(facts: StackFacts, slices: int, phases: int) -> Iterator[QualityFlag]:
    if facts.silent_pictures:
        yield QualityFlag(
            Severity.REVIEW,
            "NO_SIGNAL",
            "Pictures without signal (constant, two-valued, mostly clipped or not finite) were "
            "left out of this stack. Check the export.",
            f"{facts.silent_pictures} of {facts.pictures} pictures",
        )
    before = slices + facts.short_slices
    if facts.repeated_slices:
        most = facts.repeated_slices > before / 2
        yield QualityFlag(
            Severity.REVIEW if most else Severity.INFO,
            "REPEATED_SLICE",
            "Slices were acquired more than once at the same position; the latest complete "
            "acquisition of each is used.",
            f"{facts.repeated_slices} repeated acquisitions of {before} slices",
        )
    if facts.short_slices:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "MISSING_FRAMES",
            "Slices that lack too many cardiac phases were left out: volumes would miss them. "
            "Transfer the study again.",
            f"{facts.short_slices} of {before} slices have fewer than "
            f"{PHASE_SHARE:.0%} of {phases} phases",
        )


def _resampled(facts: StackFacts, slices: int, phases: int) -> Iterator[QualityFlag]:
    if facts.other_phases:
        found = ", ".join(str(number) for number in sorted(set(facts.other_phases)))
        yield QualityFlag(
            Severity.INFO if facts.other_phases_stated else Severity.REVIEW,
            "MISSING_FRAMES",
            "Slices with another number of cardiac phases than the rest were resampled over "
            "the heartbeat.",
            f"{len(facts.other_phases)} of {slices} slices have {found} phases, "
            f"the others {phases}",
        )


def _timing(facts: StackFacts, phases: int) -> Iterator[QualityFlag]:
    if facts.untimed_slices:
        yield QualityFlag(
            Severity.REVIEW,
            "NO_TIMING",
            "Trigger times are missing or do not differ, so cardiac phases are in the "
            "order of their instance numbers. Review the volume curve.",
            f"{facts.untimed_slices} of {facts.cine_slices} slices",
        )
    if facts.slices_in_seconds:
        yield QualityFlag(
            Severity.INFO,
            "TIMING_REPAIRED",
            "Trigger times were given in seconds and were taken as such.",
            f"{facts.slices_in_seconds} of {facts.cine_slices} slices",
        )
    if facts.declared_phases > phases > 1:
        yield QualityFlag(
            Severity.REVIEW,
            "MISSING_FRAMES",
            "Every slice lacks cardiac phases that the header declares. Transfer the study again.",
            f"{phases} of {facts.declared_phases} phases",
        )


def spacing_flags(grid: Grid, thickness_mm: float | None) -> Iterator[QualityFlag]:
    """Judge the positions of a stack's slices (reliability D12).

    Parameters
    ----------
    grid : Grid
    thickness_mm : float or None
        Nominal thickness; never used as a spacing (D22).

    Examples
    --------
    >>> from opencmr.geometry.grid import grid_from_spacing
    >>> [f.code for f in spacing_flags(grid_from_spacing((4, 9, 9), (18.0, 1.0, 1.0)), 6.0)]
    ['SPARSE_STACK']
    """
    if grid.shape[0] < 2:
        return
    gaps = np.sort(grid.slice_gaps_mm)
    usual_mm = float(gaps[(len(gaps) - 1) // 2])  # the lower median: of 10 and 20, 10
    evidence = f"slice distances {gaps[0]:.1f} to {gaps[-1]:.1f} mm, usually {usual_mm:.1f} mm"
    if gaps[-1] > usual_mm * (1 + EVEN_TOLERANCE):
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "MISSING_SLICE",
            "The stack has a gap where a slice is missing, so its volumes are withheld. "
            "Transfer the study again or add the slice.",
            evidence,
            About(symbols=OF_WHOLE_STACKS),
        )
    if thickness_mm is not None:
        evidence += f", thickness {thickness_mm:g} mm"
    uneven = gaps[0] < usual_mm * (1 - EVEN_TOLERANCE)
    overlapping = thickness_mm is not None and gaps[0] < thickness_mm * OVERLAP_SHARE
    if uneven or overlapping:
        yield QualityFlag(
            Severity.REVIEW if uneven else Severity.INFO,
            "OVERLAPPING_SLICES",
            "Slices lie closer than the others, or than they are thick. Volumes use the "
            "positions; review them.",
            evidence,
        )
    beyond = thickness_mm is not None and usual_mm > thickness_mm * SPARSE_SHARE
    if beyond or usual_mm >= SPARSE_MM:
        why = (
            "more than twice their thickness apart: most of the heart between them was not seen"
            if beyond
            else f"at least {SPARSE_MM:g} mm apart: few of them cross the heart"
        )
        yield QualityFlag(
            Severity.REVIEW,
            "SPARSE_STACK",
            f"Slices lie {why}, and volumes are rough.",
            evidence,
        )
