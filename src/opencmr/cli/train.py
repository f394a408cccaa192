"""``opencmr train``: a network from a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.errors import ConfigurationError


def require_training_extra() -> None:
    """Say how to install the training extra where torch is missing."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        raise ConfigurationError("training needs the extra [train]: pip install 'opencmr[train]'")


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.toml")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="RUN", help="Run folder; resumed if it exists."),
    ],
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    start_from: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="Start from that run's weights.")
    ] = None,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Train a network by a recipe; a run folder that exists is resumed."""
    require_training_extra()
    console.require_file(recipe, "the recipe")
    from opencmr.train import loop, wall
    from opencmr.train.recipe import read_recipe, task_of

    with storage.growing_folder(output), console.progress_bar(quiet=quiet) as progress:

        def report(step: int, steps: int, loss: float) -> None:
            progress("training", step, steps)

        if task_of(recipe) == wall.TASK:
            if start_from is not None:
                raise ConfigurationError(
                    "a network of walls starts from random weights, not --from"
                )
            checkpoint = wall.train(recipe, data, output, report=report)
        else:
            lessons = loop.lessons_of(read_recipe(recipe), data)
            checkpoint = loop.train(recipe, lessons, output, start_from=start_from, report=report)
    console.say(f"wrote {checkpoint}", quiet=quiet)
