"""An opinion on one heart: rules, classifier, what speaks for and against, what is doubtful."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.classifier import NOVEL, Answer, Classifier, Span
from opencmr.diagnose.facts import Facts
from opencmr.diagnose.features import FEATURES, Feature, Source, base_readings, feature_values
from opencmr.diagnose.rule_table import ADULT
from opencmr.diagnose.rules import Judgement, judge
from opencmr.imaging.finding import Argument, Finding, Outcome
from opencmr.imaging.reading import ModelUse

REASONS_EACH = 3
SIMILAR_CASES = 5
REACH_SD = 3.0
"""A measurement that would have to move by more standard deviations, or to where no training heart
of any group lies, does not change the answer by itself (proposal)."""

LEARNT_WITH = ACDC_POLICY.papillary
"""The contour policy of the training's masks."""

_VOLUMES = ("LVEDV", "LVESV", "LVM")
_FEATURES: Mapping[str, Feature] = {one.symbol: one for one in FEATURES}
_OF_BODY_SIZE = {one.symbol for one in FEATURES if one.source is Source.SIZE}


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

    def finding(self, model: ModelUse | None = None) -> Finding:
        """Return the opinion as it flows to reports and programs, with the model behind it."""
        answer = self.answer
        return Finding(
            criteria=tuple(one.told for one in self.judgements),
            doubts=self.doubts,
            probabilities=None if answer is None else answer.probabilities,
            classes=self.classes,
            groups=() if answer is None else answer.groups,
            novelty=None if answer is None else answer.novelty,
            arguments=self.arguments,
            similar=self.similar,
            disagreements=self.disagreements,
            read_from="" if answer is None else answer.sheet.name,
            model=model,
        )


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
    unfit = _unfit(facts, age_years)
    answer = None if unfit else classifier.answer(values)
    if answer is None:
        doubt = unfit or _too_little(facts, classifier)
        return Opinion(classifier.classes, None, judgements, (doubt,))
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


def _unfit(facts: Facts, age_years: float | None) -> Reason | None:
    """Say why the classifier must not be asked: it knows adults, and one rule of contours."""
    if age_years is not None and age_years < ADULT[0]:
        return Reason("AGE_OUTSIDE_RANGE", "the classifier learnt from adults alone")
    for symbol in _VOLUMES:
        fact = facts.get(symbol)
        if fact is not None and fact.papillary not in (None, LEARNT_WITH):
            return Reason(
                "POLICY_MISMATCH",
                f"the classifier learnt from volumes with {LEARNT_WITH.value}; {symbol} was "
                "measured under the other rule",
            )
    return None


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
                f"{100 * answer.novelty:.0f} % of the training hearts resemble a group more",
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
        spans, feature = classifier.spans.get(symbol, {}), _FEATURES[symbol]
        found.append(
            Argument(
                symbol,
                feature.words,
                feature.unit,
                feature.decimals,
                answer.values[symbol],
                *(names if weight > 0 else names[::-1]),
                abs(weight),
                {name: (spans[name].low, spans[name].high) for name in names if name in spans},
                float(turning)
                if abs(shift_sd) <= REACH_SD and _is_seen(turning, spans.values())
                else None,
            )
        )
    speaking = [one for one in found if one.speaks_for == names[0]][:REASONS_EACH]
    opposing = [one for one in found if one.speaks_for == names[1]][:REASONS_EACH]
    return (*speaking, *opposing)


def _is_seen(value: float, spans: Collection[Span]) -> bool:
    """Return whether hearts of any group are like that; no heart ejects 115 %."""
    if not spans:
        return value > 0
    return min(one.low for one in spans) <= value <= max(one.high for one in spans)


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
