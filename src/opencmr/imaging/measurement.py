"""A measured number, or the reason why there is none."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
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
    phase : int or None
        Cardiac phase, 0-based.
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
    """

    quantity: Quantity
    value: float | None
    reason: Reason | None = None
    structure: Structure | None = None
    phase: int | None = None
    segment: int | None = None
    series: str = ""
    policy: ContourPolicy | None = None
    interval: tuple[float, float] | None = None
    reference: ReferenceVerdict | None = None
    reference_reason: Reason | None = None
    evidence: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(
                f"{self.quantity.symbol}: a measurement has a value or a reason, never both "
                f"(value {self.value}, reason {self.reason})"
            )

    @property
    def text(self) -> str:
        """The value with its unit's decimals, or a dash."""
        return self.quantity.format(self.value)
