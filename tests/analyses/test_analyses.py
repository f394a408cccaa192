"""A new clinical question is one file and one line; what spoils one withholds no other's."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from opencmr.analyses.analysis import Analysis, Earlier, Parts
from opencmr.analyses.plan import in_running_order, plan_study
from opencmr.analyses.table import ANALYSES
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.reading import Reading
from opencmr.imaging.study import Series, Study
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration, analyze_study
from opencmr.report import html, pdf
from opencmr.report.blocks import Beside, Block, Line, Notes, Number, Numbers
from opencmr.report.charts import bullseye, bullseye_block
from opencmr.report.contents import Report
from opencmr.report.rows import row_of
from opencmr.report.sections import further, table
from opencmr.report.writers import write_report
from opencmr.simulate import HeartParameters, Protocol, simulate_study
from opencmr.sort.roles import Role
from opencmr.sort.sorting import Choice

TOY = "toy brightness"
BRIGHTNESS = Quantity(
    "TOYB", "Mean brightness", "1", 1, Code("TOYB", "99OPENCMR", "Toy"), "Mean of all pixels."
)


def any_series(study: Study) -> Choice:
    return Choice(study.series[0])


def no_series(study: Study) -> Choice:
    return Choice(None, Reason("NOT_ASSESSABLE", "no such series"))


ANYTHING = Role("any series", any_series)


def read(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
    series = parts.series[ANYTHING.name]
    value = float(series.image.values.mean())
    seen = "after " + ", ".join(earlier)
    toy = Measurement(BRIGHTNESS, value, series=series.key, evidence=seen)
    return Reading(measurements=Measurements((toy,)))


def spoilt(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
    flag = QualityFlag(
        Severity.DO_NOT_REPORT, "NO_SIGNAL", "Nothing there.", about=About("s01", TOY)
    )
    return replace(read(parts, earlier, networks), flags=(flag,))


TOY_ANALYSIS = Analysis(TOY, (ANYTHING,), read, after=("ventricular function",))


@pytest.fixture(scope="module")
def study() -> Study:
    phantom = simulate_study(HeartParameters(seed=3), protocol=Protocol.small())
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)
    return Study("phantom", (Series("s01", image),), input_sha256="0" * 64)


def analysed(study: Study, toy: Analysis) -> Report:
    return analyze_study(study, Configuration(), analyses=(*ANALYSES, toy))


def values(report: Report) -> dict[str, float | None]:
    return report.measurements.values()


@pytest.fixture(scope="module")
def report(study: Study) -> Report:
    return analysed(study, TOY_ANALYSIS)


def test_a_toy_analysis_is_found_in_every_output_for_programs(
    report: Report, study: Study, tmp_path: Path
) -> None:
    write_report(report, tmp_path)
    truth = float(study.series[0].image.values.mean())
    rows = json.loads((tmp_path / "measurements.json").read_text())["measurements"]
    (row,) = (row for row in rows if row["symbol"] == "TOYB")
    assert row["value"] == pytest.approx(truth)
    with (tmp_path / "measurements.csv").open(newline="", encoding="utf-8") as lines:
        (line,) = (line for line in csv.DictReader(lines) if line["symbol"] == "TOYB")
    assert float(line["value"]) == pytest.approx(truth)
    run = json.loads((tmp_path / "run.json").read_text())
    assert [(p["name"], p["runs"]) for p in run["plan"]] == [
        ("ventricular function", True),
        ("long axes", False),
        ("tissue mapping", False),
        ("late enhancement", False),
        (TOY, True),
    ]


def tell_brightness(report: Report) -> tuple[Block, ...]:
    """The toy's section: a number, its bull's-eye and why, from its own values alone."""
    toy = report.measurements.of(TOY).find("TOYB")
    if toy is None:
        return ()
    row = row_of(toy, "brightness")
    apex = bullseye({17: replace(toy, segment=17)}, (0.0, 1000.0))
    return (
        Numbers((Number(row.name, row.value, row.unit, "of the toy"),)),
        Beside(((bullseye_block(apex),), (Notes((Line(row.evidence, "Toy:"),)),)), "Toy section"),
    )


def test_a_toy_analysis_shows_on_page_and_pdf_with_one_section_and_one_line(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = table.Section(tell_brightness, TOY, "Toys")
    monkeypatch.setattr(table, "SECTIONS", (*table.SECTIONS, line))
    page = table.page_of(report)
    truth = f"{report.measurements.value('TOYB'):.1f}"
    for shown in (html.markup(page), str(pdf.plain(page))):
        assert "Toy section" in shown
        assert truth in shown
        assert "after ventricular function" in shown
    assert page.subject == "Cardiac function from cine CMR; Toys"
    assert "TOYB" not in str(further.tell(report, {TOY}))
    assert pdf.document(page).startswith(b"%PDF-")


def test_without_a_section_of_its_own_a_value_is_still_on_the_page(report: Report) -> None:
    assert "TOYB" in html.markup(table.page_of(report))


def test_without_a_section_of_its_own_a_segment_is_still_on_the_page(report: Report) -> None:
    (toy,) = report.measurements.of(TOY)
    apex = replace(toy, segment=17, value=-3.25, reference=None)
    with_apex = replace(report, measurements=Measurements((*report.measurements, apex)))
    assert "Further measurements by AHA segment" not in html.markup(table.page_of(report))
    page = table.page_of(with_apex)
    for shown in (html.markup(page), str(pdf.plain(page))):
        assert "Further measurements by AHA segment" in shown
        assert BRIGHTNESS.name in shown
    assert "by AHA segment" not in str(further.tell(with_apex, {TOY}))


def test_a_report_without_ventricles_has_no_word_of_them_before_what_is_missing(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = table.Section(tell_brightness, TOY, "Toys")
    monkeypatch.setattr(table, "SECTIONS", (*table.SECTIONS, line))
    only = replace(
        report,
        segmentations={},
        landmarks={},
        measurements=report.measurements.of(TOY),
        flags=(),
    )
    page = table.page_of(only)
    markup = html.markup(page)
    assert page.subject == "Toys"
    assert "Nothing was measured" not in markup
    for word in ("Left ventricle", "Volumes over the beat", "Wall by AHA", "Summation of discs"):
        assert word not in markup
    assert pdf.document(page).startswith(b"%PDF-")


def test_a_later_analysis_gets_the_earlier_readings(report: Report) -> None:
    toy = report.measurements.find("TOYB")
    assert toy is not None
    assert toy.analysis == TOY
    assert toy.evidence == "after ventricular function"


def test_what_spoils_one_analysis_withholds_no_other_s_values(report: Report, study: Study) -> None:
    other = analysed(study, replace(TOY_ANALYSIS, read=spoilt))
    assert values(other)["TOYB"] is None
    assert values(other) | {"TOYB": None} == values(report) | {"TOYB": None}
    assert values(other)["LVEF"] is not None


def test_an_analysis_whose_part_is_missing_does_not_run_and_says_why(study: Study) -> None:
    lacking = replace(TOY_ANALYSIS, wants=(ANYTHING, Role("another", no_series)))
    report = analysed(study, lacking)
    assert "TOYB" not in values(report)
    planned = report.plan[-1]
    assert not planned.runs
    assert planned.plain["reason"] == {"code": "NOT_ASSESSABLE", "sentence": "no such series"}
    assert planned.plain["series"] == ["s01"]
    assert values(report)["LVEF"] is not None


def test_planning_loads_and_computes_nothing(study: Study) -> None:
    def never(parts: Parts, earlier: Earlier, networks: Networks) -> Reading:
        raise AssertionError

    (planned,) = plan_study(study, (replace(TOY_ANALYSIS, read=never),))
    assert planned.runs


def test_every_analysis_runs_after_those_that_it_uses(study: Study) -> None:
    plan = plan_study(study, ANALYSES)
    assert [one.analysis for one in plan] == list(ANALYSES)
    names = [one.analysis.name for one in in_running_order(plan)]
    assert sorted(names) == sorted({analysis.name for analysis in ANALYSES})
    for analysis in ANALYSES:
        before = names[: names.index(analysis.name)]
        assert set(analysis.after) <= set(before)
