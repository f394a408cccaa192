"""What each series of a study shows, and which one the ventricles are measured on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opencmr.anatomy.plausible import CINE_PHASES, THICK_SLICES_MM
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError
from opencmr.geometry.planes import angle_between_deg
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.study import Series, Study
from opencmr.sort.criteria import Candidate, ranked
from opencmr.sort.evidence import (
    SHORT_AXIS_DEG,
    STACK_SLICES,
    TYPICAL_LONG_AXIS,
    Evidence,
    LongAxis,
    find_long_axis,
    gather_evidence,
    is_headless,
    words_of,
)
from opencmr.sort.rules import SEQUENCE_RULES, VIEW_RULES, weigh

PARALLEL_DEG = 5.0
"""Stacks whose normals differ by more are of different orientation."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The series to measure, or the reason why there is none; and what must be remarked.

    ``candidates`` are those that the table of criteria ranked, the chosen one first; ``others``
    are further series that fill the part as well, where it may be filled by several.
    """

    series: Series | None
    reason: Reason | None = None
    flags: tuple[QualityFlag, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    others: tuple[Series, ...] = ()

    def __post_init__(self) -> None:
        if (self.series is None) == (self.reason is None):
            raise ValueError("a choice has a series or a reason, never both")


def sort_study(study: Study, *, stated: Technique | None = None) -> Study:
    """Return the study with view, sequence, confidences and reasons filled in.

    ``stated``: what the caller says that stacks without a header show, on the short axis.

    Raises
    ------
    ConfigurationError
        When something is stated and every series has a header of its own.
    """
    axis = find_long_axis(study.series, _likely_short_axis(study.series))
    found = tuple(_sorted(one, study.series, axis) for one in study.series)
    if stated is None:
        return replace(study, series=found)
    if not any(map(is_headless, found)):
        raise ConfigurationError(
            "the sequence can be stated of NIfTI files alone; DICOM headers say it themselves"
        )
    return replace(
        study, series=tuple(_as_stated(one, stated) if is_headless(one) else one for one in found)
    )


def _as_stated(one: Series, technique: Technique) -> Series:
    return replace(
        one,
        view=View.SAX,
        sequence=technique,
        view_confidence=1.0,
        sequence_confidence=1.0,
        because=(f"{technique.value}, {View.SAX.value}: stated by the caller",),
        is_stated=True,
    )


def evidence_of(study: Study) -> dict[str, Evidence]:
    """Return the facts about each series by its key, given the others of the study."""
    axis = find_long_axis(study.series, _likely_short_axis(study.series))
    return {one.key: _evidence(one, study.series, axis) for one in study.series}


def _likely_short_axis(series: Sequence[Series]) -> Series | None:
    """Return the oriented stack that by geometry alone is most like a short-axis cine."""
    stacks = [
        one
        for one in series
        if one.image.grid.orientation_known
        and one.image.grid.shape[0] >= STACK_SLICES
        and angle_between_deg(one.image.grid.normal, TYPICAL_LONG_AXIS) <= SHORT_AXIS_DEG
    ]
    return max(stacks, key=lambda s: (s.image.is_cine, s.image.grid.shape[0]), default=None)


def _evidence(one: Series, series: Sequence[Series], axis: LongAxis) -> Evidence:
    across = [
        other
        for other in series
        if other is not one
        and angle_between_deg(one.image.grid.normal, other.image.grid.normal) > PARALLEL_DEG
    ]
    others = any(set(one.uids) & set(other.uids) for other in across)
    beside = any(other.image.grid.orientation_known for other in across)
    other_half = next((other.header for other in series if other.key == one.partner), None)
    return gather_evidence(
        one, axis, other_orientations=others, beside_others=beside, other_half=other_half
    )


def _sorted(one: Series, series: Sequence[Series], axis: LongAxis) -> Series:
    evidence = _evidence(one, series, axis)
    sequence, sequence_confidence, why_sequence = weigh(SEQUENCE_RULES, evidence, tuple(Technique))
    view, view_confidence, why_view = weigh(VIEW_RULES, evidence, tuple(View))
    return replace(
        one,
        view=view,
        sequence=sequence,
        view_confidence=round(view_confidence, 3),
        sequence_confidence=round(sequence_confidence, 3),
        because=(*why_sequence, *why_view),
    )


def choose_sax_cine(study: Study) -> Choice:
    """Choose the short-axis cine of a sorted and judged study by the table of criteria.

    A stack of another kind is never taken for a flawed cine.  Where there is no cine, a stack of
    unknown sequence from a file without a header is taken.
    """
    stacks = [
        one
        for one in study.series
        if one.view is View.SAX and one.image.grid.shape[0] >= STACK_SLICES
    ]
    cines = [one for one in stacks if one.sequence is Technique.CINE]
    if cines:
        candidates = ranked(cines)
        return Choice(candidates[0].series, None, _several(candidates), candidates)
    headless = [one for one in stacks if is_headless(one) and not _is_seen_to_be_none(one)]
    if headless:
        best = ranked(headless)[0].series
        assumed = QualityFlag(
            Severity.REVIEW,
            "SEQUENCE_ASSUMED",
            "The file does not say how its images were made. They were taken for one phase of a "
            "cine; on another kind of image (late enhancement, a map) the outlines are wrong: "
            "look at the pictures, or state it with --sequence.",
            f"series {best.key}",
        )
        return Choice(best, flags=(assumed,))
    last = _only_stack_without_header(study)
    if last is not None:
        return last
    # Who states that a file is late enhancement misses no cine in it.
    is_stated = any(is_headless(one) and one.sequence is Technique.LGE for one in study.series)
    flag = QualityFlag(
        Severity.INFO if is_stated else Severity.DO_NOT_REPORT,
        "NO_SAX_CINE",
        "No short-axis cine was found, so the ventricles were not measured. Look at the series "
        "list.",
        f"{len(study.series)} series",
    )
    return Choice(None, Reason("NO_SAX_CINE", "no series is a short-axis cine"), (flag,))


def _only_stack_without_header(study: Study) -> Choice | None:
    """Return the one stack that a user gave as a file without a header, whatever its view."""
    if len(study.series) != 1:
        return None
    (one,) = study.series
    spacing_mm = one.image.grid.slice_spacing_mm or 0.0
    if (
        not is_headless(one)
        or _is_seen_to_be_none(one)
        or one.image.grid.shape[0] < STACK_SLICES
        or spacing_mm < THICK_SLICES_MM
    ):
        return None
    flag = QualityFlag(
        Severity.REVIEW,
        "VIEW_UNCERTAIN",
        "The file's orientation is not that of a short-axis stack. It was measured as one, being "
        "the only stack given: look at the pictures.",
        "; ".join(one.because),
    )
    return Choice(one, flags=(flag,))


def _is_seen_to_be_none(one: Series) -> bool:
    """Return whether the pictures were enough to see that they are no cine's, or it is stated."""
    is_judged = one.image.phases >= CINE_PHASES or one.sequence is Technique.LGE
    return is_judged and one.sequence is not Technique.CINE


def _several(candidates: Sequence[Candidate]) -> tuple[QualityFlag, ...]:
    """Name the short-axis cines that were not measured, and why not."""
    best, *others = candidates
    if not others:
        return ()
    named = "; ".join(f"not {_described(one.series)}: {one.decided_by}" for one in others)
    flag = QualityFlag(
        Severity.REVIEW,
        "SEVERAL_CINES",
        "The study holds several short-axis cines and one was measured; what decided is named. "
        "Check that it is the one meant.",
        f"measured {_described(best.series)}; {named}",
    )
    return (flag,)


def _described(one: Series) -> str:
    said = words_of(one.header)
    text = f"{one.image.grid.shape[0]} slices, {one.image.phases} phases"
    return f"{one.key} ({said}, {text})" if said else f"{one.key} ({text})"
