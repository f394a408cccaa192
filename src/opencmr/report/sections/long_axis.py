"""Where the measured short-axis slices lie on the long-axis views."""

from opencmr.report import palette
from opencmr.report.blocks import Block, Legend, Montage, Picture
from opencmr.report.contents import Report
from opencmr.report.long_axis_pictures import long_axes
from opencmr.report.phases import phase_text
from opencmr.report.templating import draw

LEAST_COLUMNS = 3
ABOUT = (
    "Lines: middle of each slice with an outline at end-diastole, numbered as stacked, where "
    "header geometry puts it. Long-axis and short-axis views may stem from different breath-holds."
)
LEGEND = (Legend("Measured short-axis slice", palette.ON_DARK["endo"]),)


def tell(report: Report) -> tuple[Block, ...]:
    """Return the long-axis views of each measured stack; nothing where none share its frame."""
    return tuple(
        block for series in report.measured_stacks() for block in _views(report, series.key)
    )


def _views(report: Report, key: str) -> tuple[Block, ...]:
    found = {series.key: series for series in report.study.series}
    cycle = report.landmarks[key].lv
    if cycle is None:
        return ()
    views = long_axes(report.study, found[key], report.segmentations[key], cycle.ed_phase)
    if not views:
        return ()
    pictures = tuple(
        Picture(
            draw("cuts.svg.j2", view=view),
            f"{view.name}, {view.series}, {phase_text(found[view.series].image, view.phase)}",
        )
        for view in views
    )
    columns = max(LEAST_COLUMNS, min(len(pictures), 4))
    title = "Measured slices on the long axis, end-diastole"
    return (Montage(pictures, columns, title, legend=LEGEND, hint=ABOUT),)
