"""The table of rules: a criterion, its conditions, for whom it holds, and where it stands.

All conditions of a row must hold; a criterion that may be met in two ways stands there twice,
under two names.  A criterion that depends on sex or age has a row for each group.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from opencmr.anatomy.policy import PapillaryRule
from opencmr.anatomy.ranges import normal_ranges
from opencmr.diagnose.wall_shape import POOR_THICKENING_PERCENT

EF_MARGIN_POINTS = 2.0
"""Nearer to a cut-point an ejection fraction may lie on its other side on a second look, as the
flag NEAR_CUT_POINT says (readers differ by 4.6 to 7.5 points, JCMR 17:63)."""
VOLUME_INDEX_MARGIN_ML_M2 = 8.0
"""Readers differ by 15 to 28 mL of EDV (JCMR 17:63): at a body surface of 1.9 m² by 8 mL/m² and
more."""
MASS_INDEX_MARGIN_G_M2 = 5.0
"""Proposal: the network's mean error of mass, 9 g, at a body surface of 1.9 m²."""
THICKNESS_MARGIN_MM = 1.0
"""Proposal: less than a pixel of the usual 1.4 mm."""
POOR_SHARE_PERCENT = 25.0
"""More of the wall's segments than this: several (proposal: four of sixteen; of 16 normal hearts'
reference masks one has more, of 16 infarcted hearts' none fewer)."""
POOR_SHARE_MARGIN_PERCENT = 6.25
"""One segment of sixteen."""


class Comparison(StrEnum):
    """On which side of its cut-point a condition holds."""

    BELOW = "<"
    AT_MOST = "≤"
    ABOVE = ">"
    AT_LEAST = "≥"


class Strength(StrEnum):
    """How much a criterion weighs."""

    GUIDELINE = "guideline"
    DATA_SET = "definition of a data set"
    NORMAL_RANGE = "limit of a normal range"
    PROPOSAL = "proposal"


@dataclass(frozen=True, slots=True)
class Condition:
    """A quantity on one side of a cut-point, both in ``unit``; within ``margin`` it is near.

    ``words`` name it where its symbol would mean nothing to a reader.
    """

    symbol: str
    comparison: Comparison
    cut_point: float
    unit: str
    margin: float
    words: str = ""

    @property
    def name(self) -> str:
        """The quantity as a reader knows it."""
        return self.words or self.symbol


@dataclass(frozen=True, slots=True)
class Rule:
    """One row.

    Attributes
    ----------
    criterion : str
        What it says when it is met; rows for several sexes or ages share it.
    conditions : tuple of Condition
        All must hold.
    source : str
    strength : Strength
    sex : str or None
        ``M`` or ``F``; None: both.
    ages : (first, last)
        Completed years, both included.
    papillary : PapillaryRule or None
        The contour policy under which the cut-point was made; None: not told, or no matter.
    group : str
        Group of ACDC that the row defines; empty: none.
    """

    criterion: str
    conditions: tuple[Condition, ...]
    source: str
    strength: Strength
    sex: str | None = None
    ages: tuple[int, int] = (18, 125)
    papillary: PapillaryRule | None = None
    group: str = ""

    def __post_init__(self) -> None:
        if not (self.criterion and self.conditions and self.source):
            raise ValueError("a rule has a criterion, a condition and a source")
        if self.sex not in (None, "M", "F") or self.ages[0] > self.ages[1]:
            raise ValueError(f"{self.criterion}: impossible population {self.sex} {self.ages}")

    def may_hold_for(self, sex: str | None, age_years: float | None) -> bool:
        """Return whether the row's group is not excluded; what is unknown excludes none."""
        of_sex = None in (sex, self.sex) or sex == self.sex
        # Age is in completed years: 74.9 is 74.
        of_age = age_years is None or self.ages[0] <= age_years < self.ages[1] + 1
        return of_sex and of_age

    @property
    def population(self) -> str:
        """Whom it holds for, in words."""
        who = {"M": "men", "F": "women", None: "adults"}[self.sex]
        last = "" if self.ages[1] >= ADULT[1] else f" to {self.ages[1]}"
        from_age = f" from {self.ages[0]} years" if not last else f", {self.ages[0]}{last} years"
        return who if self.ages == ADULT else who + from_age


ADULT = (18, 125)
_ESC = "ESC heart failure guideline 2021 (at most 40, 41 to 49, at least 50 %)"
_ESC_HCM = "ESC guideline on cardiomyopathies 2023: wall of 15 mm or more"
_ACDC = "ACDC (Bernard et al., IEEE TMI 2018), class definitions"


def _ef(symbol: str, comparison: Comparison, percent: float) -> Condition:
    return Condition(symbol, comparison, percent, "%", EF_MARGIN_POINTS)


def _volume(symbol: str, cut_ml_m2: float, comparison: Comparison = Comparison.ABOVE) -> Condition:
    return Condition(symbol, comparison, cut_ml_m2, "mL/m2", VOLUME_INDEX_MARGIN_ML_M2)


