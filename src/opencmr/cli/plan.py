"""``opencmr plan``: what would be analysed, on which series, with which model, or why not."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr.cli import console
from opencmr.cli.analyze import read_input


def plan(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.")],
    spacing: console.Spacing = None,
    model: console.ModelName = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Say what `analyze` would do with each study in INPUT, and do nothing.

    Exit status 0 when any analysis would run, 4 otherwise.
    """
    from opencmr.batch import NOTHING_ANALYSABLE, with_orphans
    from opencmr.models.library import read_library
    from opencmr.pipeline import Configuration, planned_study

    with console.progress_bar(quiet=quiet) as progress:
        read = read_input(source, None, None, console.parse_spacing(spacing), progress)
    configuration = Configuration(model=model)
    studies = [with_orphans(study, read.left_out) for study in read.studies]
    library = read_library()
    plans = [(one, planned_study(one, configuration, library=library)) for one in studies]
    if as_json:
        console.print_json(
            {
                "studies": [
                    {
                        "key": study.key,
                        "analyses": [planned.plain for planned in planned_all],
                        "left_out": [row.plain for row in study.left_out],
                    }
                    for study, planned_all in plans
                ]
            }
        )
    for study, planned_all in plans:
        console.say(f"study {study.key}", quiet=quiet or as_json)
        for planned in planned_all:
            console.say(f"  {planned.text}", quiet=quiet or as_json)
        for row in study.left_out:
            console.say(
                f"  left out: {row.count} x {row.what}: {row.reason}", quiet=quiet or as_json
            )
    if not any(planned.runs for _, planned_all in plans for planned in planned_all):
        raise typer.Exit(NOTHING_ANALYSABLE)
