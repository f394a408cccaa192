"""Measurements as a collection: asked for by symbol, segment and analysis."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from opencmr.imaging.measurement import Curve, Measurement, ReferenceVerdict

STORED_DECIMALS = 6
"""Decimals kept of a number: far below any meaning, far above the last bit of another machine."""

Measured = Measurement | Curve
One = TypeVar("One")


@dataclass(frozen=True, slots=True, repr=False)
class Measurements:
    """What was measured, in the order of a report.

    A question by symbol has one answer: where several analyses or series hold the same
    symbol, :meth:`of` selects one of them first.

    Attributes
    ----------
    found : tuple of Measurement and Curve
    """

    found: tuple[Measured, ...] = ()

    def __repr__(self) -> str:
        symbols = dict.fromkeys(one.quantity.symbol for one in self.found)
        return f"Measurements({len(self.found)}: {', '.join(symbols)})"

    def __iter__(self) -> Iterator[Measured]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def of(self, analysis: str = "", series: str = "") -> "Measurements":
        """Return those of an analysis, of a series, or of both."""
        return Measurements(
            tuple(
                one
                for one in self.found
                if analysis in ("", one.analysis) and series in ("", one.series)
            )
        )

    def found_by(self, analysis: str) -> "Measurements":
        """Return the same under the name of the analysis that found them."""
        return Measurements(tuple(replace(one, analysis=analysis) for one in self.found))

    def points(self) -> Iterator[tuple[int | None, Measurement]]:
        """Yield every value by itself, with its cardiac phase where it is a curve's."""
        for one in self.found:
            if isinstance(one, Curve):
                yield from one.points()
            else:
                yield None, one

    def rows(self) -> list[dict[str, Any]]:
        """Return every value as plain values, ready for a data frame.

        The keys are those of ``measurements.json``; a number that is not finite is None.
        """
        return [row_of(one, phase) for phase, one in self.points()]

    @property
    def whole_heart(self) -> tuple[Measurement, ...]:
        """Those with one value for the whole heart."""
        return tuple(
            one for one in self.found if isinstance(one, Measurement) and one.segment is None
        )

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Those over the heartbeat."""
        return tuple(one for one in self.found if isinstance(one, Curve))

    @property
    def by_segment(self) -> tuple[Mapping[int, Measurement], ...]:
        """Those on AHA segments: a mapping from the segment for each quantity of a series."""
        groups: dict[tuple[str, str, str], dict[int, Measurement]] = {}
        for one in self.found:
            if isinstance(one, Measurement) and one.segment is not None:
                key = (one.quantity.symbol, one.analysis, one.series)
                groups.setdefault(key, {})[one.segment] = one
        return tuple(groups.values())

    def find(self, symbol: str) -> Measurement | None:
        """Return the whole-heart measurement of a quantity, None where there is none.

        Raises
        ------
        LookupError
            When several hold the symbol.
        """
        return _only(symbol, [m for m in self.whole_heart if m.quantity.symbol == symbol])

    def value(self, symbol: str) -> float | None:
        """Return the whole-heart value of a quantity, None where there is none.

        Raises
        ------
        LookupError
            When several hold the symbol.
        """
        measurement = self.find(symbol)
        return None if measurement is None else measurement.value

    def values(self) -> dict[str, float | None]:
        """Return every whole-heart value by symbol, without symbols with several values."""
        found: dict[str, set[float | None]] = {}
        for one in self.whole_heart:
            found.setdefault(one.quantity.symbol, set()).add(one.value)
        return {symbol: values.pop() for symbol, values in found.items() if len(values) == 1}

    def segments(self, symbol: str) -> Mapping[int, Measurement]:
        """Return the measurements of a quantity by AHA segment, 1 to 17; empty: not measured.

        Raises
        ------
        LookupError
            When several analyses or series hold the symbol.
        """
        groups = [g for g in self.by_segment if next(iter(g.values())).quantity.symbol == symbol]
        return _only(symbol, groups) or {}

    def curve(self, symbol: str) -> Curve | None:
        """Return the whole-heart curve of a quantity, None where there is none.

        Raises
        ------
        LookupError
            When several hold the symbol.
        """
        curves = [c for c in self.curves if c.quantity.symbol == symbol and c.segment is None]
        return _only(symbol, curves)


def _only(symbol: str, found: Sequence[One]) -> One | None:
    if len(found) > 1:
        raise LookupError(
            f"{symbol} was measured {len(found)} times; select one with .of(analysis, series)"
        )
    return found[0] if found else None


def row_of(measurement: Measurement, phase: int | None = None) -> dict[str, Any]:
    """Return a measurement as plain values, ``phase`` being that of a point of a curve."""
    quantity = measurement.quantity
    value = finite(measurement.value)
    lost = measurement.value is not None and value is None
    return {
        "symbol": quantity.symbol,
        "name": quantity.name,
        "value": value,
        "unit": quantity.unit,
        "interval": _interval(measurement.interval),
        "reason": "the computed number is not finite" if lost else str(measurement.reason or ""),
        "structure": measurement.structure.value if measurement.structure else None,
        "phase": phase,
        "segment": measurement.segment,
        "series": measurement.series,
        "code": {
            "value": quantity.code.value,
            "scheme": quantity.code.scheme,
            "meaning": quantity.code.meaning,
        },
        "range": _range(measurement.reference),
        "range_reason": str(measurement.reference_reason or ""),
        "policy": measurement.policy.text if measurement.policy else None,
        "evidence": measurement.evidence,
    }


def finite(value: float | None) -> float | None:
    """Return ``value`` rounded as it is stored, None when there is no finite number."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), STORED_DECIMALS)


def _interval(interval: tuple[float, float] | None) -> list[float | None] | None:
    return [finite(interval[0]), finite(interval[1])] if interval else None


def _range(reference: ReferenceVerdict | None) -> dict[str, object] | None:
    if reference is None:
        return None
    return {
        "low": finite(reference.low),
        "high": finite(reference.high),
        "z_score": finite(reference.z_score),
        "verdict": reference.verdict,
        "population": reference.population,
        "citation": reference.citation,
    }
