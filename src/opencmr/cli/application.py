"""The command ``opencmr`` and its verbs."""

import sys
from typing import Annotated

import typer

from opencmr import __version__, storage
from opencmr.cli import (
    analyze,
    deid,
    demo,
    diagnose,
    doctor,
    export,
    fetch,
    find,
    map,
    measure,
    models,
    node,
    plan,
    segment,
    simulate,
    sort,
    store,
    train,
    validate,
)
from opencmr.errors import OpencmrError

INTERRUPTED = 130
FAILED = 1

application = typer.Typer(
    name="opencmr",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Cardiovascular magnetic resonance: from DICOM or NIfTI to a report.\n\n"
        "Research use only, not for diagnosis."
    ),
    epilog=(
        "Exit status: 0 all good; 1 run-time failure; 2 usage; 3 finished, but a case failed or "
        "is flagged 'do not report'; 4 nothing analysable in the input; 130 interrupted."
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"opencmr {__version__}")
        raise typer.Exit


@application.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    pass


application.command("analyze")(analyze.analyze)
application.command("plan")(plan.plan)
application.command("sort")(sort.sort)
application.command("deid")(deid.deid)
application.command("diagnose")(diagnose.diagnose)
application.command("segment")(segment.segment)
application.command("map")(map.map_relaxation)
application.command("measure")(measure.measure)
application.command("models")(models.models)
application.command("simulate")(simulate.simulate)
application.command("demo")(demo.demo)
application.command("train")(train.train)
application.command("validate")(validate.validate)
application.command("export")(export.export)
application.command("node")(node.node)
application.command("find")(find.find)
application.command("fetch")(fetch.fetch)
application.command("store")(store.store)
application.command("doctor")(doctor.doctor)


def run() -> None:
    """Run the command line; every foreseen failure ends as one message and an exit status."""
    try:
        application(standalone_mode=True)
    except OpencmrError as error:
        typer.echo(f"opencmr: {error}", err=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        typer.echo("opencmr: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if storage.is_full(error):
            typer.echo(f"opencmr: the disk: {storage.NO_SPACE}", err=True)
            sys.exit(FAILED)
        # The message of a foreign exception may quote a header: only its kind is shown.
        typer.echo(f"opencmr: unexpected failure ({type(error).__name__})", err=True)
        if "-v" in sys.argv or "--verbose" in sys.argv:
            raise
        typer.echo("Run again with -v for the traceback; please report it.", err=True)
        sys.exit(FAILED)
