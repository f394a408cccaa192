"""Everything that is drawn of one measured series, for the page and for the PDF."""

from dataclasses import dataclass

from opencmr.imaging.study import Series
from opencmr.report.charts import CurveChart, curve_chart
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import HeartPictures, Moving, Panel


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
    landmarks = report.landmarks[series.key]
    pictures = HeartPictures(series, report.segmentations[series.key], landmarks)
    cycle = landmarks.lv
    shown = (
        (("Outlines", 0),)
        if cycle is None
        else (("End-diastole", cycle.ed_phase), ("End-systole", cycle.es_phase))
    )
    panels = tuple(pictures.panel(name, phase) for name, phase in shown)
    return Heart(
        series.key,
        curve_chart(report, series),
        panels,
        pictures.moving() if moving else None,
    )
