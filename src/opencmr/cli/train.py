"""``opencmr train``: a network from a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr import storage
from opencmr.cli import console


def require_training_extra() -> None:
    """Say how to install the training extra where torch is missing."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        from opencmr.errors import ConfigurationError

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
    from opencmr.train import loop
    from opencmr.train.recipe import read_recipe

    with storage.growing_folder(output), console.progress_bar(quiet=quiet) as progress:
        checkpoint = loop.train(
            recipe,
            loop.lessons_of(read_recipe(recipe), data),
            output,
            start_from=start_from,
            report=lambda step, steps, loss: progress("training", step, steps),
        )
    console.say(f"wrote {checkpoint}", quiet=quiet)
