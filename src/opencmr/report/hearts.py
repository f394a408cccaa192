"""Everything that is drawn of one measured series, for the page and for the PDF."""

from dataclasses import dataclass

from opencmr.imaging.study import Series
from opencmr.report.charts import CurveChart, curve_chart
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import HeartPictures, Moving, Panel
from opencmr.report.phases import ed_es_phases


@dataclass(frozen=True, slots=True)
class Heart:
    """The pictures of one measured series."""

    series: str
    curves: CurveChart | None
    panels: tuple[Panel, ...]
    moving: Moving | None


def draw_hearts(report: Report, *, moving: bool) -> tuple[Heart, ...]:
    """Draw every measured series, with or without the beating heart."""
    return tuple(_draw(report, series, moving=moving) for series in report.measured_series())


def _draw(report: Report, series: Series, *, moving: bool) -> Heart:
    pictures = HeartPictures(series, report.segmentations[series.key])
    ed, es = ed_es_phases(report, series)
    if es is None:
        panels = [pictures.panel("Outlines", ed)]
    else:
        panels = [pictures.panel("End-diastole", ed), pictures.panel("End-systole", es)]
    return Heart(
        series.key,
        curve_chart(report, series),
        tuple(panels),
        pictures.moving() if moving else None,
    )
