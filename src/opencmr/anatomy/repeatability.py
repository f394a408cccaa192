"""How far a whole-heart value moves when the same heart is scanned and measured again.

The repeatability coefficient is 1.96 sqrt(2) times the within-subject standard deviation (Bland
and Altman, Lancet 1986; 1:307; Stat Methods Med Res 1999; 8:135): 95 % of two readings of an
unchanged heart differ by less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MODEL = "cine_sax 0.6.2"
"""Who outlined the hearts that the limits were measured on."""
HEARTS = 12
SOURCE = (
    f"{HEARTS} simulated hearts, each scanned twice and outlined by {MODEL} "
    "(benchmarks/repeatability.py)"
)
CAVEAT = (
    "They hold noise, breath-holds, the place of the slices and the model alone. Patients vary by "
    "more between two examinations, so take them for a lower bound: what is beyond need not be a "
    "change of the heart. How the model repeats itself on real pictures was not measured."
)


@dataclass(frozen=True, slots=True)
class Repeatability:
    """The repeatability coefficient of one quantity.

    Attributes
    ----------
    absolute : float
        In the quantity's unit.
    percent : float or None
        Of the mean of the two values; None of what is a percentage itself.
    """

    absolute: float
    percent: float | None = None

    def limit(self, one: float, other: float) -> float:
        """Return the larger of both coefficients for a pair of values, in the quantity's unit.

        A large heart's volumes vary by millilitres more, a small one's by percent more.
        """
        if self.percent is None:
            return self.absolute
        return max(self.absolute, self.percent / 100 * abs(one + other) / 2)


REPEATABILITY: Mapping[str, Repeatability] = MappingProxyType(
    {
        "LVEDV": Repeatability(19.7, 10.8),
        "LVESV": Repeatability(11.6, 9.3),
        "LVSV": Repeatability(22.6, 36.1),
        "LVEF": Repeatability(6.6),
        "LVM": Repeatability(11.3, 7.4),
        "RVEDV": Repeatability(19.7, 11.3),
        "RVESV": Repeatability(13.0, 14.3),
        "RVSV": Repeatability(16.6, 30.1),
        "RVEF": Repeatability(6.9),
    }
)
"""By symbol."""
