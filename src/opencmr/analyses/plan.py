"""The plan of a study: which analysis runs, on which series, with which model, or why not.

It is made from the sorted study before anything is computed, so that every decision can be
looked at first, and stands in the record of the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from opencmr.analyses.analysis import Analysis, Need
from opencmr.analyses.placing import alone, measures
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.brief import brief
from opencmr.imaging.flag import About, QualityFlag
from opencmr.imaging.study import Series, Study
from opencmr.models.library import Library, read_library
from opencmr.sort.criteria import Candidate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Planned:
    """One analysis and what was decided about it.

    Attributes
    ----------
    analysis : Analysis
    series : mapping from the name of a role
    model : str or None
        ``name@version``; None where it runs no network, or does not run.
    reason : Reason or None
        Why it does not run; None when it does.
    flags : tuple of QualityFlag
        What the choice of series must be remarked with.
    candidates : mapping from the name of a role
        The series among which criteria chose, the chosen one first.
    """

    analysis: Analysis
    series: Mapping[str, Series]
    model: str | None
    reason: Reason | None
    flags: tuple[QualityFlag, ...] = ()
    candidates: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)

    __repr__ = brief

    @property
    def runs(self) -> bool:
        """Whether every part is filled."""
        return self.reason is None

    @property
    def text(self) -> str:
        """A line for people."""
        if self.reason is not None:
            return f"{self.analysis.name}: not run: {self.reason.sentence} ({self.reason.code})"
        parts = ", ".join(f"{role} {one.key}" for role, one in self.series.items())
        return f"{self.analysis.name}: {parts}" + (f", model {self.model}" if self.model else "")

    @property
    def plain(self) -> dict[str, object]:
        """The row as programs read it; its texts may quote a header."""
        reason = self.reason
        return {
            "name": self.analysis.name,
            "runs": self.runs,
            "series": [one.key for one in self.series.values()],
            "model": self.model,
            "reason": None
            if reason is None
            else {"code": reason.code, "sentence": reason.sentence},
            "choice": {
                role: [one.plain for one in ranked] for role, ranked in self.candidates.items()
            },
        }

    @property
    def choice_text(self) -> tuple[str, ...]:
        """The table of criteria for people, a line a candidate, where there are several."""
        tables = (ranked for ranked in self.candidates.values() if len(ranked) > 1)
        return tuple(one.text for ranked in tables for one in ranked)


def plan_study(
    study: Study,
    analyses: Sequence[Analysis],
    *,
    model: str | None = None,
    library: Library | None = None,
    labelled: Series | None = None,
) -> tuple[Planned, ...]:
    """Return what becomes of each analysis in a sorted study.

    Parameters
    ----------
    study : Study
        Sorted.
    analyses : sequence of Analysis
    model : str or None
        Name of the model that the caller wishes.
    library : Library or None
        The models that are installed; read where not given.
    labelled : Series or None
        The series whose labels are given: it is the one that is measured, without a network.

    Raises
    ------
    ModelError
        When an analysis could run and no model fits it, though one is packaged.
    """
    installed = library or read_library()
    return tuple(
        _labelled(study, analysis, labelled)
        if labelled is not None and measures(analysis, labelled, study)
        else _planned(study, analysis, model, installed)
        for analysis in analyses
    )


def in_running_order(plan: Sequence[Planned]) -> tuple[Planned, ...]:
    """Return the rows so that each comes after those that it uses.

    Raises
    ------
    graphlib.CycleError
        When analyses use one another in a circle.
    """
    by_name = {planned.analysis.name: planned for planned in plan}
    uses = {
        name: [other for other in planned.analysis.after if other in by_name]
        for name, planned in by_name.items()
    }
    return tuple(by_name[name] for name in TopologicalSorter(uses).static_order())


def _labelled(study: Study, analysis: Analysis, labelled: Series) -> Planned:
    seen = alone(study, labelled)
    choices = {role.name: role.fill(seen) for role in analysis.wants}
    about = About(labelled.key, analysis.name)
    return Planned(
        analysis,
        dict.fromkeys(choices, labelled),
        None,
        None,
        tuple(replace(flag, about=about) for one in choices.values() for flag in one.flags),
        {name: one.candidates for name, one in choices.items()},
    )


def _planned(study: Study, analysis: Analysis, model: str | None, library: Library) -> Planned:
    filled: dict[str, Series] = {}
    flags: list[QualityFlag] = []
    candidates: dict[str, tuple[Candidate, ...]] = {}
    reason: Reason | None = None
    for role in analysis.wants:
        choice = role.fill(study)
        candidates[role.name] = choice.candidates
        key = "" if choice.series is None else choice.series.key
        flags += [replace(flag, about=About(key, analysis.name)) for flag in choice.flags]
        if choice.series is not None:
            filled[role.name] = choice.series
            filled |= {f"{role.name} {n}": one for n, one in enumerate(choice.others, start=2)}
        else:
            reason = reason or choice.reason
    if reason is None and _lacks_model(analysis.network, library):
        assert analysis.network is not None
        wanted = f"{analysis.network.view.value} {analysis.network.technique.value}"
        reason = Reason("NO_MODEL", f"no segmentation model for {wanted} is installed")
    title = None if reason else _model_title(analysis.network, model, library)
    return Planned(analysis, filled, title, reason, tuple(flags), candidates)


def _lacks_model(network: Need | None, library: Library) -> bool:
    """Return whether an analysis needs a model that need not be there, and none is."""
    if network is None or network.is_packaged:
        return False
    return not library.fitting(network.view, network.technique)


def _model_title(network: Need | None, name: str | None, library: Library) -> str | None:
    """Return the model that is taken; a name is of the model that comes with the package."""
    if network is None:
        return None
    fitting = library.fitting(network.view, network.technique, name=name)
    named = name if fitting or network.is_packaged else None
    return library.choose(network.view, network.technique, name=named).card.reference
