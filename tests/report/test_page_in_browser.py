"""The page in a browser: the viewer by keys, mouse and touch; phone, dark room and paper."""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image as Picture

from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.report import html
from opencmr.report.blocks import (
    Beside,
    Bullseye,
    Cell,
    ColourBar,
    Column,
    Page,
    Table,
    TableRow,
)
from opencmr.report.contents import Report
from opencmr.report.sections.table import page_of

from .chromium import CHROMIUM, Browser, chromium
from .conftest import RR_MS, make_report

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium"
)

PHASES, SLICES = 8, 6
STATUS = "document.querySelector('.viewer .status').textContent"
READY = "document.querySelector('.viewer')?.hidden === false"
PAPER_PX = 703
"""Width of what is printed on A4 with the page's margins, at 96 pixels an inch."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def beating() -> Report:
    """A report whose values all have wide intervals, the widest that its tables hold."""
    report = make_report(shape=(PHASES, SLICES, 96, 104))
    found = tuple(
        replace(m, interval=(m.value * 0.9, m.value * 1.1))
        if isinstance(m, Measurement) and m.value and not m.segment
        else m
        for m in report.measurements.found
    )
    return replace(report, measurements=Measurements(found))


@pytest.fixture(scope="module")
def page(beating: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.markup(page_of(beating)), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Browser]:
    """The page on a desk; whatever it was put through, it may not have complained."""
    browser.screen(1280, 900)
    browser.open(page)
    browser.until(READY)
    yield browser
    assert browser.complaints == []


def _place(browser: Browser) -> tuple[int, int]:
    """Return the slice and the phase that are shown, from 1."""
    found = re.search(r": (\d+) of \d+ from the base; phase (\d+) of", browser.run(STATUS))
    assert found
    return int(found[1]), int(found[2])


def _middle(browser: Browser) -> tuple[float, float]:
    """Scroll to the stage and return its centre on the screen."""
    browser.run("document.querySelector('.stage').scrollIntoView({block: 'center'})")
    x, y = browser.run(
        "(b => [b.x + b.width / 2, b.y + b.height / 2])"
        "(document.querySelector('.stage').getBoundingClientRect())"
    )
    return x, y


def _focus(browser: Browser) -> None:
    browser.run("document.querySelector('.stage').focus()")


def _seen(browser: Browser) -> np.ndarray:
    """Return the grey values of the viewer's picture."""
    browser.until("document.querySelector('.viewer canvas').width > 0")
    values = browser.run(
        """(shown => {
        const copy = document.createElement("canvas");
        copy.width = 200;
        copy.height = Math.round(200 * shown.height / shown.width);
        const paper = copy.getContext("2d", {willReadFrequently: true});
        paper.drawImage(shown, 0, 0, copy.width, copy.height);
        const held = paper.getImageData(0, 0, copy.width, copy.height).data;
        return [copy.height, copy.width, Array.from(held.filter((_, i) => i % 4 === 0))];
        })(document.querySelector(".viewer canvas"))"""
    )
    return np.array(values[2], dtype=np.float64).reshape(values[0], values[1])


def test_keys_go_through_slices_and_phases_and_stop_at_the_ends_of_the_stack(
    opened: Browser,
) -> None:
    _focus(opened)
    middle = _place(opened)
    opened.press("ArrowDown")
    opened.press("ArrowRight")
    assert _place(opened) == (middle[0] + 1, middle[1] + 1)
    opened.press("Home")
    opened.press("ArrowUp")
    opened.press("ArrowLeft")
    opened.press("ArrowLeft")
    assert _place(opened) == (1, PHASES)
    opened.press("End")
    assert _place(opened) == (SLICES, PHASES)


def test_every_slice_and_phase_shows_a_picture_of_its_own(opened: Browser) -> None:
    _focus(opened)
    opened.press("Home")
    seen = []
    for key in ("Home", "ArrowRight", "ArrowDown", "End"):
        opened.press(key)
        opened.run("new Promise(done => setTimeout(done, 50))")
        opened.until("document.querySelector('.viewer canvas').width > 0")
        seen.append(_seen(opened))
    assert all(one.std() > 10 for one in seen)
    assert all(np.abs(a - b).mean() > 0.5 for a, b in pairwise(seen))


