"""What intake counted becomes flags after sorting: each fault its own, a sound stack none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opencmr.anatomy.techniques import Technique
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import untimed_image
from opencmr.imaging.study import Series, SeriesHeader, StackFacts, Study
from opencmr.quality.scope import OF_THE_PATIENT, OF_WHOLE_STACKS
from opencmr.quality.stacks import judge_stacks
from opencmr.sort.sorting import choose_sax_cine, sort_study

SOUND = StackFacts(pictures=100, cine_slices=4)
INFO, REVIEW, DO_NOT_REPORT = Severity.INFO, Severity.REVIEW, Severity.DO_NOT_REPORT


def grid_at(*positions_mm: float) -> Grid:
    """Slices of 4 x 4 pixels at positions along the axis of the body."""
    affines = np.tile(np.eye(4), (len(positions_mm), 1, 1))
    affines[:, 2, 3] = positions_mm
    return Grid((len(positions_mm), 4, 4), affines)


def even(spacing_mm: float) -> Grid:
    return grid_from_spacing((6, 9, 9), (spacing_mm, 1.0, 1.0))


def stack(
    facts: StackFacts | None = SOUND,
    grid: Grid | None = None,
    *,
    thickness_mm: float | None = 8.0,
    technique: Technique = Technique.CINE,
) -> Series:
    """A sorted stack of 25 phases, four slices every 10 mm unless said."""
    grid = grid or grid_at(0, 10, 20, 30)
    image = untimed_image(np.zeros((25, *grid.shape), np.float32), grid)
    header = SeriesHeader(modality="MR", slice_thickness_mm=thickness_mm)
    return Series("s01", image, header=header, sequence=technique, facts=facts)


def judged(series: Series) -> tuple[QualityFlag, ...]:
    return judge_stacks(Study("k", (series,))).series[0].flags


def spaced(grid: Grid, thickness_mm: float | None = 8.0) -> list[tuple[str, Severity]]:
    return [(f.code, f.severity) for f in judged(stack(grid=grid, thickness_mm=thickness_mm))]


def test_a_sound_stack_is_not_flagged():
    assert judged(stack()) == ()


@pytest.mark.parametrize(
    ("found", "code", "severity", "evidence"),
    [
        ({"silent_pictures": 7}, "NO_SIGNAL", REVIEW, "7 of 100 pictures"),
        (
            {"repeated_slices": 2},
            "REPEATED_SLICE",
            INFO,
            "2 repeated acquisitions of 4 slices",
        ),
        (
            {"repeated_slices": 3},
            "REPEATED_SLICE",
            REVIEW,
            "3 repeated acquisitions of 4 slices",
        ),
        (
            {"short_slices": 1},
            "MISSING_FRAMES",
            DO_NOT_REPORT,
            "1 of 5 slices have fewer than 80% of 25 phases",
        ),
        (
            {"other_phases": (24, 22, 24)},
            "MISSING_FRAMES",
            REVIEW,
            "3 of 4 slices have 22, 24 phases, the others 25",
        ),
        (
            {"other_phases": (20,), "other_phases_stated": True},
            "MISSING_FRAMES",
            INFO,
            "1 of 4 slices have 20 phases, the others 25",
        ),
        ({"untimed_slices": 3}, "NO_TIMING", REVIEW, "3 of 4 slices"),
        ({"slices_in_seconds": 4}, "TIMING_REPAIRED", INFO, "4 of 4 slices"),
        ({"declared_phases": 30}, "MISSING_FRAMES", REVIEW, "25 of 30 phases"),
        ({"share_at_maximum": 0.2}, "SATURATED", REVIEW, "20% of the pixels"),
        (
            {"joined_parts": 2, "parts_differ": ("matrix", "series")},
            "STACK_JOINED",
            INFO,
            "2 parts, 4 slices; they differ in matrix, series",
        ),
        ({"realigned_slices": 2}, "SLICES_REALIGNED", INFO, "2 of 4 slices"),
        ({"largest_step": 2.0}, "MISSING_FRAMES", REVIEW, "a step of 2.0 usual steps"),
        ({"largest_step": 3.0}, "MISSING_FRAMES", DO_NOT_REPORT, "a step of 3.0 usual steps"),
        ({"uncovered_end": 0.3}, "LATE_DIASTOLE_MISSING", INFO, "the last 30% of the R-R"),
        ({"doubted_heartbeats": 4}, "HEARTBEAT_DOUBTED", REVIEW, "4 of 4 slices"),
        ({"gated_slices": 4}, "GATED_FROM_IMAGES", REVIEW, "4 slices"),
        ({"retimed_slices": 3}, "COMBINED_BY_TIME", INFO, "3 of 4 slices"),
    ],
)
def test_each_fact_has_its_flag(found, code, severity, evidence):
    (flag,) = judged(stack(replace(SOUND, **found)))
    assert (flag.code, flag.severity, flag.evidence) == (code, severity, evidence)
    assert (flag.about.series, flag.about.symbols) == ("s01", frozenset())


@pytest.mark.parametrize(
    "sound", [{"largest_step": 1.4}, {"uncovered_end": 0.2}, {"declared_phases": 25}]
)
def test_ordinary_gating_is_not_flagged(sound):
    assert judged(stack(replace(SOUND, **sound))) == ()


@pytest.mark.parametrize(
    ("found", "code", "evidence"),
    [
        ({"parts_apart": ("they are tilted",)}, "SPLIT_STACK", "they are tilted"),
        ({"ungated": True}, "ASYNC", "4 slices without an R-R"),
    ],
)
def test_a_spoilt_whole_withholds_whole_stacks_and_no_more(found, code, evidence):
    (flag,) = judged(stack(replace(SOUND, **found)))
    assert (flag.code, flag.severity, flag.evidence) == (code, DO_NOT_REPORT, evidence)
    assert flag.about.symbols == OF_WHOLE_STACKS


def test_repeats_are_counted_against_the_slices_before_short_ones_went():
    repeats, short = judged(stack(replace(SOUND, repeated_slices=3, short_slices=2)))
    assert (repeats.severity, repeats.evidence) == (INFO, "3 repeated acquisitions of 6 slices")
    assert short.evidence.startswith("2 of 6 slices")


def test_a_header_that_declares_fewer_phases_than_are_there_is_no_fault():
    assert judged(stack(replace(SOUND, declared_phases=20))) == ()


def test_flags_stand_in_the_order_in_which_the_stack_was_made():
    everything = StackFacts(100, 1, 1, 1, (24,), False, 4, 1, 1, 30, 0.2)
    flags = judged(stack(everything, grid_at(0, 20, 40, 54, 100)))
    assert [flag.code for flag in flags] == [
        "NO_SIGNAL",
        "REPEATED_SLICE",
        "MISSING_FRAMES",
        "MISSING_FRAMES",
        "NO_TIMING",
        "TIMING_REPAIRED",
        "MISSING_FRAMES",
        "MISSING_SLICE",
        "OVERLAPPING_SLICES",
        "SPARSE_STACK",
        "SATURATED",
    ]


def test_judging_again_changes_nothing_and_adds_to_what_stands():
    stands = QualityFlag(INFO, "UNITS_UNKNOWN", "Taken as millimetres.")
    once = judge_stacks(
        Study("k", (replace(stack(replace(SOUND, short_slices=1)), flags=(stands,)),))
    )
    assert [flag.code for flag in once.series[0].flags] == ["UNITS_UNKNOWN", "MISSING_FRAMES"]
    assert judge_stacks(once).series[0].flags == once.series[0].flags


def test_a_file_without_facts_keeps_the_flags_of_its_reader_and_gets_no_other():
    assert judged(stack(None, grid_at(0, 10, 20, 40))) == ()


def test_a_missing_slice_is_found_by_position_and_concerns_all_but_wall_and_patient():
    (flag,) = judged(stack(grid=grid_at(0, 10, 20, 40, 50)))
    assert (flag.code, flag.severity) == ("MISSING_SLICE", DO_NOT_REPORT)
    assert "20.0" in flag.evidence
    assert flag.about.symbols == OF_WHOLE_STACKS
    assert {"LVEDV", "LVEF", "LVM", "RVSV", "LVEDVi", "LVV", "LVPER"} <= OF_WHOLE_STACKS
    assert not OF_WHOLE_STACKS & ({"WT", "WT_MEAN", "WT_MAX", "WTH", "WTH_MEAN"} | OF_THE_PATIENT)


def test_three_slices_with_one_wide_gap_miss_a_slice():
    assert spaced(grid_at(0, 10, 30))[0][0] == "MISSING_SLICE"


def test_a_gap_within_a_tenth_of_the_others_is_no_missing_slice():
    assert spaced(grid_at(0, 10, 20.9, 30)) == []


@pytest.mark.parametrize(
    ("gap_mm", "found"),
    [
        (11.0, []),
        (11.6, [("UNEVEN_SLICES", INFO)]),
        (14.9, [("UNEVEN_SLICES", INFO)]),
        (15.0, [("MISSING_SLICE", DO_NOT_REPORT)]),
    ],
)
def test_a_gap_holds_a_missing_slice_from_one_and_a_half_distances_on(gap_mm, found):
    assert spaced(grid_at(0, 10, 20, 20 + gap_mm, 30 + gap_mm)) == found


def test_slices_that_overlap_unevenly_are_flagged():
    assert spaced(grid_at(0, 10, 14, 24, 34)) == [("OVERLAPPING_SLICES", REVIEW)]


def test_even_overlap_is_worth_knowing_only():
    assert spaced(even(4.0)) == [("OVERLAPPING_SLICES", INFO)]


@pytest.mark.parametrize(
    ("spacing_mm", "thickness_mm", "sparse"),
    [
        (10.0, 8.0, False),
        (10.0, 6.0, False),
        (12.1, 6.0, True),
        (17.7, 6.0, True),
        (15.0, 12.0, True),
        (10.0, None, False),
        (15.0, None, True),
    ],
)
def test_slices_far_apart_are_a_sparse_stack(spacing_mm, thickness_mm, sparse):
    assert (("SPARSE_STACK", REVIEW) in spaced(even(spacing_mm), thickness_mm)) is sparse


def test_a_sparse_stack_is_told_what_is_true_of_it():
    (thin,) = judged(stack(grid=even(13.0), thickness_mm=6.0))
    assert "more than twice their thickness" in thin.message
    (wide,) = judged(stack(grid=even(16.0), thickness_mm=12.0))
    assert "at least 15 mm" in wide.message
    assert "most of the heart" not in wide.message


def test_the_slices_of_a_scout_may_lie_anywhere():
    facts = replace(SOUND, untimed_slices=1)
    scout = stack(facts, grid_at(0, 4, 50, 120), technique=Technique.SCOUT)
    assert [flag.code for flag in judged(scout)] == ["NO_TIMING"]


@pytest.mark.real_data
def test_the_sparse_stack_of_a_real_study_is_flagged_as_such(data_folder: Path):
    from opencmr.intake.studies import read_studies

    path = data_folder / "siemens_multiview" / "patient1.zip"
    (study,) = read_studies(path)
    sax = choose_sax_cine(judge_stacks(sort_study(study))).series
    assert sax is not None
    assert [f.code for f in sax.flags] == ["SPARSE_STACK"]
