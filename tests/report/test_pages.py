"""The page and the PDF: self-contained, complete, and honest about what is missing."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.image import untimed_image
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.study import Demographics, Study
from opencmr.measure import Ventricles
from opencmr.measure.landmarks import find_landmarks
from opencmr.report import html, pdf
from opencmr.report.blocks import (
    Beside,
    Bullseye,
    Cell,
    ColourBar,
    Column,
    Line,
    Montage,
    Notes,
    Page,
    Table,
    TableRow,
)
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.sections import hearts
from opencmr.report.sections.table import page_of
from opencmr.report.writers import write_report


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return html.markup(page_of(report))


def _without_measurement(report: Report) -> Report:
    return replace(report, segmentations={}, measurements=Measurements())


def _single_phase(report: Report) -> Report:
    series, segmentation = report.study.series[1], report.segmentations["s02"]
    still = replace(series, image=untimed_image(series.image.values[:1], series.image.grid))
    masks = replace(segmentation, labels=segmentation.labels[:1])
    return replace(
        report,
        study=replace(report.study, series=(still,)),
        segmentations={"s02": masks},
        landmarks={"s02": find_landmarks(Ventricles(masks, still.image, Demographics(), "s02"))},
        measurements=Measurements(),
    )


def _nothing_labelled(report: Report) -> Report:
    segmentation = report.segmentations["s02"]
    empty = replace(segmentation, labels=np.zeros_like(segmentation.labels))
    ventricles = Ventricles(empty, report.study.series[1].image, Demographics(), "s02")
    landmarks = {"s02": find_landmarks(ventricles)}
    return replace(
        report, segmentations={"s02": empty}, landmarks=landmarks, measurements=Measurements()
    )


def _two_series(report: Report) -> Report:
    series = report.study.series[1]
    again = replace(series, key="s03")
    return replace(
        report,
        study=replace(report.study, series=(series, again)),
        segmentations=dict.fromkeys(("s02", "s03"), report.segmentations["s02"]),
        landmarks=dict.fromkeys(("s02", "s03"), report.landmarks["s02"]),
    )


def _no_series(report: Report) -> Report:
    return replace(
        report, study=Study("0" * 12, ()), segmentations={}, measurements=Measurements(), flags=()
    )


ODD = (_without_measurement, _single_phase, _nothing_labelled, _two_series, _no_series)


@pytest.mark.parametrize("make", ODD)
def test_odd_studies_give_every_output(small_report: Report, tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    written = {path.name for path in write_report(make(small_report), tmp_path)}
    assert {"report.html", "report.pdf", "measurements.json", "run.json"} <= written


def test_the_page_needs_no_network_and_runs_no_script_but_the_viewer_s(page: str) -> None:
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy == [
        f"default-src 'none'; script-src {html.source_of(html.viewer_script())}; img-src data:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]
    assert page.count("<script>") == page.count('<script type="application/json">') == 1
    assert not re.search(r"<[^>]* on\w+=", page)
    for address in re.findall(r"""(?:src|href|srcset)=["']([^"']{0,40})""", page):
        assert address.startswith("data:image/")
    links = set(re.findall(r"""https?://[^"' >]+""", page))
    assert links <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in page
    assert "url(http" not in page


def test_the_disclaimer_stands_on_top_and_in_the_footer_of_every_printed_page(page: str) -> None:
    footer = page.index('class="print-foot"')
    assert DISCLAIMER in page[footer : footer + 200]
    header = page.index('class="top"')
    assert DISCLAIMER in page[header : header + 400]
    assert "display:table-footer-group" in page


def test_the_page_shows_every_slice_at_both_phases_and_the_beating_heart(
    report: Report, page: str
) -> None:
    slices = report.study.series[1].image.grid.shape[0]
    every_slice = [one for one in hearts.tell(report) if isinstance(one, Montage)]
    assert [len(one.pictures) for one in every_slice] == [slices, slices]
    for montage in every_slice:
        assert all(picture.drawing in page for picture in montage.pictures)
    assert "data:image/webp" in page
    assert page.count('class="bullseye"') == 2
    assert page.count('class="chart"') == 1


def test_a_page_of_half_the_usual_pictures_has_half_the_size_allowed(
    report: Report, page: str
) -> None:
    """Twelve slices of thirty phases may make a page of 8 MB."""
    phases, slices = report.study.series[1].image.values.shape[:2]
    assert len(page.encode()) < 8_000_000 * phases * slices / (12 * 30)


def test_a_page_without_a_viewer_runs_no_script_at_all(tiny_report: Report) -> None:
    page = html.markup(page_of(tiny_report))
    assert "<script" not in page
    assert "script-src" not in page


def test_truth_is_shown_only_where_it_is_known(tiny_report: Report, page: str) -> None:
    assert "Truth beside measurement" not in page
    assert "Truth beside measurement" in html.markup(
        page_of(replace(tiny_report, truth={"LVEF": 57.0}))
    )


def test_withheld_numbers_are_not_on_the_page(small_report: Report) -> None:
    why = Reason("SPARSE_STACK", "withheld by a check")
    withheld = tuple(m.withheld(why) for m in small_report.measurements)
    page = html.markup(page_of(replace(small_report, measurements=Measurements(withheld))))
    assert "58.9" not in page
    assert "withheld by a check" in page


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
def test_the_pdf_says_the_disclaimer_on_every_page_and_shows_hostile_text_as_text(
    report: Report, tmp_path: Path
) -> None:
    scanner = replace(report.study.scanner, model="#panic() *bold* {{7*7}}")
    path = tmp_path / "report.pdf"
    path.write_bytes(
        pdf.document(page_of(replace(report, study=replace(report.study, scanner=scanner))))
    )
    text = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True
    ).stdout
    pages = [page for page in text.split("\f") if page.strip()]
    assert len(pages) >= 2
    assert all(DISCLAIMER in page for page in pages)
    assert "#panic() *bold* {{7*7}}" in text
    assert "Lovelace, Ada" in text


