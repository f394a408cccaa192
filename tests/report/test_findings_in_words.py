"""The paragraph says what the numbers say, and never more."""

import re
from dataclasses import replace

import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.quality.withhold import withhold
from opencmr.report import html
from opencmr.report.blocks import Paragraph
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.sections import findings_in_words
from opencmr.report.sections.table import page_of

GRADES = re.compile(r"\b(mild|moderate|severe|dilated|reduced|impaired|preserved|hypertroph)", re.I)


def _text(report: Report) -> str:
    (block,) = findings_in_words.tell(report)
    assert isinstance(block, Paragraph)
    return block.text


def _with(report: Report, symbol: str, **changes: object) -> Report:
    def changed(one: Measurement) -> Measurement:
        if one.quantity.symbol != symbol:
            return one
        return replace(one, **changes)  # type: ignore[arg-type]

    found = tuple(
        changed(one) if isinstance(one, Measurement) else one for one in report.measurements
    )
    return replace(report, measurements=Measurements(found))


def test_values_stand_with_their_normal_range(tiny_report: Report) -> None:
    told = _text(tiny_report)
    assert (
        "The indexed end-diastolic volume of the left ventricle is 68 mL/m², within the normal "
        "range of 54–94." in told
    )
    assert "The indexed mass of the left ventricle is 61 g/m², above the normal range of 29" in told
    assert "Normal ranges: women, 45 to 54 years, 1.5 T" in told
    assert "No normal range was applied to LVCO, LVCI, RVCO, RVCI." in told
    assert not GRADES.search(told)


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((52.2, 60.4), "59 % (52–60 depending on slice 10), within the normal range"),
        ((45.0, 60.4), "59 % (45–60 depending on slice 10), within or below the normal range"),
        ((40.0, 75.0), "within or below or above the normal range"),
        ((58.9, 59.2), "is 59 %, within the normal range"),
        (None, "is 59 %, within the normal range"),
    ],
)
def test_an_interval_that_crosses_a_limit_leaves_it_open(
    tiny_report: Report, interval: tuple[float, float] | None, said: str
) -> None:
    evidence = "depending on slice 10"
    assert said in _text(_with(tiny_report, "LVEF", interval=interval, evidence=evidence))


def test_what_is_withheld_is_named_with_its_reason_and_without_its_number(
    tiny_report: Report,
) -> None:
    spoilt = QualityFlag(Severity.DO_NOT_REPORT, "SPARSE_STACK", "The slices are too far apart.")
    told = _text(
        replace(
            tiny_report, measurements=withhold(tiny_report.measurements, (spoilt,)), flags=(spoilt,)
        )
    )
    assert "No value for LVEDV, LVEF, LVM, RVEDV, RVEF: withheld, The slices are too far" in told
    assert not re.search(r"\d (mL|%|g)", told)
    assert "within" not in told


def test_what_could_not_be_measured_is_not_called_withheld(tiny_report: Report) -> None:
    told = _text(
        _with(tiny_report, "LVEF", value=None, reason=Reason("TOO_FEW_PHASES", "one phase alone"))
    )
    assert "No value for LVEF: not measured, one phase alone." in told
    assert "withheld" not in told


def test_flags_and_disclaimer_go_with_the_text_wherever_it_is_pasted(tiny_report: Report) -> None:
    told = _text(tiny_report)
    assert "To be looked at before use: Slices lie 10 mm apart" in told
    assert told.endswith(f"from contours by sax_cine 1.0.0. {DISCLAIMER}.")
    for word in ("Lovelace", "CANARY", "ACCNUM"):
        assert word not in told


def test_a_report_of_nothing_has_no_paragraph(tiny_report: Report) -> None:
    assert findings_in_words.tell(replace(tiny_report, measurements=Measurements())) == ()


def test_the_reader_has_blank_fields(tiny_report: Report) -> None:
    page = html.markup(page_of(tiny_report))
    fields = re.findall(
        r'<div contenteditable="plaintext-only"[^>]*aria-label="([^"]+)"[^>]*>(.*?)<', page
    )
    assert fields == [("Reader’s impression", ""), ("Name, signature and date", "")]
