"""The known truth of a simulated heart beside what was measured."""

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.imaging.measurement import Measurement
from opencmr.report.blocks import Block, Cell, Column, Table, TableRow
from opencmr.report.contents import Report
from opencmr.report.rows import number, signed, unit_text

COLUMNS = (
    Column("Quantity", share=1),
    Column("Truth", "number"),
    Column("Measured", "number"),
    Column("Difference", "number"),
)
HINT = "This heart was simulated, so the true values are known."
OF_TISSUE = (
    "The truth of the whole wall counts its scar; maps show three slices of it. MOLLI reads T1 "
    "lower than it is, here as on a scanner."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return the table; nothing for a real study."""
    rows = []
    for symbol, truth in report.truth.items():
        measured = _found(report, symbol)
        if measured is None:
            continue
        quantity, value = measured.quantity, measured.value
        cells = (
            Cell(quantity.name, unit_text(quantity.unit), small=symbol),
            Cell(number(truth, 1)),
            Cell(number(value, 1), look="strong"),
            Cell("–" if value is None else signed(value - truth, 1)),
        )
        rows.append(TableRow(cells))
    hint = f"{HINT} {OF_TISSUE}" if "T1" in report.truth else HINT
    return (Table(COLUMNS, tuple(rows), "Truth beside measurement", hint),) if rows else ()


def _found(report: Report, symbol: str) -> Measurement | None:
    """Return what was measured: by function, else by the only other series that gives it."""
    if (of_function := report.measurements.of(FUNCTION).find(symbol)) is not None:
        return of_function
    others = [m for m in report.measurements.whole_heart if m.quantity.symbol == symbol]
    return others[0] if len(others) == 1 else None
