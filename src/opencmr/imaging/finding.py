"""A finding: what a heart's measurements may mean, or why nobody can say.  Decision support."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.brief import brief
from opencmr.imaging.reading import ModelUse

DISCLAIMER = "Research use only, not for diagnosis: decision support for a reader"


class Outcome(StrEnum):
    """What became of a criterion."""

    MET = "met"
    NOT_MET = "not met"
    NEAR = "near the cut-point"
    NOT_ASSESSABLE = "not assessable"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion of a rule and what became of it.

    Attributes
    ----------
    criterion : str
        What it says when it is met.
    outcome : Outcome
    reason : Reason or None
        Why it is not assessable.
    evidence : str
        Values beside cut-points.
    population, source, strength : str
        For whom it holds, where it stands, and how much it weighs.
    table : str
        The set of criteria that it is one of; empty: a rule of its own.
    """

    criterion: str
    outcome: Outcome
    reason: Reason | None
    evidence: str
    population: str
    source: str
    strength: str
    table: str = ""

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.NOT_ASSESSABLE) != (self.reason is not None):
            raise ValueError(f"{self.criterion}: not assessable has a reason, and only that")

    @property
    def full_name(self) -> str:
        """What it says, with the set that it is one of."""
        return f"{self.table}: {self.criterion}" if self.table else self.criterion

    @property
    def plain(self) -> dict[str, object]:
        """The row as programs read it."""
        return {
            "criterion": self.criterion,
            "outcome": self.outcome.value,
            "reason": str(self.reason) if self.reason else None,
            "evidence": self.evidence,
            "population": self.population,
            "source": self.source,
            "strength": self.strength,
            "table": self.table,
        }


@dataclass(frozen=True, slots=True)
class Argument:
    """One measurement that speaks for the most probable group, or for the next one.

    Attributes
    ----------
    symbol, words, unit : str
        Of the measurement; ``words`` name it as a clinician does.
    decimals : int
    value : float
    speaks_for, against : str
        Groups.
    weight : float
        Share of the logarithm of their odds, positive.
    usual : mapping from group to (low, high)
        Where the middle 90 % of either group's training hearts lie.
    turning_value : float or None
        Where both groups would be as probable, all else the same; None: out of reach.
    """

    symbol: str
    words: str
    unit: str
    decimals: int
    value: float
    speaks_for: str
    against: str
    weight: float
    usual: Mapping[str, tuple[float, float]]
    turning_value: float | None

    @property
    def sentence(self) -> str:
        """The argument in words."""
        usual = ", ".join(
            f"{group} {self._text(low)} to {self._text(high)}"
            for group, (low, high) in self.usual.items()
        )
        turn = (
            f"at {self._text(self.turning_value)} both would be as probable"
            if self.turning_value is not None
            else "alone it cannot change the answer"
        )
        return (
            f"{self.words} {self._text(self.value)} speaks for {self.speaks_for} "
            f"against {self.against} (usual: {usual}); {turn}"
        )

    @property
    def plain(self) -> dict[str, object]:
        """The argument as programs read it."""
        return {
            "symbol": self.symbol,
            "name": self.words,
            "value": round(self.value, 4),
            "unit": self.unit,
            "speaks_for": self.speaks_for,
            "against": self.against,
            "weight": round(self.weight, 4),
            "usual": {group: list(span) for group, span in self.usual.items()},
            "turning_value": None if self.turning_value is None else round(self.turning_value, 4),
            "sentence": self.sentence,
        }

    def _text(self, value: float) -> str:
        shown = f"{value:.{self.decimals}f}"
        return f"{shown} {self.unit}" if self.unit else shown


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """What rules and a classifier say of one heart.

    Attributes
    ----------
    criteria : tuple of Criterion
        In the order of the table of rules; after them those of other tables.
    doubts : tuple of Reason
        Why no group is named; empty where one is.
    probabilities : mapping from group to its probability, or None
        Had the heart to be of one of the groups; None where too little was measured.
    classes : tuple of str
        The groups that the classifier knows.
    groups : tuple of str
        The 90 % set; empty where there are no probabilities.
    novelty : float or None
        Share of the training hearts that resemble a group more.
    arguments : tuple of Argument
        Strongest first.
    similar : tuple of (group, distance)
        Training hearts nearest by measurement; distance in standard deviations a measurement.
    disagreements : tuple of str
        Where rules and classifier say different things.
    read_from : str
        Which measurements the classifier read; empty where it had too few.
    model : ModelUse or None
        The classifier that took part.
    """

    criteria: tuple[Criterion, ...]
    doubts: tuple[Reason, ...]
    probabilities: Mapping[str, float] | None = None
    classes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    novelty: float | None = None
    arguments: tuple[Argument, ...] = ()
    similar: tuple[tuple[str, float], ...] = ()
    disagreements: tuple[str, ...] = ()
    read_from: str = ""
    model: ModelUse | None = field(default=None, repr=False)

    __repr__ = brief

    def __post_init__(self) -> None:
        if self.probabilities is None and (self.groups or not self.doubts):
            raise ValueError("without probabilities there is no set, but a doubt")

    @property
    def concludes(self) -> bool:
        """Whether any criterion could be judged; otherwise nothing of the finding is told."""
        return any(one.outcome is not Outcome.NOT_ASSESSABLE for one in self.criteria)

    @property
    def most_probable(self) -> str | None:
        """The most probable group, whatever the doubts; None without probabilities."""
        shares = self.probabilities
        return None if shares is None else max(shares, key=lambda name: shares[name])

    @property
    def group(self) -> str | None:
        """The group that is named; None: indeterminate."""
        return None if self.doubts else self.most_probable

    @property
    def plain(self) -> dict[str, object]:
        """The finding as programs read it."""
        shares = self.probabilities
        rounded = {name: round(share, 4) for name, share in shares.items()} if shares else {}
        found: dict[str, object] = {
            "disclaimer": DISCLAIMER,
            "group": self.group,
            "probabilities": {name: rounded.get(name) for name in self.classes},
            "set": list(self.groups),
            "novel": None if self.novelty is None else round(self.novelty, 4),
            "indeterminate": [{"code": d.code, "sentence": d.sentence} for d in self.doubts],
            "rules": [one.plain for one in self.criteria],
            "reasons": [one.plain for one in self.arguments],
            "similar": [
                {"case": f"an ACDC {group} case", "distance_sd": round(distance, 2)}
                for group, distance in self.similar
            ],
            "disagreements": list(self.disagreements),
            "read_from": self.read_from,
        }
        model = self.model
        if model is not None:
            found["model"] = {
                "name": model.name,
                "version": model.version,
                "sha256": model.sha256,
                "terms": model.terms,
            }
        return found
