"""``report.pdf``: the page's content on A4, set by typst."""

import re
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

from opencmr.report import palette
from opencmr.report.charts import Bullseye, bullseyes
from opencmr.report.contents import Report
from opencmr.report.hearts import Heart, draw_hearts
from opencmr.report.story import tell
from opencmr.report.templating import environment
from opencmr.report.typesetting import typeset
from opencmr.storage import write_bytes

FONT = "Libertinus Serif"
"""The text face that the typst wheel carries."""
LONG_WORD = re.compile(r"\S{65,}")
"""A word that no line holds; a SHA-256 (64) is left whole, to be copied."""
LEGEND = (("endo", "LV endocardium"), ("epi", "LV epicardium"), ("rv", "RV endocardium"))


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``report.pdf``."""
    return [write_bytes(folder / "report.pdf", document(report))]


def document(report: Report) -> bytes:
    """Return the PDF.  Texts reach typst as JSON data alone, never as markup."""
    template = files("opencmr.report").joinpath("templates/report.typ").read_text("utf-8")
    return typeset(template, contents(report))


def contents(report: Report) -> dict[str, object]:
    """Return everything that the document shows, as plain values; pictures as SVG."""
    env = environment()

    def svg(template: str, **content: object) -> str:
        return env.get_template(template).render(**content)

    def heart(drawn: Heart) -> dict[str, object]:
        curves = drawn.curves
        return {
            "curves": svg("curves.svg.j2", chart=curves, font=FONT) if curves else None,
            "summaries": [
                {"name": c.name, "colour": c.colour, "text": c.summary}
                for c in (curves.curves if curves else ())
            ],
            "panels": [
                {
                    "name": panel.name,
                    "when": panel.when,
                    "columns": panel.columns,
                    "tiles": [
                        {"svg": svg("tile.svg.j2", tile=t, sized=True), "caption": t.caption}
                        for t in panel.tiles
                    ],
                }
                for panel in drawn.panels
            ],
        }

    def bullseye(drawn: Bullseye) -> dict[str, object]:
        return {
            "svg": svg("bullseye.svg.j2", bullseye=drawn, font=FONT),
            "title": drawn.title,
            "unit": drawn.unit,
            "stops": drawn.stops,
            "low": drawn.low,
            "high": drawn.high,
            "has_negative": drawn.has_negative,
            "has_missing": drawn.has_missing,
            "reason": drawn.reason,
        }

    return {
        "story": _breakable(asdict(tell(report))),
        "hearts": [heart(drawn) for drawn in draw_hearts(report, moving=False)],
        "bullseyes": [bullseye(drawn) for drawn in bullseyes(report)],
        "legend": [{"name": n, "colour": palette.ON_DARK[kind]} for kind, n in LEGEND],
        "palette": {
            "ink": palette.INK,
            "muted": palette.MUTED,
            "line": palette.LINE,
            "dark": palette.DARK,
            "negative": palette.NEGATIVE,
            "lv": palette.ON_PAPER["LV"],
            "rv": palette.ON_PAPER["RV"],
        },
    }


def _breakable(value: object) -> object:
    """Return texts with places to break in words that are longer than a line."""
    if isinstance(value, str):
        return LONG_WORD.sub(lambda word: "\N{ZERO WIDTH SPACE}".join(word[0]), value)
    if isinstance(value, dict):
        return {key: _breakable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_breakable(item) for item in value]
    return value
