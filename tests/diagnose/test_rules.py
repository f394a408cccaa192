"""The table of rules, and what becomes of each criterion."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.anatomy.policy import PapillaryRule
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import Fact
from opencmr.diagnose.rule_table import RULES, Comparison, Condition, Rule, Strength
from opencmr.diagnose.rules import Judgement, holds, judge
from opencmr.imaging.finding import Outcome

HCM = "ACDC's definition of hypertrophic cardiomyopathy (HCM)"
DCM = "ACDC's definition of dilated cardiomyopathy (DCM)"
RV = "ACDC's definition of an abnormal right ventricle (RV), by volume"
REDUCED, MILD, PRESERVED = (
    "LVEF reduced (at most 40 %)",
    "LVEF mildly reduced (41 to 49 %)",
    "LVEF preserved (at least 50 %)",
)
DILATED = "LV dilated for sex and age"


def of(values: dict[str, float], **known: object) -> dict[str, Judgement]:
    facts = {symbol: Fact(value) for symbol, value in values.items()}
    return {one.rule.criterion: one for one in judge(facts, **known)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("percent", "outcomes"),
    [
        (30.0, (Outcome.MET, Outcome.NOT_MET, Outcome.NOT_MET)),
        (39.0, (Outcome.NEAR, Outcome.NEAR, Outcome.NOT_MET)),
        (42.5, (Outcome.NOT_MET, Outcome.MET, Outcome.NOT_MET)),
        (50.0, (Outcome.NOT_MET, Outcome.NEAR, Outcome.NEAR)),
        (60.0, (Outcome.NOT_MET, Outcome.NOT_MET, Outcome.MET)),
    ],
)
def test_an_ejection_fraction_falls_into_one_class_or_near_a_border(percent, outcomes) -> None:
    found = of({"LVEF": percent})
    assert tuple(found[name].outcome for name in (REDUCED, MILD, PRESERVED)) == outcomes


@given(st.floats(0, 100))
def test_far_from_the_borders_exactly_one_class_of_ejection_fraction_is_met(percent) -> None:
    found = of({"LVEF": percent})
    outcomes = [found[name].outcome for name in (REDUCED, MILD, PRESERVED)]
    if Outcome.NEAR not in outcomes:
        assert outcomes.count(Outcome.MET) == 1


def test_an_interval_across_the_cut_point_is_near_it_however_far_the_value_lies() -> None:
    wide = judge({"LVEF": Fact(47.0, interval=(38.0, 48.0))})
    assert next(j for j in wide if j.rule.criterion == REDUCED).outcome is Outcome.NEAR
    narrow = judge({"LVEF": Fact(47.0, interval=(45.0, 48.0))})
    assert next(j for j in narrow if j.rule.criterion == REDUCED).outcome is Outcome.NOT_MET


def test_a_definition_needs_all_its_conditions_and_fails_by_one_though_others_are_missing() -> None:
    whole = {"LVEF": 25.0, "LVEDVi": 150.0, "WT_MAX": 9.0}
    assert of(whole)[DCM].outcome is Outcome.MET
    assert of(whole | {"WT_MAX": 14.0})[DCM].outcome is Outcome.NOT_MET
    assert of(whole | {"WT_MAX": 12.4})[DCM].outcome is Outcome.NEAR
    assert of({"LVEF": 25.0, "WT_MAX": 9.0})[DCM].outcome is Outcome.NOT_ASSESSABLE
    assert of({"LVEF": 60.0})[DCM].outcome is Outcome.NOT_MET
    assert of({"LVEF": 70.0, "WT_MAX": 20.0})[HCM].outcome is Outcome.MET


def test_without_sex_a_rule_that_depends_on_it_is_assessed_only_where_both_cut_points_agree() -> (
    None
):
    assert of({"RVEDVi": 105.0 + 14}, sex=None)[RV].outcome is Outcome.MET
    assert of({"RVEDVi": 80.0}, sex=None)[RV].outcome is Outcome.NOT_MET
    between = of({"RVEDVi": 109.0})[RV]
    assert between.outcome is Outcome.NOT_ASSESSABLE
    assert between.reason is not None
    assert between.reason.code == "DEMOGRAPHICS_UNKNOWN"
    assert of({"RVEDVi": 109.0}, sex="F")[RV].outcome is Outcome.MET
    assert of({"RVEDVi": 101.0}, sex="M")[RV].outcome is Outcome.NOT_MET


def test_a_limit_by_age_takes_the_band_of_completed_years() -> None:
    found = of({"LVEDVi": 130.0}, sex="F", age_years=39.9)[DILATED]
    assert (found.rule.ages, found.outcome) == ((30, 39), Outcome.MET)
    child = of({"LVEDVi": 130.0}, sex="F", age_years=9.0)[DILATED]
    assert child.outcome is Outcome.NOT_ASSESSABLE
    assert child.reason is not None
    assert child.reason.code == "AGE_OUTSIDE_RANGE"
    # Of both sexes and every age the highest limit is 119: far above it, all agree.
    assert of({"LVEDVi": 140.0})[DILATED].outcome is Outcome.MET
    assert of({"LVEDVi": 105.0})[DILATED].outcome is Outcome.NOT_ASSESSABLE


def test_a_cut_point_holds_only_under_the_contour_policy_it_was_made_with() -> None:
    facts = {"LVEDVi": Fact(150.0, papillary=PapillaryRule.IN_MASS)}
    found = next(j for j in judge(facts, sex="M") if j.rule.criterion == DILATED)
    assert found.reason is not None
    assert found.reason.code == "POLICY_MISMATCH"


def test_a_withheld_value_gives_its_own_reason() -> None:
    facts = {"LVEF": Fact(None, Reason("EF_IMPLAUSIBLE"))}
    assert {j.reason.code for j in judge(facts)[:3] if j.reason} == {"EF_IMPLAUSIBLE"}


def test_with_nothing_measured_nothing_is_assessable() -> None:
    assert {one.outcome for one in judge({})} == {Outcome.NOT_ASSESSABLE}


@given(value=st.floats(-1e3, 1e3), cut=st.floats(-1e3, 1e3))
def test_two_opposite_comparisons_divide_the_numbers(value, cut) -> None:
    for one, other in (
        (Comparison.BELOW, Comparison.AT_LEAST),
        (Comparison.AT_MOST, Comparison.ABOVE),
    ):
        below, above = (Condition("X", side, cut, "mm", 0) for side in (one, other))
        assert holds(below, value) != holds(above, value)


def test_every_row_names_its_source_and_rows_of_one_criterion_are_of_groups_apart() -> None:
    assert all(rule.source and rule.population for rule in RULES)
    for rule in RULES:
        twins = [other for other in RULES if other.criterion == rule.criterion]
        groups = {(other.sex, other.ages) for other in twins}
        assert len(groups) == len(twins)
        assert len(twins) == 1 or all(other.sex for other in twins)


def test_a_rule_that_names_no_source_or_an_impossible_group_cannot_be_made() -> None:
    rule = Rule("X", (Condition("LVEF", Comparison.BELOW, 40, "%", 2),), "S", Strength.PROPOSAL)
    for wrong in ({"source": ""}, {"conditions": ()}, {"sex": "X"}, {"ages": (60, 20)}):
        with pytest.raises(ValueError, match=r"rule|population"):
            replace(rule, **wrong)  # type: ignore[arg-type]
