"""The 2018 Lake Louise criteria for suspected myocardial inflammation (Ferreira et al., JACC 2018).

A T2-based and a T1-based main criterion; both together are strong evidence of acute
inflammation, one supports it with lower specificity.  Every limit is that of a normal range which
fits the value; where there is none, nothing is compared.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from opencmr.anatomy.reasons import Reason
from opencmr.diagnose.facts import Facts
from opencmr.diagnose.rule_table import EF_MARGIN_POINTS, Comparison, Condition, Rule, Strength
from opencmr.diagnose.rules import beside, judge, outcome_of
from opencmr.diagnose.tissue_values import (
    ECV,
    ECV_SEPTUM,
    SCAR,
    T1,
    T1_SEPTUM,
    T2,
    T2_SEPTUM,
    TissueValue,
)
from opencmr.imaging.finding import Criterion, Outcome
from opencmr.measure.scar.extent import Pattern
from opencmr.measure.scar.in_wall import SPREAD_LIMIT_POINTS

TABLE = "2018 Lake Louise criteria"
SOURCE = "Ferreira et al., JACC 2018; 72:3158"
POPULATION = "patients with suspected myocardial inflammation"
T1_MARGIN_MS = 18.0
"""By how much an automatic reading of T1 scatters about a reader's (10.6 ± 17.9 ms,
PMC11324648)."""
T2_MARGIN_MS = 1.0
"""Proposal."""
ECV_MARGIN_POINTS = 1.0
"""Proposal."""
LEAST_SEGMENTS = 2
"""As many segments above the wall's limit meet a criterion, one is near it (proposal): single
segments scatter more than the wall, and of sixteen healthy ones one often lies above by chance."""
LEAST_SCAR_PERCENT = 1.0
"""Less scar of the myocardium is a few pixels: near none (proposal)."""
OF_A_NETWORK = Reason(
    "WEAK_MODEL",
    "outlined by a network that learnt infarcts alone; a reader's outlines would be judged",
)
"""It finds scar in the middle and outer wall of simulated hearts that have none."""
NON_ISCHAEMIC = (Pattern.MID_WALL, Pattern.SUBEPICARDIAL)

T2_BASED = "T2-based main criterion: T2 above the upper limit of normal"
T1_BASED = (
    "T1-based main criterion: native T1 or ECV above the upper limit of normal, or mid-wall or "
    "subepicardial late enhancement"
)
MAIN = (T2_BASED, T1_BASED)
BOTH = "Both main criteria: strong evidence of acute inflammation"
ONE = "One main criterion alone: supports inflammation, with lower specificity"
LV_DYSFUNCTION = Rule(
    "Supportive: LV dysfunction (LVEF below 50 %)",
    (Condition("LVEF", Comparison.BELOW, 50, "%", EF_MARGIN_POINTS),),
    SOURCE,
    Strength.GUIDELINE,
)
_OF_T2 = (T2, T2_SEPTUM)
_OF_T1 = (T1, T1_SEPTUM, ECV, ECV_SEPTUM, SCAR)
RESTS_ON: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        T2_BASED: _OF_T2,
        T1_BASED: _OF_T1,
        BOTH: (*_OF_T2, *_OF_T1),
        ONE: (*_OF_T2, *_OF_T1),
        LV_DYSFUNCTION.criterion: ("LVEF",),
    }
)
"""Symbols of the measurements that each criterion is judged by."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one kind of evidence says: a name in words, the outcome, its reason and its values."""

    name: str
    outcome: Outcome
    reason: Reason | None
    evidence: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """A quantity that inflammation raises, in the whole wall and in the septum."""

    name: str
    wall: str
    septum: str
    unit: str
    margin: float

    def condition(self, symbol: str, limit: float) -> Condition:
        words = f"septal {self.name}" if symbol == self.septum else self.name
        return Condition(symbol, Comparison.ABOVE, limit, self.unit, self.margin, words)


_T2 = _Kind("T2", T2, T2_SEPTUM, "ms", T2_MARGIN_MS)
_T1 = _Kind("native T1", T1, T1_SEPTUM, "ms", T1_MARGIN_MS)
_ECV = _Kind("ECV", ECV, ECV_SEPTUM, "%", ECV_MARGIN_POINTS)


