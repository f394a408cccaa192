"""The one way in which text becomes markup: templates that escape everything they are given."""

import base64
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from opencmr.report import palette

FONT = "Libertinus Serif"
"""The text face of drawings on paper, which typst carries in itself; a page sets its own."""


@cache
def environment() -> Environment:
    """Return the template environment: escaping on, an unknown name is an error."""
    env = Environment(
        loader=PackageLoader("opencmr.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["palette"] = palette
    env.filters["data_uri"] = data_uri
    env.filters["kind"] = kind
    return env


def draw(template: str, **content: object) -> Markup:
    """Return the drawing that an SVG template makes of its content, every text escaped."""
    return Markup(environment().get_template(template).render(font=FONT, **content))


def kind(block: object) -> str:
    """Return the name by which a template knows a block's kind."""
    return type(block).__name__


def data_uri(content: bytes, media_type: str) -> Markup:
    """Return binary content as a ``data:`` address of a media type that we name ourselves."""
    return Markup(f"data:{media_type};base64,") + base64.b64encode(content).decode("ascii")
