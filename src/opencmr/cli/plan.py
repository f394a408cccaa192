"""``opencmr plan``: what would be analysed, on which series, with which model, or why not."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr.cli import console
from opencmr.cli.analyze import read_input


def plan(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.")],
    spacing: console.Spacing = None,
    sequence: console.StatedSequence = None,
    model: console.ModelName = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Say what `analyze` would do with each study in INPUT, and do nothing.

    Exit status 0 when any analysis would run, 4 otherwise.
    """
    from opencmr.batch.exit_status import NOTHING_ANALYSABLE
    from opencmr.batch.one_study import with_orphans
    from opencmr.models.library import read_library
    from opencmr.pipeline import Configuration, planned_study

    configuration = Configuration(model=model, sequence=console.technique_of(sequence))
    library = read_library()
    rows, lines = [], []
    anything_runs = False
    with (
        console.progress_bar(quiet=quiet) as progress,
        read_input(source, None, None, console.parse_spacing(spacing), progress) as studies,
    ):
        for study in studies:
            planned_all = planned_study(study, configuration, library=library)
            left_out = with_orphans(study, studies.left_out).left_out
            anything_runs |= any(planned.runs for planned in planned_all)
            rows.append(
                {
                    "key": study.key,
                    "analyses": [planned.plain for planned in planned_all],
                    "left_out": [row.plain for row in left_out],
                }
            )
            lines.append(f"study {study.key}")
            for planned in planned_all:
                lines.append(f"  {planned.text}")
                lines += [f"    {row}" for row in planned.choice_text]
            lines += [f"  left out: {row.count} x {row.what}: {row.reason}" for row in left_out]
            del study, planned_all  # before the next is read
    if as_json:
        console.print_json({"studies": rows})
    for line in lines:
        console.say(line, quiet=quiet or as_json)
    if not anything_runs:
        raise typer.Exit(NOTHING_ANALYSABLE)
