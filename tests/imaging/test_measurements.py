"""Measurements as a collection, and a curve as one measurement."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.measurement import Curve, Measurement
from opencmr.imaging.measurements import Measurements

WITHHELD = Reason("SPARSE_STACK", "withheld")


def quantity(symbol: str) -> Quantity:
    return Quantity(symbol, symbol, "mL", 0, Code(symbol, "99OPENCMR", symbol), f"{symbol}.")


LVEF = Measurement(quantity("LVEF"), 60.0, series="s01", analysis="function")
OTHER = replace(LVEF, value=40.0, series="s02", analysis="another")
WALL = tuple(Measurement(quantity("WT"), 7.0 + n, segment=n, series="s01") for n in (2, 1))
LVV = Curve(quantity("LVV"), np.array([120.0, 50.0]), times_ms=np.array([0.0, 300.0]))
FOUND = Measurements((LVEF, LVV, *WALL))


def test_a_quantity_of_the_whole_heart_is_asked_for_by_its_symbol() -> None:
    assert FOUND.value("LVEF") == 60.0
    assert FOUND.find("LVEF") is LVEF
    assert FOUND.curve("LVV") is LVV
    assert FOUND.values() == {"LVEF": 60.0}
    assert {number: one.value for number, one in FOUND.segments("WT").items()} == {1: 8.0, 2: 9.0}


def test_what_was_not_measured_has_no_value_and_no_curve() -> None:
    assert FOUND.value("RVEF") is None
    assert FOUND.find("WT") is None
    assert FOUND.find("LVV") is None
    assert FOUND.curve("LVEF") is None
    assert FOUND.segments("LVEF") == {}


def test_a_symbol_that_two_analyses_hold_is_asked_for_by_analysis_or_series() -> None:
    both = Measurements((LVEF, OTHER, LVV, replace(LVV, series="s02")))
    with pytest.raises(LookupError, match=r"LVEF was measured 2 times.*of\(analysis, series\)"):
        both.value("LVEF")
    with pytest.raises(LookupError, match="LVV"):
        both.curve("LVV")
    assert both.of("another").value("LVEF") == 40.0
    assert both.of(series="s01").value("LVEF") == 60.0
    assert both.of("another", "s01").value("LVEF") is None
    assert both.values() == {}


def test_measurements_keep_their_order_and_take_the_name_of_their_analysis() -> None:
    assert tuple(FOUND) == FOUND.found
    assert len(FOUND) == 4
    named = FOUND.found_by("strain")
    assert {one.analysis for one in named} == {"strain"}
    assert [one.quantity.symbol for one in named] == ["LVEF", "LVV", "WT", "WT"]


def test_a_curve_is_told_phase_by_phase() -> None:
    assert [(phase, m.value) for phase, m in LVV.points()] == [(0, 120.0), (1, 50.0)]
    assert LVV.at(1).value == 50.0


def test_a_curve_with_a_gap_has_a_reason_there_alone() -> None:
    gap = replace(LVV, values=np.array([120.0, np.nan]), reason=Reason("NOT_FINITE", "no volume"))
    assert [m.value for _, m in gap.points()] == [120.0, None]
    assert [m.reason for _, m in gap.points()] == [None, gap.reason]


def test_a_curve_that_could_not_be_measured_is_one_point_without_a_phase() -> None:
    none = Curve(quantity("RVV"), np.empty(0), Reason("NO_HEART_FOUND", "nothing"))
    ((phase, point),) = none.points()
    assert (phase, point.value, point.reason) == (None, None, none.reason)
    assert none.withheld(WITHHELD) is none


def test_a_withheld_curve_keeps_its_phases_and_loses_every_value() -> None:
    lost = LVV.withheld(WITHHELD)
    assert [(phase, m.value, m.reason) for phase, m in lost.points()] == [
        (0, None, WITHHELD),
        (1, None, WITHHELD),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"values": np.zeros((2, 2))}, r"\(N,\)"),
        ({"times_ms": np.zeros(3)}, "2 values at 3 times"),
        ({"values": np.array([1.0, np.nan])}, "1 of 2 missing"),
        ({"values": np.empty(0), "times_ms": None}, "0 of 0 missing"),
        ({"reason": WITHHELD}, "0 of 2 missing"),
    ],
)
def test_a_curve_that_contradicts_itself_is_refused(changes, said) -> None:
    with pytest.raises(ValueError, match=said):
        replace(LVV, **changes)


def test_a_curve_s_arrays_are_copied_and_locked() -> None:
    values = np.array([120.0, 50.0])
    curve = replace(LVV, values=values)
    values[0] = 0
    assert curve.values[0] == 120.0
    with pytest.raises(ValueError, match="read-only"):
        curve.values[0] = 0
