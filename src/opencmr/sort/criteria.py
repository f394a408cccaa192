"""Which of several short-axis cines is measured: a table of criteria, the weightiest first.

What a cine *is* (at rest, gated) comes before how well it was taken: a flawed cine at rest is
withheld, never replaced by one under stress.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from opencmr.imaging.flag import Severity
from opencmr.imaging.study import Series
from opencmr.sort import words
from opencmr.sort.evidence import words_of
from opencmr.sort.words import Languages, any_language

FULL_STACK_SLICES = 6
"""A stack that covers a ventricle has at least so many slices."""
FULL_CINE_PHASES = 15
"""With fewer phases end-systole may be missed (SCMR 2020: 45 ms or better)."""
STRESS_RATE_RATIO = 1.2
"""A later cine whose heart beats faster by this factor was taken under stress (proposal).

Between breath-holds at rest the rate differs by some percent; vasodilators raise it by a fifth,
dobutamine aims at 85 % of the greatest rate.
"""

Rank = bool | int | tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question that is asked of each candidate; the greater answer wins.

    Attributes
    ----------
    name : str
        For the reader: what speaks for the winner.
    asks : function of a candidate and all of them
    """

    name: str
    asks: Callable[[Series, Sequence[Series]], Rank]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One candidate, its answers in the order of :data:`CRITERIA`, and what decided.

    ``decided_by`` is the first criterion in which it fell behind the winner; empty for the
    winner itself.
    """

    series: Series
    answers: tuple[Rank, ...]
    decided_by: str = ""

    @property
    def plain(self) -> dict[str, object]:
        """The row as programs read it."""
        shown = (list(a) if isinstance(a, tuple) else a for a in self.answers)
        names = (criterion.name for criterion in CRITERIA)
        return {
            "series": self.series.key,
            "chosen": not self.decided_by,
            "decided_by": self.decided_by or None,
            "criteria": dict(zip(names, shown, strict=True)),
        }

    @property
    def text(self) -> str:
        """The row for people."""
        named = zip(CRITERIA, self.answers, strict=True)
        answers = ", ".join(f"{criterion.name}: {_shown(answer)}" for criterion, answer in named)
        fate = f"not, for {self.decided_by}" if self.decided_by else "measured"
        return f"{self.series.key} ({fate}): {answers}"


def ranked(candidates: Sequence[Series]) -> tuple[Candidate, ...]:
    """Return the candidates, of which there is one or more, the winner first."""
    asked = [
        Candidate(one, tuple(criterion.asks(one, candidates) for criterion in CRITERIA))
        for one in candidates
    ]
    asked.sort(key=lambda candidate: candidate.answers, reverse=True)
    best = asked[0]
    behind = (Candidate(one.series, one.answers, _decided_by(best, one)) for one in asked[1:])
    return (best, *behind)


def _decided_by(best: Candidate, other: Candidate) -> str:
    pairs = zip(CRITERIA, best.answers, other.answers, strict=True)
    return next((criterion.name for criterion, mine, its in pairs if mine != its), "its place")


def _shown(answer: Rank) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return (
        "-".join(str(part) for part in answer if part) if isinstance(answer, tuple) else f"{answer}"
    )


def says(one: Series, called: Languages) -> bool:
    """Return whether a series is called so in any language."""
    return re.search(any_language(called), words_of(one.header)) is not None


def is_at_rest(one: Series, among: Sequence[Series]) -> bool:
    """Return whether words say so or, where they are silent, no earlier heart beats slower."""
    if says(one, words.REST):
        return True
    if says(one, words.STRESS):
        return False
    own_ms, made = one.image.mean_rr_ms, made_at(one)
    earlier = [
        other.image.mean_rr_ms
        for other in among
        if other.image.mean_rr_ms and made[:2] > made_at(other)[:2]
    ]
    return not own_ms or all(own_ms * STRESS_RATE_RATIO > rr_ms for rr_ms in earlier)


def made_at(one: Series) -> tuple[str, str, int]:
    """Return what orders the series of a study in time."""
    header = one.header
    return header.series_time, header.acquisition_time, header.series_number or 0


CRITERIA: tuple[Criterion, ...] = (
    Criterion("at rest", is_at_rest),
    Criterion("gated", lambda one, _: not says(one, words.REAL_TIME)),
    Criterion(
        "without a flaw that withholds",
        lambda one, _: all(flag.severity is not Severity.DO_NOT_REPORT for flag in one.flags),
    ),
    Criterion(
        f"{FULL_STACK_SLICES} slices or more",
        lambda one, _: one.image.grid.shape[0] >= FULL_STACK_SLICES,
    ),
    Criterion(
        f"{FULL_CINE_PHASES} phases or more", lambda one, _: one.image.phases >= FULL_CINE_PHASES
    ),
    Criterion(
        "before contrast",
        lambda one, _: not one.header.contrast_agent and not says(one, words.AFTER_CONTRAST),
    ),
    Criterion("most slices", lambda one, _: one.image.grid.shape[0]),
    Criterion("most phases", lambda one, _: one.image.phases),
    Criterion("made last", lambda one, _: made_at(one)),
)
"""The table; of equal repeats the latest, as a repeat is made where the first was poor."""
