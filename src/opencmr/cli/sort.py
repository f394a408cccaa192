"""``opencmr sort``: what each series of a study shows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr.cli import console
from opencmr.errors import InputError

if TYPE_CHECKING:
    from opencmr.intake.studies import Studies
    from opencmr.sort.examination import NamedSeries


def sort(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.")],
    spacing: console.Spacing = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Name the sequence and the view of every series in INPUT, with a probability and evidence.

    Exit status 0, or 4 when no series could be read.
    """
    from opencmr.intake.studies import read_studies
    from opencmr.report.sorted_rows import plain_row, table_text
    from opencmr.sort.examination import missing

    console.require_file(source, "the input")
    with (
        console.progress_bar(quiet=quiet) as progress,
        read_studies(
            source,
            spacing_mm=console.parse_spacing(spacing),
            progress=progress,
            is_listing_enough=True,
        ) as studies,
    ):
        named = named_of(studies)
        left_out = studies.left_out
    if as_json:
        console.print_json([plain_row(one) for rows in named.values() for one in rows])
    else:
        for key, rows in named.items():
            typer.echo(f"study {key}")
            for line in table_text(rows):
                typer.echo(f"  {line}")
            if absent := missing(rows):
                typer.echo(f"  not found of a standard examination: {', '.join(absent)}")
    for row in left_out:
        console.say(f"left out: {row.count} x {row.what}: {row.reason}", quiet=quiet or as_json)


def named_of(studies: "Studies") -> dict[str, tuple["NamedSeries", ...]]:
    """Return the named series of each study by its key, one study in memory at a time."""
    from opencmr.pipeline import Configuration, sorted_study
    from opencmr.sort.examination import name_series, name_unread
    from opencmr.sort.sorting import choose_sax_cine

    listed = [one.series for one in studies.listed]
    named = {}
    try:
        for one_read in studies:
            study = sorted_study(one_read, Configuration())
            scanned = [one for one in listed if one.study_key == study.key]
            named[study.key] = name_series(study, scanned, choose_sax_cine(study).series)
    except InputError:  # nothing can be analysed; what the headers say is told all the same
        pass
    for key in dict.fromkeys(one.study_key for one in listed):
        if key not in named:
            named[key] = tuple(name_unread(one) for one in listed if one.study_key == key)
    return dict(sorted(named.items()))
