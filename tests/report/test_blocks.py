"""Blocks without a study: every kind is set on screen and on paper, and text stays text."""

import io
import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from markupsafe import Markup
from PIL import Image as Picture

from opencmr.anatomy.quantities import Code, Quantity
from opencmr.imaging.measurement import Measurement
from opencmr.report import blocks, html, pdf
from opencmr.report.charts import bullseye, bullseye_block
from opencmr.report.heart_pictures import Tile
from opencmr.report.templating import draw

T1 = Quantity("T1", "Native T1", "ms", 0, Code("T1", "99OPENCMR", "T1"), "Native T1.")
MAP_COLOURS = ("#000004", "#b63679", "#fcfdbf")
HOSTILE = (
    "<b>x</b>{{7*7}}",
    '"><script>alert(1)</script>',
    '#panic("no") *bold* $x$ \\',
    "y" * 900,
)


def _map_tile() -> Markup:
    stream = io.BytesIO()
    Picture.new("RGB", (8, 8), "#b63679").save(stream, "JPEG")
    return draw("tile.svg.j2", tile=Tile(1, stream.getvalue(), 90.0, 90.0, ()))


def every_kind(text: str) -> tuple[blocks.Block, ...]:
    """One block of each kind, with ``text`` in all places that take one."""
    strip = blocks.Strip(29.0, 71.0, 90.0, "")
    values = {n: Measurement(T1, 1000.0 + 20 * n, segment=n) for n in range(1, 17)}
    bar = blocks.ColourBar(
        MAP_COLOURS, "800", "1400", "ms", (blocks.Legend(text, "#808080"),), has_missing=True
    )
    cells = (
        blocks.Cell(text, small=text, hint=text),
        blocks.Cell(text, unit=text, below=text, look="strong", verdict="above"),
        blocks.Cell(strip=strip, verdict="above"),
        blocks.Cell(text, look="muted", verdict="above"),
    )
    spanned = (blocks.Cell(text), blocks.Cell(text, look="aside", span=3))
    return (
        blocks.Facts((blocks.Fact(text, text), blocks.Fact(text, ""))),
        blocks.Facts((blocks.Fact(text, text, is_code=True),), text, is_prose=True),
        blocks.Facts((blocks.Fact(text, text),), text, is_subject=True),
        blocks.Remarks("review", text, text, (blocks.Remark("review", text, text, text),)),
        blocks.Numbers((blocks.Number(text, text, text, text, "above", strip),) * 5),
        blocks.Table(
            tuple(blocks.Column(text, kind) for kind in ("text", "number", "strip", "number")),
            (blocks.TableRow(cells, under=text), blocks.TableRow(spanned, is_indented=True)),
            text,
            text,
            "#1f6fb2",
        ),
        blocks.Table((blocks.Column(), blocks.Column()), (), text, otherwise=text),
        blocks.Notes((blocks.Line(text, text, text),), text, (text,)),
        blocks.Paragraph(text, text, text, (text, text)),
        blocks.Chart(_map_tile(), text, text, text, (blocks.Legend(text, "#c25a12", text),)),
        blocks.Montage(
            (blocks.Picture(_map_tile(), text),) * 3,
            3,
            text,
            text,
            (blocks.Legend(text, "#ff8c24"),),
            bar,
            text,
        ),
        blocks.Movie(b"webp", b"webp", 8, 8, text, text, text),
        blocks.Viewer(text, {text: blocks.Legend(text, "#ff8c24")}, {text: [text]}, text, text),
        blocks.Beside(
            ((bullseye_block(bullseye(values, (800.0, 1400.0), MAP_COLOURS)),),) * 3, text
        ),
        blocks.Beside(((blocks.Movie(b"webp", b"webp", 8, 8),), (blocks.Notes(title=text),))),
        blocks.Beside(((blocks.Movie(b"webp", b"webp", 8, 8),),)),
    )


def page_with(text: str) -> blocks.Page:
    return blocks.Page(text, text, text, every_kind(text), text, text)


def _kinds(found: tuple[blocks.Block, ...]) -> set[type]:
    inside = {
        kind
        for one in found
        if isinstance(one, blocks.Beside)
        for column in one.columns
        for kind in _kinds(column)
    }
    return {type(one) for one in found} | inside


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def _elements(page: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = _Elements()
    parser.feed(page)
    parser.close()
    return parser.found


def test_the_page_of_these_tests_holds_every_kind_of_block() -> None:
    assert _kinds(every_kind("text")) == set(get_args(blocks.Block))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_any_block_becomes_markup(text: str) -> None:
    assert _elements(html.markup(page_with(text))) == _elements(html.markup(page_with("plain")))
    assert pdf.document(page_with(text)).startswith(b"%PDF-")


def test_every_text_of_every_block_is_on_the_page() -> None:
    harmless, marked = html.markup(page_with("")), html.markup(page_with("marked"))
    assert marked.count("marked") > harmless.count("marked") + 60


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
def test_a_map_of_any_unit_stands_with_its_scale_on_screen_and_paper(tmp_path: Path) -> None:
    page = page_with("word")
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf.document(page))
    paper = subprocess.run(
        ["pdftotext", str(path), "-"], check=True, capture_output=True, text=True
    ).stdout
    screen = re.sub(r"<[^>]+>", " ", html.markup(page))
    for told in (paper, screen):
        assert len(re.findall(r"\b1400 ms", told)) == 4
        assert "Native T1" in told
        assert "1320" in told


def test_what_moves_stays_off_paper() -> None:
    told = str(pdf.plain(page_with("text")))
    assert "Movie" not in told
    assert "Viewer" not in told


def test_a_word_longer_than_a_line_may_break_and_a_drawing_never_does() -> None:
    long = "z" * 80
    chart = blocks.Chart(Markup(long), long)
    told = pdf.plain(chart)
    assert isinstance(told, dict)
    assert told["drawing"] == long
    assert "\N{ZERO WIDTH SPACE}" in told["title"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: blocks.Remarks("red", "", ""), "expected one of .*found red"),  # type: ignore[arg-type]
        (
            lambda: blocks.Table(
                (blocks.Column(),) * 3, (blocks.TableRow((blocks.Cell("x"),)),), "T"
            ),
            "'T', row 1: expected cells over 3 columns, found 1",
        ),
        (lambda: blocks.ColourBar(("#000000",), "0", "1"), "two colours or more"),
        (lambda: blocks.Montage((), 0), "one column or more, found 0"),
        (lambda: blocks.Beside(((),)), "no column without a block"),
    ],
)
def test_a_block_that_no_renderer_could_set_is_refused_when_it_is_made(
    make: Callable[[], object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        make()


SCRIPTS = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_one_script_runs_whatever_a_text_says_and_the_policy_names_it_alone(text: str) -> None:
    page = html.markup(page_with(text))
    (kind, held), (plain, script) = SCRIPTS.findall(page)
    assert (kind, plain) == (' type="application/json"', "")
    assert json.loads(held) == {text: [text]}
    assert "'sha256-" + b64encode(sha256(script.encode()).digest()).decode() + "'" in page
    assert page.count("script-src") == 1
    assert "script-src" not in html.markup(blocks.Page(text, text, text, ()))


def test_the_viewer_s_script_is_found_wherever_its_block_stands() -> None:
    viewer = blocks.Viewer("", {}, {})
    within = blocks.Beside(((blocks.Notes(title="text"), blocks.Beside(((viewer,),))),))
    assert "script-src" in html.markup(blocks.Page("", "", "", (within,)))
