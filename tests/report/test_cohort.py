"""The table and the page of many studies."""

import csv
import io
import re
from pathlib import Path

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.report import html
from opencmr.report.cohort import CohortRow, as_csv, keys_as_csv, page_of
from opencmr.report.outcome import StudyOutcome

REVIEW = QualityFlag(Severity.REVIEW, "NOISY", "noisy")
WITHHELD = QualityFlag(Severity.DO_NOT_REPORT, "APEX_CUT", "cut")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def study(key: str, label: str = "", input: str = "", **told) -> CohortRow:
    return CohortRow(StudyOutcome(key, Path("Zanzibar"), **told), label, input)


ROWS = (
    study("a1", values={"LVEF": 60.0, "LVEDV": 150.0}, intervals={"LVEF": (58.0, 61.5)}),
    study("b2", values={"LVEF": None, "ODD": 1.5}, flags=(WITHHELD, REVIEW, REVIEW)),
    study("c3", error="no heart <b>"),
    study("d4", label="<i>Doe</i>", values={"LVEF": 35.0}, flags=(REVIEW,)),
)


def test_every_study_has_a_row_and_every_value_its_interval():
    a, b, c, d = rows(as_csv(ROWS))
    symbols = ("LVEDV", "LVEF", "ODD")
    columns = [f"{s}{end}" for s in symbols for end in ("", "_low", "_high")]
    assert list(a)[:-4] == ["key", "label", *columns]
    assert (a["LVEF"], a["LVEF_low"], a["LVEF_high"]) == ("60.0", "58.0", "61.5")
    assert (b["LVEF"], b["ODD"], b["flags"]) == ("", "1.5", "APEX_CUT NOISY")
    assert (c["error"], c["LVEF"]) == ("no heart <b>", "")
    assert d["label"] == "<i>Doe</i>"


def test_a_path_that_is_no_text_or_a_formula_is_made_fit_to_be_read():
    odd = (study("a1", input="in/\udcff\n=x"), study("b2", input="=cmd()"))
    one, other = rows(keys_as_csv(odd))
    assert one["input"].encode("utf-8").count(b"\n") == 0
    assert other["input"] == "'=cmd()"


def test_the_page_shows_the_worst_first_links_the_reports_and_escapes_what_it_is_given():
    page = html.markup(page_of(ROWS))
    places = [page.index(f">{key}<") for key in ("c3", "b2", "d4", "a1")]
    assert places == sorted(places)
    assert re.findall(r'href="([^"]+)"', page) == [f"{k}/report.html" for k in ("b2", "d4", "a1")]
    assert "Research use only, not for diagnosis" in page
    assert "&lt;i&gt;Doe&lt;/i&gt;" in page
    assert "<i>Doe" not in page
    assert "no heart &lt;b&gt;" in page
    assert "<script" not in page
    assert "key.csv" in page


def test_the_index_is_drawn_where_there_is_one_else_the_volume():
    assert "LVEDV, mL" in html.markup(page_of(ROWS))
    indexed = (*ROWS, study("e5", values={"LVEDVi": 80.0}))
    page = html.markup(page_of(indexed))
    assert "LVEDVi, mL/m²" in page
    assert "LVEDV, mL" not in page


def test_a_cohort_that_failed_as_a_whole_has_a_page():
    failed = (study("a1", error="no heart"), study("b2", error="no heart"))
    page = html.markup(page_of(failed))
    assert "<svg" not in page.split("Studies, worst first")[0].split("<section")[-1]
    assert page.count("failed: no heart") == 2
