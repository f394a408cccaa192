"""Late enhancement: scar in numbers beside the classical rules, and its reach on the segments."""

from opencmr.analyses.scar import NAME as SCAR
from opencmr.report.blocks import Block, Cell, Column, Notes, Table, TableRow, beside
from opencmr.report.charts import bullseye, bullseye_block
from opencmr.report.contents import Report
from opencmr.report.rows import row_of, told_once

COLUMNS = (Column(), Column(kind="number"), Column(share=1))
REACH_ENDS_PERCENT = (0.0, 100.0)
METHOD = (
    "Scar is what the network labels on the late enhancement; 5 SD and FWHM are thresholds of "
    "brightness inside the network's wall. How far the three differ stands under the share of scar."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return numbers, method and bull's-eye; nothing where no late enhancement was measured."""
    measured = report.measurements.of(SCAR)
    if not len(measured):
        return ()
    rows = told_once(tuple(row_of(one, one.quantity.name) for one in measured.whole_heart))
    table = Table(
        COLUMNS,
        tuple(
            TableRow(
                (
                    Cell(row.name, small=row.symbol),
                    row.cell,
                    Cell(row.reason or row.evidence, look="aside"),
                )
            )
            for row in rows
        ),
        "Scar on late enhancement",
    )
    reach = tuple(bullseye_block(bullseye(one, REACH_ENDS_PERCENT)) for one in measured.by_segment)
    return beside((table, Notes(small=(METHOD,))), reach)