def _wall(comparison: Comparison, mm: float) -> Condition:
    return Condition("WT_MAX", comparison, mm, "mm", THICKNESS_MARGIN_MM, "greatest wall thickness")


_POOR_SEGMENTS = Condition(
    "wth_poor",
    Comparison.ABOVE,
    POOR_SHARE_PERCENT,
    "%",
    POOR_SHARE_MARGIN_PERCENT,
    "share of segments that hardly thicken",
)


_OF_RANGES = (
    ("LV dilated for sex and age", "LVEDVi"),
    ("LV mass raised for sex and age", "LVMi"),
    ("RV dilated for sex and age", "RVEDVi"),
    ("RVEF low for sex and age", "RVEF"),
)
"""Criterion and symbol; the limit of each sex and band of age is that of the normal range."""


def _of_normal_ranges() -> Iterator[Rule]:
    for criterion, symbol in _OF_RANGES:
        for one in (r for r in normal_ranges() if r.symbol == symbol):
            if symbol == "RVEF":
                condition = _ef(symbol, Comparison.BELOW, one.low)
            elif symbol == "LVMi":
                condition = Condition(
                    symbol, Comparison.ABOVE, one.high, "g/m2", MASS_INDEX_MARGIN_G_M2
                )
            else:
                condition = _volume(symbol, one.high)
            yield Rule(
                criterion,
                (condition,),
                f"{one.source.citation}; {one.source.limits}",
                Strength.NORMAL_RANGE,
                one.sex,
                (one.age_low or 0, ADULT[1] if one.age_high is None else one.age_high),
                one.papillary,
            )


_BELOW, _ABOVE = Comparison.BELOW, Comparison.ABOVE

RULES: tuple[Rule, ...] = (
    Rule(
        "LVEF reduced (at most 40 %)",
        (_ef("LVEF", Comparison.AT_MOST, 40),),
        _ESC,
        Strength.GUIDELINE,
    ),
    Rule(
        "LVEF mildly reduced (41 to 49 %)",
        (_ef("LVEF", _ABOVE, 40), _ef("LVEF", _BELOW, 50)),
        _ESC,
        Strength.GUIDELINE,
    ),
    Rule(
        "LVEF preserved (at least 50 %)",
        (_ef("LVEF", Comparison.AT_LEAST, 50),),
        _ESC,
        Strength.GUIDELINE,
    ),
    Rule(
        "Wall as thick as in hypertrophic cardiomyopathy (15 mm or more)",
        (_wall(Comparison.AT_LEAST, 15),),
        _ESC_HCM,
        Strength.GUIDELINE,
    ),
    Rule(
        "Several segments of the wall hardly thicken",
        (_POOR_SEGMENTS,),
        f"more than {POOR_SHARE_PERCENT:g} % of the segments thicken by less than "
        f"{POOR_THICKENING_PERCENT:g} %",
        Strength.PROPOSAL,
    ),
    *_of_normal_ranges(),
    *(
        Rule(
            "ACDC's definition of a normal heart (NOR)",
            (
                _ef("LVEF", _ABOVE, 50),
                _volume("LVEDVi", cut_ml_m2, _BELOW),
                _wall(_BELOW, 12),
                _volume("RVEDVi", 100, _BELOW),
                _ef("RVEF", _ABOVE, 40),
            ),
            _ACDC,
            Strength.DATA_SET,
            sex,
            papillary=PapillaryRule.IN_CAVITY,
            group="NOR",
        )
        for sex, cut_ml_m2 in (("M", 90), ("F", 80))
    ),
    Rule(
        "ACDC's definition of infarction (MINF)",
        (_ef("LVEF", _BELOW, 40), _POOR_SEGMENTS),
        f"{_ACDC}; abnormal segments by thickening: proposal",
        Strength.DATA_SET,
        group="MINF",
    ),
    Rule(
        "ACDC's definition of dilated cardiomyopathy (DCM)",
        (_ef("LVEF", _BELOW, 40), _volume("LVEDVi", 100), _wall(_BELOW, 12)),
        _ACDC,
        Strength.DATA_SET,
        papillary=PapillaryRule.IN_CAVITY,
        group="DCM",
    ),
    Rule(
        "ACDC's definition of hypertrophic cardiomyopathy (HCM)",
        (_ef("LVEF", _ABOVE, 55), _wall(_ABOVE, 15)),
        _ACDC,
        Strength.DATA_SET,
        group="HCM",
    ),
    *(
        Rule(
            "ACDC's definition of an abnormal right ventricle (RV), by volume",
            (_volume("RVEDVi", cut_ml_m2),),
            _ACDC,
            Strength.DATA_SET,
            sex,
            papillary=PapillaryRule.IN_CAVITY,
            group="RV",
        )
        for sex, cut_ml_m2 in (("M", 110), ("F", 100))
    ),
    Rule(
        "ACDC's definition of an abnormal right ventricle (RV), by ejection fraction",
        (_ef("RVEF", _BELOW, 40),),
        _ACDC,
        Strength.DATA_SET,
        group="RV",
    ),
)
