"""Every output of a report, and the one function that writes them all."""

from collections.abc import Callable, Sequence
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

    Returns
    -------
    list of Path
        Every file written, ``run.json`` last.
    """
    written: list[Path] = []
    total = len(WRITERS) + 1
    for number, (_, write) in enumerate(WRITERS):
        progress(REPORTING, number, total)
        written += write(report, folder)
    progress(REPORTING, len(WRITERS), total)
    written += run_record.write(report, folder, (*written, *beside))
    progress(REPORTING, total, total)
    return written
