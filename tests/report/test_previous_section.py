"""What the page says of an earlier result."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.repeatability import CAVEAT
from opencmr.imaging.change import Change, Comparison, EarlierResult, Verdict
from opencmr.report import html, tables
from opencmr.report.contents import Report
from opencmr.report.sections import previous
from opencmr.report.sections.table import page_of

SCHEMA = (
    Path(__file__).resolve().parents[2] / "docs/reference/schemas/measurements.schema.json"
).read_text()


def compared(report: Report, **known: object) -> Report:
    ef, edv, mass, esv = (
        report.measurements.find(symbol).quantity for symbol in ("LVEF", "LVEDV", "LVM", "LVESV")
    )
    changes = (
        Change(ef, 60.0, 50.0, -10.0, (-14.0, -3.0), 5.0, Verdict.UNDECIDED),
        Change(edv, 120.0, 123.0, 3.0, None, 10.0, Verdict.WITHIN),
        Change(mass, 90.0, 110.0, reason=Reason("OTHER_POLICY", "measured under “<b>x”")),
        Change(esv, None, 50.0, reason=Reason("NO_EARLIER_VALUE")),
    )
    earlier = EarlierResult("k", {}, "0.1.0", "ab" * 32, "CANARY-1", "Canary Issuer", "2019-05-06")
    facts = {"is_later": False, "is_same_study": False, "by_identifier": True} | known
    return replace(report, comparison=Comparison(earlier, changes, **facts))


def test_a_page_without_an_earlier_result_says_nothing_of_one(tiny_report: Report) -> None:
    assert previous.tell(tiny_report) == ()


def test_the_table_shows_then_now_change_interval_and_verdict(tiny_report: Report) -> None:
    table, notes = previous.tell(compared(tiny_report))
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert texts[0][3:] == ["+3", "within ± 10.0\N{NO-BREAK SPACE}mL"]
    assert texts[1][1:4] == ["60", "50", "−10"]
    assert table.rows[1].cells[3].below == "−14 to −3"
    assert "another reading of the base" in texts[1][4]
    assert texts[2][3] == "measured under “<b>x”"
    assert len(texts) == 3
    assert notes.lines == ()
    assert any(CAVEAT in line for line in notes.small)
    assert "No earlier value: LVESV." in notes.small


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"is_later": True}, "of a later day than this one"),
        ({"is_later": None}, "a day is not stated"),
        ({"is_same_study": True}, "of this same study"),
        ({"by_identifier": False}, "the caller’s word"),
    ],
)
def test_what_makes_the_comparison_doubtful_is_said(
    tiny_report: Report, known: dict[str, object], said: str
) -> None:
    _, notes = previous.tell(compared(tiny_report, **known))
    (line,) = notes.lines
    assert said in line.text


def test_the_page_escapes_and_the_file_keeps_the_contract_without_identity(
    tiny_report: Report, tmp_path: Path
) -> None:
    report = compared(tiny_report)
    assert "“<b>x”" not in html.markup(page_of(report))
    path, _ = tables.write(report, tmp_path)
    text = path.read_text("utf-8")
    content = json.loads(text)
    jsonschema.validate(content, json.loads(SCHEMA), jsonschema.Draft202012Validator)
    assert [row["verdict"] for row in content["changes"]] == [
        "undecided",
        "within repeatability",
        None,
        None,
    ]
    assert content["changes"][0]["interval"] == [-14.0, -3.0]
    assert not [word for word in ("CANARY", "Canary", "2019") if word in text]
