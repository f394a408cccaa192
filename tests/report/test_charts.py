"""Volume curves and bull's-eyes."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.aha import AHA_SEGMENTS
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.landmarks import Cycle
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.study import Series
from opencmr.report import palette
from opencmr.report.charts import HEIGHT, LEFT, WIDTH, curve_chart
from opencmr.report.contents import Report
from opencmr.report.sections.wall import bullseyes

from .conftest import ES_PHASE, RR_MS


def _cine(report: Report) -> Series:
    return report.study.series[1]


def test_curves_start_at_the_axis_and_stay_inside_the_chart(report: Report) -> None:
    chart = curve_chart(report, _cine(report))
    assert chart is not None
    assert [curve.name for curve in chart.curves] == ["LV", "RV"]
    for curve in chart.curves:
        assert curve.points[0][0] == LEFT
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in curve.points)
        lowest = max(y for _, y in curve.points)
        assert curve.marks["ES"][1] == lowest
    assert f"phase {ES_PHASE + 1} ({ES_PHASE * RR_MS / 20:.0f} ms)" in chart.curves[0].summary


def test_without_times_the_axis_is_percent_of_the_beat(report: Report) -> None:
    untimed = tuple(replace(curve, times_ms=None) for curve in report.measurements.curves)
    chart = curve_chart(replace(report, measurements=Measurements(untimed)), _cine(report))
    assert chart is not None
    assert chart.x_title == "% of the beat"


def test_a_phase_without_a_volume_leaves_a_gap_and_not_a_zero(report: Report) -> None:
    lv, rv = report.measurements.curves
    values = np.where(np.arange(lv.values.size) == 3, np.nan, lv.values)
    hole = replace(lv, values=values, reason=Reason("NOT_FINITE", "incomplete"))
    chart = curve_chart(replace(report, measurements=Measurements((hole, rv))), _cine(report))
    assert chart is not None
    assert len(chart.curves[0].points) == len(chart.curves[1].points) - 1


def test_the_marks_are_the_landmarks_and_not_the_extremes_of_the_curve(report: Report) -> None:
    told = replace(report.landmarks["s02"], lv=Cycle(2, 9))
    chart = curve_chart(replace(report, landmarks={"s02": told}), _cine(report))
    assert chart is not None
    assert "at phase 3 " in chart.curves[0].summary
    assert "at phase 10 " in chart.curves[0].summary
    assert f"at phase {ES_PHASE + 1} " in chart.curves[1].summary


def test_a_ventricle_without_landmarks_bears_no_marks(report: Report) -> None:
    untold = replace(report.landmarks["s02"], lv=None)
    chart = curve_chart(replace(report, landmarks={"s02": untold}), _cine(report))
    assert chart is not None
    assert chart.curves[0].marks == {}


def test_without_any_curve_there_is_no_chart(report: Report) -> None:
    assert curve_chart(replace(report, measurements=Measurements()), _cine(report)) is None


def _corners(path: str) -> list[tuple[float, float]]:
    """Return start, outer end, inner end and inner start of a ring segment's path."""
    pairs = re.findall(r"(?:[ML]|A\d+ \d+ 0 0 [01] )(-?[\d.]+) (-?[\d.]+)", path)
    return [(float(x), float(y)) for x, y in pairs]


def test_the_bullseye_has_anterior_on_top_and_the_septum_on_the_left(report: Report) -> None:
    segments = bullseyes(report)[0].segments
    spots = {s.number: (d.x, d.y) for s, d in zip(AHA_SEGMENTS, segments, strict=True)}
    for segment in AHA_SEGMENTS:
        x, y = spots[segment.number]
        if segment.wall.startswith("antero") or segment.wall == "anterior":
            assert y < 0
        if segment.wall.startswith("infero") or segment.wall == "inferior":
            assert y > 0
        if "sept" in segment.wall:
            assert x < 0
        if "lateral" in segment.wall:
            assert x > 0
    assert spots[17] == (0.0, 0.0)


def test_the_segments_of_a_ring_follow_each_other_without_gap_or_overlap(report: Report) -> None:
    segments = bullseyes(report)[0].segments
    rings = ((range(6), 105, 140), (range(6, 12), 70, 105), (range(12, 16), 35, 70))
    for indices, inner, outer in rings:
        corners = [_corners(segments[i].path) for i in indices]
        for here, following in zip(corners, corners[1:] + corners[:1], strict=True):
            start, outer_end, inner_end, _ = here
            next_start, _, _, next_inner_start = following
            assert outer_end == pytest.approx(next_start, abs=0.01)
            assert inner_end == pytest.approx(next_inner_start, abs=0.01)
            assert math.hypot(*start) == pytest.approx(outer, abs=0.01)
            assert math.hypot(*inner_end) == pytest.approx(inner, abs=0.01)


def test_a_segment_without_a_value_is_hatched_and_says_why(report: Report) -> None:
    apex = bullseyes(report)[0].segments[16]
    assert apex.fill == ""
    assert apex.text == "–"
    assert "apex is not imaged" in apex.title


def test_thinning_has_its_own_colour(report: Report) -> None:
    thickening = next(b for b in bullseyes(report) if b.symbol == "WTH")
    assert thickening.segments[8].fill == palette.NEGATIVE
    assert thickening.segments[8].text == "−6"
    assert thickening.has_negative


def test_when_no_segment_has_a_value_the_reason_stands_instead(report: Report) -> None:
    lost = tuple(
        replace(
            m,
            value=None,
            reason=Reason("ORIENTATION_UNKNOWN", "which side is anterior is not known"),
        )
        for found in report.measurements.by_segment
        for m in found.values()
    )
    for bullseye in bullseyes(replace(report, measurements=Measurements(lost))):
        assert bullseye.reason == "which side is anterior is not known"
