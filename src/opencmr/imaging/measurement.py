"""A measured number or curve, or the reason why there is none."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure


@dataclass(frozen=True, slots=True)
class ReferenceVerdict:
    """How a value lies in a normal range whose conditions it meets.

    Attributes
    ----------
    low, high : float
        Limits of the range, in the quantity's unit.
    z_score : float or None
        Distance from the mean in standard deviations, where the source gives both.
    verdict : str
        ``within``, ``below`` or ``above``.
    population : str
        Whom the range holds for: sex, age, field strength, papillary rule.
    citation : str
        Source with the number of its table.
    """

    low: float
    high: float
    z_score: float | None
    verdict: str
    population: str
    citation: str


@dataclass(frozen=True, slots=True, repr=False)
class Measurement:
    """One value of a quantity.

    Attributes
    ----------
    quantity : Quantity
    value : float or None
        In the quantity's unit; None when unfit.
    reason : Reason or None
        Why there is no value; None when there is one.
    structure : Structure or None
    segment : int or None
        AHA segment, 1 to 17.
    series : str
        Short key of the series that was measured.
    policy : ContourPolicy or None
    interval : (low, high) or None
    reference : ReferenceVerdict or None
    reference_reason : Reason or None
        Why no normal range is shown; None when one is.
    evidence : str
        How the number came about, for the reader who checks it.
    analysis : str
        Name of the analysis that found it.
    """

    quantity: Quantity
    value: float | None
    reason: Reason | None = None
    structure: Structure | None = None
    segment: int | None = None
    series: str = ""
    policy: ContourPolicy | None = None
    interval: tuple[float, float] | None = None
    reference: ReferenceVerdict | None = None
    reference_reason: Reason | None = None
    evidence: str = ""
    analysis: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(
                f"{self.quantity.symbol}: a measurement has a value or a reason, never both "
                f"(value {self.value}, reason {self.reason})"
            )

    def __repr__(self) -> str:
        segment = "" if self.segment is None else f", segment {self.segment}"
        told = f"{self.text} {self.quantity.unit}" if self.reason is None else str(self.reason)
        return f"Measurement({self.quantity.symbol}{segment}: {told})"

    @property
    def text(self) -> str:
        """The value with its unit's decimals, or a dash."""
        return self.quantity.format(self.value)

    def withheld(self, reason: Reason) -> "Measurement":
        """Return it without its value, for ``reason``; as it is where it has none."""
        if self.value is None:
            return self
        return replace(
            self,
            value=None,
            reason=reason,
            interval=None,
            reference=None,
            reference_reason=None,
            evidence="",
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curve:
    """The values of one quantity over the heartbeat.

    Attributes
    ----------
    quantity : Quantity
    values : (N,) float64
        One a cardiac phase, in the quantity's unit; NaN where there is none.  Empty where
        nothing could be measured at any phase.
    reason : Reason or None
        Why values are missing; None when none is.
    times_ms : (N,) float64 or None
        Time of each phase after the R wave; None when not known.
    structure, segment, series, policy, reference_reason, evidence, analysis
        As of a :class:`Measurement`.
    """

    quantity: Quantity
    values: np.ndarray
    reason: Reason | None = None
    times_ms: np.ndarray | None = None
    structure: Structure | None = None
    segment: int | None = None
    series: str = ""
    policy: ContourPolicy | None = None
    reference_reason: Reason | None = None
    evidence: str = ""
    analysis: str = ""

    def __post_init__(self) -> None:
        symbol = self.quantity.symbol
        for name in ("values", "times_ms"):
            array = getattr(self, name)
            if array is not None:
                copy = np.array(array, dtype=np.float64)
                copy.flags.writeable = False
                object.__setattr__(self, name, copy)
        if self.values.ndim != 1:
            raise ValueError(f"{symbol}: a curve is (N,), found {self.values.shape}")
        if self.times_ms is not None and self.times_ms.shape != self.values.shape:
            raise ValueError(
                f"{symbol}: {self.values.size} values at {self.times_ms.size} times; expected "
                "as many"
            )
        complete = self.values.size > 0 and not np.isnan(self.values).any()
        if complete == (self.reason is not None):
            raise ValueError(
                f"{symbol}: a curve has a reason where, and only where, values are missing "
                f"({np.isnan(self.values).sum()} of {self.values.size} missing, reason "
                f"{self.reason})"
            )

    def __repr__(self) -> str:
        symbol, unit = self.quantity.symbol, self.quantity.unit
        return f"Curve({symbol}: {self.values.size} phases, {unit})"

    def __reduce__(self) -> tuple[type["Curve"], tuple[Any, ...]]:
        """Pickle as the call that makes it, so that a copy is locked too."""
        return Curve, tuple(getattr(self, field.name) for field in fields(self))

    def at(self, phase: int) -> Measurement:
        """Return the value of one cardiac phase, 0-based, as a measurement."""
        return self._point(float(self.values[phase]))

    def points(self) -> Iterator[tuple[int | None, Measurement]]:
        """Yield every phase with its measurement; of an empty curve one without a phase."""
        if not self.values.size:
            yield None, self._point(np.nan)
        for phase in range(self.values.size):
            yield phase, self.at(phase)

    def withheld(self, reason: Reason) -> "Curve":
        """Return it without its values, for ``reason``; as it is where it has none."""
        if np.isnan(self.values).all():
            return self
        return replace(
            self,
            values=np.full(self.values.size, np.nan),
            reason=reason,
            reference_reason=None,
            evidence="",
        )

    def _point(self, value: float) -> Measurement:
        missing = np.isnan(value)
        return Measurement(
            self.quantity,
            None if missing else value,
            self.reason if missing else None,
            structure=self.structure,
            segment=self.segment,
            series=self.series,
            policy=self.policy,
            reference_reason=self.reference_reason,
            evidence=self.evidence,
            analysis=self.analysis,
        )
