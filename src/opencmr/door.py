"""The Python door: read, analyse, write, with paths as ``str`` or ``Path``."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from opencmr import storage
from opencmr.imaging.study import Demographics, Study
from opencmr.intake import studies as intake
from opencmr.models.precision import Precision, precision_named
from opencmr.models.session import Networks
from opencmr.pipeline import Configuration, analyze_study
from opencmr.progress import Progress, silent
from opencmr.report import writers
from opencmr.report.contents import Report
from opencmr.report.earlier import earlier_result

if TYPE_CHECKING:
    from opencmr.intake.studies import Studies

AnyPath = str | os.PathLike[str]


def read_studies(
    path: AnyPath,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
    progress: Progress = silent,
) -> "Studies":
    """Read a file, folder, zip archive or DICOMDIR of DICOM or NIfTI images.

    Parameters
    ----------
    path : str or Path
    spacing_mm : (slice, row, column) or None
        For NIfTI files that lack it.
    progress : callable
        Called with (what is being done, done, in all).

    Returns
    -------
    Studies
        A sequence; each study is loaded when it is asked for.  ``left_out`` names what was not
        used, and why.

    Raises
    ------
    InputError
        When nothing in it can be analysed.
    """
    return intake.read_studies(Path(path), spacing_mm=spacing_mm, progress=progress)


def read_pair(
    ed: AnyPath, es: AnyPath, *, spacing_mm: tuple[float, float, float] | None = None
) -> Study:
    """Read two NIfTI stacks, end-diastole and end-systole, as one study.

    Raises
    ------
    InputError, GeometryError
        When either cannot be read, or the two are not one stack.
    """
    return intake.read_pair(Path(ed), Path(es), spacing_mm=spacing_mm)[0]


def analyze(
    study: Study,
    *,
    model: str | None = None,
    sex: str | None = None,
    age_years: float | None = None,
    height_cm: float | None = None,
    weight_kg: float | None = None,
    heart_rate_bpm: float | None = None,
    haematocrit: float | None = None,
    synthetic_haematocrit: bool = False,
    previous: AnyPath | None = None,
    same_patient: bool = False,
    precision: str = Precision.F32.value,
    progress: Progress = silent,
) -> Report:
    """Sort, segment, measure and judge a study.

    The networks are loaded once a process.

    Parameters
    ----------
    study : Study
    model : str or None
        Name of the segmentation model; the newest that fits by default.
    sex, age_years, height_cm, weight_kg, heart_rate_bpm, haematocrit
        What headers lack or get wrong: whatever is given here wins.
    synthetic_haematocrit : bool
        Where no haematocrit is given, estimate it from T1 of blood (MOLLI at 1.5 T), and say so.
    previous : str, Path or None
        Result folder of an earlier study of the same patient, whose values are set beside the
        new ones in ``Report.comparison``.
    same_patient : bool
        With ``previous``: you know that both are of one patient although an identifier is
        missing.  It does not overrule identifiers that differ.
    precision : str
        In what networks compute: ``f32``; ``int8`` where a model has such weights; or ``auto``,
        which takes int8 where the processor has instructions for it too.
    progress : callable
        Called with (what is being done, done, in all).

    Raises
    ------
    ModelError
        When no model fits or its weights are damaged.
    ConfigurationError
        When ``previous`` is no result of one study, or not known to be of the same patient.
    """
    stated = Demographics(
        sex,
        age_years,
        height_cm,
        weight_kg,
        heart_rate_bpm,
        haematocrit,
        may_use_synthetic_haematocrit=synthetic_haematocrit,
    )
    configuration = Configuration(
        model,
        stated,
        previous=earlier_result(
            None if previous is None else Path(previous), is_same_patient=same_patient
        ),
        is_same_patient=same_patient,
        precision=precision_named(precision),
    )
    networks = _networks(configuration.precision)
    return analyze_study(study, configuration, networks=networks, progress=progress)


def write_report(report: Report, folder: AnyPath, *, overwrite: bool = False) -> list[Path]:
    """Write page, PDF, tables, labels and the record of the run, and return their paths.

    Parameters
    ----------
    report : Report
    folder : str or Path
        Absent, empty or, with ``overwrite``, an earlier result.  It appears whole or not at all.
    overwrite : bool

    Raises
    ------
    ConfigurationError
        When the folder cannot be written or would cost other files.
    StorageError
        When the disk is full.
    """
    place = Path(folder)
    with storage.result_folder(place, overwrite=overwrite) as new:
        written = writers.write_report(report, new, supersedes=place)
    return [place / path.relative_to(new) for path in written]


@cache
def _networks(precision: Precision) -> Networks:
    return Networks(precision=precision)
