"""A page of blocks as HTML: self-contained, without a script and without the network."""

from opencmr.report.blocks import Page
from opencmr.report.templating import environment


def markup(page: Page) -> str:
    """Return a page's markup; the templates escape every text of its blocks."""
    return environment().get_template("page.html.j2").render(page=page)
