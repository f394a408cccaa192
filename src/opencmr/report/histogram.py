"""The distribution of a quantity over studies, as numbers for an SVG template."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opencmr.report import palette
from opencmr.report.charts import Tick, round_numbers

WIDTH, HEIGHT = 420.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 14.0, 14.0, 42.0
BINS = 10
"""Wished for; the width of a bin is a round number."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The studies within one bin."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars on two axes, and where the median lies."""

    title: str
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    median_x: float
    colour: str = palette.ON_PAPER["LV"]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def histogram(values: Sequence[float], x_title: str) -> Histogram:
    """Return the histogram of at least one value; bins begin at multiples of their width."""
    edges = bin_edges(values)
    counts, _ = np.histogram(values, edges)
    tallest = int(counts.max())

    def across(value: float) -> float:
        share = (value - edges[0]) / (edges[-1] - edges[0])
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def up(count: float) -> float:
        return round(HEIGHT - BOTTOM - count / tallest * (HEIGHT - TOP - BOTTOM), 1)

    bars = tuple(
        Bar(
            across(low) + 0.5,
            up(count),
            round(across(high) - across(low) - 1, 1),
            round(HEIGHT - BOTTOM - up(count), 1),
            f"{low:g} to {high:g}: {count}",
        )
        for low, high, count in zip(edges[:-1], edges[1:], counts.tolist(), strict=True)
        if count
    )
    every = max(1, math.ceil(len(edges) / 8))
    wholes = [count for count in round_numbers(tallest, 4) if count == int(count)]
    return Histogram(
        f"distribution of {x_title}",
        x_title,
        tuple(Tick(across(edge), f"{edge:g}") for edge in edges[::every]),
        tuple(Tick(up(count), f"{count:g}") for count in wholes),
        bars,
        across(float(np.median(values))),
    )


def bin_edges(values: Sequence[float]) -> list[float]:
    """Return the edges of bins of one round width, which hold all values.

    >>> bin_edges([31, 58, 64])
    [30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0]
    >>> bin_edges([50, 50])
    [50.0, 51.0]
    """
    low, high = min(values), max(values)
    width = round_numbers(high - low, BINS)[1] if high > low else 1.0
    first = math.floor(low / width)
    last = max(math.ceil(high / width), first + 1)
    return [step * width for step in range(first, last + 1)]
