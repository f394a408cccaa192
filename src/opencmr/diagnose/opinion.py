"""An opinion on one heart: rules, classifier, what speaks for and against, what is doubtful."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.classifier import NOVEL, Answer, Classifier
from opencmr.diagnose.facts import Facts
from opencmr.diagnose.features import FEATURES, Feature, Source, base_readings, feature_values
from opencmr.diagnose.rules import Judgement, Outcome, judge

DISCLAIMER = "Research use only, not for diagnosis: decision support for a reader"
REASONS_EACH = 3
SIMILAR_CASES = 5
REACH_SD = 3.0
"""A measurement that would have to move by more standard deviations does not change the answer by
itself (proposal)."""

_FEATURES: Mapping[str, Feature] = {one.symbol: one for one in FEATURES}
_OF_BODY_SIZE = {one.symbol for one in FEATURES if one.source is Source.SIZE}


@dataclass(frozen=True, slots=True)
class Argument:
    """One measurement that speaks for the most probable group, or for the next one.

    Attributes
    ----------
    feature : Feature
    value : float
    speaks_for, against : str
        Groups.
    weight : float
        Share of the logarithm of their odds, positive.
    spans : mapping from group to (low, high)
        Where the middle 90 % of either group's training hearts lie.
    turning_value : float or None
        Where both groups would be as probable, all else the same; None: out of reach.
    """

    feature: Feature
    value: float
    speaks_for: str
    against: str
    weight: float
    spans: Mapping[str, tuple[float, float]]
    turning_value: float | None

    @property
    def sentence(self) -> str:
        """The argument in words."""
        usual = ", ".join(
            f"{group} {self.feature.text(low)} to {self.feature.text(high)}"
            for group, (low, high) in self.spans.items()
        )
        turn = (
            f"at {self.feature.text(self.turning_value)} both would be as probable"
            if self.turning_value is not None
            else "alone it cannot change the answer"
        )
        return (
            f"{self.feature.words} {self.feature.text(self.value)} speaks for {self.speaks_for} "
            f"against {self.against} (usual: {usual}); {turn}"
        )

    @property
    def plain(self) -> dict[str, object]:
        """The argument as programs read it."""
        return {
            "symbol": self.feature.symbol,
            "name": self.feature.words,
            "value": round(self.value, 4),
            "unit": self.feature.unit,
            "speaks_for": self.speaks_for,
            "against": self.against,
            "weight": round(self.weight, 4),
            "usual": {group: list(span) for group, span in self.spans.items()},
            "turning_value": None if self.turning_value is None else round(self.turning_value, 4),
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What rules and classifier say of one heart.

    Attributes
    ----------
    classes : tuple of str
    answer : Answer or None
        None where too little was measured.
    judgements : tuple of Judgement
    doubts : tuple of Reason
        Why no group is named; empty where one is.
    arguments : tuple of Argument
        Strongest first.
    similar : tuple of (group, distance)
        Training hearts nearest by measurement; distance in standard deviations a measurement.
    disagreements : tuple of str
        Where rules and classifier say different things.
    """

    classes: tuple[str, ...]
    answer: Answer | None
    judgements: tuple[Judgement, ...]
    doubts: tuple[Reason, ...]
    arguments: tuple[Argument, ...] = ()
    similar: tuple[tuple[str, float], ...] = ()
    disagreements: tuple[str, ...] = ()

    @property
    def group(self) -> str | None:
        """The group that is named; None: indeterminate."""
        return None if self.doubts or self.answer is None else self.answer.group

    @property
    def plain(self) -> dict[str, object]:
        """The opinion as programs read it."""
        answer = self.answer
        shares: Mapping[str, float | None] = dict.fromkeys(self.classes)
        if answer is not None:
            shares = {name: round(share, 4) for name, share in answer.probabilities.items()}
        return {
            "disclaimer": DISCLAIMER,
            "group": self.group,
            "probabilities": dict(shares),
            "set": [] if answer is None else list(answer.groups),
            "novel": None if answer is None else round(answer.novelty, 4),
            "indeterminate": [{"code": d.code, "sentence": d.sentence} for d in self.doubts],
            "rules": [one.plain for one in self.judgements],
            "reasons": [one.plain for one in self.arguments],
            "similar": [
                {"case": f"an ACDC {group} case", "distance_sd": round(distance, 2)}
                for group, distance in self.similar
            ],
            "disagreements": list(self.disagreements),
            "read_from": "" if answer is None else answer.sheet.name,
        }


def form_opinion(
    facts: Facts,
    classifier: Classifier,
    *,
    sex: str | None = None,
    age_years: float | None = None,
    others: Mapping[str, Facts] | None = None,
) -> Opinion:
    """Return the opinion on a heart.

    A group is named only where the 90 % set holds one, the heart is like those of the training,
    and every other reading answers the same.

    Parameters
    ----------
    facts : Facts
    classifier : Classifier
    sex, age_years
        As far as known.
    others : mapping from what they suppose to Facts
        Other readings of the same heart, beside those of the base and without body size.
    """
    judgements = judge(facts, sex=sex, age_years=age_years)
    values = feature_values(facts)
    answer = classifier.answer(values)
    if answer is None:
        return Opinion(classifier.classes, None, judgements, (_too_little(facts, classifier),))
    readings = {name: feature_values(other) for name, other in (others or {}).items()}
    readings |= {name: feature_values(other) for name, other in base_readings(facts).items()}
    if _OF_BODY_SIZE & set(answer.sheet.symbols):
        readings["without body size"] = {
            symbol: value for symbol, value in values.items() if symbol not in _OF_BODY_SIZE
        }
    return Opinion(
        classifier.classes,
        answer,
        judgements,
        (*_doubts(answer), *_changes(answer, classifier, readings)),
        _arguments(answer, classifier),
        _similar(answer, classifier),
        _disagreements(answer, judgements),
    )