def test_the_wheel_turns_slices_and_at_an_end_the_page_goes_on(opened: Browser) -> None:
    x, y = _middle(opened)
    before = _place(opened)[0]
    opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=120)
    assert _place(opened)[0] == before + 1
    scrolled = opened.run("scrollY")
    for _ in range(SLICES + 4):
        opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=120)
        opened.run("new Promise(done => setTimeout(done, 20))")
    assert _place(opened)[0] == SLICES
    opened.until(f"scrollY > {scrolled}")


def test_play_follows_the_clock_of_the_beat(opened: Browser) -> None:
    """A clock of the test's own: the phase at each moment is known."""
    times = np.arange(PHASES) * RR_MS / PHASES
    opened.run(
        "window.frames_ = []; window.requestAnimationFrame = act => frames_.push(act);"
        "performance.now = () => 1000"
    )
    _focus(opened)
    opened.press(" ")
    assert opened.run("document.querySelector('[data-do=play]').textContent") == "Pause"
    for after_ms in (1, 300, 700, RR_MS - 1, RR_MS + 1, 3 * RR_MS + 500):
        opened.run(f"frames_.pop()({1000 + after_ms})")
        assert _place(opened)[1] - 1 == np.flatnonzero(times <= after_ms % RR_MS)[-1]
    opened.press(" ")
    assert opened.run("document.querySelector('[data-do=play]').textContent") == "Play"
    assert opened.run("frames_.pop()(9999), frames_.length") == 0


def test_nothing_of_the_viewer_moves_before_it_is_asked_to(opened: Browser) -> None:
    before = opened.run(STATUS)
    opened.run("new Promise(done => setTimeout(done, 300))")
    assert opened.run(STATUS) == before
    opened.ask(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-reduced-motion", "value": "reduce"}],
    )
    still = "document.querySelector('picture img').currentSrc.length"
    source = "document.querySelector('picture source').srcset.length"
    opened.until(f"{still} === {source}")


SHOWN = (
    "[...document.querySelectorAll('.stage path')].filter("
    "p => getComputedStyle(p).display !== 'none' && p.getAttribute('d'))"
    ".map(p => p.dataset.contour)"
)


def test_each_contour_is_switched_alone_and_all_by_one_key(opened: Browser) -> None:
    assert opened.run(SHOWN) == ["endo", "epi", "rv"]
    for kind in ("epi", "rv", "endo"):
        opened.run(f"document.querySelector('[data-shows={kind}]').click()")
        assert kind not in opened.run(SHOWN)
    _focus(opened)
    opened.press("c")
    assert opened.run(SHOWN) == ["endo", "epi", "rv"]
    opened.press("c")
    assert opened.run(SHOWN) == []
    assert opened.run("document.querySelectorAll('.viewer :checked').length") == 0


def test_a_contour_lies_where_the_picture_has_its_edge(opened: Browser) -> None:
    """Inside the endocardium is blood, just outside is muscle."""
    path = "document.querySelector('[data-contour=endo]')"
    at = opened.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2, b.width])({path}.getBBox())")
    left, top, width, height = map(
        float, opened.run("document.querySelector('.stage svg').getAttribute('viewBox')").split()
    )
    _seen(opened)
    opened.run("new Promise(done => setTimeout(done, 100))")
    grey = _seen(opened)

    def value(x_mm: float, y_mm: float) -> float:
        row = int((y_mm - top) / height * grey.shape[0])
        column = int((x_mm - left) / width * grey.shape[1])
        return float(grey[row, column])

    inside, outside = value(at[0], at[1]), value(at[0] + at[2] / 2 + 4, at[1])
    assert inside > 2 * outside


def test_a_wider_window_takes_contrast_and_reset_gives_it_back(opened: Browser) -> None:
    opened.run("new Promise(done => setTimeout(done, 100))")
    first = _seen(opened).std()
    x, y = _middle(opened)
    opened.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    opened.mouse("mouseMoved", x + 150, y, button="left", buttons=1)
    opened.mouse("mouseReleased", x + 150, y, button="left", clickCount=1)
    assert _seen(opened).std() < 0.8 * first
    opened.press("0")
    assert _seen(opened).std() == pytest.approx(first, rel=1e-6)