def judge_inflammation(
    tissue: Sequence[TissueValue],
    facts: Facts,
    *,
    sex: str | None = None,
    age_years: float | None = None,
) -> tuple[Criterion, ...]:
    """Return the criteria; none where neither T1 nor T2 of the wall was measured.

    Parameters
    ----------
    tissue : sequence of TissueValue
        Of every map and late enhancement of the study.
    facts : Facts
        Of the ventricles.
    sex, age_years
        As far as known.
    """
    if not any(
        one.symbol in (*_OF_T2, T1, T1_SEPTUM) and one.fact.value is not None for one in tissue
    ):
        return ()
    oedema = _raised(_T2, tissue)
    injury = _any_of((_raised(_T1, tissue), _raised(_ECV, tissue), _enhanced(tissue)))
    pair = (oedema, injury)
    (dysfunction,) = judge(facts, sex=sex, age_years=age_years, rules=(LV_DYSFUNCTION,))
    return (
        _criterion(T2_BASED, oedema.outcome, oedema.reason, oedema.evidence),
        _criterion(T1_BASED, injury.outcome, injury.reason, injury.evidence),
        _combined(BOTH, _both(pair), pair),
        _combined(ONE, _one_alone(pair), pair),
        replace(dysfunction.told, table=TABLE),
    )


def _raised(kind: _Kind, tissue: Sequence[TissueValue]) -> _Part:
    """Judge whether a quantity lies above its limit in the wall, in the septum or in a segment.

    It does where the wall or the septum does, or :data:`LEAST_SEGMENTS` segments do.  It does not
    where none does and that of a whole wall was compared: a septum alone says nothing of the
    free wall.
    """
    mine = [one for one in tissue if one.symbol in (kind.wall, kind.septum)]
    measured = [one for one in mine if one.fact.value is not None]
    compared = [one for one in measured if one.limit is not None]
    if not compared:
        reason = _why_not(kind, mine, measured)
        return _Part(kind.name, Outcome.NOT_ASSESSABLE, reason, "")
    outcomes = [_outcome(kind, one) for one in compared]
    pairs = list(zip(compared, outcomes, strict=True))
    whole = [outcome for one, outcome in pairs if one.segment is None]
    above = {one.segment for one, outcome in pairs if one.segment and outcome is Outcome.MET}
    evidence = _evidence(kind, mine, compared, above)
    if Outcome.MET in whole or len(above) >= LEAST_SEGMENTS:
        return _Part(kind.name, Outcome.MET, None, evidence)
    if Outcome.NEAR in whole or above:
        return _Part(kind.name, Outcome.NEAR, None, evidence)
    if not any(one.symbol == kind.wall and one.segment is None for one in compared):
        reason = Reason("NOT_ASSESSABLE", "only the septum has a limit, which it is not above")
        return _Part(kind.name, Outcome.NOT_ASSESSABLE, reason, evidence)
    return _Part(kind.name, Outcome.NOT_MET, None, evidence)


def _why_not(kind: _Kind, mine: Sequence[TissueValue], measured: Sequence[TissueValue]) -> Reason:
    found = [one.no_limit for one in measured] or [one.fact.reason for one in mine]
    return next(
        (one for one in found if one is not None),
        Reason("NOT_ASSESSABLE", f"{kind.name} was not measured"),
    )


def _outcome(kind: _Kind, one: TissueValue) -> Outcome:
    assert one.fact.value is not None, "only what was measured is compared"
    assert one.limit is not None, "only what has a limit is compared"
    return outcome_of(kind.condition(one.symbol, one.limit), one.fact.value, one.fact.interval)


def _evidence(
    kind: _Kind,
    mine: Sequence[TissueValue],
    compared: Sequence[TissueValue],
    above: Collection[int],
) -> str:
    """Return the values beside their limits, the segments that lie above, and what was not seen."""
    several = len({one.series for one in mine}) > 1

    def told() -> Iterator[str]:
        for one in compared:
            if one.segment is None and one.limit is not None and one.fact.value is not None:
                text = beside(kind.condition(one.symbol, one.limit), one.fact.value,
                              one.fact.interval)  # fmt: skip
                yield f"{text}, in {one.series}" if several else text
        seen = {one.segment for one in compared if one.segment}
        if seen:
            which = "all" if above == seen else ", ".join(map(str, sorted(above))) or "none"
            yield f"of {len(seen)} segments above it: {which}"
        else:
            yield "no segment could be named"
        lost = sorted({one.series for one in mine if one.symbol == kind.wall and not one.segment
                       and one.fact.value is None})  # fmt: skip
        if lost:
            yield f"no value in {', '.join(lost)}"

    return "; ".join(told())