def _too_little(facts: Facts, classifier: Classifier) -> Reason:
    """Say why no sheet can answer: the first missing measurement of the least demanding one."""
    values = feature_values(facts)
    least = classifier.sheets[-1]
    missing = [symbol for symbol in least.symbols if symbol not in values]
    for symbol in missing:
        fact = facts.get(symbol)
        if fact is not None and fact.reason is not None:
            return fact.reason
    return Reason("NOT_ASSESSABLE", f"not measured: {', '.join(missing)}")


def _doubts(answer: Answer) -> tuple[Reason, ...]:
    doubts = []
    if len(answer.groups) > 1:
        doubts.append(Reason("SEVERAL_GROUPS", f"the 90 % set holds {' and '.join(answer.groups)}"))
    elif not answer.fits_its_group:
        doubts.append(
            Reason(
                "SEVERAL_GROUPS",
                f"{answer.group} is the most probable, at {100 * answer.shares.max():.0f} %: nine "
                "of ten training hearts fit their group better",
            )
        )
    if answer.novelty >= NOVEL:
        doubts.append(
            Reason(
                "LIKE_NO_GROUP",
                f"{100 * answer.novelty:.0f} % of the training hearts lie nearer to their group",
            )
        )
    return tuple(doubts)


def _changes(
    answer: Answer, classifier: Classifier, readings: Mapping[str, Mapping[str, float]]
) -> tuple[Reason, ...]:
    changed: dict[str, list[str]] = {}
    for name, values in readings.items():
        other = classifier.answer(values)
        if other is None:
            changed.setdefault("nothing", []).append(name)
        elif other.group != answer.group:
            changed.setdefault(other.group, []).append(name)
    return tuple(
        Reason("ANSWER_CHANGES", f"{answer.group} becomes {group} with: {'; '.join(names)}")
        for group, names in changed.items()
    )


def _arguments(answer: Answer, classifier: Classifier) -> tuple[Argument, ...]:
    """Return what speaks most for the first group against the second, and for the second."""
    sheet = answer.sheet
    second, first = (int(place) for place in np.argsort(answer.shares)[-2:])
    names = (answer.classes[first], answer.classes[second])
    coefficients = np.array(sheet.coefficients)
    slope = coefficients[first] - coefficients[second]
    logits = sheet.logits(answer.z)
    margin = float(logits[first] - logits[second])
    weights = slope * answer.z
    order = np.argsort(weights)
    strongest = [*order[::-1][:REASONS_EACH], *order[:REASONS_EACH]]
    found = []
    for place in dict.fromkeys(map(int, strongest)):
        symbol, weight = sheet.symbols[place], float(weights[place])
        if weight == 0:
            continue
        shift_sd = -margin / slope[place]
        turning = answer.values[symbol] + shift_sd * sheet.sd[place]
        spans = classifier.spans.get(symbol, {})
        found.append(
            Argument(
                _FEATURES[symbol],
                answer.values[symbol],
                *(names if weight > 0 else names[::-1]),
                abs(weight),
                {name: (spans[name].low, spans[name].high) for name in names if name in spans},
                float(turning) if abs(shift_sd) <= REACH_SD and turning > 0 else None,
            )
        )
    speaking = [one for one in found if one.speaks_for == names[0]][:REASONS_EACH]
    opposing = [one for one in found if one.speaks_for == names[1]][:REASONS_EACH]
    return (*speaking, *opposing)


def _similar(answer: Answer, classifier: Classifier) -> tuple[tuple[str, float], ...]:
    symbols = answer.sheet.symbols
    distances = [
        (
            case.group,
            float(np.sqrt(np.mean((np.array([case.values[s] for s in symbols]) - answer.z) ** 2))),
        )
        for case in classifier.cases
        if set(symbols) <= set(case.values)
    ]
    return tuple(sorted(distances, key=lambda one: one[1])[:SIMILAR_CASES])


def _disagreements(answer: Answer, judgements: tuple[Judgement, ...]) -> tuple[str, ...]:
    found = []
    for one in judgements:
        defined = one.rule.group
        if not defined:
            continue
        if one.outcome is Outcome.MET and defined not in answer.groups:
            found.append(f"{one.rule.criterion} is met; the classifier says {answer.group}")
    own = [one for one in judgements if one.rule.group == answer.group]
    if own and all(one.outcome is Outcome.NOT_MET for one in own):
        found.append(
            f"the classifier says {answer.group}; no definition of it is met "
            f"({'; '.join(one.evidence for one in own)})"
        )
    return tuple(found)
