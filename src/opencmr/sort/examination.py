"""What an examination holds: a name for each scanner's series, its role, and what is missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from opencmr.anatomy.techniques import SequenceName, Technique
from opencmr.anatomy.views import View, ViewName
from opencmr.imaging.study import ScannerSeries, Series, Study
from opencmr.sort import words
from opencmr.sort.calibration import KNOWS_FROM, SEQUENCE, VIEW, calibrated, facts_of
from opencmr.sort.criteria import is_at_rest, made_at, says
from opencmr.sort.evidence import Evidence, evidence_of_header
from opencmr.sort.names import (
    NAMES,
    SEQUENCE_NAME_RULES,
    VIEW_NAME_RULES,
    VIEW_NAMES,
)
from opencmr.sort.rules import SEQUENCE_RULES, VIEW_RULES, weigh
from opencmr.sort.sorting import evidence_of

MEASURED = "short-axis cine (measured)"
REPEAT = "repeat"
CINES = (SequenceName.CINE_BSSFP, SequenceName.CINE_GRE, SequenceName.REAL_TIME_CINE)
LATE_ENHANCEMENT = (SequenceName.LGE_MAGNITUDE, SequenceName.LGE_PSIR)
MADE_FROM_IMAGES = frozenset({"SR", "PR", "KO", "DOC", "REG", "SEG", "RTSTRUCT", "OT"})
"""Modalities of what is made from images (PS3.3 C.7.3.1.1.1)."""

KIND_IS_STATED = 0.95
"""Where the kind of object or the modality decides, which are rarely wrong (proposal)."""

STANDARD: tuple[tuple[str, tuple[SequenceName, ...], ViewName], ...] = (
    ("short-axis cine", CINES, ViewName.SAX),
    ("two-chamber cine", CINES, ViewName.TWO_CHAMBER),
    ("three-chamber cine", CINES, ViewName.THREE_CHAMBER),
    ("four-chamber cine", CINES, ViewName.FOUR_CHAMBER),
    ("short-axis late enhancement", LATE_ENHANCEMENT, ViewName.SAX),
)
"""What nearly every protocol has (Kramer et al., SCMR protocols, JCMR 2020; 22:17)."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What one stack is called.

    Attributes
    ----------
    sequence_probability, view_probability : float, 0 to 1
        That the name is right (:mod:`opencmr.sort.calibration`).  Of an unknown sequence and of
        another view after a doubt: that the likeliest name, which the evidence tells, would have
        been; 0 for a sequence and 1 for a view of which nothing was said.
    evidence : tuple of str
        Never holds a header's text.
    """

    sequence: SequenceName
    view: ViewName
    sequence_probability: float
    view_probability: float
    evidence: tuple[str, ...]
    is_one_of_several: bool = False
    """The scanner's series holds stacks of other orientations too."""

    @property
    def probability(self) -> float:
        """That both names are right."""
        return self.sequence_probability * self.view_probability


@dataclass(frozen=True, slots=True)
class NamedSeries:
    """One scanner's series, what it is called and what it is for in its study.

    Attributes
    ----------
    scanned : ScannerSeries
    naming : Naming
    role : str
        ``short-axis cine (measured)``, ``repeat``, ``rest``, ``stress``, ``before contrast``,
        ``after contrast``, several joined by commas, or empty.
    """

    scanned: ScannerSeries = field(repr=False)
    naming: Naming
    role: str = ""


def named_stacks(study: Study) -> dict[str, Naming]:
    """Return what each stack of a sorted study is called, by its key."""
    evidence = evidence_of(study)
    return {one.key: _naming(one, evidence[one.key]) for one in study.series}


def likeliest(study: Study) -> dict[str, "tuple[Likeliest[SequenceName], Likeliest[ViewName]]"]:
    """Return the likeliest names of each stack of a sorted study, sure or not, by its key."""
    evidence = evidence_of(study)
    return {
        one.key: (_sequence(evidence[one.key], one), _view(evidence[one.key], one))
        for one in study.series
    }


Name = TypeVar("Name", SequenceName, ViewName)


@dataclass(frozen=True, slots=True)
class Likeliest(Generic[Name]):
    """A name, the facts that its probability is reckoned from, and why it is the likeliest."""

    name: Name
    facts: Mapping[str, float]
    because: tuple[str, ...]


