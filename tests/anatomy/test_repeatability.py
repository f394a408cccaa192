"""Limits of repeatability are those of the benchmark, and never less than either form of them."""

import json
from pathlib import Path

import pytest

from opencmr.anatomy.repeatability import HEARTS, MODEL, REPEATABILITY, Repeatability

RESULT = Path(__file__).resolve().parents[2] / "benchmarks" / "repeatability.json"


def test_the_table_is_what_the_benchmark_measured() -> None:
    told = json.loads(RESULT.read_text())
    assert told["model"].replace("@", " ") == MODEL
    measured = told["coefficients"]
    assert {row["hearts"] for row in measured.values()} == {HEARTS}
    assert {symbol: (one.absolute, one.percent) for symbol, one in REPEATABILITY.items()} == {
        symbol: (row["absolute"], row.get("percent")) for symbol, row in measured.items()
    }


@pytest.mark.parametrize(("one", "other", "limit"), [(50, 50, 10), (200, 100, 15), (400, 400, 40)])
def test_the_limit_is_absolute_for_small_values_and_a_share_of_large_ones(
    one: float, other: float, limit: float
) -> None:
    assert Repeatability(10.0, 10.0).limit(one, other) == limit


def test_what_is_a_percentage_has_one_limit_at_any_value() -> None:
    assert Repeatability(5.0).limit(10, 12) == Repeatability(5.0).limit(60, 80) == 5.0
