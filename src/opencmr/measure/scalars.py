"""How a quantity becomes a measurement: one row a quantity, a value or the reason for none."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.codes import PRIVATE_SCHEME
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measured
from opencmr.measure.ventricles import Unmeasurable, Ventricles


@dataclass(frozen=True, slots=True)
class Measure:
    """One group of quantities and the function that measures them."""

    quantities: tuple[Quantity, ...]
    measure: Callable[[Ventricles], tuple[Measured, ...]]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A quantity that has one value for the whole heart.

    Attributes
    ----------
    quantity : Quantity
    structure : Structure or None
    value : function of the ventricles
        Returns the value in the quantity's unit, or raises :class:`Unmeasurable`.
    evidence : function of the ventricles
        How the number came about, in words.
    interval : function of the ventricles
        Lowest and highest value that an admissible reading gives; None where there is none.
    """

    quantity: Quantity
    structure: Structure | None
    value: Callable[[Ventricles], float]
    evidence: Callable[[Ventricles], str] = lambda _: ""
    interval: Callable[[Ventricles], tuple[float, float] | None] = lambda _: None

    def measure(self, ventricles: Ventricles) -> Measurement:
        """Return the measurement, null with its reason where there is no value."""
        try:
            value = finite(self.value(ventricles))
            evidence = self.evidence(ventricles)
        except Unmeasurable as unfit:
            return null(ventricles, self.quantity, unfit.reason, structure=self.structure)
        return Measurement(
            self.quantity,
            value,
            structure=self.structure,
            series=ventricles.series,
            policy=ventricles.segmentation.policy,
            interval=_around(self.interval(ventricles), value),
            evidence=evidence,
        )


Interval = Callable[[Ventricles], tuple[float, float] | None]


def scaled(interval: Interval, factor: Callable[[Ventricles], float]) -> Interval:
    """Return an interval times a positive number that the reading of the base does not change."""

    def scale(ventricles: Ventricles) -> tuple[float, float] | None:
        found = interval(ventricles)
        return found and (found[0] * factor(ventricles), found[1] * factor(ventricles))

    return scale


def _around(interval: tuple[float, float] | None, value: float) -> tuple[float, float] | None:
    """Return an interval that holds its value, though slices were summed in another order."""
    return (min(interval[0], value), max(interval[1], value)) if interval else None


def table(*rows: Scalar) -> Measure:
    """Return the group that measures every row of a table."""
    return Measure(
        tuple(row.quantity for row in rows),
        lambda ventricles: tuple(row.measure(ventricles) for row in rows),
    )


def null(
    ventricles: Ventricles,
    quantity: Quantity,
    reason: Reason,
    *,
    structure: Structure | None = None,
    segment: int | None = None,
) -> Measurement:
    """Return the measurement of a quantity that has no value, with the reason."""
    return Measurement(
        quantity,
        None,
        reason,
        structure=structure,
        segment=segment,
        series=ventricles.series,
        policy=ventricles.segmentation.policy,
    )


def finite(value: float) -> float:
    """Return ``value``, or raise when it is no finite number."""
    if not np.isfinite(value):
        raise Unmeasurable("NOT_FINITE", "the computation gave no finite number")
    return float(value)


def private(symbol: str, meaning: str) -> Code:
    """Return the private code of a quantity for which no public one was found."""
    return Code(symbol, PRIVATE_SCHEME, meaning)