def _naming(one: Series, evidence: Evidence) -> Naming:
    sequence, view = _sequence(evidence, one), _view(evidence, one)
    name, sure, doubt = _sequence_or_unknown(sequence)
    view_sure, plane = 1.0, view.name
    if plane is not ViewName.OTHER:
        view_sure = calibrated(VIEW).probability(view.facts)
        if view_sure < KNOWS_FROM:
            doubt += (f"other: {plane.value} is likeliest, but too unsure to be named",)
            plane = ViewName.OTHER
    return Naming(
        name,
        plane,
        sure,
        view_sure,
        tuple(dict.fromkeys((*doubt, *one.because, *sequence.because, *view.because))),
        evidence.other_orientations,
    )


def _sequence_or_unknown(
    found: "Likeliest[SequenceName]",
) -> tuple[SequenceName, float, tuple[str, ...]]:
    """Return the name with its probability, or unknown and why where it is too unsure."""
    if found.name is SequenceName.UNKNOWN:
        return found.name, 0.0, ()
    sure = calibrated(SEQUENCE).probability(found.facts)
    if sure >= KNOWS_FROM:
        return found.name, sure, ()
    doubt = f"unknown: {found.name.value} is likeliest, but too unsure to be named"
    return SequenceName.UNKNOWN, sure, (doubt,)


def _sequence(evidence: Evidence, one: Series | None = None) -> Likeliest[SequenceName]:
    """Return the likeliest name within the technique that a series was sorted as."""
    technique, share, _ = weigh(SEQUENCE_RULES, evidence, tuple(Technique))
    if one is not None:
        technique, share = one.sequence, one.sequence_confidence

    def named(e: Evidence, among: Technique) -> tuple[SequenceName, float, tuple[str, ...]]:
        return weigh(SEQUENCE_NAME_RULES, e, NAMES[among])

    def again(e: Evidence) -> SequenceName:
        return named(e, weigh(SEQUENCE_RULES, e, tuple(Technique))[0])[0]

    name, name_share, why = named(evidence, technique)
    return Likeliest(name, facts_of(evidence, name, share, name_share, again), why)


def _view(evidence: Evidence, one: Series) -> Likeliest[ViewName]:
    """Return the likeliest name within the view that a series was sorted as."""

    def named(e: Evidence, among: View) -> tuple[ViewName, float, tuple[str, ...]]:
        return weigh(VIEW_NAME_RULES, e, VIEW_NAMES[among])

    def again(e: Evidence) -> ViewName:
        return named(e, weigh(VIEW_RULES, e, tuple(View))[0])[0]

    name, share, why = named(evidence, one.view)
    facts = facts_of(evidence, name, one.view_confidence, share, again)
    return Likeliest(name, facts, why)


def name_series(
    study: Study, scanned: Iterable[ScannerSeries], measured: Series | None
) -> tuple[NamedSeries, ...]:
    """Return a name and a role for every scanner's series of a sorted study.

    Parameters
    ----------
    study : Study
        Sorted.
    scanned : iterable of ScannerSeries
        Those of this study.
    measured : Series or None
        The short-axis cine that the analyses take.
    """
    namings = named_stacks(study)
    roles = _roles(study, namings, measured)
    found = []
    for one in scanned:
        stacks = [stack for stack in study.series if not one.uid or one.uid in stack.uids]
        if not stacks:
            found.append(name_unread(one))
            continue
        naming = _joined(stacks, namings, measured)
        said = tuple(dict.fromkeys(role for stack in stacks for role in roles[stack.key]))
        further = _why_measured(naming, said) + _why_left_out(one)
        naming = replace(naming, evidence=(*naming.evidence, *further))
        found.append(NamedSeries(one, naming, ", ".join(said)))
    return tuple(found)


def _joined(
    stacks: Sequence[Series], namings: Mapping[str, Naming], measured: Series | None
) -> Naming:
    """Return one name for the stacks of one scanner's series.

    It is the surest among those of the sequence that is measured, or else has the most pictures;
    what else the series holds is told.
    """
    pictures: Counter[SequenceName] = Counter()
    for stack in stacks:
        pictures[namings[stack.key].sequence] += stack.image.phases * stack.image.grid.shape[0]
    keys = [stack.key for stack in stacks]
    if measured is not None and measured.key in keys:
        sequence = namings[measured.key].sequence
    else:
        sequence = pictures.most_common(1)[0][0]
    alike = [namings[key] for key in keys if namings[key].sequence is sequence]
    best = max(alike, key=lambda naming: naming.sequence_probability)
    further = tuple(
        f"{count} pictures of it are named {other.value}"
        for other, count in pictures.items()
        if other is not sequence
    )
    views = sorted({naming.view.value for naming in alike})
    if not best.is_one_of_several or (further and len(views) == 1):
        return replace(best, evidence=(*best.evidence, *further))
    told = f"several: its stacks lie across one another: {', '.join(views)}"
    return replace(
        best,
        view=ViewName.SEVERAL,
        view_probability=1.0,
        evidence=(*best.evidence, told, *further),
    )


