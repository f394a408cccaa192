"""How far a heart is from what defines each group."""

from collections.abc import Mapping, Sequence

import numpy as np

from opencmr.diagnose.rule_table import RULES, Comparison, Condition, Rule


def shortfalls(values: Mapping[str, float], groups: Sequence[str]) -> np.ndarray:
    """Return by how many margins a heart misses the definition of each group.

    Of a definition the condition that is missed by most counts, and of several definitions (by
    volume or by ejection fraction, of men or of women) the one that is missed by least.  A
    condition whose quantity is not among ``values`` is left out; where none is left, and for a
    group without a definition, the shortfall is zero.

    Parameters
    ----------
    values : mapping from symbol
        In the units of the table of rules.
    groups : sequence of str

    Returns
    -------
    (C,) float64
        In margins of the table's conditions; negative where the definition is met with room.
    """
    return np.array([_of_group(values, group) for group in groups])


def _of_group(values: Mapping[str, float], group: str) -> float:
    found = [_of_rule(values, rule) for rule in RULES if rule.group == group]
    known = [one for one in found if one is not None]
    return min(known, default=0.0)


def _of_rule(values: Mapping[str, float], rule: Rule) -> float | None:
    known = [one for one in rule.conditions if one.symbol in values]
    return max((_missed(one, values[one.symbol]) for one in known), default=None)


def _missed(condition: Condition, value: float) -> float:
    beyond = (value - condition.cut_point) / condition.margin
    wants_less = condition.comparison in (Comparison.BELOW, Comparison.AT_MOST)
    return beyond if wants_less else -beyond
