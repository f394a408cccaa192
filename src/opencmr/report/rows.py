"""Measurements and texts as a table shows them: numbers with their decimals, ranges, reasons."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from opencmr.imaging.measurement import Measurement, ReferenceVerdict
from opencmr.imaging.study import Series
from opencmr.report.blocks import Cell, Strip
from opencmr.report.plain_text import prose, shown

DITTO = "″"
STRIP_MARGIN = 0.7
"""Width of the strip outside the normal range on either side, in widths of the range."""
TEXT_LIMIT = 600
"""Characters shown of a message, a reason or evidence."""
NO_VALUE = "no value"
_SHOWN_UNITS = {"m2": "m²", "mm2": "mm²", "1": ""}


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement in texts."""

    symbol: str
    label: str
    name: str
    value: str
    unit: str
    interval: str
    range: str
    z_score: str
    verdict: str
    strip: Strip | None
    reason: str
    evidence: str
    indexed: bool = False

    @property
    def cell(self) -> Cell:
        """The value as a table's cell."""
        if self.reason:
            return Cell(NO_VALUE, look="absent")
        return Cell(self.value, self.unit, below=self.interval, verdict=self.verdict, look="strong")


def unit_text(unit: str) -> str:
    """Return a UCUM unit as a reader writes it.

    >>> unit_text("mL/m2")
    'mL/m²'
    """
    return "/".join(_SHOWN_UNITS.get(part, part) for part in unit.split("/"))


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return texts that are not empty, each once, fit to be shown."""
    return tuple(dict.fromkeys(shown(text, TEXT_LIMIT) for text in texts if text))


def number(value: float | None, decimals: int) -> str:
    """Return a number with a true minus sign, or a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def told_once(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Return the rows of a table without repeating why there is no value.

    An index without a value is left to a note under the table; a reason that repeats that of
    the row before becomes a ditto mark.
    """
    kept = [row for row in rows if not (row.indexed and row.reason)]
    before = ["", *(row.reason for row in kept)]
    return tuple(
        replace(row, reason=DITTO) if row.reason and row.reason == previous else row
        for row, previous in zip(kept, before, strict=False)
    )


def row_of(measurement: Measurement, label: str) -> Row:
    """Return a measurement as texts under a label."""
    quantity = measurement.quantity
    reference = measurement.reference if measurement.value is not None else None
    interval = measurement.interval
    return Row(
        symbol=quantity.symbol,
        label=label,
        name=quantity.name,
        value=number(measurement.value, quantity.decimals),
        unit=unit_text(quantity.unit),
        interval="–".join(number(end, quantity.decimals) for end in interval) if interval else "",
        range=_range_text(reference, quantity.decimals),
        z_score=signed(reference.z_score, 1) if reference else "",
        verdict=reference.verdict if reference else "",
        strip=_strip(measurement.value, reference),
        reason=prose(measurement.reason, TEXT_LIMIT),
        evidence=shown(measurement.evidence, TEXT_LIMIT),
        indexed=label == "indexed",
    )


def signed(value: float | None, decimals: int) -> str:
    """Return a number with its sign, zero without; empty where there is none."""
    if value is None or not math.isfinite(value):
        return ""
    text = number(value, decimals)
    return text if value < 0 or not float(f"{value:.{decimals}f}") else f"+{text}"


def _range_text(reference: ReferenceVerdict | None, decimals: int) -> str:
    if reference is None:
        return ""
    low, high = reference.low, reference.high
    if math.isfinite(low) and math.isfinite(high):
        return f"{number(low, decimals)}–{number(high, decimals)}"
    if math.isfinite(low):
        return f"≥ {number(low, decimals)}"
    return f"≤ {number(high, decimals)}" if math.isfinite(high) else ""


def _strip(value: float | None, reference: ReferenceVerdict | None) -> Strip | None:
    if value is None or reference is None or not math.isfinite(value):
        return None
    width = reference.high - reference.low
    if not math.isfinite(width) or width <= 0:
        return None
    total = 1 + 2 * STRIP_MARGIN
    place = ((value - reference.low) / width + STRIP_MARGIN) / total
    return Strip(
        band_start=round(100 * STRIP_MARGIN / total, 2),
        band_end=round(100 * (1 + STRIP_MARGIN) / total, 2),
        marker=round(100 * min(max(place, 0.0), 1.0), 2),
        beyond="low" if place < 0 else "high" if place > 1 else "",
    )


def with_unit(value: float | None, decimals: int, unit: str) -> str:
    """Return a number with its unit, empty where there is none."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{number(value, decimals)}\N{NO-BREAK SPACE}{unit}"


def spacing_text(series: Series) -> str:
    """Return rows, columns and slices of a series in millimetres."""
    grid = series.image.grid
    in_plane = f"{grid.row_spacing_mm:.2f} × {grid.column_spacing_mm:.2f}"
    between = grid.slice_spacing_mm
    return f"{in_plane} × {between:.1f} mm" if between else f"{in_plane} mm"