def test_the_scale_bar_is_true_at_every_zoom(opened: Browser) -> None:
    _focus(opened)
    for _ in range(4):
        bar_px, bar = opened.run(
            "[document.querySelector('.scale-bar i').getBoundingClientRect().width,"
            "parseFloat(document.querySelector('.scale-bar b').textContent)]"
        )
        # The endocardium's width on the screen and in millimetres of its path.
        path = "document.querySelector('[data-contour=endo]')"
        mm, px = opened.run(
            f"[{path}.getBBox().width, {path}.getBBox().width * {path}.getScreenCTM().a]"
        )
        assert bar_px / bar == pytest.approx(px / mm, rel=0.01)
        opened.press("+")
        opened.press("+")


def test_letters_stand_at_the_edges(opened: Browser) -> None:
    letters = opened.run(
        "[...document.querySelectorAll('[data-edge]')].map(e => [e.dataset.edge, e.textContent])"
    )
    assert dict(letters) == {"top": "A", "right": "L", "bottom": "P", "left": "R"}


def test_the_curve_tells_the_phase_under_the_cursor_and_a_press_shows_it(
    opened: Browser, beating: Report
) -> None:
    opened.run("document.querySelector('.areas svg').scrollIntoView({block: 'center'})")
    x, y, width = opened.run(
        "(b => [b.x, b.y + b.height / 2, b.width])"
        "(document.querySelector('.areas svg').getBoundingClientRect())"
    )
    place, phase = _place(opened)
    last = x + width * 293 / 300
    opened.mouse("mouseMoved", last, y)
    readout = opened.run("document.querySelector('.readout').textContent")
    z = beating.landmarks["s02"].base_first[place - 1]
    cm2 = (beating.segmentations["s02"].labels[PHASES - 1, z] == 3).sum() * 1.4**2 / 100
    assert f"At phase {PHASES} of {PHASES}" in readout
    assert f"LV {cm2:.1f} cm², {cm2:.1f} mL" in readout  # slices of 10 mm
    assert _place(opened) == (place, phase)
    opened.mouse("mousePressed", last, y, button="left", buttons=1, clickCount=1)
    opened.mouse("mouseReleased", last, y, button="left", clickCount=1)
    assert _place(opened) == (place, PHASES)


def test_fingers_swipe_and_pinch(opened: Browser) -> None:
    opened.screen(420, 860, is_phone=True)
    x, y = _middle(opened)
    place, phase = _place(opened)
    opened.swipe(((x, y), (x, y - 20)))
    assert _place(opened) == (place + 1, phase)
    opened.swipe(((x, y), (x - 36, y)))
    assert _place(opened) == (place + 1, phase + 2)
    box = "document.querySelector('.stage svg').getAttribute('viewBox').split(' ').map(Number)"
    before = opened.run(box)
    opened.swipe(((x - 30, y), (x - 90, y)), ((x + 30, y), (x + 90, y)))
    after = opened.run(box)
    assert after[2] < 0.6 * before[2]
    middle = (before[0] + before[2] / 2, before[1] + before[3] / 2)
    assert (after[0] + after[2] / 2, after[1] + after[3] / 2) == pytest.approx(middle, abs=3)


