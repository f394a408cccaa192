"""An earlier result of the same patient, and what changed since."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.reasons import Reason

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class EarlierValue:
    """A whole-heart value as an earlier result holds it.

    Attributes
    ----------
    value : float or None
    unit : str
    interval : (low, high) or None
    policy : str
        The contour policy in words; empty where none is told.
    author : str
        Who outlined its series, a model with its version; empty where nobody is told.
    """

    value: float | None
    unit: str
    interval: Interval | None = None
    policy: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """What an earlier result says of the patient and of the heart.

    Attributes
    ----------
    study : str
        Key of its study.
    values : mapping from symbol to EarlierValue
        Whole-heart values, without symbols that stand for several.
    version : str
        Of the opencmr that made it.
    sha256 : str
        Of its measurements.
    patient_id, issuer_of_patient_id : str
        As its FHIR bundle tells them; empty where there is none.
    study_date : str
        Year-month-day, as far as it is known.
    """

    study: str
    values: Mapping[str, EarlierValue]
    version: str = ""
    sha256: str = ""
    patient_id: str = field(default="", repr=False)
    issuer_of_patient_id: str = field(default="", repr=False)
    study_date: str = field(default="", repr=False)


class Verdict(StrEnum):
    """How a change lies to the repeatability of its measurement."""

    WITHIN = "within repeatability"
    BEYOND = "beyond"
    UNDECIDED = "undecided"
    """Beyond as measured, within for another admissible reading of the base."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value then and now.

    Attributes
    ----------
    quantity : Quantity
    then, now : float or None
    change : float or None
        Now less then, in the quantity's unit.
    interval : (low, high) or None
        Of the change, where both values have an interval.
    limit : float or None
        Repeatability coefficient for this pair of values, in the quantity's unit.
    verdict : Verdict or None
    reason : Reason or None
        Why there is no change, or no verdict; None where there is one.
    """

    quantity: Quantity
    then: float | None
    now: float | None
    change: float | None = None
    interval: Interval | None = None
    limit: float | None = None
    verdict: Verdict | None = None
    reason: Reason | None = None

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.reason is None):
            raise ValueError(
                f"{self.quantity.symbol}: a change has a verdict or a reason, never both "
                f"({self.verdict}, {self.reason})"
            )
        if self.verdict is not None and (self.change is None or self.limit is None):
            raise ValueError(f"{self.quantity.symbol}: a verdict needs a change and a limit")


@dataclass(frozen=True, slots=True)
class Comparison:
    """An earlier result beside this one.

    Attributes
    ----------
    earlier : EarlierResult
    changes : tuple of Change
    is_later : bool or None
        Whether the earlier result's study is of a later day than this one; None where a day is
        not known.
    is_same_study : bool
    by_identifier : bool
        The patient's identifiers agree; else the caller says that it is the same patient.
    """

    earlier: EarlierResult
    changes: tuple[Change, ...]
    is_later: bool | None
    is_same_study: bool
    by_identifier: bool
