"""A page of blocks as HTML: self-contained, without the network.

A page with a viewer carries one script of our own, which the page's policy names by its SHA-256;
no other can run.  Without a script the page stays whole but for the viewer.
"""

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from opencmr.report.blocks import Beside, Block, Page, Viewer
from opencmr.report.templating import environment


def markup(page: Page) -> str:
    """Return a page's markup; the templates escape every text of its blocks."""
    script = viewer_script() if _has_viewer(page.blocks) else ""
    return (
        environment()
        .get_template("page.html.j2")
        .render(page=page, script=Markup(script), script_source=source_of(script) if script else "")
    )


@cache
def viewer_script() -> str:
    """Return the script of the viewer."""
    return files("opencmr.report").joinpath("templates/viewer.js").read_text("utf-8")


def source_of(script: str) -> str:
    """Return how a content security policy names an inline script (CSP level 3, hash-source).

    >>> source_of("alert('Hello, world.');")
    "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
    """
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _has_viewer(found: Iterable[Block]) -> bool:
    return any(
        isinstance(block, Viewer)
        or (isinstance(block, Beside) and any(map(_has_viewer, block.columns)))
        for block in found
    )
