"""Normal ranges, with the conditions under which each holds.

The packaged table, ``normal_ranges.csv``, and a site's own have one format, which
:func:`parse_ranges` reads.  No range is applied across sex, age or papillary rule.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from opencmr.anatomy.policy import PapillaryRule
from opencmr.csv_table import csv_lines, number_in
from opencmr.errors import ConfigurationError

NORMAL_Z = 1.96
"""Half-width in standard deviations of the interval that holds 95 % of a normal distribution."""
WHAT = "ranges"
SITES_OWN = "the site's own table"
REQUIRED = ("symbol", "low", "high")
OPTIONAL = ("sex", "age_low", "age_high", "papillary", "mean", "sd", "source")


@dataclass(frozen=True, slots=True)
class RangeSource:
    """Whom a table of ranges was made from, and how it was read.

    Attributes
    ----------
    people : str
    limits : str
        What low and high mean.
    citation : str
    is_95_percent : bool
        The limits are the mean and 1.96 standard deviations on either side, so that a z-score
        follows from them.
    """

    people: str
    limits: str
    citation: str
    is_95_percent: bool = False


SOURCES: Mapping[str, RangeSource] = MappingProxyType(
    {
        "HHC2024": RangeSource(
            "healthy White people of the Healthy Hearts Consortium",
            "95 % prediction interval by sex and age",
            "Raisi-Estabragh et al., JACC Cardiovasc Imaging 2024; 17:746, tables S3 and S33; "
            "a secondary reading: from copies of the tables that agree, not from the paper",
            is_95_percent=True,
        )
    }
)


@dataclass(frozen=True, slots=True)
class NormalRange:
    """The normal range of one quantity in one group of people.

    Attributes
    ----------
    symbol : str
        Symbol of the quantity.
    sex : str or None
        ``"M"`` or ``"F"``; None holds for both.
    age_low, age_high : int or None
        Completed years, both included; None has no limit.
    papillary : PapillaryRule or None
        None: the quantity does not depend on it.
    low, high : float
        In the quantity's unit.
    source : RangeSource
    mean, sd : float or None
        Where the source gives them, or they follow from its limits.
    """

    symbol: str
    sex: str | None
    age_low: int | None
    age_high: int | None
    papillary: PapillaryRule | None
    low: float
    high: float
    source: RangeSource
    mean: float | None = None
    sd: float | None = None

    def holds_for(self, sex: str | None, age_years: float | None) -> bool:
        """Return whether a person is of the group: 74.9 years are 74; what is unknown is not."""
        if self.sex is not None and sex != self.sex:
            return False
        if self.age_low is None and self.age_high is None:
            return True
        if age_years is None:
            return False
        return (
            (self.age_low or 0)
            <= age_years
            < (math.inf if self.age_high is None else self.age_high + 1)
        )

    def z_score(self, value: float) -> float | None:
        """Return how many standard deviations a value lies from the mean, where both are known."""
        if self.mean is None or not self.sd:
            return None
        return (value - self.mean) / self.sd

    @property
    def ages(self) -> str:
        """The ages in words; empty where all are meant."""
        if self.age_high is None:
            return "" if self.age_low is None else f"{self.age_low} years and older"
        return f"{self.age_low or 0} to {self.age_high} years"

    @property
    def population(self) -> str:
        """Whom the range holds for, in words."""
        sex = {"M": "men", "F": "women", None: ""}[self.sex]
        rule = "" if self.papillary is None else self.papillary.value
        who = " ".join(part for part in (sex, self.ages) if part)
        parts = (self.source.people, who, rule)
        return ", ".join(part for part in parts if part) + f"; {self.source.limits}"


def parse_ranges(text: str, own: RangeSource) -> tuple[NormalRange, ...]:
    """Return the ranges of a CSV table, as :mod:`opencmr.csv_table` reads it.

    Columns ``symbol``, ``low``, ``high`` (required), ``sex`` (M, F or empty: both), ``age_low``,
    ``age_high`` (completed years, both included; empty: open), ``papillary`` (``IN_CAVITY``,
    ``IN_MASS`` or empty: it does not matter), ``mean``, ``sd`` and ``source``.

    Parameters
    ----------
    text : str
    own : RangeSource
        Of rows whose ``source`` is none of :data:`SOURCES`; what they say becomes the citation.

    Raises
    ------
    ConfigurationError
        Names the line and the column that cannot be meant.
    """
    lines = csv_lines(text, WHAT)
    _, names = next(lines, (1, []))
    columns = [name.lower() for name in names]
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in (*REQUIRED, *OPTIONAL)]
    if missing or unknown or len({*columns}) < len(columns):
        raise ConfigurationError(
            f"{WHAT}: the first line names {', '.join(columns) or 'no column'}; expected "
            f"{', '.join(REQUIRED)} and, where wanted, {', '.join(OPTIONAL)}"
        )
    found: list[NormalRange] = []
    for line, cells in lines:
        one = _Line(line, dict(zip(columns, cells, strict=True))).range(own)
        twin = next((other for other in found if _overlap(one, other)), None)
        if twin is not None:
            raise ConfigurationError(
                f"{WHAT}, line {line}: {one.symbol} has two ranges for the same people"
            )
        found.append(one)
    if not found:
        raise ConfigurationError(f"{WHAT}: the table has no row")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def fault(self, column: str, expected: str) -> ConfigurationError:
        given = self.text(column)[:20]
        return ConfigurationError(
            f"{WHAT}, line {self.number}: {column} is {given!r}; expected {expected}"
        )

    def value(self, column: str) -> float | None:
        if not self.text(column):
            return None
        value = number_in(self.text(column))
        if value is None:
            raise self.fault(column, "a number")
        return value

    def age(self, column: str) -> int | None:
        value = self.value(column)
        if value is not None and not (value.is_integer() and 0 <= value <= 125):
            raise self.fault(column, "completed years, 0 to 125")
        return None if value is None else int(value)

    def range(self, own: RangeSource) -> NormalRange:
        symbol, sex = self.text("symbol"), self.text("sex").upper()
        if not symbol:
            raise self.fault("symbol", "the symbol of a quantity, such as LVEF")
        if sex not in ("M", "F", ""):
            raise self.fault("sex", "M, F or nothing")
        rule = self.text("papillary")
        if rule and rule not in PapillaryRule.__members__:
            raise self.fault("papillary", "IN_CAVITY, IN_MASS or nothing")
        low, high = self.value("low"), self.value("high")
        if low is None or high is None or low >= high:
            raise self.fault("high", "a low and a greater high")
        first, last = self.age("age_low"), self.age("age_high")
        if first is not None and last is not None and first > last:
            raise self.fault("age_high", "an age not below age_low")
        mean, sd = self.value("mean"), self.value("sd")
        if (mean is None) != (sd is None) or (sd is not None and sd <= 0):
            raise self.fault("sd", "mean and sd together, sd above 0")
        said = self.text("source")
        source = SOURCES.get(said) or RangeSource(own.people, own.limits, said or own.citation)
        if mean is None and source.is_95_percent:
            mean, sd = (low + high) / 2, (high - low) / 2 / NORMAL_Z
        return NormalRange(
            symbol,
            sex or None,
            first,
            last,
            PapillaryRule[rule] if rule else None,
            low,
            high,
            source,
            mean,
            sd,
        )


def _overlap(one: NormalRange, other: NormalRange) -> bool:
    """Whether two ranges of a quantity and a papillary rule hold for the same person."""
    if (one.symbol, one.papillary) != (other.symbol, other.papillary):
        return False
    if None not in (one.sex, other.sex) and one.sex != other.sex:
        return False
    first = max(one.age_low or 0, other.age_low or 0)
    last = min(_last(one), _last(other))
    return first <= last


def _last(one: NormalRange) -> float:
    return math.inf if one.age_high is None else one.age_high


@cache
def normal_ranges() -> tuple[NormalRange, ...]:
    """Return the packaged ranges."""
    text = (resources.files("opencmr.anatomy") / "normal_ranges.csv").read_text(encoding="utf-8")
    return parse_ranges(text, RangeSource("", "", ""))
