"""What an analysis is: a clinical question, the series that it needs, and how it is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.reading import Reading
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics, Series, Study
from opencmr.models.session import Networks
from opencmr.progress import Progress, silent
from opencmr.segment.heart import HeartBox
from opencmr.sort.roles import Role
from opencmr.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class Need:
    """The network that an analysis runs, by what it can do: segment such series.

    Attributes
    ----------
    view : View
    technique : Technique
    is_packaged : bool
        Whether such a model comes with the package.  Then it is an error that none fits; else
        the analysis does not run where none is installed, and the plan says why.
    """

    view: View
    technique: Technique
    is_packaged: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What an analysis gets.

    Attributes
    ----------
    study : Study
        Sorted.
    series : mapping from the name of a role
    model : str or None
        The planned model, ``name@version``; None where the analysis runs no network.
    given : Demographics
        What the caller states, which goes before what headers say.
    clock : Stopwatch
    progress : Progress
    labels : mapping from a series' key
        Segmentations that the caller gives; of these series no network is asked.
    heart : HeartBox or None
        Where the heart lies, when it was found before.
    """

    study: Study
    series: Mapping[str, Series]
    model: str | None = None
    given: Demographics = field(default_factory=Demographics)
    clock: Stopwatch = field(default_factory=Stopwatch)
    progress: Progress = silent
    labels: Mapping[str, Segmentation] = field(default_factory=dict)
    heart: HeartBox | None = None


Earlier = Mapping[str, Reading]
"""Readings of the analyses that ran before, by their names."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """One clinical question.

    Attributes
    ----------
    name : str
        As the plan and the record of the run show it: ``ventricular function``.
    wants : tuple of Role
        Parts that series of the study fill; it runs only when each is filled.
    read : function of parts, earlier readings and networks
        Returns the reading.
    after : tuple of str
        Names of analyses whose readings it uses where they ran.
    network : Need or None
    takes_labels : bool
        Whether labels that the caller gives of its series stand in the network's place.
    """

    name: str
    wants: tuple[Role, ...]
    read: Callable[[Parts, Earlier, Networks], Reading]
    after: tuple[str, ...] = ()
    network: Need | None = None
    takes_labels: bool = True


def flags_of(series: Series, analysis: str, codes: frozenset[str]) -> tuple[QualityFlag, ...]:
    """Return what was found wrong with a series as flags about an analysis of it.

    Those of ``codes``, which matter to it, and whatever says "do not report" of every quantity: a
    gap that spoils volumes spoils no map, whose three slices lie where they were wanted.
    """
    return tuple(
        replace(flag, about=About(series.key, analysis))
        for flag in series.flags
        if flag.code in codes
        or (flag.severity is Severity.DO_NOT_REPORT and not flag.about.symbols)
    )
