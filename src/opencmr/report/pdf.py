"""A page of blocks on A4, set by typst."""

import re
from dataclasses import fields, is_dataclass
from importlib.resources import files

from opencmr.report import palette
from opencmr.report.blocks import Movie, Page, Viewer
from opencmr.report.templating import kind
from opencmr.report.typesetting import typeset, typeset_with_pictures

LONG_WORD = re.compile(r"\S{65,}")
"""A word that no line holds; a SHA-256 (64) is left whole, to be copied."""
DRAWINGS = frozenset({"drawing"})
"""Fields that hold SVG, in which nothing may be broken."""
PALETTE = {
    "ink": palette.INK,
    "muted": palette.MUTED,
    "line": palette.LINE,
    "dark": palette.DARK,
}


def document(page: Page) -> bytes:
    """Return the PDF of a page.  Texts reach typst as JSON data alone, never as markup."""
    return typeset(*_set(page))


def document_with_pictures(page: Page, pixels_per_inch: float) -> tuple[bytes, list[bytes]]:
    """Return the PDF, and its pages as PNG."""
    return typeset_with_pictures(*_set(page), pixels_per_inch)


def _set(page: Page) -> tuple[str, object]:
    """Return the template and its data."""
    template = files("opencmr.report").joinpath("templates/page.typ").read_text("utf-8")
    return template, {"page": plain(page), "palette": PALETTE}


def plain(value: object) -> object:
    """Return blocks as plain values, each with its kind; what moves stays off paper.

    Words that are longer than a line get places to break.
    """
    if isinstance(value, str):
        return LONG_WORD.sub(lambda word: "\N{ZERO WIDTH SPACE}".join(word[0]), value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value if not isinstance(item, Movie | Viewer)]
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        told = {name: one if name in DRAWINGS else plain(one) for name, one in held.items()}
        return {"kind": kind(value), **told}
    return value
