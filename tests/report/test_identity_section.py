"""Who was examined and how: what the headers hold is shown, what they do not is not made up."""

from dataclasses import replace

from opencmr.report import fhir, html
from opencmr.report.blocks import Beside, Facts
from opencmr.report.contents import Report
from opencmr.report.run_record import run_record
from opencmr.report.sections import gaps, identity
from opencmr.report.sections.table import page_of


def _facts(report: Report) -> dict[str, str]:
    (block,) = identity.tell(report)
    assert isinstance(block, Beside)
    sides = [one for column in block.columns for one in column if isinstance(one, Facts)]
    return {fact.label: fact.value for side in sides for fact in side.facts}


def _with(report: Report, *, referrer: str = "", agents: tuple[str, ...] = ("", "")) -> Report:
    series = tuple(
        replace(one, header=replace(one.header, contrast_agent=agent))
        for one, agent in zip(report.study.series, agents, strict=True)
    )
    who = replace(report.study.identity, referring_physician=referrer)
    return replace(report, study=replace(report.study, series=series, identity=who))


def test_referrer_sequences_and_contrast_stand_beside_the_study(tiny_report: Report) -> None:
    told = _facts(
        _with(tiny_report, referrer="Zuweiser^Erna^^Dr", agents=("Gadobutrol", "Gadobutrol"))
    )
    assert told["Referring physician"] == "Zuweiser, Erna Dr"
    assert told["Accession"] == "ACCNUM-0815"
    assert told["Sequences"] == "scout, cine"
    assert told["Contrast agent"] == "Gadobutrol"


def test_silent_headers_leave_no_empty_facts(tiny_report: Report) -> None:
    told = _facts(_with(tiny_report, agents=(" ", "")))
    assert not {"Referring physician", "Contrast agent"} & told.keys()


def test_hostile_header_text_is_text(tiny_report: Report) -> None:
    spoilt = _with(tiny_report, referrer="<script>x</script>", agents=("<img src=x>\u202e", ""))
    page = html.markup(page_of(spoilt))
    assert "<script>x" not in page
    assert "<img src=x>" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_referrer_that_is_printed_is_not_listed_as_missing(tiny_report: Report) -> None:
    assert "Referring physician" in gaps.missing(tiny_report)["For the reader to add"]
    told = _with(tiny_report, referrer="Zuweiser^Erna")
    assert "Referring physician" not in str(gaps.missing(told))


def test_a_referrer_stays_out_of_the_files_of_machines(tiny_report: Report) -> None:
    told = _with(tiny_report, referrer="Zuweiser^Erna", agents=("Zuweiser-Mix", "Zuweiser-Mix"))
    machines = f"{run_record(told)} {fhir.bundle(told)}"
    assert "Zuweiser" not in machines
