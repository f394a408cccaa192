"""Then, now and the difference: known numbers, and pairs that must not be subtracted."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.anatomy.policy import ACDC_POLICY, BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.repeatability import MODEL, Repeatability
from opencmr.anatomy.structures import Structure
from opencmr.imaging.change import EarlierResult, EarlierValue, Verdict
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.measure import change
from opencmr.measure.registry import EVERY_QUANTITY

LVEDV = next(one for one in EVERY_QUANTITY if one.symbol == "LVEDV")
ED_PHASE = next(one for one in EVERY_QUANTITY if one.symbol == "LVED_PHASE")
LVSVI = next(one for one in EVERY_QUANTITY if one.symbol == "LVSVi")
TEN = {"LVEDV": Repeatability(10.0, 5.0)}
VOLUMES = st.floats(1, 600)
OTHER = ContourPolicy(PapillaryRule.IN_MASS, BasalRule.AS_SEGMENTED)


@pytest.fixture(autouse=True)
def known_limits():
    with patch.object(change, "REPEATABILITY", TEN):
        yield


def now(value: float | None, interval=None, quantity=LVEDV, reason=None) -> Measurement:
    return Measurement(
        quantity,
        value,
        reason,
        structure=Structure.LV,
        series="s01",
        policy=ACDC_POLICY,
        interval=interval,
    )


def then(value: float | None, interval=None, unit="mL", author=MODEL) -> EarlierValue:
    return EarlierValue(value, unit, interval, ACDC_POLICY.text, author)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (100.0, 110.0, Verdict.WITHIN),
        (100.0, 89.9, Verdict.BEYOND),
        (300.0, 314.0, Verdict.WITHIN),
        (300.0, 316.0, Verdict.BEYOND),
    ],
)
def test_a_change_is_beyond_where_it_exceeds_the_limit_of_the_pair(before, after, verdict) -> None:
    found = change.change_of(then(before), now(after), MODEL)
    assert found.change == pytest.approx(after - before)
    assert (found.verdict, found.reason) == (verdict, None)


def test_the_interval_of_a_change_spans_every_pair_of_readings() -> None:
    found = change.change_of(then(100.0, (98.0, 104.0)), now(130.0, (120.0, 131.0)), MODEL)
    assert found.interval == (16.0, 33.0)
    assert found.verdict is Verdict.BEYOND


@pytest.mark.parametrize("sign", [1, -1])
def test_a_change_that_another_reading_of_the_base_takes_back_is_undecided(sign: int) -> None:
    wide = (100.0, 125.0) if sign > 0 else (75.0, 100.0)
    found = change.change_of(then(100.0, (100.0, 100.0)), now(100.0 + 20 * sign, wide), MODEL)
    assert found.verdict is Verdict.UNDECIDED


@given(VOLUMES, VOLUMES)
def test_then_and_now_exchanged_change_the_sign_alone(one: float, other: float) -> None:
    forth = change.change_of(then(one), now(other), MODEL)
    back = change.change_of(then(other), now(one), MODEL)
    assert forth.change == -back.change
    assert (forth.limit, forth.verdict) == (back.limit, back.verdict)


@pytest.mark.parametrize(
    ("before", "author", "code"),
    [
        (replace(then(100.0), policy=OTHER.text), MODEL, "OTHER_POLICY"),
        (replace(then(100.0), policy=""), MODEL, "OTHER_POLICY"),
        (then(100.0, author="cine_sax 0.0.9"), MODEL, "OTHER_AUTHOR"),
        (then(100.0), "Reader 1", "OTHER_AUTHOR"),
        (then(100.0, author=""), "", "OTHER_AUTHOR"),
    ],
)
def test_values_made_otherwise_stand_side_by_side_without_a_change(before, author, code) -> None:
    found = change.change_of(before, now(120.0), author)
    assert (found.then, found.now) == (100.0, 120.0)
    assert (found.change, found.interval, found.verdict) == (None, None, None)
    assert found.reason.code == code


@pytest.mark.parametrize("before", [None, then(None), then(0.1, unit="L")])
def test_a_value_without_a_fellow_has_no_change(before) -> None:
    found = change.change_of(before, now(120.0), MODEL)
    assert (found.then, found.change, found.reason.code) == (None, None, "NO_EARLIER_VALUE")


def test_a_value_that_is_withheld_now_says_why() -> None:
    why = Reason("NOT_ASSESSABLE", "the base is cut off")
    found = change.change_of(then(100.0), now(None, reason=why), MODEL)
    assert (found.then, found.now, found.change, found.reason) == (100.0, None, None, why)


def test_a_change_without_a_known_limit_has_no_verdict() -> None:
    indexed = change.change_of(then(40.0, unit="mL/m2"), now(50.0, quantity=LVSVI), MODEL)
    read = change.change_of(then(100.0, author="Reader 1"), now(150.0), "Reader 1")
    assert (indexed.change, read.change) == (10.0, 50.0)
    assert {one.reason.code for one in (indexed, read)} == {"NO_REPEATABILITY"}
    assert (indexed.limit, read.limit) == (None, None)


def test_only_whole_heart_values_of_structures_are_compared() -> None:
    segment = replace(now(9.0), segment=3)
    of_the_body = replace(now(1.8), structure=None)
    phase = now(3.0, quantity=ED_PHASE)
    found = Measurements((segment, of_the_body, phase, now(120.0)))
    earlier = EarlierResult("k", {"LVEDV": then(100.0)})
    (only,) = change.changes_since(earlier, found, {"s01": MODEL})
    assert (only.quantity, only.change, only.verdict) == (LVEDV, 20.0, Verdict.BEYOND)
