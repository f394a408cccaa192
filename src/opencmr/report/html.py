"""``report.html``: one self-contained page, without a script and without the network."""

from pathlib import Path

from markupsafe import Markup

from opencmr.report.charts import bullseyes
from opencmr.report.contents import Report
from opencmr.report.hearts import draw_hearts
from opencmr.report.story import tell
from opencmr.report.templating import environment
from opencmr.storage import write_bytes

FONT = "inherit"
"""Charts in the page take the page's font."""


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``report.html``."""
    return [write_bytes(folder / "report.html", page(report).encode("utf-8"))]


def page(report: Report) -> str:
    """Return the page's markup; every text of the report is escaped by the templates."""
    env = environment()

    def svg(template: str, **content: object) -> Markup:
        return Markup(env.get_template(template).render(**content))

    return env.get_template("report.html.j2").render(
        story=tell(report),
        hearts=draw_hearts(report, moving=True),
        bullseyes=bullseyes(report),
        tile_svg=lambda tile: svg("tile.svg.j2", tile=tile, sized=False),
        curves_svg=lambda chart: svg("curves.svg.j2", chart=chart, font=FONT),
        bullseye_svg=lambda bullseye: svg("bullseye.svg.j2", bullseye=bullseye, font=FONT),
    )
