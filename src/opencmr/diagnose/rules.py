"""Judging a heart by the table of rules: met, not met, near the cut-point, or not assessable."""

from collections.abc import Sequence
from dataclasses import dataclass

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import Fact, Facts
from opencmr.diagnose.rule_table import RULES, Comparison, Condition, Rule
from opencmr.imaging.finding import Criterion, Outcome


@dataclass(frozen=True, slots=True)
class Judgement:
    """One criterion and what became of it.

    Attributes
    ----------
    rule : Rule
        The row that was applied; where several agree, the first.
    outcome : Outcome
    reason : Reason or None
        Why it is not assessable.
    evidence : str
        Values beside cut-points.
    """

    rule: Rule
    outcome: Outcome
    reason: Reason | None
    evidence: str

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.NOT_ASSESSABLE) != (self.reason is not None):
            raise ValueError(f"{self.rule.criterion}: not assessable has a reason, and only that")

    @property
    def told(self) -> Criterion:
        """The same without the rule's machinery, as a finding tells it."""
        rule = self.rule
        return Criterion(
            rule.criterion,
            self.outcome,
            self.reason,
            self.evidence,
            rule.population,
            rule.source,
            rule.strength.value,
        )


def judge(
    facts: Facts,
    *,
    sex: str | None = None,
    age_years: float | None = None,
    rules: Sequence[Rule] = RULES,
) -> tuple[Judgement, ...]:
    """Return what becomes of each criterion, in the order of the table.

    Of a criterion whose cut-point depends on sex or age, every row that may hold is judged;
    what they do not agree on is not assessable while sex or age is unknown.
    """
    criteria = dict.fromkeys(rule.criterion for rule in rules)
    return tuple(
        _of_criterion([rule for rule in rules if rule.criterion == one], facts, sex, age_years)
        for one in criteria
    )


def _of_criterion(
    rows: Sequence[Rule], facts: Facts, sex: str | None, age_years: float | None
) -> Judgement:
    fitting = [row for row in rows if row.may_hold_for(sex, age_years)]
    if not fitting:
        reason = Reason("AGE_OUTSIDE_RANGE", "no cut-point holds for this age")
        return Judgement(rows[0], Outcome.NOT_ASSESSABLE, reason, "")
    found = [_judged(row, facts) for row in fitting]
    if len({one.outcome for one in found}) == 1:
        return found[0]
    reason = Reason(
        "DEMOGRAPHICS_UNKNOWN",
        "the cut-points of different sexes or ages do not agree; sex or age is not given",
    )
    return Judgement(fitting[0], Outcome.NOT_ASSESSABLE, reason, found[0].evidence)


def _judged(rule: Rule, facts: Facts) -> Judgement:
    """Judge one row: it fails where any condition clearly does, whatever the others are."""
    found = [_of_condition(rule, one, facts.get(one.symbol)) for one in rule.conditions]
    evidence = "; ".join(
        beside(one, fact.value, fact.interval)
        for one in rule.conditions
        if (fact := facts.get(one.symbol)) and fact.value is not None
    )
    if Outcome.NOT_MET in found:
        return Judgement(rule, Outcome.NOT_MET, None, evidence)
    for one in found:
        if isinstance(one, Reason):
            return Judgement(rule, Outcome.NOT_ASSESSABLE, one, evidence)
    outcome = Outcome.NEAR if Outcome.NEAR in found else Outcome.MET
    return Judgement(rule, outcome, None, evidence)


def beside(condition: Condition, value: float, interval: tuple[float, float] | None) -> str:
    """Return a value with its interval beside the cut-point, in words."""
    ends = f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
    return (
        f"{condition.name} {value:.1f}{ends} {condition.unit}, "
        f"cut-point {condition.comparison.value} {condition.cut_point:g}"
    )


def _of_condition(rule: Rule, condition: Condition, fact: Fact | None) -> Outcome | Reason:
    if fact is None:
        return Reason("NOT_ASSESSABLE", f"{condition.name} was not measured")
    if fact.value is None:
        assert fact.reason is not None, "a fact without a value has a reason"
        return fact.reason
    if rule.papillary is not None and fact.papillary not in (None, rule.papillary):
        return Reason(
            "POLICY_MISMATCH",
            f"the cut-point holds with {rule.papillary.value}; {condition.name} was measured "
            "under the other rule",
        )
    return outcome_of(condition, fact.value, fact.interval)


def outcome_of(condition: Condition, value: float, interval: tuple[float, float] | None) -> Outcome:
    """Return whether a value meets a condition, does not, or lies near its cut-point."""
    if abs(value - condition.cut_point) <= condition.margin:
        return Outcome.NEAR
    if interval is not None:
        low, high = (holds(condition, end) for end in interval)
        if low != high:
            return Outcome.NEAR
    return Outcome.MET if holds(condition, value) else Outcome.NOT_MET


def holds(condition: Condition, value: float) -> bool:
    """Return whether a value lies on the condition's side of its cut-point."""
    cut_point = condition.cut_point
    match condition.comparison:
        case Comparison.BELOW:
            return value < cut_point
        case Comparison.AT_MOST:
            return value <= cut_point
        case Comparison.ABOVE:
            return value > cut_point
        case Comparison.AT_LEAST:
            return value >= cut_point
