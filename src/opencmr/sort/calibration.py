"""How often a name is right: a small logistic model over the votes and what they rest on.

The votes of the tables order names; their softmax is no frequency.  Two models, one for sequences
and one for views, turn the share of the votes into a probability, given which witnesses there were
(words, header, geometry, pictures) and whether the name would stand without each of them.  Numbers
and their card lie in ``calibration.json``; ``benchmarks/sorting_vendors.py`` fits and judges them.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from opencmr.sort.evidence import Evidence

SEQUENCE, VIEW = "sequence", "view"
KNOWS_FROM = 0.5
"""Below it a name is wrong more often than right: it is told as evidence and not as a name."""
UTMOST_LOG_ODDS = 8.0
"""Shares of the votes nearer to 0 or 1 say no more."""

WITNESSES: Mapping[str, Callable[[Evidence], Evidence]] = {
    "words": lambda e: e.without_words,
    "header": lambda e: e.without_header,
    "geometry": lambda e: e.without_geometry,
    "pictures": lambda e: e.without_pictures,
}
"""How each witness is sent out of the room."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic regression: probability ``1 / (1 + exp(-(intercept + weights . facts)))``."""

    intercept: float
    weights: Mapping[str, float]

    def probability(self, facts: Mapping[str, float]) -> float:
        """Return the probability for facts of the same names as the weights."""
        odds = self.intercept + sum(w * facts[name] for name, w in self.weights.items())
        return 1.0 / (1.0 + math.exp(-odds))


@cache
def calibrated(part: str) -> Logistic:
    """Return the fitted model of ``SEQUENCE`` or ``VIEW``."""
    text = (resources.files("opencmr.sort") / "calibration.json").read_text(encoding="utf-8")
    fitted = json.loads(text)[part]
    return Logistic(fitted["intercept"], fitted["weights"])


def facts_of(
    e: Evidence, answer: str, share: float, name_share: float, ask: Callable[[Evidence], str]
) -> dict[str, float]:
    """Return what the probability of an answer is reckoned from.

    Parameters
    ----------
    e : Evidence
    answer : str
        What the tables answer.
    share, name_share : float, 0 to 1
        Of the votes: of the technique or view, and of the name within it.
    ask : function of the evidence
        Answers in the same way, for the evidence without one witness.
    """
    there = {
        "words": bool(e.words),
        "header": bool(e.header.image_type or e.header.sequence_name),
        "geometry": e.oriented,
        "pictures": e.pictures is not None,
    }
    facts = {"votes": log_odds(share), "votes of the name": log_odds(name_share)}
    for witness, sent_out in WITNESSES.items():
        facts[f"has {witness}"] = float(there[witness])
        stands = not there[witness] or ask(sent_out(e)) == answer
        facts[f"stands without {witness}"] = float(stands)
    return facts


def log_odds(share: float) -> float:
    """Return the logarithm of the odds, held within :data:`UTMOST_LOG_ODDS`.

    >>> log_odds(0.5), log_odds(1.0)
    (0.0, 8.0)
    """
    if share <= 0.0 or share >= 1.0:
        return math.copysign(UTMOST_LOG_ODDS, share - 0.5)
    odds = math.log(share / (1.0 - share))
    return max(-UTMOST_LOG_ODDS, min(UTMOST_LOG_ODDS, odds))
