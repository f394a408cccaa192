"""measurements.json and measurements.csv."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.measurements import Measurements
from opencmr.report import tables
from opencmr.report.contents import DISCLAIMER, Report


def _strict(text: str) -> dict[str, object]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    parsed: dict[str, object] = json.loads(text, parse_constant=refuse)
    return parsed


def _with(report: Report, **changes: object) -> Report:
    first = replace(report.measurements.whole_heart[0], **changes)  # type: ignore[arg-type]
    return replace(report, measurements=Measurements((first,)))


def test_a_curve_is_a_row_for_each_phase(small_report: Report) -> None:
    curve, _ = small_report.measurements.curves
    rows = [r for r in tables.measurement_rows(small_report) if r["symbol"] == "LVV"]
    assert [row["phase"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row["value"] for row in rows] == pytest.approx(curve.values, abs=1e-6)


def test_json_and_csv_hold_the_same_numbers(small_report: Report, tmp_path: Path) -> None:
    json_path, csv_path = tables.write(small_report, tmp_path)
    content = _strict(json_path.read_text(encoding="utf-8"))
    rows = content["measurements"]
    assert isinstance(rows, list)
    lines = list(csv.DictReader(io.StringIO(csv_path.read_text(encoding="utf-8"))))
    told = list(small_report.measurements.points())
    assert len(rows) == len(lines) == len(told)
    for row, line, (phase, measurement) in zip(rows, lines, told, strict=True):
        assert row["symbol"] == line["symbol"] == measurement.quantity.symbol
        assert row["phase"] == phase
        assert line["phase"] == ("" if phase is None else str(phase))
        assert line["value"] == ("" if row["value"] is None else str(row["value"]))
        assert line["range_low"] == ("" if not row["range"] else str(row["range"]["low"]))
        if measurement.value is not None:
            assert row["value"] == pytest.approx(measurement.value, abs=1e-6)
    assert content["disclaimer"] == DISCLAIMER


def test_a_measurement_without_a_value_is_null_with_its_reason(small_report: Report) -> None:
    row = tables.measurement_rows(
        _with(small_report, value=None, reason=Reason("HEART_RATE_UNKNOWN", "no heart rate"))
    )[0]
    assert row["value"] is None
    assert row["reason"] == "HEART_RATE_UNKNOWN: no heart rate"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_becomes_null_with_a_reason(
    small_report: Report, tmp_path: Path, value: float
) -> None:
    path, _ = tables.write(_with(small_report, value=value, interval=(value, 1.0)), tmp_path)
    content = _strict(path.read_text(encoding="utf-8"))
    (row,) = content["measurements"]  # type: ignore[misc]
    assert row["value"] is None
    assert row["reason"]
    assert row["interval"] == [None, 1.0]


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("x")', "  =1"]
)
def test_a_text_that_a_spreadsheet_would_run_is_prefixed(small_report: Report, text: str) -> None:
    rows = tables.measurement_rows(_with(small_report, evidence=text))
    (line,) = csv.DictReader(io.StringIO(tables.as_csv(rows)))
    assert not line["evidence"].startswith(tables.FORMULA_STARTS)
    assert line["evidence"].startswith("'")


def test_negative_numbers_stay_numbers_in_the_csv(small_report: Report) -> None:
    rows = tables.measurement_rows(_with(small_report, value=-2.5))
    (line,) = csv.DictReader(io.StringIO(tables.as_csv(rows)))
    assert line["value"] == "-2.5"


def test_words_of_the_identity_are_taken_out_of_reasons_and_evidence(small_report: Report) -> None:
    row = tables.measurement_rows(_with(small_report, evidence="from LOVELACE sa, CANARY-4711"))[0]
    assert row["evidence"] == "from [redacted] sa, [redacted]"
