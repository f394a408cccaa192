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
    quantise,
    segment,
    simulate,
    sort,
    store,
    train,
    validate,
)
from opencmr.cli.command import Command
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


application.command("analyze", cls=Command)(analyze.analyze)
application.command("plan", cls=Command)(plan.plan)
application.command("sort", cls=Command)(sort.sort)
application.command("deid", cls=Command)(deid.deid)
application.command("diagnose", cls=Command)(diagnose.diagnose)
application.command("segment", cls=Command)(segment.segment)
application.command("map", cls=Command)(map.map_relaxation)
application.command("measure", cls=Command)(measure.measure)
application.command("models", cls=Command)(models.models)
application.command("simulate", cls=Command)(simulate.simulate)
application.command("demo", cls=Command)(demo.demo)
application.command("train", cls=Command)(train.train)
application.command("validate", cls=Command)(validate.validate)
application.command("export", cls=Command)(export.export)
application.command("quantise", cls=Command)(quantise.quantise)
application.command("node", cls=Command)(node.node)
application.command("find", cls=Command)(find.find)
application.command("fetch", cls=Command)(fetch.fetch)
application.command("store", cls=Command)(store.store)
application.command("doctor", cls=Command)(doctor.doctor)


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
