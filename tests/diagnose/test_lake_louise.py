"""The 2018 Lake Louise criteria: what is met, what is not, what nobody can say."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import Fact
from opencmr.diagnose.lake_louise import (
    BOTH,
    LV_DYSFUNCTION,
    ONE,
    RESTS_ON,
    T1_BASED,
    T2_BASED,
    TABLE,
    judge_inflammation,
)
from opencmr.diagnose.tissue_values import NO_LIMIT, TissueValue
from opencmr.imaging.finding import Criterion, Outcome
from opencmr.measure.scar.extent import Pattern

MET, NOT, NEAR, NONE = Outcome.MET, Outcome.NOT_MET, Outcome.NEAR, Outcome.NOT_ASSESSABLE
LIMITS = {"T1": 1050.0, "T1_SEPTUM": 1050.0, "T2": 52.0, "ECV": 30.0}
NO_SCAR = TissueValue("SCAR_PERCENT", "s9", None, Fact(0.0), pattern=Pattern.NONE,
                      by_reader=True)  # fmt: skip


def value(symbol: str, number: float, segment: int | None = None, series: str = "s1"):
    return TissueValue(symbol, series, segment, Fact(number), LIMITS.get(symbol), NO_LIMIT)


def unlimited(symbol: str, number: float, why: Reason = NO_LIMIT) -> TissueValue:
    return TissueValue(symbol, "s1", None, Fact(number), None, why)


def scar(percent: float, pattern: Pattern | None, interval: tuple[float, float] | None = None):
    return TissueValue("SCAR_PERCENT", "s9", None, Fact(percent, interval=interval),
                       pattern=pattern, by_reader=True)  # fmt: skip


def judged(*tissue: TissueValue, lvef: float | None = None) -> dict[str, Criterion]:
    facts = {} if lvef is None else {"LVEF": Fact(lvef)}
    return {one.criterion: one for one in judge_inflammation(tissue, facts)}


def outcomes(*tissue: TissueValue) -> tuple[Outcome, ...]:
    found = judged(*tissue)
    return tuple(found[name].outcome for name in (T2_BASED, T1_BASED, BOTH, ONE))


def test_t2_and_t1_above_their_limits_are_strong_evidence_and_not_one_criterion_alone() -> None:
    assert outcomes(value("T2", 60), value("T1", 1200)) == (MET, MET, MET, NOT)


def test_a_healthy_heart_of_which_every_part_was_read_meets_nothing() -> None:
    healthy = (value("T2", 47), value("T1", 1000), value("ECV", 26), NO_SCAR)
    assert outcomes(*healthy) == (NOT, NOT, NOT, NOT)


def test_one_criterion_supports_it_and_both_are_not_met() -> None:
    rest = (value("T1", 1000), value("ECV", 26), NO_SCAR)
    assert outcomes(value("T2", 60), *rest) == (MET, NOT, NOT, MET)
    assert outcomes(value("T2", 47), value("T1", 1200)) == (NOT, MET, NOT, MET)


def test_a_part_that_is_missing_leaves_the_t1_criterion_open_and_is_named() -> None:
    found = judged(value("T2", 60), value("T1", 1000), NO_SCAR)
    row = found[T1_BASED]
    assert row.outcome is NONE
    assert row.reason is not None
    assert row.reason.sentence == (
        "not by native T1 and late enhancement; not known by ECV: ECV was not measured"
    )
    assert "1000.0 ms, cut-point > 1050" in row.evidence
    assert (found[BOTH].outcome, found[ONE].outcome) == (NONE, MET)
    assert found[BOTH].reason is not None
    assert "T1-based not assessable" in found[BOTH].reason.sentence


@pytest.mark.parametrize(
    "part", [value("T1", 1200), value("ECV", 40), scar(6, Pattern.MID_WALL),
             scar(6, Pattern.SUBEPICARDIAL), value("T1_SEPTUM", 1200)]
)  # fmt: skip
def test_each_part_meets_the_t1_criterion_alone(part: TissueValue) -> None:
    assert judged(value("T2", 47), part)[T1_BASED].outcome is MET


@pytest.mark.parametrize("pattern", [Pattern.SUBENDOCARDIAL, Pattern.TRANSMURAL, Pattern.NONE])
def test_enhancement_as_of_an_infarct_does_not(pattern: Pattern) -> None:
    rest = (value("T2", 47), value("T1", 1000), value("ECV", 26))
    assert judged(*rest, scar(20, pattern))[T1_BASED].outcome is NOT


def test_scar_that_methods_do_not_agree_on_or_of_a_few_pixels_is_near() -> None:
    rest = (value("T2", 47), value("T1", 1000), value("ECV", 26))
    for doubtful in (
        scar(0.4, Pattern.MID_WALL),
        scar(8, Pattern.MID_WALL, (4, 30)),
        scar(0, Pattern.NONE, (0, 30)),
    ):
        assert judged(*rest, doubtful)[T1_BASED].outcome is NEAR
    assert judged(*rest, scar(8, None))[T1_BASED].outcome is NONE


def test_segments_above_the_walls_limit_are_named_and_one_alone_is_near() -> None:
    for above, outcome, told in (((11,), NEAR, "11"), ((5, 11), MET, "5, 11"), ((), NOT, "none")):
        segments = (value("T2", 60 if n in above else 51.5, n) for n in range(1, 17))
        row = judged(value("T2", 49), *segments)[T2_BASED]
        assert row.outcome is outcome
        assert "T2 49.0 ms, cut-point > 52" in row.evidence
        assert f"of 16 segments above it: {told}" in row.evidence


def test_scar_outlined_by_a_network_neither_meets_the_criterion_nor_rules_it_out() -> None:
    rest = (value("T2", 47), value("T1", 1000), value("ECV", 26))
    for one in (scar(20, Pattern.SUBEPICARDIAL), NO_SCAR):
        row = judged(*rest, replace(one, by_reader=False))[T1_BASED]
        assert row.outcome is NONE
        assert row.reason is not None
        assert row.reason.code == "WEAK_MODEL"
        assert "not by native T1 and ECV" in row.reason.sentence
        assert "not judged: scar" in row.evidence


def test_near_the_limit_is_said_on_both_of_its_sides_and_by_an_interval() -> None:
    for near_ms in (51.2, 52.8):
        assert outcomes(value("T2", near_ms), value("T1", 1200)) == (NEAR, MET, NEAR, NEAR)
    wide = TissueValue("T2", "s1", None, Fact(56.0, interval=(50.0, 60.0)), 52.0)
    assert judged(wide)[T2_BASED].outcome is NEAR


def test_without_a_limit_nothing_is_compared_however_high_the_value() -> None:
    found = judged(unlimited("T2", 90), unlimited("T1", 1700))
    assert {found[n].outcome for n in (T2_BASED, T1_BASED, BOTH, ONE)} == {NONE}
    reason = found[T2_BASED].reason
    assert reason is not None
    assert reason.sentence == (
        "no limit of this scanner and sequence is known; give the site's own with --ranges"
    )


def test_why_a_range_does_not_fit_or_a_value_is_missing_is_passed_on() -> None:
    unknown = Reason("DEMOGRAPHICS_UNKNOWN", "sex or age is not given")
    row = judged(unlimited("T2", 60, unknown))[T2_BASED]
    assert row.reason == unknown
    lost = TissueValue("T2", "s1", None, Fact(None, Reason("MAP_UNIT", "no unit")), 52.0)
    row = judged(lost, value("T1", 1000))[T2_BASED]
    assert row.reason is not None
    assert row.reason.code == "MAP_UNIT"


def test_a_septum_below_its_limit_says_nothing_of_the_free_wall() -> None:
    row = judged(value("T1_SEPTUM", 1000), unlimited("T1", 1000), value("ECV", 26), NO_SCAR)
    assert row[T1_BASED].outcome is NONE


def test_maps_of_single_slices_count_together_and_say_which_had_no_value() -> None:
    lost = TissueValue("T2", "s3", None, Fact(None, Reason("THIN_WALL", "too few")), None)
    row = judged(value("T2", 47), value("T2", 60, series="s2"), lost)[T2_BASED]
    assert row.outcome is MET
    assert "T2 60.0 ms, cut-point > 52, in s2" in row.evidence
    assert "no value in s3" in row.evidence


@pytest.mark.parametrize("tissue", [(), (NO_SCAR,), (value("ECV", 60),)])
def test_where_neither_t1_nor_t2_was_mapped_the_question_is_not_asked(tissue) -> None:
    assert judge_inflammation(tissue, {"LVEF": Fact(30.0)}) == ()


def test_a_low_ejection_fraction_supports_and_changes_no_main_criterion() -> None:
    low, high = (judged(value("T2", 47), lvef=percent) for percent in (35.0, 60.0))
    name = LV_DYSFUNCTION.criterion
    assert (low[name].outcome, high[name].outcome) == (MET, NOT)
    assert judged(value("T2", 47))[name].outcome is NONE
    assert [low[n].outcome for n in (T2_BASED, BOTH)] == [high[n].outcome for n in (T2_BASED, BOTH)]


def test_every_row_names_its_table_source_and_what_it_rests_on() -> None:
    rows = judge_inflammation((value("T2", 47),), {})
    assert {one.table for one in rows} == {TABLE}
    assert all("2018; 72:3158" in one.source for one in rows)
    assert {one.criterion for one in rows} == set(RESTS_ON)


@given(st.floats(0, 200), st.floats(0, 3000), st.floats(0, 100), st.sampled_from(Pattern))
def test_strong_evidence_needs_both_and_never_stands_beside_one_alone(t2, t1, ecv, where) -> None:
    found = outcomes(value("T2", t2), value("T1", t1), value("ECV", ecv), scar(5, where))
    t2_based, t1_based, both, one = found
    assert (both is MET) == (t2_based is t1_based is MET)
    assert not (both is MET and one is MET)
    assert NONE not in found


def test_a_further_value_never_takes_a_met_criterion_back() -> None:
    parts = (value("T1", 1200), value("ECV", 26), NO_SCAR, value("T1", 1000, 3))
    for count in range(len(parts)):
        for others in itertools.combinations(parts[1:], count):
            assert judged(parts[0], *others)[T1_BASED].outcome is MET
