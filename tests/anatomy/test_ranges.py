"""The table of normal ranges holds what its sources say, once each."""

import pytest

from opencmr.anatomy.policy import PapillaryRule
from opencmr.anatomy.ranges import NORMAL_RANGES


@pytest.mark.parametrize(
    ("symbol", "sex", "mean", "sd"),
    [("LVEF", "M", 58, 5), ("LVEF", "F", 61, 5), ("LVMi", "M", 53, 9), ("LVMi", "F", 42, 7)],
)
def test_the_uk_biobank_ranges_are_those_of_the_abstract(symbol, sex, mean, sd) -> None:
    (found,) = [r for r in NORMAL_RANGES if (r.symbol, r.sex) == (symbol, sex)]
    assert (found.mean, found.sd) == (mean, sd)
    assert (found.age_low, found.age_high, found.field_strength_t) == (45, 74, 1.5)
    assert found.papillary is PapillaryRule.IN_CAVITY
    assert found.low == pytest.approx(mean - 1.96 * sd)
    assert found.high == pytest.approx(mean + 1.96 * sd)


def test_no_two_ranges_hold_for_the_same_person() -> None:
    keys = [(r.symbol, r.sex, r.papillary, r.age_low) for r in NORMAL_RANGES]
    assert len(set(keys)) == len(keys)
