"""Normal ranges: applied where sex, age and policy fit, and nowhere else."""

from dataclasses import replace

import pytest

from opencmr.anatomy.policy import BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.ranges import NORMAL_RANGES
from opencmr.anatomy.reasons import REASON_CODES
from opencmr.imaging.measurement import Measurement, ReferenceVerdict
from opencmr.imaging.study import Demographics
from opencmr.measure import QUANTITIES, measure_all
from opencmr.measure.ejection import LVEF
from opencmr.measure.reference import verdict
from opencmr.measure.volumes import LVEDV

IN_CAVITY = ContourPolicy(PapillaryRule.IN_CAVITY, BasalRule.AS_SEGMENTED)
MAN, WOMAN = Demographics("M", 60.0), Demographics("F", 60.0)


def lvef(percent: float) -> Measurement:
    return Measurement(LVEF, percent, policy=IN_CAVITY)


@pytest.mark.parametrize(
    ("percent", "who", "side", "z"),
    [
        (58.0, MAN, "within", 0.0),
        (48.0, MAN, "below", -2.0),
        (68.0, MAN, "above", 2.0),
        (68.0, WOMAN, "within", 1.4),
        (51.0, WOMAN, "below", -2.0),
    ],
)
def test_a_value_lies_within_below_or_above(percent, who, side, z) -> None:
    found = verdict(lvef(percent), who)
    assert isinstance(found, ReferenceVerdict)
    assert found.verdict == side
    assert found.z_score == pytest.approx(z)
    assert "19:18" in found.citation
    assert "1.96" in found.population


@pytest.mark.parametrize(
    "who",
    [Demographics(), Demographics("M"), Demographics(None, 60.0), Demographics("O", 60.0)],
)
def test_without_sex_or_age_no_range_is_applied_and_it_is_said(who) -> None:
    assert str(verdict(lvef(60.0), who)).startswith("DEMOGRAPHICS_UNKNOWN")


@pytest.mark.parametrize(("age", "applies"), [(44.9, False), (45, True), (74.9, True), (75, False)])
def test_a_range_holds_for_its_ages_alone(age, applies) -> None:
    found = verdict(lvef(60.0), Demographics("M", age))
    assert isinstance(found, ReferenceVerdict) == applies
    assert applies or str(found).startswith("AGE_OUTSIDE_RANGE")


@pytest.mark.parametrize(
    "policy", [None, ContourPolicy(PapillaryRule.IN_MASS, BasalRule.AS_SEGMENTED)]
)
def test_no_range_is_applied_across_contour_policies(policy) -> None:
    assert str(verdict(replace(lvef(60.0), policy=policy), MAN)).startswith("POLICY_MISMATCH")


def test_a_quantity_without_a_range_says_so() -> None:
    found = verdict(Measurement(LVEDV, 150.0, policy=IN_CAVITY), MAN)
    assert str(found).startswith("NO_RANGE")


def test_every_range_is_of_a_quantity_and_has_its_source() -> None:
    symbols = {quantity.symbol for quantity in QUANTITIES}
    for one in NORMAL_RANGES:
        assert one.symbol in symbols
        assert one.low < one.mean < one.high
        assert one.age_low < one.age_high
        assert "abstract" in one.citation or "table" in one.citation


def test_measuring_puts_the_verdict_beside_the_value_or_says_why_not(tube_ventricles) -> None:
    for _, measurement in measure_all(tube_ventricles).points():
        assert (measurement.reference is None) == (measurement.reference_reason is not None)
        if measurement.reference is None:
            assert measurement.reference_reason.code in REASON_CODES
        if measurement.value is None:
            assert measurement.reason.code in REASON_CODES
    ranged = {m.quantity.symbol for _, m in measure_all(tube_ventricles).points() if m.reference}
    assert ranged == {"LVEF", "LVMi"}
