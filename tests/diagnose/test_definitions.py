"""Distances to definitions, at hearts that meet or miss them by construction."""

import numpy as np
import pytest

from opencmr.diagnose.classifier import unlike_p
from opencmr.diagnose.definitions import shortfalls
from opencmr.diagnose.features import Source, defining
from opencmr.diagnose.rule_table import RULES

GROUPS = ("NOR", "MINF", "DCM", "HCM", "RV")
NORMAL = {
    "LVEF": 62.0,
    "RVEF": 58.0,
    "WT_MAX": 9.0,
    "LVEDVi": 70.0,
    "RVEDVi": 75.0,
    "wth_poor": 0.0,
}
TEXTBOOK = {
    "NOR": {},
    "MINF": {"LVEF": 32.0, "wth_poor": 50.0},
    "DCM": {"LVEF": 25.0, "LVEDVi": 140.0, "wth_poor": 20.0},
    "HCM": {"LVEF": 70.0, "WT_MAX": 20.0},
    "RV": {"RVEDVi": 140.0},
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_textbook_heart_meets_the_definition_of_its_group_alone(group) -> None:
    found = dict(zip(GROUPS, shortfalls(NORMAL | TEXTBOOK[group], GROUPS), strict=True))
    assert {name for name, missed in found.items() if missed <= 0} == {group}


@pytest.mark.parametrize(
    "heart",
    [
        {"LVEF": 45.0, "WT_MAX": 18.0},  # thick and weak: amyloid, or a hypertensive heart
        {"LVEF": 46.0, "LVEDVi": 115.0, "WT_MAX": 10.0},  # dilated, barely reduced
        {"RVEF": 43.0, "RVEDVi": 96.0, "WT_MAX": 13.0},
    ],
)
def test_a_heart_between_the_definitions_meets_none(heart) -> None:
    assert shortfalls(NORMAL | heart, GROUPS).min() > 0


def test_a_shortfall_counts_margins_of_the_condition_that_is_missed_by_most() -> None:
    heart = NORMAL | {"LVEF": 52.0, "WT_MAX": 12.0}
    hcm = shortfalls(heart, ("HCM",))[0]
    assert hcm == pytest.approx(3.0)  # wall: 3 mm short at 1 mm each; LVEF 3 points at 2 each
    assert shortfalls(heart | {"WT_MAX": 15.0}, ("HCM",))[0] == pytest.approx(1.5)


def test_of_two_ways_to_be_defined_the_nearer_counts() -> None:
    by_volume = NORMAL | {"RVEDVi": 130.0}
    by_ejection = NORMAL | {"RVEF": 30.0}
    assert shortfalls(by_volume, ("RV",))[0] < 0
    assert shortfalls(by_ejection, ("RV",))[0] < 0


def test_what_is_not_known_is_left_out() -> None:
    assert shortfalls({"LVEF": 25.0, "WT_MAX": 9.0}, ("DCM",))[0] < 0  # whatever its size
    assert shortfalls({}, GROUPS) == pytest.approx(np.zeros(5))
    assert shortfalls(NORMAL, ("a group without a definition",)) == pytest.approx([0.0])


def test_what_defines_the_groups_is_what_the_table_says() -> None:
    assert (
        set(defining(frozenset(Source)))
        == set(NORMAL)
        == {condition.symbol for rule in RULES if rule.group for condition in rule.conditions}
    )
    assert set(defining(frozenset({Source.NUMBERS}))) == {"LVEF", "RVEF", "WT_MAX"}
    assert {rule.group for rule in RULES if rule.group} == set(GROUPS)


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.9])
def test_one_in_twenty_of_hearts_that_are_alike_is_unlike(correlation) -> None:
    """Exchangeable by construction, whatever distance and shortfall have to do with each other."""
    generator = np.random.default_rng(0)
    spread = [[1.0, correlation], [correlation, 1.0]]
    draws = generator.multivariate_normal([0, 0], spread, (2000, 60))
    p = np.array([unlike_p(*draw.T) for draw in draws])
    assert 0.03 < (p <= 0.05).mean() < 0.06


def test_far_in_both_is_more_unlike_than_far_in_one() -> None:
    usual = np.linspace(0, 1, 59)
    both = unlike_p(np.append(usual, 0.95), np.append(usual[::-1], 0.95))
    one = unlike_p(np.append(usual, 0.95), np.append(usual[::-1], 0.5))
    assert both < one