def _pdf_pages(page: Page, path: Path) -> list[str]:
    path.write_bytes(pdf.document(page))
    told = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True
    )
    return [one for one in told.stdout.split("\f") if one.strip()]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
def test_every_pdf_page_says_whose_it_is(small_report: Report, tmp_path: Path) -> None:
    pages = _pdf_pages(page_of(small_report), tmp_path / "report.pdf")
    assert len(pages) >= 2
    for one in pages:
        head = one.strip().splitlines()[0]
        assert "Lovelace, Ada · ID CANARY-4711 · study of 2026-02-14" in head
        assert DISCLAIMER in head


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
@pytest.mark.parametrize("before", range(24, 46, 3))
def test_a_bullseyes_title_stands_on_the_pdf_page_of_its_scale(before: int, tmp_path: Path) -> None:
    lead = Notes(tuple(Line(f"line {n}") for n in range(before)))
    drawn = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>')
    eye = Bullseye("Myocardial T1", "ms", drawn, ColourBar(("#000", "#fff"), "0", "2000", "ms"))
    pages = _pdf_pages(Page("", "", "", (lead, Beside(((eye,), (eye,))))), tmp_path / "report.pdf")
    assert ["Myocardial T1" in page for page in pages] == ["2000 ms" in page for page in pages]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
@pytest.mark.parametrize("before", range(5))
def test_a_pdf_page_ends_between_the_groups_of_a_table(before: int, tmp_path: Path) -> None:
    """A value stays with its index and its small print, a title with its first row."""
    lead = Notes(tuple(Line(f"filler {n}") for n in range(before * 2 + 28)))
    rows = tuple(
        TableRow(
            (Cell(f"{kind}{n}end"), Cell("1")),
            under=f"small{kind}{n}end",
            is_indented=kind == "index",
        )
        for n in range(40)
        for kind in ("value", "index")
    )
    table = Table((Column("Quantity", share=1), Column("Value")), rows, "A long table")
    pages = _pdf_pages(Page("", "", "", (lead, table)), tmp_path / "report.pdf")
    assert len(pages) >= 3
    for one in pages:
        for n in range(40):
            parts = [f"{part}{n}end" for part in ("value", "smallvalue", "index", "smallindex")]
            assert sum(f" {part}" in f" {one}".replace("\n", " ") for part in parts) in (0, 4)
        assert ("A long table" in one) == (" value0end" in one.replace("\n", " "))


def test_two_runs_write_the_same_bytes(small_report: Report, tmp_path: Path) -> None:
    first = write_report(small_report, tmp_path / "a")
    second = write_report(small_report, tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
@pytest.mark.parametrize("before", range(30, 52, 3))
@pytest.mark.parametrize("count", [16, 60])
def test_few_rows_of_a_table_stand_alone_on_no_pdf_page(
    before: int, count: int, tmp_path: Path
) -> None:
    """A table of less than half a page is whole; of a longer one three rows stay together."""
    lead = Notes(tuple(Line(f"filler {n}") for n in range(before)))
    rows = tuple(TableRow((Cell(f"value{n}end"), Cell("1"))) for n in range(count))
    table = Table((Column("Quantity", share=1), Column("Value")), rows, "A long table")
    pages = _pdf_pages(Page("", "", "", (lead, table)), tmp_path / "report.pdf")
    held = [sum(f"value{n}end" in one for n in range(count)) for one in pages]
    assert sum(held) == count
    assert min(filter(None, held)) >= (3 if count > 16 else count)
    assert ["A long table" in one for one in pages] == [
        " value0end" in f" {one}".replace("\n", " ") for one in pages
    ]
