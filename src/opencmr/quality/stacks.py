"""What intake counted on a stack, judged once sorting has said what the stack shows."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from opencmr.anatomy.techniques import Technique
from opencmr.geometry.grid import Grid
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.study import Series, StackFacts, Study
from opencmr.intake.signal import saturation_flags
from opencmr.intake.stacks.in_time import PHASE_SHARE
from opencmr.intake.stacks.passes import EVEN_TOLERANCE
from opencmr.quality.limits import (
    LATE_DIASTOLE_SHARE,
    MISSING_SLICE_SHARE,
    OVERLAP_SHARE,
    SPARSE_MM,
    SPARSE_SHARE,
    STEP_REVIEW_SHARE,
    STEP_WITHHELD_SHARE,
    UNEVEN_SHARE,
)
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
    yield from _parts(facts, slices)
    yield from _left_out(facts, slices, phases)
    yield from _resampled(facts, slices, phases)
    yield from _timing(facts, phases)
    if series.sequence is not Technique.SCOUT:  # its slices lie where they were wanted
        yield from spacing_flags(series.image.grid, series.header.slice_thickness_mm)
    yield from saturation_flags(facts.share_at_maximum)
    yield from joined_flags(series)


def _parts(facts: StackFacts, slices: int) -> Iterator[QualityFlag]:
    if facts.parts_apart:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "SPLIT_STACK",
            "Another stack of this study may be a part of the same heart, but it is not certain "
            "that they belong together. They were not joined, and volumes, which would miss a "
            "part, are withheld.",
            "; ".join(facts.parts_apart),
            About(symbols=OF_WHOLE_STACKS),
        )
    if facts.joined_parts > 1:
        yield QualityFlag(
            Severity.INFO,
            "STACK_JOINED",
            "The stack was acquired in parts that continue one another; they were joined, each "
            "slice in its own plane.",
            f"{facts.joined_parts} parts, {slices} slices; they differ in "
            + (", ".join(facts.parts_differ) or "the distance between them"),
        )
    if facts.realigned_slices:
        yield QualityFlag(
            Severity.INFO,
            "SLICES_REALIGNED",
            "Slices with other pixels or another field of view were resampled in plane to the "
            "finest of the stack.",
            f"{facts.realigned_slices} of {slices} slices",
        )


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
    yield from _heartbeat(facts)
    if facts.declared_phases > phases > 1:
        yield QualityFlag(
            Severity.REVIEW,
            "MISSING_FRAMES",
            "Every slice lacks cardiac phases that the header declares. Transfer the study again.",
            f"{phases} of {facts.declared_phases} phases",
        )


def _heartbeat(facts: StackFacts) -> Iterator[QualityFlag]:
    if facts.largest_step > STEP_REVIEW_SHARE:
        lost = facts.largest_step > STEP_WITHHELD_SHARE
        yield QualityFlag(
            Severity.DO_NOT_REPORT if lost else Severity.REVIEW,
            "MISSING_FRAMES",
            "Cardiac phases are missing: the trigger times leave a gap in which end-systole or "
            "end-diastole may lie. Transfer the study again.",
            f"a step of {facts.largest_step:.1f} usual steps",
        )
    if facts.uncovered_end > LATE_DIASTOLE_SHARE:
        yield QualityFlag(
            Severity.INFO,
            "LATE_DIASTOLE_MISSING",
            "The end of the heartbeat was not acquired, as prospective gating does: rates of late "
            "filling cannot be seen, and end-diastole is the first phase at best.",
            f"the last {facts.uncovered_end:.0%} of the R-R",
        )
    if facts.doubted_heartbeats:
        yield QualityFlag(
            Severity.REVIEW,
            "HEARTBEAT_DOUBTED",
            "The R-R that the header states would leave more than half of the heartbeat without "
            "a picture, and nothing says prospective gating. It was not used: heart rate and "
            "cardiac output need --heart-rate.",
            f"{facts.doubted_heartbeats} of {facts.cine_slices} slices",
        )
    if facts.ungated:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "ASYNC",
            "The slices were acquired without an R wave and begin at different moments of the "
            "heartbeat; their pictures do not tell how they belong together, so volumes are "
            "withheld. Use a gated cine.",
            f"{facts.cine_slices} slices without an R-R",
            About(symbols=OF_WHOLE_STACKS),
        )
    if facts.gated_slices:
        yield QualityFlag(
            Severity.REVIEW,
            "GATED_FROM_IMAGES",
            "The slices were acquired without an R wave. They were put in time, and cut to one "
            "heartbeat, by what moves in them. Review the movie.",
            f"{facts.gated_slices} slices",
        )
    if facts.retimed_slices:
        yield QualityFlag(
            Severity.INFO,
            "COMBINED_BY_TIME",
            "Slices were acquired at other heart rates, or from another moment of the heartbeat "
            "on. Each phase is made of the pictures nearest in time, as a share of their own R-R.",
            f"{facts.retimed_slices} of {facts.cine_slices} slices",
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
    if gaps[-1] >= usual_mm * MISSING_SLICE_SHARE:
        yield QualityFlag(
            Severity.DO_NOT_REPORT,
            "MISSING_SLICE",
            "The stack has a gap where a slice is missing, so its volumes are withheld. "
            "Transfer the study again or add the slice.",
            evidence,
            About(symbols=OF_WHOLE_STACKS),
        )
    elif gaps[-1] > usual_mm * UNEVEN_SHARE:
        yield QualityFlag(
            Severity.INFO,
            "UNEVEN_SLICES",
            "A gap between slices is wider than the others, but too narrow for a slice to be "
            "missing. Volumes use the positions.",
            evidence,
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
