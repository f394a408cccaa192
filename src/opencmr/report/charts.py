"""Charts as numbers for an SVG template: volume curves and bull's-eyes of any quantity."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.anatomy.aha import AHA_SEGMENTS, Level
from opencmr.imaging.measurement import Curve, Measurement
from opencmr.imaging.study import Series
from opencmr.report import blocks, palette
from opencmr.report.contents import Report
from opencmr.report.phases import FEWEST_PHASES
from opencmr.report.plain_text import prose
from opencmr.report.rows import number, unit_text
from opencmr.report.templating import draw

WIDTH, HEIGHT = 560.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 40.0, 14.0, 40.0
HEADROOM = 1.08
"""Height of the volume axis, in greatest volumes."""
CURVES = (("LVV", "LV"), ("RVV", "RV"))
LABEL_DISTANCE = 15.0
"""Least vertical distance between the names of two curves."""

RING_RADII = {Level.BASAL: (105, 140), Level.MID: (70, 105), Level.APICAL: (35, 70)}


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class CurveLine:
    """One ventricle's volume over the beat, in the chart's coordinates."""

    name: str
    colour: str
    points: tuple[tuple[float, float], ...]
    marks: Mapping[str, tuple[float, float]]
    label_y: float
    summary: str


@dataclass(frozen=True, slots=True)
class CurveChart:
    """The volume curves of one series."""

    series: str
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[CurveLine, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Segment:
    """One AHA segment as drawn; x and y are where its value stands."""

    title: str
    text: str
    path: str
    fill: str
    ink: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Bullseye:
    """One quantity on the 17 segments."""

    symbol: str
    title: str
    unit: str
    segments: tuple[Segment, ...]
    stops: tuple[str, ...]
    low: str
    high: str
    has_negative: bool
    has_missing: bool
    reason: str
    """Why no segment has a value; empty when one has."""


def curve_chart(report: Report, series: Series) -> CurveChart | None:
    """Return the chart of a series' volume curves, None where there is no curve."""
    curves = drawn_curves(report, series)
    if not curves:
        return None
    curves_ml = {name: curve.values for name, curve in curves.items()}
    landmarks = report.landmarks[series.key]
    cycles = {"LV": landmarks.lv, "RV": landmarks.rv}
    times_ms = next(iter(curves.values())).times_ms
    phases = series.image.phases
    x_values = np.arange(phases) * 100 / phases if times_ms is None else times_ms
    x_unit, x_title = ("%", "% of the beat") if times_ms is None else ("ms", "ms after the R wave")
    x_end = max(float(x_values[-1]), 1e-9)
    y_end = max(max(float(np.nanmax(c)) for c in curves_ml.values()) * HEADROOM, 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + across * x / x_end, 1), round(TOP + up * (1 - y / y_end), 1)

    def draw(name: str, curve_ml: np.ndarray) -> CurveLine:
        spots = [place(float(x), float(y)) for x, y in zip(x_values, curve_ml, strict=True)]
        points = tuple(p for p, y in zip(spots, curve_ml, strict=True) if np.isfinite(y))
        cycle = cycles[name]
        marks = {"ED": cycle.ed_phase, "ES": cycle.es_phase} if cycle else {}
        summary = "; ".join(
            f"{what} {curve_ml[phase]:.0f} mL at phase {phase + 1} ({x_values[phase]:.0f} {x_unit})"
            for what, phase in marks.items()
            if np.isfinite(curve_ml[phase])
        )
        seen = {what: spots[phase] for what, phase in marks.items() if np.isfinite(curve_ml[phase])}
        return CurveLine(name, palette.ON_PAPER[name], points, seen, points[-1][1], summary)

    return CurveChart(
        series.key,
        x_title,
        tuple(Tick(place(x, 0)[0], f"{x:g}") for x in round_numbers(x_end, 6)),
        tuple(Tick(place(0, y)[1], f"{y:g}") for y in round_numbers(y_end, 5)),
        _spread_labels([draw(name, curve_ml) for name, curve_ml in curves_ml.items()]),
    )


def drawn_curves(report: Report, series: Series) -> dict[str, Curve]:
    """Return the volume curve of each ventricle, ``LV`` and ``RV``, that may be shown."""
    measured = report.measurements.of(FUNCTION, series.key)
    found = {name: measured.curve(symbol) for symbol, name in CURVES}
    return {name: curve for name, curve in found.items() if curve and _is_drawn(curve)}


def _is_drawn(curve: Curve) -> bool:
    return int(np.isfinite(curve.values).sum()) >= FEWEST_PHASES


def _spread_labels(curves: list[CurveLine]) -> tuple[CurveLine, ...]:
    """Move the names at the curves' ends apart."""
    placed: dict[str, float] = {}
    previous = -math.inf
    for curve in sorted(curves, key=lambda c: c.label_y):
        previous = max(curve.label_y, previous + LABEL_DISTANCE)
        placed[curve.name] = previous
    return tuple(replace(curve, label_y=placed[curve.name]) for curve in curves)


