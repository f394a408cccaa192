"""All patients together: means with intervals, presence, agreement, groups, the worst."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.structures import Structure
from opencmr.validate.agreement import (
    CONFIDENCE,
    LEAST_CASES,
    Agreement,
    Estimate,
    Interval,
    agreement,
)
from opencmr.validate.case import ED, ES, LEVELS, WHOLE, MeasuredTwice, Score
from opencmr.validate.surface import NSD_TOLERANCE_MM

SEED = 1
"""Of the bootstrap: the same scores give the same intervals."""
RESAMPLES = 2000
WORST = 12
"""So many comparisons stand in the list of the worst."""
ALL = "all"

Groups = Mapping[str, Mapping[str, str]]
"""Column to case to value."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of merit: its field in a :class:`Score`, name, unit and decimals to show."""

    field: str
    name: str
    unit: str
    decimals: int


METRICS = (
    Metric("dice", "Dice", "1", 3),
    Metric("iou", "IoU", "1", 3),
    Metric("hausdorff_mm", "HD", "mm", 1),
    Metric("hausdorff95_mm", "HD95", "mm", 1),
    Metric("nsd", f"NSD at {NSD_TOLERANCE_MM:g} mm", "1", 3),
    Metric("average_mm", "ASSD", "mm", 2),
)