@pytest.mark.parametrize("width", [360, 420])
def test_on_a_phone_nothing_is_cut_off(opened: Browser, width: int) -> None:
    opened.screen(width, 860, is_phone=True)
    assert opened.run("document.documentElement.scrollWidth") == width
    beyond = opened.run(
        "[...document.querySelectorAll('td, th, figure, dd, p, button, input')]"
        ".filter(e => e.getClientRects().length)"
        f".filter(e => e.getBoundingClientRect().right > {width} + 0.5"
        " || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


BROKEN_WORDS = """
[...document.querySelectorAll("td, th")].flatMap(cell => {
  const found = [];
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walk.nextNode())
    for (const word of walk.currentNode.data.matchAll(/[A-Za-z0-9_]+/g)) {
      const range = document.createRange();
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) found.push(word[0]);
    }
  return found;
})
"""


@pytest.mark.parametrize("paper", [False, True], ids=["phone", "paper"])
def test_neither_a_code_nor_a_word_of_a_narrow_table_is_broken(
    browser: Browser, tmp_path: Path, *, paper: bool
) -> None:
    criteria = Table(
        (Column("Criterion", share=1), Column("Outcome", "word"), Column("Because", share=1)),
        (
            TableRow(
                (
                    Cell("subepicardial enhancement, inflammation, cardiomyopathy"),
                    Cell("not assessable"),
                    Cell("no limit of this scanner and sequence is known; " * 4, look="aside"),
                )
            ),
        ),
    )
    scar = Table(
        (Column(), Column(kind="number"), Column(share=1)),
        (
            TableRow(
                (
                    Cell("No-reflow mass", small="NO_REFLOW_MASS"),
                    Cell("1.4", unit="g", below="1.1–13.8"),
                    Cell("of 93 g of myocardium on late enhancement, by methods", look="aside"),
                )
            ),
        ),
    )
    series = Table(
        (*(Column(one) for one in ("", "Description", "View", "Spacing", "What became of it")),),
        (
            TableRow(
                (
                    Cell("s08"),
                    Cell("MOLLI 5(3)3 native, the first of several descriptions"),
                    Cell("SAX"),
                    Cell("1.40 × 1.40 × 25.0 mm"),
                    Cell("not measured", small="MISSING_SLICES, UNEVEN_SLICES"),
                ),
                under="because of " + "several parallel slices " * 9,
            ),
        ),
    )
    page = Page("Tables", "", "", (Beside(((scar,), (scar,))), criteria, series))
    path = tmp_path / "page.html"
    path.write_text(html.markup(page), encoding="utf-8")
    browser.screen(PAPER_PX if paper else 420, 900, is_phone=not paper)
    browser.ask("Emulation.setEmulatedMedia", media="print" if paper else "screen")
    browser.open(path)
    try:
        assert browser.run(BROKEN_WORDS) == []
    finally:
        browser.ask("Emulation.setEmulatedMedia", media="")


def _tables() -> Page:
    """A page with the tables of numbers, one of which stacks on a phone, and bull's-eyes."""

    def numbers(title: str, *names: str) -> Table:
        columns = (Column(names[0], share=1), *(Column(one, "number") for one in names[1:]))
        row = (
            Cell("Septal extracellular volume", "%", small="ECV_SEPTUM"),
            *(Cell("162.8", "mL") for _ in names[1:]),
        )
        return Table(columns, (TableRow(row),) * 2, title)

    truth = numbers("Truth", "Quantity", "Truth", "Measured", "Difference")
    base = numbers("Base", "The base read", "LVEF", "LVEDV", "LVESV")
    earlier = Table(
        (Column("Quantity"), *(Column(n, "number") for n in ("Then", "Now")), Column("Repeats")),
        (TableRow((Cell("LVEDV"), Cell("1", "mL"), Cell("2", "mL"), Cell("within ± 3 mL"))),),
        "Earlier",
    )
    bar = ColourBar(("#000", "#fff"), "0", "60", "ms")
    eyes = Beside(tuple((Bullseye(f"T{n}", "ms", Markup(), bar),) for n in range(3)))
    titled = replace(eyes, title="Wall")
    tissue = Table(
        (Column(), Column("Series"), Column(kind="number"), Column(share=1)),
        (
            TableRow(
                (
                    Cell("Septal T1 after contrast", small="T1_POST_SEPTUM"),
                    Cell("s12"),
                    Cell("no value", look="absent"),
                    Cell("147 pixels on 3 slices, wall of the cine's phase 7", look="aside"),
                )
            ),
        ),
        "Tissue",
    )
    return Page("Tables", "", "", (base, truth, eyes, titled, earlier, tissue))


@pytest.mark.parametrize("width", [360, 420])
def test_on_a_phone_numbers_of_one_quantity_stand_in_one_line_and_each_by_its_unit(
    browser: Browser, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "page.html"
    path.write_text(html.markup(_tables()), encoding="utf-8")
    browser.screen(width, 860, is_phone=True)
    browser.open(path)
    tops = browser.run(
        "['Base', 'Truth'].map(t => [...document.querySelectorAll(`[aria-label=${t}] tbody tr`)]"
        ".map(r => new Set([...r.cells].map(c => c.getBoundingClientRect().top)).size))"
    )
    assert tops == [[1, 1], [1, 1]]
    apart = browser.run(
        "[...document.querySelectorAll('td .unit')].map(u => Math.abs("
        "u.getBoundingClientRect().bottom - u.previousElementSibling.getBoundingClientRect()"
        ".bottom))"
    )
    assert len(apart) == 14
    assert max(apart) < 4
    told = "[...document.querySelectorAll('[aria-label=Tissue] td.reason')].map(e => e.clientWidth)"
    assert min(browser.run(told)) > 0.8 * width
    eyes = (
        "[...document.querySelectorAll('.pair')].flatMap(p => [...p.querySelectorAll('.wall')]"
        ".map(w => w.getBoundingClientRect()).map((b, n, all) => n ? b.top - all[n - 1].bottom"
        " : 99))"
    )
    assert min(browser.run(eyes)) >= 15
    wide = "[...document.querySelectorAll('.wide')].map(e => e.scrollWidth - e.clientWidth)"
    assert max(browser.run(wide)) <= 0


@pytest.mark.parametrize("paper", [False, True], ids=["desk", "paper"])
def test_a_bullseyes_title_keeps_away_from_what_stands_above_it(
    browser: Browser, tmp_path: Path, *, paper: bool
) -> None:
    path = tmp_path / "page.html"
    path.write_text(html.markup(_tables()), encoding="utf-8")
    browser.screen(PAPER_PX, 1000)
    browser.ask("Emulation.setEmulatedMedia", media="print" if paper else "screen")
    browser.open(path)
    try:
        gaps_px = browser.run(
            "(bottom => [...document.querySelectorAll('.wall h3')].slice(0, 2)"
            ".map(h => h.getBoundingClientRect().top - bottom))"
            "(document.querySelector('[aria-label=Truth]').getBoundingClientRect().bottom)"
        )
    finally:
        browser.ask("Emulation.setEmulatedMedia", media="")
    assert min(gaps_px) >= 15


def test_every_table_with_a_title_has_it_as_its_name(opened: Browser) -> None:
    nodes = opened.ask("Accessibility.getFullAXTree")["nodes"]
    tables = [n["name"]["value"] for n in nodes if n["role"]["value"] == "table"]
    assert {"Left ventricle", "Right ventricle"} <= set(tables)


def test_every_control_has_a_name_and_can_be_reached_and_seen(opened: Browser) -> None:
    nodes = opened.ask("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            named.setdefault(node["role"]["value"], []).append(node["name"]["value"])
    assert named["slider"] == ["Slice", "Phase", "Window level", "Window width"]
    assert named["button"] == ["Play", "Zoom in", "Zoom out", "Reset", "Copy"]
    assert {"LV endocardium", "LV epicardium", "RV endocardium"} < set(named["checkbox"])
    assert named["application"] == ["Short-axis cine. " + opened.run(STATUS)]
    _focus(opened)
    for _ in range(6):
        opened.ask("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9)
        opened.ask("Input.dispatchKeyEvent", type="keyUp", key="Tab", windowsVirtualKeyCode=9)
        assert (
            opened.run(
                "(e => e.closest('.viewer') && getComputedStyle(e).outlineStyle)"
                "(document.activeElement)"
            )
            == "solid"
        )


def test_in_a_dark_room_the_page_is_dark_and_its_text_readable(opened: Browser) -> None:
    opened.screen(1280, 900, dark=True)
    with Picture.open(io.BytesIO(opened.picture(whole=True))) as seen:
        grey = np.asarray(seen.convert("L"))
    assert np.median(grey) < 40
    assert (grey > 235).mean() < 0.03
    faint = opened.run(
        """(() => {
        const channels = c => c.match(/[\\d.]+/g).map(Number);
        const light = c => channels(c).slice(0, 3).map(v => v / 255)
          .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = e => {
          for (; e; e = e.parentElement) {
            const c = getComputedStyle(e).backgroundColor;
            if ((channels(c)[3] ?? 1) > 0.5) return c;
          }
          return "rgb(255, 255, 255)";
        };
        return [...document.querySelectorAll("main *")]
          .filter(e => !e.closest("svg") && e.getClientRects().length)
          .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
          .filter(e => getComputedStyle(e).color.startsWith("rgb"))
          .map(e => [light(getComputedStyle(e).color), light(ground(e)), e.textContent])
          .filter(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.4)
          .map(([a, b, text]) => text.slice(0, 40));
        })()"""
    )
    assert faint == []


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext (poppler-utils)")
def test_on_paper_the_viewer_is_gone_and_no_word_stands_upon_another(
    opened: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "page.pdf"
    # Words' boxes are as high as their font's, and some fonts' reach far above the letters.
    opened.run("document.body.style.fontFamily = 'DejaVu Sans'")
    path.write_bytes(opened.print_a4())
    opened.run("document.body.style.fontFamily = ''")
    told = subprocess.run(
        ["pdftotext", "-bbox", str(path), "-"], check=True, capture_output=True, text=True
    ).stdout
    assert "Ventricle" in told or "ventricle" in told
    assert "Window" not in told
    for sheet in told.split("<page ")[1:]:
        width = float(re.findall(r'width="([\d.]+)"', sheet)[0])
        found = re.findall(
            r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]*)<', sheet
        )
        boxes = np.array([[float(one) for one in word[:4]] for word in found])
        assert boxes[:, 2].max() <= width
        # Shrunk to the letters themselves: the boxes of neighbouring lines touch.
        low = boxes[:, :2] + (0.5, 0) + (0, 0.3) * (boxes[:, 3:] - boxes[:, 1:2])
        high = boxes[:, 2:] - (0.5, 0) - (0, 0.3) * (boxes[:, 3:] - boxes[:, 1:2])
        overlap = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(2)
        np.fill_diagonal(overlap, False)
        pairs = {tuple(sorted((found[i][4], found[j][4]))) for i, j in np.argwhere(overlap)}
        assert pairs == set()


def test_on_paper_the_tables_of_the_ventricles_keep_apart(opened: Browser) -> None:
    opened.screen(PAPER_PX, 1000)
    opened.ask("Emulation.setEmulatedMedia", media="print")
    left, right = opened.run(
        "[...document.querySelectorAll('.function table')]"
        ".map(t => t.getBoundingClientRect()).map(b => [b.left, b.right])"
    )
    opened.ask("Emulation.setEmulatedMedia", media="")
    assert left[1] < right[0]
    assert right[1] <= PAPER_PX


def test_without_a_script_the_page_keeps_its_pictures(browser: Browser, page: Path) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        told = browser.ask("DOM.getDocument", depth=-1)
        root = told["root"]["nodeId"]
        slices = browser.ask("DOM.querySelectorAll", nodeId=root, selector="svg.slice")
        assert len(slices["nodeIds"]) >= 2 * SLICES  # ED and ES, and what the base shows again
        viewer = browser.ask("DOM.querySelector", nodeId=root, selector=".viewer")["nodeId"]
        assert "hidden" in browser.ask("DOM.getAttributes", nodeId=viewer)["attributes"]
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_a_script_that_is_not_ours_does_not_run(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    planted = tmp_path / "planted.html"
    text = page.read_text(encoding="utf-8")
    planted.write_text(
        text.replace("</main>", "<script>document.title = 'PLANTED'</script></main>"),
        encoding="utf-8",
    )
    browser.screen(1280, 900)
    browser.open(planted)
    browser.until(READY)
    assert browser.run("document.title") != "PLANTED"
    assert any("Content Security Policy" in one for one in browser.complaints)
    changed = tmp_path / "changed.html"
    changed.write_text(text.replace("const CLOSEST = 8;", "const CLOSEST = 9;"), encoding="utf-8")
    browser.open(changed)
    assert browser.run("document.querySelector('.viewer').hidden") is True


def test_the_findings_are_copied_by_a_button_of_the_one_allowed_script(opened: Browser) -> None:
    """What is selected for the clipboard is the paragraph and nothing beside it."""
    assert opened.run("document.querySelector('.copies').checkVisibility()")
    opened.run("document.querySelector('.copies').click()")
    told = opened.run("document.querySelector('.copied').textContent")
    assert told.startswith("The indexed end-diastolic volume")
    assert opened.run("getSelection().toString()") == told
