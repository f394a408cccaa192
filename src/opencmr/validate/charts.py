"""Bland-Altman and correlation pictures as numbers for an SVG template."""

from dataclasses import dataclass

import numpy as np

from opencmr.report import palette
from opencmr.report.charts import Tick, round_numbers
from opencmr.report.plain_text import shown
from opencmr.validate.agreement import Estimate
from opencmr.validate.cohort import VolumeAgreement

WIDTH, HEIGHT = 420.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 14.0, 14.0, 42.0
MARGIN = 0.06
"""Room around the points, as a share of what they span."""

Window = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line across the picture; ``text`` stands at its right end."""

    ends: tuple[float, float, float, float]
    colour: str
    dashed: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """The 95 % interval of a horizontal line."""

    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Dot:
    """One patient; ``title`` is what a pointer reads."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """Points, lines and bands on two axes."""

    title: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    bands: tuple[Band, ...]
    colour: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class _Axes:
    """From values to places in the picture."""

    x: Window
    y: Window

    def across(self, value: float) -> float:
        return _place(value, self.x, LEFT, WIDTH - RIGHT)

    def up(self, value: float) -> float:
        return _place(value, self.y, HEIGHT - BOTTOM, TOP)

    def line(self, slope: float, intercept: float) -> tuple[float, float, float, float] | None:
        """Return the ends of a line where it lies in the window, None where it does not."""
        x = np.linspace(*self.x, 201)
        y = intercept + slope * x
        seen = np.flatnonzero((y >= self.y[0]) & (y <= self.y[1]))
        if seen.size < 2:
            return None
        first, last = int(seen[0]), int(seen[-1])
        return (
            self.across(float(x[first])),
            self.up(float(y[first])),
            self.across(float(x[last])),
            self.up(float(y[last])),
        )

    @property
    def x_ticks(self) -> tuple[Tick, ...]:
        return tuple(Tick(self.across(v), _number(v)) for v in _ticks(self.x))

    @property
    def y_ticks(self) -> tuple[Tick, ...]:
        return tuple(Tick(self.up(v), _number(v)) for v in _ticks(self.y))


def bland_altman_chart(found: VolumeAgreement, unit: str) -> ScatterChart | None:
    """Return differences over means with bias and limits, None where there is no agreement."""
    agreed = found.agreement
    if agreed is None:
        return None
    reference, measured = np.array(found.reference), np.array(found.measured)
    mean, difference = (reference + measured) / 2, measured - reference
    estimates = (agreed.lower, agreed.bias, agreed.upper)
    ends = [bound for one in estimates for bound in one.interval or (one.value,)]
    axes = _Axes(_window(mean), _window(np.append(difference, [0.0, *ends])))
    colour = _colour(found)
    return ScatterChart(
        f"{found.quantity.symbol}: difference over mean",
        f"mean of both, {unit}",
        f"measured less reference, {unit}",
        axes.x_ticks,
        axes.y_ticks,
        _dots(axes, mean, difference, found.cases),
        (
            _level(axes, 0.0, palette.MUTED, dashed=False),
            *(
                _level(axes, one.value, palette.INK, dashed=one is not agreed.bias, text=True)
                for one in estimates
            ),
        ),
        tuple(_band(axes, one) for one in estimates),
        colour,
    )


def correlation_chart(found: VolumeAgreement, unit: str) -> ScatterChart | None:
    """Return measured over reference with identity and line, None where there is no agreement."""
    agreed = found.agreement
    if agreed is None:
        return None
    reference, measured = np.array(found.reference), np.array(found.measured)
    window = _window(np.concatenate([reference, measured]))
    axes = _Axes(window, window)
    identity = axes.line(1.0, 0.0)
    fitted = (
        axes.line(agreed.slope.value, agreed.intercept.value)
        if agreed.slope and agreed.intercept
        else None
    )
    lines = []
    if identity:
        lines.append(Line(identity, palette.MUTED, dashed=True))
    if fitted:
        lines.append(Line(fitted, palette.INK, dashed=False))
    return ScatterChart(
        f"{found.quantity.symbol}: measured over reference",
        f"reference, {unit}",
        f"measured, {unit}",
        axes.x_ticks,
        axes.y_ticks,
        _dots(axes, reference, measured, found.cases),
        tuple(lines),
        (),
        _colour(found),
    )


def _colour(found: VolumeAgreement) -> str:
    return palette.ON_PAPER["RV" if found.quantity.symbol.startswith("RV") else "LV"]


def _level(axes: _Axes, value: float, colour: str, *, dashed: bool, text: bool = False) -> Line:
    y = axes.up(value)
    return Line((LEFT, y, WIDTH - RIGHT, y), colour, dashed, _number(value, 1) if text else "")


def _band(axes: _Axes, one: Estimate) -> Band:
    low, high = one.interval or (one.value, one.value)
    top = axes.up(high)
    return Band(top, round(axes.up(low) - top, 1))


def _dots(axes: _Axes, x: np.ndarray, y: np.ndarray, cases: tuple[str, ...]) -> tuple[Dot, ...]:
    return tuple(
        Dot(axes.across(float(a)), axes.up(float(b)), f"{shown(case)}: {a:.1f}, {b:.1f}")
        for a, b, case in zip(x, y, cases, strict=True)
    )


def _window(values: np.ndarray) -> Window:
    low, high = float(values.min()), float(values.max())
    room = MARGIN * (high - low) or max(abs(high) * MARGIN, 1.0)
    return low - room, high + room


def _ticks(window: Window) -> list[float]:
    """Return about five round numbers in a window.

    >>> _ticks((-12.0, 31.0))
    [-10.0, 0.0, 10.0, 20.0, 30.0]
    """
    low, high = window
    step = round_numbers(high - low, 5)[1]
    return [step * n for n in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _place(value: float, window: Window, start: float, end: float) -> float:
    return round(start + (end - start) * (value - window[0]) / (window[1] - window[0]), 1)


def _number(value: float, decimals: int | None = None) -> str:
    text = f"{value:g}" if decimals is None else f"{value:.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}")