@dataclass(frozen=True, slots=True)
class Part:
    """What a summary is about; :data:`ALL` where nothing is picked out.

    ``structure`` is a structure's value; ``column`` and ``group`` name a group of patients,
    empty for all.
    """

    structure: str
    phase: str
    level: str
    column: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean of one metric over patients.

    A patient counts once: the mean of his or her own comparisons in this part.

    Attributes
    ----------
    part : Part
    metric : Metric
    cases : int
        Patients with a value.
    undefined : int
        Comparisons without one, as a mask was empty.
    mean : Estimate or None
        None where no patient has a value; interval by bootstrap over patients.
    sd : float or None
    median : float or None
    """

    part: Part
    metric: Metric
    cases: int
    undefined: int
    mean: Estimate | None
    sd: float | None
    median: float | None


@dataclass(frozen=True, slots=True)
class Presence:
    """Slices in which a structure was missed or invented."""

    part: Part
    slices_with: int
    missed: int
    slices_without: int
    invented: int


@dataclass(frozen=True, slots=True)
class VolumeAgreement:
    """Agreement of one quantity over patients, with the pairs it was made of.

    ``agreement`` is None where too few patients have both values; ``without`` counts patients
    that have one of the two alone.
    """

    quantity: Quantity
    column: str
    group: str
    cases: tuple[str, ...]
    reference: tuple[float, ...]
    measured: tuple[float, ...]
    without: int
    agreement: Agreement | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """All that is said of a set of patients."""

    cases: tuple[str, ...]
    scores: tuple[Score, ...]
    measured: tuple[MeasuredTwice, ...]
    summaries: tuple[Summary, ...]
    presence: tuple[Presence, ...]
    agreements: tuple[VolumeAgreement, ...]
    worst: tuple[Score, ...]
    never_read: tuple[Structure, ...]
    """Structures of both schemes that no reader drew anywhere: not scored."""

    def mean(
        self, field: str, structure: str = ALL, phase: str = ALL, level: str = WHOLE
    ) -> Summary | None:
        """Return the summary over all patients of a metric in one part, None if there is none."""
        sought = Part(structure, phase, level)
        found = (s for s in self.summaries if s.metric.field == field and s.part == sought)
        return next(found, None)


def summarise(
    scores: Sequence[Score], measured: Sequence[MeasuredTwice], groups: Groups | None = None
) -> Cohort:
    """Return what the scores and measurements of all patients say together.

    Parameters
    ----------
    scores : sequence of Score
    measured : sequence of MeasuredTwice
    groups : mapping
        Column to case to value; each value's patients are also summarised by themselves.
    """
    read = {s.structure for s in scores if s.slices_with}
    kept = tuple(s for s in scores if s.structure in read)
    everyone = tuple(dict.fromkeys([s.case for s in scores] + [m.case for m in measured]))
    subsets = [("", "", frozenset(everyone)), *_subsets(groups or {})]
    return Cohort(
        everyone,
        kept,
        tuple(measured),
        tuple(
            summary
            for column, group, cases in subsets
            for summary in _summaries([s for s in kept if s.case in cases], column, group)
        ),
        tuple(_presences(kept)),
        tuple(
            found
            for column, group, cases in subsets
            for found in _agreements([m for m in measured if m.case in cases], column, group)
        ),
        tuple(sorted((s for s in kept if s.level == WHOLE), key=attrgetter("dice"))[:WORST]),
        tuple(dict.fromkeys(s.structure for s in scores if s.structure not in read)),
    )


def bootstrap_interval(values: np.ndarray) -> Interval | None:
    """Return the 95 % interval of the mean of ``values (N,)``, one a patient.

    Percentiles of the means of :data:`RESAMPLES` draws with replacement (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), always the same draws.
    None for fewer than :data:`LEAST_CASES`.
    """
    if values.size < LEAST_CASES:
        return None
    rng = np.random.default_rng(SEED)
    means = values[rng.integers(0, values.size, (RESAMPLES, values.size))].mean(1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def _subsets(groups: Groups) -> Iterable[tuple[str, str, frozenset[str]]]:
    for column, values in groups.items():
        for group in sorted(set(values.values())):
            yield column, group, frozenset(c for c, value in values.items() if value == group)


def _parts(scores: Sequence[Score]) -> list[tuple[str, str, str]]:
    """Return structure, phase and level of each part, the whole before its parts."""
    structures = [ALL, *dict.fromkeys(s.structure.value for s in scores)]
    seen = {s.phase for s in scores}
    phases = [ALL, *(p for p in (ED, ES, *sorted(seen - {ED, ES})) if p in seen)]
    if len(phases) == 2:
        phases = [ALL]
    levels = [WHOLE, *(level for level in LEVELS if any(s.level == level for s in scores))]
    return [(s, p, level) for level in levels for p in phases for s in structures]


def _of(scores: Sequence[Score], structure: str, phase: str, level: str) -> list[Score]:
    return [
        s
        for s in scores
        if s.level == level and structure in (ALL, s.structure.value) and phase in (ALL, s.phase)
    ]


def _summaries(scores: Sequence[Score], column: str, group: str) -> Iterable[Summary]:
    for structure, phase, level in _parts(scores):
        if column and (phase != ALL or level != WHOLE):
            continue
        chosen = _of(scores, structure, phase, level)
        for metric in METRICS if level == WHOLE else METRICS[:2]:
            if chosen:
                part = Part(structure, phase, level, column, group)
                yield _summary(part, metric, chosen)


def _summary(part: Part, metric: Metric, scores: Sequence[Score]) -> Summary:
    by_case: dict[str, list[float]] = {}
    undefined = 0
    for score in scores:
        value = getattr(score, metric.field)
        if value is None:
            undefined += 1
        else:
            by_case.setdefault(score.case, []).append(value)
    values = np.array([np.mean(own) for own in by_case.values()])
    if not values.size:
        return Summary(part, metric, 0, undefined, None, None, None)
    mean = Estimate(float(values.mean()), bootstrap_interval(values))
    sd = float(values.std(ddof=1)) if values.size > 1 else None
    return Summary(part, metric, values.size, undefined, mean, sd, float(np.median(values)))


def _presences(scores: Sequence[Score]) -> Iterable[Presence]:
    for structure, phase, level in _parts(scores):
        if structure == ALL:
            continue
        if chosen := _of(scores, structure, phase, level):
            yield Presence(
                Part(structure, phase, level),
                sum(s.slices_with for s in chosen),
                sum(s.missed_slices for s in chosen),
                sum(s.slices_without for s in chosen),
                sum(s.invented_slices for s in chosen),
            )


def _agreements(
    measured: Sequence[MeasuredTwice], column: str, group: str
) -> Iterable[VolumeAgreement]:
    for quantity in dict.fromkeys(m.quantity for m in measured):
        told = [m for m in measured if m.quantity == quantity and m.reference is not None]
        pairs = [(m.case, m.reference, m.measured) for m in told if m.measured is not None]
        if not told:
            continue
        cases, reference, found = zip(*pairs, strict=True) if pairs else ((), (), ())
        enough = len(pairs) >= LEAST_CASES
        yield VolumeAgreement(
            quantity,
            column,
            group,
            cases,
            reference,
            found,
            len(told) - len(pairs),
            agreement(np.array(reference), np.array(found)) if enough else None,
        )
