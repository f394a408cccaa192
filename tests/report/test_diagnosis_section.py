"""The finding on the page: below the measurements, as what it is, or not at all."""

import json
from dataclasses import replace

import pytest

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.lake_louise import TABLE
from opencmr.imaging.finding import Finding, Outcome
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.study import Identity
from opencmr.report import html
from opencmr.report.blocks import Notes, Numbers, Table
from opencmr.report.contents import Report
from opencmr.report.run_record import run_record
from opencmr.report.sections import diagnosis
from opencmr.report.sections.table import page_of

from .finding_examples import (
    CRITERIA,
    DOUBT,
    DOUBTFUL,
    NAMED,
    SHARES,
    WITHHELD,
    criterion,
    with_finding,
)


def page_text(report: Report) -> str:
    return html.markup(page_of(report))


def test_without_a_finding_the_section_is_absent(small_report: Report) -> None:
    assert diagnosis.tell(small_report) == ()
    assert diagnosis.TITLE not in page_text(small_report)


@pytest.mark.parametrize("finding", [NAMED, DOUBTFUL, WITHHELD])
def test_it_stands_below_the_measurements_and_says_first_what_it_is(
    small_report: Report, finding: Finding
) -> None:
    blocks = page_of(with_finding(small_report, finding)).blocks
    titles = [getattr(block, "title", "") for block in blocks]
    place = titles.index(diagnosis.TITLE)
    assert place > max(n for n, block in enumerate(blocks) if isinstance(block, Numbers))
    assert place > titles.index("Further measurements")
    (first, *_) = diagnosis.tell(with_finding(small_report, finding))
    assert first.title == diagnosis.TITLE
    assert "not for diagnosis" in diagnosis.TITLE
    assert not any("dilated cardiomyopathy" in str(block) for block in blocks[:place])


def test_each_criterion_is_told_with_its_outcome_and_why(small_report: Report) -> None:
    table = diagnosis.tell(with_finding(small_report, NAMED))[1]
    assert isinstance(table, Table)
    rows = [tuple(cell.text for cell in row.cells) for row in table.rows]
    assert rows == [
        ("LV dilated", "met", "LVEDVi 140.0 mL/m², cut-point > 100"),
        ("RV dilated", "not met", "LVEDVi 140.0 mL/m², cut-point > 100"),
        ("LVEF low", "near the cut-point", "LVEDVi 140.0 mL/m², cut-point > 100"),
        ("iron", "not assessable", "T2* was not measured"),
    ]


def test_a_named_group_comes_in_words_with_reasons_cases_and_the_disagreement(
    small_report: Report,
) -> None:
    text = page_text(with_finding(small_report, NAMED))
    for told in (
        "dilated cardiomyopathy (DCM)",
        "86 %",
        "LV ejection fraction 26 % speaks for DCM against MINF",
        "at 38 % both would be as probable",
        "an ACDC DCM case (0.7)",
        "Disagreement:",
        "in no clinic",
    ):
        assert told in text


def test_the_printed_page_says_the_same(small_report: Report) -> None:
    """A hint of a table stays off paper: what must be read is no hint."""
    blocks = diagnosis.tell(with_finding(small_report, NAMED))
    assert not any(isinstance(block, Table) and block.hint for block in blocks)


def test_a_doubt_names_no_group_in_the_first_lines(small_report: Report) -> None:
    first = diagnosis.tell(with_finding(small_report, DOUBTFUL))[0]
    assert isinstance(first, Notes)
    (line,) = first.lines
    assert (line.lead, line.code) == ("The classifier names no group:", "LIKE_NO_GROUP")
    assert line.text == DOUBT.sentence


def test_where_volumes_are_withheld_nothing_is_concluded(small_report: Report) -> None:
    (only,) = diagnosis.tell(with_finding(small_report, WITHHELD))
    assert isinstance(only, Notes)
    assert [line.lead for line in only.lines] == ["Nothing is concluded:"]
    text = page_text(with_finding(small_report, WITHHELD))
    assert "Resemblance" not in text
    assert "LV dilated" not in text


def test_rules_stand_alone_where_the_classifier_was_not_asked(small_report: Report) -> None:
    alone = Finding(CRITERIA, (Reason("POLICY_MISMATCH", "another rule"),), classes=tuple(SHARES))
    first, table = diagnosis.tell(with_finding(small_report, alone))
    assert isinstance(first, Notes)
    assert first.lines[0].text == "another rule"
    assert isinstance(table, Table)


def test_measurements_that_need_a_look_make_an_opinion_that_does(small_report: Report) -> None:
    flag = QualityFlag(Severity.REVIEW, "SPARSE_STACK", "Look.")
    for flags, said in (((flag,), True), ((), False)):
        report = replace(with_finding(small_report, NAMED), flags=flags)
        first = diagnosis.tell(report)[0]
        assert isinstance(first, Notes)
        assert bool(first.small) == said


def test_a_reason_that_quotes_a_header_is_escaped_and_redacted(small_report: Report) -> None:
    hostile = Reason("NOT_ASSESSABLE", "<script>x</script> Lovelace said so")
    rows = (*CRITERIA, criterion("other", Outcome.NOT_ASSESSABLE, hostile))
    report = with_finding(small_report, replace(DOUBTFUL, criteria=rows, doubts=(hostile,)))
    assert "<script>x" not in page_text(report)
    record = json.dumps(run_record(report)["findings"])
    assert "Lovelace" not in record
    assert "said so" in record


def test_a_patient_whose_name_is_a_word_of_the_contract_does_not_break_it(
    small_report: Report,
) -> None:
    named = replace(small_report.study, identity=Identity(patient_name="Reasons^Rules^Near"))
    (found,) = run_record(replace(with_finding(small_report, NAMED), study=named))["findings"]  # type: ignore[misc]
    assert found == json.loads(json.dumps(NAMED.plain))


def test_a_finding_without_shares_needs_a_doubt() -> None:
    with pytest.raises(ValueError, match="doubt"):
        Finding(CRITERIA, ())


def test_the_lake_louise_criteria_have_a_table_of_their_own_that_says_what_it_is(
    small_report: Report,
) -> None:
    """Beside why it is open stand the values that were compared."""
    open_one = replace(
        criterion("T1-based", Outcome.NOT_ASSESSABLE, Reason("NOT_ASSESSABLE", "ECV: missing")),
        table=TABLE,
        evidence="native T1 1000.0 ms, cut-point > 1050",
    )
    met = replace(criterion("T2-based", Outcome.MET), table=TABLE)
    report = with_finding(small_report, replace(NAMED, criteria=(*CRITERIA, met, open_one)))
    tables = [block for block in diagnosis.tell(report) if isinstance(block, Table)]
    assert len(tables[0].rows) == len(CRITERIA)
    own = tables[1]
    assert own.title == f"{TABLE} (decision support, research use only)"
    assert [tuple(cell.text for cell in row.cells)[:2] for row in own.rows] == [
        ("T2-based", "met"),
        ("T1-based", "not assessable"),
    ]
    assert own.rows[1].cells[2].text == "ECV: missing (native T1 1000.0 ms, cut-point > 1050)"
    assert "T2-weighted images" in page_text(report)


def test_without_maps_no_word_of_inflammation_is_on_the_page(small_report: Report) -> None:
    text = page_text(with_finding(small_report, NAMED))
    assert TABLE not in text
    assert "inflammation" not in text
