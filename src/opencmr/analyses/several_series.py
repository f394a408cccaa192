"""What was drawn on pictures of several series: the part of the one series that is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.placing import among_series, takes
from opencmr.anatomy.reasons import Reason
from opencmr.errors import InputError
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.given_drawings import Drawn, GivenDrawings
from opencmr.imaging.study import Series, Study

Given = TypeVar("Given", bound=GivenDrawings[Any])
MOST_KEYS = 12
"""More series are not listed in a remark."""


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures of a series: SOP instance UIDs with their frame numbers, and without."""

    frames: frozenset[tuple[str, int | None]]
    uids: frozenset[str]

    def hold(self, uid: str, frame: int | None) -> bool:
        return uid in self.uids if frame is None else (uid, frame) in self.frames

    def hold_any_of(self, one: Drawn) -> bool:
        return any(self.hold(uid, frame) for uid, frame in one.pictures)


def part_of_one_series(
    given: Given, study: Study, analyses: Sequence[Analysis], called: str
) -> tuple[Series, Given, tuple[QualityFlag, ...]]:
    """Return the only series that is measured from what was drawn, its part of it, and remarks.

    What names no picture belongs to that part.  What is of another series is left out, and told:
    one that the input holds, or one that the object itself says it is of.  Slices may be a series
    each, so that the latter counts only beside a series of one UID.

    Parameters
    ----------
    given : GivenDrawings
    study : Study
        Sorted.
    analyses : sequence of Analysis
    called : str
        As errors and remarks call what was drawn, in the plural.

    Raises
    ------
    InputError
        When nothing is of a series that is measured from such labels, when several such series
        have some, or when pictures are missing of which nothing says that they are elsewhere.
    ConfigurationError
        When the caller names a series that is not there.
    """
    held = {one.key: _pictures(one) for one in study.series}
    parts = [
        (one, given.of_these([d for d in given.drawn if not d.pictures or mine.hold_any_of(d)]))
        for one in among_series(study, given.series)
        for mine in [held[one.key]]
        if any(mine.hold_any_of(d) for d in given.drawn)
    ]
    series, part = _only_one_taking(parts, study, analyses, called)
    rest = [d for d in given.drawn if d.pictures and not held[series.key].hold_any_of(d)]
    others = [(one, held[one.key]) for one in study.series if one is not series]
    away = [d for d in rest if not any(pictures.hold_any_of(d) for _, pictures in others)]
    unknown = [d for d in away if not _is_said_to_be_elsewhere(d, given, series)]
    if unknown:
        raise InputError(
            Reason(
                "OTHER_PICTURES",
                f"{len(unknown)} of {len(given.drawn)} {called} are of pictures that {series.key} "
                "does not hold, and nothing says that they are of another series: are pictures "
                "missing from the input?",
            )
        )
    return series, part, _remarks(series, others, rest, away, called)


def _pictures(series: Series) -> _Pictures:
    instances = [one for row in series.image.instances for one in row]
    return _Pictures(
        frozenset((one.sop_instance_uid, one.frame_number) for one in instances),
        frozenset(one.sop_instance_uid for one in instances),
    )


def _only_one_taking(
    parts: Sequence[tuple[Series, Given]], study: Study, analyses: Sequence[Analysis], called: str
) -> tuple[Series, Given]:
    why_not = [_why_not_taken(one, part, study, analyses, called) for one, part in parts]
    taking = [pair for pair, why in zip(parts, why_not, strict=True) if why is None]
    if len(taking) == 1:
        return taking[0]
    if taking:
        keys = ", ".join(one.key for one, _ in taking)
        raise InputError(
            f"the {called} are of several series that are measured from such labels: {keys}. Say "
            "which with --series."
        )
    raise next(iter(filter(None, why_not)), None) or _of_nothing(called)


def _why_not_taken(
    one: Series, part: Given, study: Study, analyses: Sequence[Analysis], called: str
) -> InputError | None:
    try:
        return None if takes(part.scheme, one, study, analyses) else _of_nothing(called)
    except InputError as error:
        return error


def _of_nothing(called: str) -> InputError:
    return InputError(
        Reason(
            "OTHER_PICTURES",
            f"the {called} are of no picture of a series that is measured from such labels: they "
            "belong to another study or series",
        )
    )


def _is_said_to_be_elsewhere(one: Drawn, given: GivenDrawings[Any], series: Series) -> bool:
    stated = [given.series_of.get(uid) for uid, _ in one.pictures]
    return len(series.uids) == 1 and all(uid and uid not in series.uids for uid in stated)


def _remarks(
    series: Series,
    others: Sequence[tuple[Series, _Pictures]],
    rest: Sequence[Drawn],
    away: Sequence[Drawn],
    called: str,
) -> tuple[QualityFlag, ...]:
    """Tell what was left out; weightier where it may be of the measured slices after all."""
    count = {one.key: sum(map(pictures.hold_any_of, rest)) for one, pictures in others}
    of = {key: n for key, n in count.items() if n}
    shared = any(of.get(one.key) and not {*one.uids}.isdisjoint(series.uids) for one, _ in others)
    remarks = []
    if of:
        told = [f"{n} of {key}" for key, n in of.items()]
        further = [f"{len(told) - MOST_KEYS} more series"] if len(told) > MOST_KEYS else []
        remarks.append(
            _left_out(
                Severity.REVIEW if shared else Severity.INFO,
                f"Some {called} are of other series of the input, and were left out."
                + " Such a series has the UID of the measured one: are its slices missed?" * shared,
                ", ".join([*told[:MOST_KEYS], *further]),
                series,
            )
        )
    if away:
        remarks.append(
            _left_out(
                Severity.REVIEW,
                f"Some {called} are of series that the input does not hold, and were left out. "
                "Look whether slices of the measured heart are among them.",
                f"{len(away)} of {len(rest)} that were left out",
                series,
            )
        )
    return tuple(remarks)


def _left_out(severity: Severity, message: str, evidence: str, series: Series) -> QualityFlag:
    return QualityFlag(severity, "OTHER_SERIES", message, evidence, About(series=series.key))