def round_numbers(end: float, wanted: int) -> list[float]:
    """Return about ``wanted`` round numbers from 0 up to ``end`` at most.

    >>> round_numbers(131, 5)
    [0.0, 50.0, 100.0]
    """
    raw = max(end, 1e-6) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    return [step * i for i in range(math.floor(end / step + 1e-9) + 1)]


def bullseye(
    found: Mapping[int, Measurement],
    ends: tuple[float, float] | None = None,
    stops: tuple[str, ...] = palette.SEQUENTIAL,
) -> Bullseye:
    """Return the bull's-eye of one quantity.

    Parameters
    ----------
    found : mapping from AHA segment, 1 to 17, to Measurement
        Of one quantity, at least one.
    ends : (low, high), optional
        Of the colour scale, in the quantity's unit; by default those of the values.
    stops : tuple of str
        Colours ``#rrggbb`` at equal distances, low to high.
    """
    quantity = next(iter(found.values())).quantity
    values = {
        segment: m.value
        for segment, m in found.items()
        if m.value is not None and math.isfinite(m.value)
    }
    reasons = {segment: prose(m.reason) for segment, m in found.items() if m.value is None}
    extremes = list(values.values()) or [0.0, 1.0]
    low, high = ends or (min(extremes), max(extremes))
    signed_scale = low < 0
    segments = []
    for segment in AHA_SEGMENTS:
        value = values.get(segment.number)
        fill = _fill(value, (low, high), stops)
        path, x, y = _shape(segment.number)
        told = (
            f"{quantity.format(value)} {unit_text(quantity.unit)}"
            if value is not None
            else reasons.get(segment.number, "not assessed")
        )
        segments.append(
            Segment(
                f"{segment.number}, {segment.name}: {told}",
                number(value, quantity.decimals),
                path,
                fill,
                palette.MUTED
                if value is None
                else "#ffffff"
                if palette.is_dark(fill)
                else palette.INK,
                x,
                y,
            )
        )
    return Bullseye(
        quantity.symbol,
        quantity.name,
        unit_text(quantity.unit),
        tuple(segments),
        stops,
        f"{low:g}",
        f"{high:g}",
        not signed_scale and any(v < 0 for v in values.values()),
        len(values) < len(AHA_SEGMENTS),
        "" if values else "; ".join(dict.fromkeys(reasons.values())) or "no segment has a value",
    )


def bullseye_block(drawn: Bullseye) -> blocks.Bullseye:
    """Return the bull's-eye as a block of a page, with its scale."""
    negative = (blocks.Legend("negative", palette.NEGATIVE),) * drawn.has_negative
    bar = blocks.ColourBar(
        drawn.stops, drawn.low, drawn.high, drawn.unit, negative, drawn.has_missing
    )
    svg = draw("bullseye.svg.j2", bullseye=drawn)
    return blocks.Bullseye(drawn.title, drawn.unit, svg, bar, drawn.reason)


def _fill(value: float | None, ends: tuple[float, float], stops: tuple[str, ...]) -> str:
    """Return the colour of a value; empty where there is none (hatched)."""
    low, high = ends
    if value is None:
        return ""
    if value < 0 <= low:
        return palette.NEGATIVE
    return palette.mix(stops, (value - low) / max(high - low, 1e-9))


def _shape(number: int) -> tuple[str, float, float]:
    """Return a segment's path about (0, 0), y down, and where its text stands.

    Anterior on top, septum on the left, as in Cerqueira et al., Circulation 2002; 105:539.
    """
    if number == 17:
        return "M-35 0A35 35 0 1 1 35 0A35 35 0 1 1 -35 0Z", 0.0, 0.0
    level = AHA_SEGMENTS[number - 1].level
    inner, outer = RING_RADII[level]
    parts = 4 if level is Level.APICAL else 6
    order = (number - 1) % 6 if parts == 6 else number - 13
    width = 360 / parts
    middle = 90 + order * width
    start, end = middle - width / 2, middle + width / 2

    def at(radius: float, angle_deg: float) -> tuple[float, float]:
        angle = math.radians(angle_deg)
        return round(radius * math.cos(angle), 2), round(-radius * math.sin(angle), 2)

    (ax, ay), (bx, by) = at(outer, start), at(outer, end)
    (cx, cy), (dx, dy) = at(inner, end), at(inner, start)
    path = f"M{ax} {ay}A{outer} {outer} 0 0 0 {bx} {by}L{cx} {cy}A{inner} {inner} 0 0 1 {dx} {dy}Z"
    x, y = at((inner + outer) / 2, middle)
    return path, x, y
