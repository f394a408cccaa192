"""Many studies: each analysed and written, and what became of it as one flat outcome.

Used by every door that takes more than one study; of several, one that fails does not stop
the others.
"""

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opencmr.errors import ModelError, OpencmrError
from opencmr.imaging.flag import LeftOut, QualityFlag, Severity
from opencmr.imaging.study import Study
from opencmr.intake.studies import Studies
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration, analyze_study
from opencmr.progress import Progress
from opencmr.report.contents import HEADLINE, SINGLE_PHASE_HEADLINE, Report
from opencmr.report.writers import write_report

PARTLY_FAILED = 3
NOTHING_ANALYSABLE = 4
HARMLESS = frozenset(
    {"NOT_AN_IMAGE", "DUPLICATE", "NOT_MR", "NOT_MEASURABLE_PIXELS", "LABEL_MAP", "OWN_RESULT"}
)
"""Reason codes of what is no study; any other code on an orphan means that a case was lost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One study's result without its images, so that a hundred studies fit in memory.

    Attributes
    ----------
    texts : mapping from symbol to the whole-heart value with its decimals and unit
    values : mapping from symbol to the whole-heart value, None where withheld
    error : str
        Why the study failed; empty when it did not.
    """

    key: str
    folder: Path
    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float | None] = field(default_factory=dict)
    flags: tuple[QualityFlag, ...] = ()
    error: str = ""

    @property
    def is_withheld(self) -> bool:
        """Whether the study failed, or a flag says that it must not be reported."""
        return bool(self.error) or any(f.severity is Severity.DO_NOT_REPORT for f in self.flags)

    @property
    def text(self) -> str:
        """A few lines for people."""
        if self.error:
            return f"study {self.key}: failed: {self.error}"
        lines = [f"study {self.key}: {self.folder / 'report.html'}"]
        shown = SINGLE_PHASE_HEADLINE if self.texts.keys() & SINGLE_PHASE_HEADLINE else HEADLINE
        lines += [f"  {s:<6} {self.texts[s]}" for s in shown if s in self.texts]
        lines += [f"  {f.severity.value}: {f.code}: {f.message}" for f in self.flags]
        return "\n".join(lines)

    @property
    def summary(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "key": self.key,
            "folder": None if self.error else str(self.folder),
            "error": self.error or None,
            "measurements": dict(self.values),
            "flags": [f.code for f in self.flags],
        }


def outcome_of(report: Report, folder: Path) -> Outcome:
    """Return what a report says, in short; of a stack at one phase its volumes too."""
    single = all(s.image.phases == 1 for s in report.measured_series())
    values = report.measurements.values()
    whole = [m for m in report.measurements.whole_heart if m.quantity.symbol in values]
    points = [p for curve in report.measurements.curves for p in curve.points()]
    told = [*whole, *(m for _, m in points if single)]
    return Outcome(
        report.study.key,
        folder,
        texts={m.quantity.symbol: f"{m.text:>6} {m.quantity.unit}" for m in told},
        values=values
        | {m.quantity.symbol: m.value for phase, m in points if single or phase is None},
        flags=report.flags,
    )


def exit_status(outcomes: Sequence[Outcome], orphans: Sequence[LeftOut]) -> int:
    """Return 0, 3 or 4 as ``opencmr --help`` explains them.

    ``orphans`` are what was left out and belongs to none of the studies.
    """
    if not any(outcome.values for outcome in outcomes):
        return NOTHING_ANALYSABLE
    lost = any(row.reason.code not in HARMLESS for row in orphans)
    return PARTLY_FAILED if lost or any(o.is_withheld for o in outcomes) else 0


def analyze_studies(
    studies: Studies,
    configuration: Configuration,
    folder: Path,
    shown_as: Path,
    progress: Progress,
    networks: Networks | None = None,
    *,
    beside: Sequence[Path] = (),
) -> list[Outcome]:
    """Analyse each study into ``folder``; of several, one that fails does not stop the others.

    Each is read when the one before is written and forgotten.

    Parameters
    ----------
    folder : Path
        Of one study's result, or of several such folders named by the studies' keys.
    shown_as : Path
        What the folder will be called when all is written.
    networks : Networks or None
        Read once for all studies; their memory is given back before pages are made.
    beside : sequence of Path
        Files of a single study's result that are there already.
    """
    networks = networks or Networks()
    alone = len(studies) == 1
    outcomes: list[Outcome] = []

    def analysed(study: Study, place: Path, shown: Path) -> Outcome:
        report = analyze_study(study, configuration, networks=networks, progress=progress)
        networks.forget()  # pages need the memory more than the next study a tenth of a second
        write_report(report, place, progress, beside=beside)
        return outcome_of(report, shown)

    for study in studies:
        place = folder if alone else folder / study.key
        shown = shown_as if alone else shown_as / study.key
        try:
            outcomes.append(analysed(with_orphans(study, studies.left_out), place, shown))
        except Exception as error:
            if alone or isinstance(error, ModelError | OSError):
                raise
            # The message of a foreign exception may quote a header: only its kind is told.
            known = isinstance(error, OpencmrError)
            said = str(error) if known else f"unexpected failure ({type(error).__name__})"
            outcomes.append(Outcome(study.key, shown, error=said))
            shutil.rmtree(place, ignore_errors=True)
        del study  # before the next is read
    return outcomes


def with_orphans(study: Study, orphans: tuple[LeftOut, ...]) -> Study:
    """Name in every report of the input what belongs to none of its studies."""
    further = tuple(row for row in orphans if row not in study.left_out)
    return dataclasses.replace(study, left_out=study.left_out + further)
