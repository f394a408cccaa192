"""Facts from measurements, from their file, and from hostile rows."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.anatomy.policy import ACDC_POLICY, PapillaryRule
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import Fact, facts_of, facts_of_rows, with_values
from opencmr.errors import InputError
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.measure.function.ejection import LVEF
from opencmr.measure.wall.thickness import WT, WTH


def row(symbol: str, value: object, **more: object) -> dict[str, object]:
    return {"symbol": symbol, "value": value, "phase": None, "segment": None} | more


def test_measurements_and_their_file_give_the_same_facts() -> None:
    policy = {"policy": ACDC_POLICY}
    measured = Measurements(
        (
            Measurement(LVEF, 55.0, interval=(50.0, 57.0), **policy),
            *(Measurement(WT, 8.0 + n, segment=n, **policy) for n in range(1, 17)),
            *(Measurement(WTH, 50.0, segment=n, **policy) for n in range(1, 17)),
        )
    )
    rows = [
        row("LVEF", 55.0, interval=[50.0, 57.0], policy=ACDC_POLICY.text),
        *(row("WT", 8.0 + n, segment=n) for n in range(1, 17)),
        *(row("WTH", 50, segment=n) for n in range(1, 17)),
    ]
    facts = facts_of(measured)
    assert facts == facts_of_rows(json.loads(json.dumps(rows)))
    assert facts["LVEF"].papillary is PapillaryRule.IN_CAVITY
    assert facts["wt_es_sd"].value == pytest.approx(1.5 * np.std(np.arange(16)))
    assert facts["wth_poor"].value == 0


def test_a_null_is_a_fact_with_a_reason_and_a_curve_is_none() -> None:
    facts = facts_of_rows([row("LVEF", None), row("LVV", 120.0, phase=0)])
    assert facts["LVEF"].reason is not None
    assert set(facts) == {"LVEF"}


def test_a_null_keeps_the_reason_that_the_file_tells() -> None:
    told = row("LVEF", None, reason="SPLIT_STACK: withheld")
    assert facts_of_rows([told])["LVEF"].reason == Reason("SPLIT_STACK", "withheld")
    for hostile in (None, "", "NO_SUCH_CODE: withheld", 3):
        facts = facts_of_rows([row("LVEF", None, reason=hostile)])
        assert facts["LVEF"].reason == Reason(
            "NOT_ASSESSABLE", "LVEF has no value in the measurements"
        )


def test_one_quantity_of_two_series_is_refused_and_not_chosen_from() -> None:
    with pytest.raises(InputError, match="more than once"):
        facts_of_rows([row("LVEF", 55.0, series="s01"), row("LVEF", 35.0, series="s02")])


@pytest.mark.parametrize(
    "hostile",
    [
        [{}],
        ["LVEF"],
        [row("LVEF", "55")],
        [row("LVEF", True)],
        [row("LVEF", float("nan"))],
        [row("LVEF", float("inf"))],
        [row("LVEF", 55.0, interval=["low", 3])],
    ],
)
def test_rows_of_another_shape_are_refused(hostile) -> None:
    with pytest.raises(InputError, match=r"measurements\.json"):
        facts_of_rows(hostile)


@given(st.lists(st.dictionaries(st.text(), st.one_of(st.none(), st.floats(), st.text()))))
def test_no_rows_raise_anything_but_a_refusal(rows) -> None:
    with contextlib.suppress(InputError):
        facts_of_rows(rows)


def test_with_other_values_nothing_else_changes() -> None:
    facts = {"LVEF": Fact(50.0, interval=(45.0, 52.0)), "LVM": Fact(100.0)}
    changed = with_values(facts, {"LVEF": 45.0})
    assert changed["LVEF"] == Fact(45.0, interval=(45.0, 52.0))
    assert changed["LVM"] is facts["LVM"]
    assert facts["LVEF"].value == 50.0
