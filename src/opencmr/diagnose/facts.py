"""What rules and classifier read: the values of one heart by symbol, or why one is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from opencmr.anatomy.policy import PapillaryRule
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.wall_shape import wall_values
from opencmr.errors import InputError
from opencmr.imaging.measurements import Measurements
from opencmr.measure.relaxometry.extracellular import ECV_QUANTITIES
from opencmr.measure.relaxometry.in_wall import MAP_QUANTITIES

THICKNESS, THICKENING = "WT", "WTH"
SEGMENTS = range(1, 17)
_OF_MAPS = frozenset(one.symbol for one in (*MAP_QUANTITIES, *ECV_QUANTITIES))
"""Maps are often of one slice each, so that a study measures these several times."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value, or why there is none.

    Attributes
    ----------
    value : float or None
        In the unit of its quantity.
    reason : Reason or None
        Why there is no value.
    interval : (low, high) or None
        What admissible readings of the base give.
    papillary : PapillaryRule or None
        Under which it was measured; None where it does not matter or is not told.
    """

    value: float | None
    reason: Reason | None = None
    interval: tuple[float, float] | None = None
    papillary: PapillaryRule | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"a fact has a value or a reason: {self.value}, {self.reason}")
        if self.value is not None and not np.isfinite(self.value):
            raise ValueError(f"a fact is a finite number, found {self.value}")


Facts = Mapping[str, Fact]
"""By symbol: those of measurements (``LVEF``) and of the shape (``wt_sd``)."""


def facts_of(measurements: Measurements) -> dict[str, Fact]:
    """Return the facts that measurements hold: whole-heart values and the wall's segments.

    Raises
    ------
    InputError
        When a symbol has several values.
    """
    return _gathered(
        [
            (
                one.quantity.symbol,
                one.segment,
                Fact(
                    one.value,
                    one.reason,
                    one.interval,
                    one.policy.papillary if one.policy else None,
                ),
            )
            for phase, one in measurements.points()
            if phase is None
        ]
    )


def facts_of_rows(rows: Sequence[Mapping[str, object]]) -> dict[str, Fact]:
    """Return the facts of the rows of a ``measurements.json``.

    Raises
    ------
    InputError
        When a row is not as that file has it, or a symbol has several values.
    """
    found = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping) or not isinstance(row.get("symbol"), str):
            raise InputError(f"measurement {number} has no symbol; expected measurements.json")
        if row.get("phase") is None:
            found.append((str(row["symbol"]), segment_of_row(row), fact_of_row(row)))
    return _gathered(found)


def with_values(facts: Facts, values: Mapping[str, float]) -> dict[str, Fact]:
    """Return the facts with other values; what is known of a quantity besides stays."""
    missing = Fact(0.0)
    return dict(facts) | {
        symbol: replace(facts.get(symbol, missing), value=value, reason=None)
        for symbol, value in values.items()
    }


def _gathered(found: Sequence[tuple[str, int | None, Fact]]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    segments: dict[str, dict[int, float]] = {THICKNESS: {}, THICKENING: {}}
    for symbol, segment, fact in found:
        if symbol in _OF_MAPS:
            continue  # of the tissue, which `tissue_values` reads
        if segment is not None:
            if symbol in segments and fact.value is not None and segment in SEGMENTS:
                segments[symbol][segment] = fact.value
            continue
        known = facts.get(symbol)
        if known is not None and known.value is not None and fact.value is not None:
            raise InputError(
                f"{symbol} was measured more than once; give the measurements of one series"
            )
        if known is None or known.value is None:
            facts[symbol] = fact
    ed_mm = segments[THICKNESS]
    es_mm = {
        n: ed_mm[n] * (1 + percent / 100)
        for n, percent in segments[THICKENING].items()
        if n in ed_mm
    }
    wall = {symbol: Fact(value) for symbol, value in wall_values(ed_mm, es_mm).items()}
    return facts | wall


def segment_of_row(row: Mapping[str, object]) -> int | None:
    """Return the AHA segment of a row of ``measurements.json``; None: the whole heart."""
    segment = row.get("segment")
    return segment if isinstance(segment, int) else None


def fact_of_row(row: Mapping[str, object]) -> Fact:
    """Return the fact of a row of ``measurements.json``.

    Raises
    ------
    InputError
        When its value or interval is no number.
    """
    symbol, value = row["symbol"], finite_number(row.get("value"))
    papillary = next(
        (rule for rule in PapillaryRule if str(row.get("policy")).startswith(rule.value)), None
    )
    if value is None:
        told = Reason.from_text(str(row.get("reason")))
        unsaid = Reason("NOT_ASSESSABLE", f"{symbol} has no value in the measurements")
        return Fact(None, told or unsaid)
    ends = row.get("interval")
    interval = None
    if isinstance(ends, Sequence) and len(ends) == 2:
        low, high = map(finite_number, ends)
        if low is not None and high is not None:
            interval = (min(low, high), max(low, high))
    return Fact(value, None, interval, papillary)


def finite_number(found: object) -> float | None:
    """Return a finite number, None for null; anything else is refused."""
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not np.isfinite(found):
        raise InputError("a measurement's value is no finite number; expected measurements.json")
    return float(found)
