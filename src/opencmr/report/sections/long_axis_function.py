"""The left ventricle on its long axes: what they find beside the stack, and what was outlined."""

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.long_axes import NAME as LONG_AXES
from opencmr.anatomy.views import LONG_AXIS_VIEWS
from opencmr.measure.function.ejection import LVEF
from opencmr.measure.function.long_axes import LVEDV_LAX, LVEF_LAX, LVESV_LAX
from opencmr.measure.function.volumes import LVEDV, LVESV
from opencmr.report.blocks import Block, Cell, Column, Montage, Picture, Table, TableRow
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import HeartPictures
from opencmr.report.phases import phase_text
from opencmr.report.rows import row_of, told_once
from opencmr.report.sections.hearts import CONTOURS, shown_phases
from opencmr.report.templating import draw

COLUMNS = (
    Column(),
    Column("Long axes", kind="number"),
    Column("Stack", kind="number"),
    Column(share=1),
)
MOST_COLUMNS = 4
BESIDE = {one.symbol: other.symbol for one, other in (
    (LVEDV_LAX, LVEDV), (LVESV_LAX, LVESV), (LVEF_LAX, LVEF),
)}  # fmt: skip
"""Which value of the stack stands beside one of the long axes."""
ABOUT = (
    "A check of the stack by other planes, which hold valve and apex: two planes stand for the "
    "whole ventricle here, so where its shape is uneven the stack is nearer to the truth."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return numbers and outlined pictures; nothing where no long axis was measured."""
    measured = report.measurements.of(LONG_AXES)
    if not len(measured):
        return ()
    stack = report.measurements.found_by(FUNCTION)
    rows = []
    for row in told_once(tuple(row_of(one, one.quantity.name) for one in measured.whole_heart)):
        across = stack.find(BESIDE.get(row.symbol, ""))
        beside = Cell() if across is None else row_of(across, across.quantity.name).cell
        about = Cell(row.reason or row.evidence, look="aside")
        rows.append(TableRow((Cell(row.name, small=row.symbol), row.cell, beside, about)))
    table: tuple[Block, ...] = (Table(COLUMNS, tuple(rows), "Left ventricle on its long axes"),)
    pictures = _pictures(report)
    if not pictures:
        return table
    legend = (CONTOURS["endo"], CONTOURS["epi"])
    return (*table, Montage(pictures, MOST_COLUMNS, legend=legend, hint=ABOUT))


def _pictures(report: Report) -> tuple[Picture, ...]:
    """Return each view at its own end-diastole and end-systole."""
    pictures = []
    for series in report.measured_series():
        if series.view not in LONG_AXIS_VIEWS or series.key not in report.landmarks:
            continue
        landmarks = report.landmarks[series.key]
        heart = HeartPictures(series, report.segmentations[series.key], landmarks)
        for name, phase in shown_phases(landmarks):
            when = phase_text(series.image, phase)
            caption = f"{series.view.value}, {series.key}, {name}, {when}"
            pictures.append(Picture(draw("tile.svg.j2", tile=heart.tile(phase, 0)), caption))
    return tuple(pictures)
