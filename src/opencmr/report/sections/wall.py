"""The wall of the left ventricle by AHA segment: a bull's-eye for each quantity."""

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.report.blocks import Beside, Block
from opencmr.report.charts import Bullseye, bullseye, bullseye_block
from opencmr.report.contents import Report

SCALES = {"WT": (4.0, 16.0), "WTH": (0.0, 100.0)}
"""Fixed ends of the colour scale, so that two studies compare; mm and percent."""


def tell(report: Report) -> tuple[Block, ...]:
    """Return the bull's-eyes; nothing where no segment was measured."""
    drawn = tuple((bullseye_block(one),) for one in bullseyes(report))
    return (Beside(drawn, "Wall by AHA segment"),) if drawn else ()


def bullseyes(report: Report) -> tuple[Bullseye, ...]:
    """Return one bull's-eye for each quantity of function on AHA segments."""
    found = report.measurements.of(FUNCTION).by_segment
    return tuple(
        bullseye(one, SCALES.get(next(iter(one.values())).quantity.symbol)) for one in found
    )
