"""Normal ranges, with the conditions under which each holds.

The packaged table, ``normal_ranges.csv``, and a site's own have one format, which
:func:`parse_ranges` reads.  No range is applied across sex, age, papillary rule, or what it says
of field strength, vendor and sequence.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
OPTIONAL = (
    "sex",
    "age_low",
    "age_high",
    "papillary",
    "field_strength_t",
    "vendor",
    "sequence",
    "mean",
    "sd",
    "source",
)
FIELD_LIMITS_T = (0.05, 15.0)
"""From the lowest to above the highest field at which people are imaged; 15000 is in gauss
(proposal)."""
FIELD_TOLERANCE = 0.05
"""As a share: scanners called 1.5 T and 3 T state 1.494 and 2.8936 T; 0.5 and 0.55 T stay apart
(proposal)."""


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
class Acquisition:
    """How the series of a value was made, as its headers say.

    Attributes
    ----------
    field_strength_t : float or None
        None: not known.
    vendor : str
        Manufacturer.
    names : str
        What the series calls itself: its description, protocol and sequence name; may hold a
        person's name.
    """

    field_strength_t: float | None = None
    vendor: str = ""
    names: str = field(default="", repr=False)


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
    field_strength_t : float or None
        None, and an empty vendor or sequence, holds for all.
    vendor, sequence : str
        Words that begin words of the manufacturer's name, and of what the series calls itself.
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
    field_strength_t: float | None = None
    vendor: str = ""
    sequence: str = ""

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

    def holds_on(self, made: Acquisition) -> bool:
        """Return whether a series is of the kind it was made on; what is unknown is not."""
        return (
            self.holds_at(made.field_strength_t)
            and _is_named(self.vendor, made.vendor)
            and _is_named(self.sequence, made.names)
        )

    def holds_at(self, field_strength_t: float | None) -> bool:
        """Return whether a field strength is its own; None, which is not known, is not."""
        if self.field_strength_t is None:
            return True
        return field_strength_t is not None and _is_field(self.field_strength_t, field_strength_t)

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
    def made_on(self) -> str:
        """Field strength, vendor and sequence in words; empty where all are meant."""
        field_t = "" if self.field_strength_t is None else f"{self.field_strength_t:g} T"
        return " ".join(part for part in (field_t, self.vendor, self.sequence) if part)

    @property
    def population(self) -> str:
        """Whom the range holds for, in words."""
        sex = {"M": "men", "F": "women", None: ""}[self.sex]
        rule = "" if self.papillary is None else self.papillary.value
        who = " ".join(part for part in (sex, self.ages) if part)
        parts = (self.source.people, who, rule, self.made_on)
        return ", ".join(part for part in parts if part) + f"; {self.source.limits}"


def parse_ranges(text: str, own: RangeSource) -> tuple[NormalRange, ...]:
    """Return the ranges of a CSV table, as :mod:`opencmr.csv_table` reads it.

    Columns ``symbol``, ``low``, ``high`` (required), ``sex`` (M, F or empty: both), ``age_low``,
    ``age_high`` (completed years, both included; empty: open), ``papillary`` (``IN_CAVITY``,
    ``IN_MASS`` or empty: it does not matter), ``field_strength_t``, ``vendor``, ``sequence``
    (empty: all), ``mean``, ``sd`` and ``source``.

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
                f"{WHAT}, line {line}: {one.symbol} has two ranges for the same people and scanner"
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

    def field_t(self, column: str) -> float | None:
        value = self.value(column)
        low, high = FIELD_LIMITS_T
        if value is not None and not low <= value <= high:
            raise self.fault(column, f"teslas, {low:g} to {high:g}, such as 1.5, or nothing")
        return value

    def words(self, column: str) -> str:
        text = self.text(column)
        if text and not _words(text):
            raise self.fault(column, "a word of the headers, such as MOLLI or Siemens, or nothing")
        return text

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
            self.field_t("field_strength_t"),
            self.words("vendor"),
            self.words("sequence"),
        )


def _overlap(one: NormalRange, other: NormalRange) -> bool:
    """Whether two ranges of a quantity and a papillary rule hold for one person and scanner."""
    if (one.symbol, one.papillary) != (other.symbol, other.papillary):
        return False
    if None not in (one.field_strength_t, other.field_strength_t) and not one.holds_at(
        other.field_strength_t
    ):
        return False
    if not (_may_agree(one.vendor, other.vendor) and _may_agree(one.sequence, other.sequence)):
        return False
    if None not in (one.sex, other.sex) and one.sex != other.sex:
        return False
    first = max(one.age_low or 0, other.age_low or 0)
    last = min(_last(one), _last(other))
    return first <= last


def _is_field(nominal_t: float, stated_t: float) -> bool:
    return abs(stated_t - nominal_t) <= FIELD_TOLERANCE * nominal_t


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _is_named(wanted: str, text: str) -> bool:
    """Whether each word that is wanted begins a word of a text: MOLLI names molli5s, no ShMOLLI."""
    present = _words(text)
    return all(any(word.startswith(one) for word in present) for one in _words(wanted))


def _may_agree(one: str, other: str) -> bool:
    """Whether what names the one names the other, too; nothing agrees with all."""
    return _is_named(one, other) or _is_named(other, one)


def _last(one: NormalRange) -> float:
    return math.inf if one.age_high is None else one.age_high


@cache
def normal_ranges() -> tuple[NormalRange, ...]:
    """Return the packaged ranges."""
    text = (resources.files("opencmr.anatomy") / "normal_ranges.csv").read_text(encoding="utf-8")
    return parse_ranges(text, RangeSource("", "", ""))
