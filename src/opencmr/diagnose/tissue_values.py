"""Values of the heart's tissue beside the upper limit of the range that fits each.

From measurements, or from the rows of their file: what both say of one heart is the same.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from opencmr.anatomy.map_kinds import MapKind
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import Fact, fact_of_row, finite_number, segment_of_row
from opencmr.errors import InputError
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.segmentation import AuthorKind
from opencmr.measure.reference import NO_RANGE
from opencmr.measure.relaxometry.extracellular import ECV_QUANTITIES
from opencmr.measure.relaxometry.in_wall import OF_MAPS
from opencmr.measure.scar.extent import Pattern
from opencmr.measure.scar.in_wall import SCAR_PERCENT

T1, T1_SEPTUM, _ = (one.symbol for one in OF_MAPS[MapKind.T1, False].all)
T2, T2_SEPTUM, _ = (one.symbol for one in OF_MAPS[MapKind.T2, False].all)
ECV, ECV_SEPTUM = (one.symbol for one in ECV_QUANTITIES)
SCAR = SCAR_PERCENT.symbol
SYMBOLS = frozenset({T1, T1_SEPTUM, T2, T2_SEPTUM, ECV, ECV_SEPTUM, SCAR})
NO_LIMIT = Reason(
    NO_RANGE.code,
    "no limit of this scanner and sequence is known; give the site's own with --ranges",
)
_PEOPLE = (AuthorKind.READER.value, AuthorKind.IMPORT.value)
_PATTERN = re.compile(rf"pattern: ({'|'.join(one.value for one in Pattern)});")
"""As the measurement of scar tells it in its evidence."""


@dataclass(frozen=True, slots=True)
class TissueValue:
    """One value of one series.

    Attributes
    ----------
    symbol, series : str
    segment : int or None
        AHA segment; None: the whole wall or the septum, as the symbol says.
    fact : Fact
    limit : float or None
        Upper limit of normal, in the quantity's unit.  Of a segment that of the whole wall.
    no_limit : Reason or None
        Why there is none.
    pattern : Pattern or None
        Of scar.
    by_reader : bool
        No network outlined the series.
    """

    symbol: str
    series: str
    segment: int | None
    fact: Fact
    limit: float | None = None
    no_limit: Reason | None = None
    pattern: Pattern | None = None
    by_reader: bool = False


def tissue_of(measurements: Measurements, drawn: Collection[str] = ()) -> tuple[TissueValue, ...]:
    """Return the values of tissue that measurements hold, in their order.

    ``drawn``: the series that no network outlined.
    """
    return _with_limits(
        [
            TissueValue(
                one.quantity.symbol,
                one.series,
                one.segment,
                Fact(one.value, one.reason, one.interval),
                one.reference.high if one.reference else None,
                _no_limit(one.reference_reason),
                _pattern(one.evidence),
                one.series in drawn,
            )
            for one in measurements
            if isinstance(one, Measurement) and one.quantity.symbol in SYMBOLS
        ]
    )


def tissue_of_rows(
    rows: Sequence[Mapping[str, object]], drawn: Collection[str] = ()
) -> tuple[TissueValue, ...]:
    """Return the values of tissue among the rows of a ``measurements.json``.

    ``drawn``: the series that no network outlined.

    Raises
    ------
    InputError
        When a row is not as that file has it.
    """
    return _with_limits(
        [
            TissueValue(
                str(row["symbol"]),
                str(row.get("series") or ""),
                segment_of_row(row),
                fact_of_row(row),
                _limit_of_row(row),
                NO_LIMIT,
                _pattern(str(row.get("evidence") or "")),
                row.get("series") in drawn,
            )
            for row in rows
            if row.get("symbol") in SYMBOLS
        ]
    )


def _limit_of_row(row: Mapping[str, object]) -> float | None:
    found = row.get("range")
    if found is None:
        return None
    if not isinstance(found, Mapping):
        raise InputError("a measurement's range is none; expected measurements.json")
    return finite_number(found.get("high"))


def _no_limit(reason: Reason | None) -> Reason:
    return NO_LIMIT if reason is None or reason == NO_RANGE else reason


def _pattern(evidence: str) -> Pattern | None:
    found = _PATTERN.search(evidence)
    return Pattern(found[1]) if found else None


def _with_limits(found: Sequence[TissueValue]) -> tuple[TissueValue, ...]:
    """Give the segments of a series the limit of its whole wall: ranges are made of no segment."""
    whole = {(one.symbol, one.series): one for one in found if one.segment is None}

    def own(one: TissueValue) -> TissueValue:
        wall = whole.get((one.symbol, one.series))
        if one.segment is None or wall is None:
            return one
        return replace(one, limit=wall.limit, no_limit=wall.no_limit)

    return tuple(own(one) for one in found)


def drawn_of(segmentations: object) -> tuple[str, ...]:
    """Return the series that no network outlined, of what a ``measurements.json`` says of them."""
    if not isinstance(segmentations, list):
        return ()
    return tuple(
        str(one.get("series"))
        for one in segmentations
        if isinstance(one, Mapping) and one.get("author_kind") in _PEOPLE
    )
