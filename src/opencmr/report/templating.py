"""The one way in which text becomes markup: templates that escape everything they are given."""

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from opencmr.report import palette


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
    return env


def data_uri(content: bytes, kind: str) -> Markup:
    """Return binary content as a ``data:`` address of a media type that we name ourselves."""
    return Markup(f"data:{kind};base64,") + base64.b64encode(content).decode("ascii")
