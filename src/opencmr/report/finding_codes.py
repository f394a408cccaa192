"""Codes and words in which a finding leaves the program, and the values that it rests on.

The groups are a data set's, and a resemblance is no diagnosis: they have private codes, never a
disease's, which a records system would take for one.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from opencmr.anatomy.codes import PRIVATE_SCHEME
from opencmr.anatomy.quantities import Code
from opencmr.diagnose.facts import THICKENING
from opencmr.diagnose.groups import in_words
from opencmr.diagnose.lake_louise import RESTS_ON
from opencmr.diagnose.rule_table import RULES
from opencmr.imaging.finding import Criterion, Finding, Outcome
from opencmr.imaging.measurement import Measurement
from opencmr.report.contents import Report
from opencmr.report.plain_text import prose, shown

TEXT_LIMIT = 1000
"""Characters kept of one text."""


def private(value: str, meaning: str) -> Code:
    """Return a code of our own scheme."""
    return Code(value, PRIVATE_SCHEME, meaning)


SUPPORT = private("DECISION_SUPPORT", "Decision support, research use only")
NAMED_GROUP = private("GROUP", "Group of patients that the heart resembles")
CONSIDERED = private("GROUP_CONSIDERED", "Group considered")
PROBABILITY = private("PROBABILITY", "Probability, had the heart to be of one of the groups")
IN_SET = private("IN_90_SET", "In the 90 % set")
CRITERION = private("CRITERION", "Criterion")
CRITERION_OUTCOME = private("OUTCOME", "Outcome of a criterion")
INDETERMINATE = Code("82334004", "SCT", "Indeterminate")
YES, NO = Code("373066001", "SCT", "Yes"), Code("373067005", "SCT", "No")
OUTCOMES: Mapping[Outcome, Code] = MappingProxyType(
    {one: private(one.name, one.value.capitalize()) for one in Outcome}
)
_MEASURED_BY: Mapping[str, str] = MappingProxyType({"wth_poor": THICKENING})
"""Symbols of rules that are derived from other values: those of the wall's segments."""


def concluded(report: Report) -> tuple[Finding, ...]:
    """Return the findings that are told; none of what was withheld."""
    return tuple(one for one in report.findings if one.concludes)


def group_code(group: str) -> Code:
    """Return a group's code."""
    return private(f"GROUP_{group}"[:16], f"Resembles {in_words(group)}")


def answer(finding: Finding) -> tuple[Code, str]:
    """Return the group that is named, or that none is and why."""
    if finding.group is not None:
        text = f"By its measurements this heart resembles: {in_words(finding.group)}"
        return group_code(finding.group), text
    doubts = "; ".join(prose(doubt, TEXT_LIMIT) for doubt in finding.doubts)
    return INDETERMINATE, shown(f"The classifier names no group: {doubts}", TEXT_LIMIT)


def because(one: Criterion) -> str:
    """Return values beside cut-points, or why there are none, and where the criterion stands."""
    why = prose(one.reason, TEXT_LIMIT) if one.reason else one.evidence
    return shown(f"{why}. {one.population}; {one.strength}: {one.source}", TEXT_LIMIT)


def remarks(finding: Finding) -> list[str]:
    """Return what speaks for and against, and where rules and classifier disagree."""
    found = [f"Disagreement: {text}" for text in finding.disagreements]
    found += [one.sentence for one in finding.arguments]
    if finding.read_from:
        found.append(f"Read from {finding.read_from}; learnt from clear examples of one centre")
    return [shown(text, TEXT_LIMIT) for text in found]


def rests_on(finding: Finding, measured: list[Measurement]) -> Iterator[Measurement]:
    """Yield the measurements that judged criteria and arguments were made of."""
    judged = {
        one.criterion for one in finding.criteria if one.outcome is not Outcome.NOT_ASSESSABLE
    }
    symbols = {one.symbol for one in finding.arguments}
    symbols |= {
        _MEASURED_BY.get(condition.symbol, condition.symbol)
        for rule in RULES
        if rule.criterion in judged
        for condition in rule.conditions
    }
    symbols |= {symbol for criterion in judged for symbol in RESTS_ON.get(criterion, ())}
    yield from (one for one in measured if one.quantity.symbol in symbols)
