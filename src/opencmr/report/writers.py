"""Every output of a report, and the one function that writes them all."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from opencmr.progress import Progress, silent
from opencmr.report import (
    dicom_map,
    dicom_seg,
    dicom_sr,
    fhir,
    labels,
    maps,
    pages,
    run_record,
    tables,
)
from opencmr.report.contents import Report
from opencmr.report.superseded import superseded_reports

REPORTING = "reporting"
Writer = Callable[[Report, Path], list[Path]]
WRITERS: tuple[tuple[str, Writer], ...] = (
    ("measurements", tables.write),
    ("segmentation", labels.write),
    ("maps", maps.write),
    ("pages", pages.write),
    ("DICOM segmentation", dicom_seg.write),
    ("DICOM maps", dicom_map.write),
    ("DICOM measurements", dicom_sr.write),
    ("FHIR", fhir.write),
)
"""A new output is one file and one line here."""


def write_report(
    report: Report,
    folder: Path,
    progress: Progress = silent,
    *,
    beside: Sequence[Path] = (),
    supersedes: Path | None = None,
) -> list[Path]:
    """Write every output into ``folder`` and, last, the record of the run.

    Each file appears whole or not at all; refusing to overwrite is the caller's choice.

    Parameters
    ----------
    report : Report
    folder : Path
    progress : Progress
    beside : sequence of Path
        Files already in ``folder`` that are part of the result; the record lists them too.
    supersedes : Path or None
        Folder of the result that this one takes the place of, where there is one; its measurement
        report is named as the predecessor of the new one.

    Returns
    -------
    list of Path
        Every file written, ``run.json`` last.
    """
    report = replace(report, superseded=superseded_reports(supersedes, report.study.uid))
    written: list[Path] = []
    total = len(WRITERS) + 1
    for number, (_, write) in enumerate(WRITERS):
        progress(REPORTING, number, total)
        written += write(report, folder)
    progress(REPORTING, len(WRITERS), total)
    written += run_record.write(report, folder, (*written, *beside))
    progress(REPORTING, total, total)
    return written