def _enhanced(tissue: Sequence[TissueValue]) -> _Part:
    """Judge whether late enhancement lies as no infarct does, by the outlines of a reader."""
    name = "late enhancement"
    found = [one for one in tissue if one.symbol == SCAR]
    for one in found:
        percent = one.fact.value
        if percent is None:
            continue
        if one.pattern is None:
            reason = Reason("NOT_ASSESSABLE", "the pattern of the scar could not be told")
            return _Part(name, Outcome.NOT_ASSESSABLE, reason, "")
        evidence = f"scar {percent:.1f} % of the myocardium, pattern: {one.pattern.value}"
        if not one.by_reader:
            return _Part(name, Outcome.NOT_ASSESSABLE, OF_A_NETWORK, f"not judged: {evidence}")
        low, high = one.fact.interval or (percent, percent)
        if one.pattern in NON_ISCHAEMIC:
            doubtful = percent < LEAST_SCAR_PERCENT or high - low > SPREAD_LIMIT_POINTS
            return _Part(name, Outcome.NEAR if doubtful else Outcome.MET, None, evidence)
        unseen = one.pattern is Pattern.NONE and high - low > SPREAD_LIMIT_POINTS
        return _Part(name, Outcome.NEAR if unseen else Outcome.NOT_MET, None, evidence)
    reasons = [one.fact.reason for one in found if one.fact.reason is not None]
    reason = reasons[0] if reasons else Reason("NOT_ASSESSABLE", f"{name} was not read")
    return _Part(name, Outcome.NOT_ASSESSABLE, reason, "")


def _any_of(parts: Sequence[_Part]) -> _Part:
    """Return parts of which one suffices: not met only where all were judged, and none is met."""
    evidence = "; ".join(one.evidence for one in parts if one.evidence)
    outcomes = [one.outcome for one in parts]
    for outcome in (Outcome.MET, Outcome.NEAR):
        if outcome in outcomes:
            return _Part("", outcome, None, evidence)
    missing = [f"{one.name}: {one.reason.sentence}" for one in parts if one.reason is not None]
    if not missing:
        return _Part("", Outcome.NOT_MET, None, evidence)
    judged = [one.name for one in parts if one.outcome is Outcome.NOT_MET]
    lead = f"not by {' and '.join(judged)}; not known by " if judged else "not known by "
    code = next(one.reason.code for one in parts if one.reason is not None)
    return _Part("", Outcome.NOT_ASSESSABLE, Reason(code, lead + "; ".join(missing)), evidence)


def _both(pair: tuple[_Part, _Part]) -> Outcome:
    outcomes = [one.outcome for one in pair]
    order = (Outcome.NOT_MET, Outcome.NOT_ASSESSABLE, Outcome.NEAR)
    return next((one for one in order if one in outcomes), Outcome.MET)


def _one_alone(pair: tuple[_Part, _Part]) -> Outcome:
    """Return whether one is met and the other is not known to be."""
    outcomes = [one.outcome for one in pair]
    if outcomes == [Outcome.MET, Outcome.MET]:
        return Outcome.NOT_MET
    if Outcome.NEAR in outcomes:
        return Outcome.NEAR
    order = (Outcome.MET, Outcome.NOT_ASSESSABLE)
    return next((one for one in order if one in outcomes), Outcome.NOT_MET)


def _combined(name: str, outcome: Outcome, pair: tuple[_Part, _Part]) -> Criterion:
    told = ", ".join(
        f"{words} {one.outcome.value}"
        for words, one in zip(("T2-based", "T1-based"), pair, strict=True)
    )
    missing = next((one.reason for one in pair if one.reason is not None), None)
    if outcome is not Outcome.NOT_ASSESSABLE or missing is None:
        return _criterion(name, outcome, None, told)
    return _criterion(name, outcome, Reason(missing.code, told), "")


def _criterion(name: str, outcome: Outcome, reason: Reason | None, evidence: str) -> Criterion:
    return Criterion(
        name,
        outcome,
        reason,
        evidence,
        POPULATION,
        SOURCE,
        Strength.GUIDELINE.value,
        TABLE,
    )
