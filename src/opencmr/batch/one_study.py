"""One study of an input: analysed, written, told in short."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from opencmr.imaging.flag import LeftOut
from opencmr.imaging.study import Study
from opencmr.intake.studies import Studies
from opencmr.memory import give_back_memory
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration, analyze_study
from opencmr.progress import Progress, silent
from opencmr.report.outcome import StudyOutcome, read_outcome
from opencmr.report.writers import write_report


def analyze_one(
    study: Study,
    configuration: Configuration,
    folder: Path,
    shown_as: Path,
    *,
    orphans: Sequence[LeftOut] = (),
    networks: Networks | None = None,
    progress: Progress = silent,
    beside: Sequence[Path] = (),
    supersedes: Path | None = None,
) -> StudyOutcome:
    """Analyse a study and write its result into ``folder``.

    Parameters
    ----------
    study : Study
    configuration : Configuration
    folder : Path
    shown_as : Path
        What the folder will be called when all is written.
    orphans : sequence of LeftOut
        What belongs to none of the input's studies.
    networks : Networks or None
        Their memory is given back before pages are made.
    progress : callable
    beside : sequence of Path
        Files of the result that are there already.
    supersedes : Path or None
        Folder of the result that this one takes the place of; there may be none in it.
    """
    networks = networks or Networks(precision=configuration.precision)
    report = analyze_study(
        with_orphans(study, orphans), configuration, networks=networks, progress=progress
    )
    networks.forget()  # pages need the memory more than the next study a tenth of a second
    write_report(report, folder, progress, beside=beside, supersedes=supersedes)
    give_back_memory()  # the next study is decoded beside this process
    return read_outcome(folder, shown_as)


def analyze_only(
    studies: Studies,
    configuration: Configuration,
    folder: Path,
    shown_as: Path,
    progress: Progress = silent,
    *,
    supersedes: Path | None = None,
) -> tuple[list[StudyOutcome], tuple[str, ...]]:
    """Analyse the only study of an input; return its outcome and the remarks on models."""
    networks = Networks(precision=configuration.precision)
    (outcome,) = (
        analyze_one(
            study,
            configuration,
            folder,
            shown_as,
            orphans=studies.left_out,
            networks=networks,
            progress=progress,
            supersedes=supersedes,
        )
        for study in studies
    )
    return [outcome], tuple(networks.remarks)


def with_orphans(study: Study, orphans: Sequence[LeftOut]) -> Study:
    """Name in every report of the input what belongs to none of its studies."""
    further = tuple(row for row in orphans if row not in study.left_out)
    return dataclasses.replace(study, left_out=study.left_out + further)
