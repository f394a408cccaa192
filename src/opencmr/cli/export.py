"""``opencmr export``: a training run as a model folder."""

import json
from pathlib import Path
from typing import Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.cli.train import require_training_extra


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of opencmr train.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="<models>/<name>/<version>")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Data sets; parity is then checked on real slices.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="JSON of measured figures for the model card.")
    ] = None,
    overwrite: console.Overwrite = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Write a run's averaged network as ONNX with its model card, and check the parity."""
    require_training_extra()
    console.require_file(run, "the run")
    from opencmr.models.card import CARD_FILE, WEIGHTS_FILE
    from opencmr.train import wall
    from opencmr.train.export import export as export_segmentation
    from opencmr.train.loop import RECIPE_FILE
    from opencmr.train.recipe import task_of

    export_run = wall.export if task_of(run / RECIPE_FILE) == wall.TASK else export_segmentation
    model = output / CARD_FILE, output / WEIGHTS_FILE
    with storage.result_files(*model, overwrite=overwrite) as folder:
        difference = export_run(
            run,
            folder,
            version=output.name,
            data=data,
            figures=json.loads(figures.read_text(encoding="utf-8")) if figures else None,
        )
    console.say(f"wrote {output}; torch and onnxruntime differ by {difference:.1e}", quiet=quiet)
