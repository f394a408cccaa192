"""Every output of a report, and the one function that writes them all."""

from collections.abc import Callable
from pathlib import Path

from opencmr.report import html, labels, pdf, run_record, tables
from opencmr.report.contents import Report

Writer = Callable[[Report, Path], list[Path]]
Progress = Callable[[str, float], None]
"""Told what is being written and the share of the work done, 0 to 1."""

WRITERS: tuple[tuple[str, Writer], ...] = (
    ("measurements", tables.write),
    ("segmentation", labels.write),
    ("page", html.write),
    ("PDF", pdf.write),
)
"""A new output is one file and one line here."""


def write_report(
    report: Report, folder: Path, progress: Progress = lambda _what, _share: None
) -> list[Path]:
    """Write every output into ``folder`` and, last, the record of the run.

    Each file appears whole or not at all; refusing to overwrite is the caller's choice.

    Returns
    -------
    list of Path
        Every file written, ``run.json`` last.
    """
    written: list[Path] = []
    for number, (what, write) in enumerate(WRITERS):
        progress(what, number / (len(WRITERS) + 1))
        written += write(report, folder)
    progress("record of the run", len(WRITERS) / (len(WRITERS) + 1))
    written += run_record.write(report, folder, written)
    progress("done", 1.0)
    return written