def name_unread(one: ScannerSeries) -> NamedSeries:
    """Return the name of a series of which no picture was used: by its header alone."""
    codes = {row.reason.code for row in one.left_out}
    left_out = _why_left_out(one) or ("left out: none of its pictures could be used",)

    def named(sequence: SequenceName, sure: float, *why: str) -> NamedSeries:
        return NamedSeries(one, Naming(sequence, ViewName.OTHER, sure, 1.0, (*why, *left_out)))

    if "NOT_MEASURABLE_PIXELS" in codes or one.header.modality.upper() in MADE_FROM_IMAGES:
        return named(SequenceName.DERIVED, KIND_IS_STATED)
    if "NOT_MR" in codes:
        return named(SequenceName.NOT_CARDIAC, KIND_IS_STATED)
    found = _sequence(evidence_of_header(one.header))
    name, sure, doubt = _sequence_or_unknown(found)
    return named(name, sure, *doubt, *found.because)


def _why_measured(naming: Naming, roles: Sequence[str]) -> tuple[str, ...]:
    """Return why what is not known to be a cine is measured as one."""
    if MEASURED not in roles or naming.sequence in CINES:
        return ()
    return ("measured as one phase of a short-axis cine: the file does not say how it was made",)


def _why_left_out(one: ScannerSeries) -> tuple[str, ...]:
    return tuple(f"left out: {row.count} x {row.reason}" for row in one.left_out)


def _roles(
    study: Study, namings: Mapping[str, Naming], measured: Series | None
) -> dict[str, tuple[str, ...]]:
    """Return the roles of each stack by its key."""
    contrast_from = min(
        (made_at(one)[:2] for one in study.series if _is_after_contrast(one)), default=None
    )
    stressed = any(says(one, words.STRESS) for one in study.series)
    seen: dict[tuple[object, ...], list[frozenset[str]]] = {}
    roles: dict[str, tuple[str, ...]] = {}
    for one in sorted(study.series, key=made_at):
        naming = namings[one.key]
        said = [MEASURED] if measured is not None and one.key == measured.key else []
        state = _state(one, naming, study.series, stressed=stressed)
        contrast = _contrast(one, naming, contrast_from)
        said += [part for part in (state, contrast) if part]
        place = naming.sequence, naming.view, state, contrast, one.header.image_type, _where(one)
        if naming.view is not ViewName.OTHER and naming.sequence is not SequenceName.UNKNOWN:
            earlier = seen.setdefault(place, [])
            own = frozenset(one.uids)  # two stacks of one scanner's series are no repeat
            said += [REPEAT] if any(own.isdisjoint(uids) for uids in earlier) else []
            earlier.append(own)
        roles[one.key] = tuple(said)
    return roles


def _where(one: Series) -> tuple[object, ...]:
    """Return what is the same in a repeat: the plane to some degrees, and one slice or a stack."""
    grid = one.image.grid
    normal = grid.normal if grid.orientation_known else (0.0, 0.0, 0.0)
    return grid.shape[0] > 1, tuple(round(abs(float(part)) * 5) for part in normal)


def _state(one: Series, naming: Naming, among: Sequence[Series], *, stressed: bool) -> str:
    """Return rest or stress where the study tells them apart."""
    if says(one, words.STRESS):
        return "stress"
    if says(one, words.REST):
        return "rest"
    if naming.sequence in CINES:
        cines = [other for other in among if other.image.is_cine]
        if not is_at_rest(one, cines):
            return "stress"
    return "rest" if stressed and naming.sequence is SequenceName.PERFUSION else ""


def _is_after_contrast(one: Series) -> bool:
    return bool(one.header.contrast_agent) or says(one, words.AFTER_CONTRAST)


def _contrast(one: Series, naming: Naming, contrast_from: tuple[str, str] | None) -> str:
    """Return before or after contrast, for what contrast changes, where the study tells."""
    if contrast_from is None or naming.sequence in LATE_ENHANCEMENT:
        return ""
    if naming.sequence in (SequenceName.SCOUT, SequenceName.LOCALISER_STACK):
        return ""
    if _is_after_contrast(one):
        return "after contrast"
    made = made_at(one)[:2]
    if not any(made):
        return ""
    return "before contrast" if made < contrast_from else "after contrast"


def missing(named: Iterable[NamedSeries]) -> tuple[str, ...]:
    """Return which parts of a standard examination no series is named as."""
    found = {(one.naming.sequence, one.naming.view) for one in named}
    return tuple(
        part
        for part, sequences, view in STANDARD
        if not any((sequence, view) in found for sequence in sequences)
    )
