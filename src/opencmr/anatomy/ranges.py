"""Normal ranges, with the conditions under which each holds.

Only numbers that were read at their source are in the table, each with the place where they
stand there.  No range is applied across sex, age or papillary rule.
"""

from dataclasses import dataclass

from opencmr.anatomy.policy import PapillaryRule

NORMAL_Z = 1.96
"""Half-width in standard deviations of the interval that holds 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class NormalRange:
    """The normal range of one quantity in one group of people.

    Attributes
    ----------
    symbol : str
        Symbol of the quantity.
    sex : str
        ``"M"`` or ``"F"``.
    age_low, age_high : int
        Years, both included.
    field_strength_t : float
        Where it was measured; volumes and mass are compared at any field strength.
    papillary : PapillaryRule
    mean, sd : float
        In the quantity's unit.
    people : str
    citation : str
        Source, and the place in it.
    """

    symbol: str
    sex: str
    age_low: int
    age_high: int
    field_strength_t: float
    papillary: PapillaryRule
    mean: float
    sd: float
    people: str
    citation: str

    @property
    def low(self) -> float:
        """Lower limit: mean less 1.96 SD (the source's abstract gives mean and SD)."""
        return self.mean - NORMAL_Z * self.sd

    @property
    def high(self) -> float:
        """Upper limit: mean plus 1.96 SD."""
        return self.mean + NORMAL_Z * self.sd

    @property
    def population(self) -> str:
        """Whom the range holds for, in words."""
        sex = {"M": "men", "F": "women"}[self.sex]
        return (
            f"{self.people}, {sex} {self.age_low} to {self.age_high} years, "
            f"{self.field_strength_t:g} T, {self.papillary.value}; limits are mean ± 1.96 SD"
        )


_UK_BIOBANK = "healthy Caucasians of the UK Biobank"
_PETERSEN = "Petersen et al., J Cardiovasc Magn Reson 2017; 19:18, abstract"


def _petersen(symbol: str, sex: str, mean: float, sd: float) -> NormalRange:
    # Field strength and age are in the abstract; that papillary muscles count to the volume
    # is in table 1 of Kawel-Boehm et al., J Cardiovasc Magn Reson 2020; 22:87.
    return NormalRange(
        symbol,
        sex,
        45,
        74,
        1.5,
        PapillaryRule.IN_CAVITY,
        mean,
        sd,
        _UK_BIOBANK,
        _PETERSEN,
    )


NORMAL_RANGES: tuple[NormalRange, ...] = (
    _petersen("LVEF", "M", 58, 5),
    _petersen("LVEF", "F", 61, 5),
    _petersen("LVMi", "M", 53, 9),
    _petersen("LVMi", "F", 42, 7),
)
