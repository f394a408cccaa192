"""Several studies of one input: each put in place when it is done, then a table over them.

The folder of the cohort grows (ADR 0029): a study that is finished there, with the same input and
configuration, is not done again.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opencmr import __version__, storage
from opencmr.batch.finished import is_finished, why_other
from opencmr.batch.one_study import analyze_one
from opencmr.batch.processes import Lost, Processes
from opencmr.errors import ConfigurationError, ModelError, OpencmrError
from opencmr.intake.studies import Studies
from opencmr.models.precision import Precision
from opencmr.models.session import Networks, usable_cores
from opencmr.pipeline import Configuration
from opencmr.progress import Progress, silent
from opencmr.report import cohort as cohort_files
from opencmr.report.contents import DISCLAIMER
from opencmr.report.outcome import StudyOutcome, read_outcome

STUDIES = "studies"
SECONDS_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cohort is written.

    Attributes
    ----------
    folder : Path
        Claimed for this run.
    shown : Path
        What the user calls it.
    overwrite : bool
        Studies that are there already are done again.
    """

    folder: Path
    shown: Path
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a process says of a study: why it failed, and remarks on models."""

    error: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyTask:
    """Analyse the study of a number, unless it is finished; sent to each process."""

    studies: Studies
    configurations: Sequence[Configuration]
    place: Place
    networks: Networks

    def __call__(self, number: int) -> Done:
        """Return why a study failed; raise what would fail every other study too."""
        entry, configuration = self.studies.entries[number], self.configurations[number]
        error = ""
        try:
            self._analyze(number, self.place.folder / entry.key, configuration)
        except Exception as found:
            if isinstance(found, ModelError) or storage.is_full(found):
                raise
            # The message of a foreign exception may quote a header: only its kind is told.
            known = isinstance(found, OpencmrError)
            error = str(found) if known else f"unexpected failure ({type(found).__name__})"
        return Done(error, self.networks.remarks)

    def _analyze(self, number: int, folder: Path, configuration: Configuration) -> None:
        study = self.studies[number]
        overwrite = self.place.overwrite
        if not overwrite and is_finished(folder, study.input_sha256, configuration):
            return
        shown = self.place.shown / folder.name
        why = why_other(folder, study.input_sha256, configuration)
        if why and not overwrite:
            raise ConfigurationError(
                f"{shown} is kept as it is, and not done again: {why}. Give the same options, name "
                "another output, or give --overwrite to do every study again"
            )
        with storage.result_folder(folder, overwrite=overwrite) as new:
            analyze_one(
                study,
                configuration,
                new,
                shown,
                orphans=self.studies.left_out,
                networks=self.networks,
                supersedes=folder,
            )


def analyze_cohort(
    studies: Studies,
    configurations: Sequence[Configuration],
    place: Place,
    *,
    jobs: int = 1,
    labels: Sequence[str] | None = None,
    inputs: Sequence[str] = (),
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> list[StudyOutcome]:
    """Analyse every study that is not finished, and write the table, the page and the keys.

    Parameters
    ----------
    studies : Studies
        With an entry each.
    configurations : sequence of Configuration
        One a study.
    place : Place
    jobs : int
        Processes at a time, each with networks of its own.
    labels : sequence of str or None
        Of each study, for the table and the page alone.
    inputs : sequence of str
        Where each study lies, for ``key.csv`` alone.
    progress : callable
    tell : callable
        Given a line on each study as it is done, and remarks on models.

    Raises
    ------
    ConfigurationError
        When the folder holds something else, or a table that was changed.
    ModelError, StorageError
        When no study could be analysed, or no space is left: the finished studies stay.
    """
    keys = [entry.key for entry in studies.entries]
    _begin(place)
    errors: dict[str, str] = {}
    waiting = [
        number
        for number, entry in enumerate(studies.entries)
        if place.overwrite
        or not is_finished(place.folder / entry.key, entry.input_sha256, configurations[number])
    ]
    done = len(keys) - len(waiting)
    if done:
        tell(f"{done} of {len(keys)} studies are finished already")
    fresh = 0

    def show() -> None:
        progress(STUDIES, done + fresh, len(keys))

    show()
    precision = configurations[0].precision if configurations else Precision.F32
    networks = Networks(max(1, usable_cores() // jobs), precision=precision)
    task = StudyTask(studies, tuple(configurations), place, networks)
    begun_s, remarks = time.monotonic(), dict[str, None]()
    answers = Processes(task, jobs).answers(waiting, show)
    for fresh, (number, answer) in enumerate(answers, start=1):
        told = Done(_why_lost(answer)) if isinstance(answer, Lost) else answer
        if told.error:
            errors[keys[number]] = told.error
        for remark in told.remarks:
            if remark not in remarks:
                tell(remark)
            remarks[remark] = None
        show()
        left = time_left(time.monotonic() - begun_s, fresh, len(waiting) - fresh)
        what = f"failed: {told.error}" if told.error else "done"
        tell(f"study {done + fresh} of {len(keys)}, {keys[number]}: {what}{left}")
    outcomes = [_outcome(place, key, errors.get(key, "")) for key in keys]
    _write_tables(place, outcomes, labels or [""] * len(keys), inputs or [""] * len(keys))
    return outcomes


def time_left(spent_s: float, done: int, left: int) -> str:
    """Return the time that is left as a reader says it; empty where nothing is.

    >>> time_left(120, 4, 6), time_left(2, 4, 6), time_left(120, 4, 0)
    ('; about 3 min left', '; about 3 s left', '')
    """
    if not left:
        return ""
    left_s = spent_s / done * left
    if left_s < SECONDS_PER_MINUTE:
        return f"; about {left_s:.0f} s left"
    return f"; about {left_s / SECONDS_PER_MINUTE:.0f} min left"


def _why_lost(lost: Lost) -> str:
    return (
        f"its process was ended from outside (exit code {lost.exit_code}), most often for want of "
        "memory; run again with fewer --jobs"
    )


def _outcome(place: Place, key: str, error: str) -> StudyOutcome:
    folder, shown = place.folder / key, place.shown / key
    return StudyOutcome(key, shown, error=error) if error else read_outcome(folder, shown)


def _begin(place: Place) -> None:
    """Make the folder of the cohort, and mark it as one; or refuse what lies there."""
    folder, shown = place.folder, place.shown
    if (folder / storage.RUN_FILE).exists() and not storage.is_collection(folder):
        raise ConfigurationError(
            f"{shown} holds the result of one study, the input several; name another folder"
        )
    for name in cohort_files.FILES:
        if (folder / name).exists() and not storage.is_ours(folder / name):
            raise ConfigurationError(
                f"{shown / name} was changed since it was written, or is not ours; move it away"
            )
    if not storage.is_collection(folder):
        storage.write_json(folder / storage.RUN_FILE, _record(0, {}))


def _record(studies: int, files: Mapping[str, str]) -> dict[str, object]:
    """Return what the cohort's ``run.json`` says."""
    return {
        "disclaimer": DISCLAIMER,
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "study": None,
        "studies": studies,
        "versions": {"opencmr": __version__},
        "files": [{"path": name, "sha256": sha256} for name, sha256 in files.items()],
    }


def _write_tables(
    place: Place, outcomes: Sequence[StudyOutcome], labels: Sequence[str], inputs: Sequence[str]
) -> None:
    rows = [
        cohort_files.CohortRow(one, label, source)
        for one, label, source in zip(outcomes, labels, inputs, strict=True)
    ]
    targets = [place.folder / name for name in (storage.RUN_FILE, *cohort_files.FILES)]
    with storage.result_files(*targets, overwrite=True) as new:
        files = {path.name: storage.sha256_of(path) for path in cohort_files.write(rows, new)}
        storage.write_json(new / storage.RUN_FILE, _record(len(rows), files))
