"""``opencmr quantise``: a model that can compute in 8-bit integers too."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.cli.train import require_training_extra
from opencmr.errors import InputError, ModelError

if TYPE_CHECKING:
    from opencmr.imaging.image import Image


def quantise(
    model: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A network for stacks.")],
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="PICTURES...",
            help="Short-axis stacks or cines of different hearts, ten or more: NIfTI files, or "
            "DICOM studies; of each the first phase.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="<models>/<name>/<version>")
    ],
    calibration: Annotated[
        str | None,
        typer.Option(help="What the card says of the pictures.", show_default="how many"),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(help="JSON of measured figures, added to those of the card.")
    ] = None,
    overwrite: console.Overwrite = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Write a model anew with a second file of weights, in 8-bit integers.

    Its layers are fitted to pictures. The first file stays as it is to the last byte.
    """
    require_training_extra()
    for one in pictures:
        console.require_file(one, "the pictures")
    from opencmr.models.card import CARD_FILE, INT8_FILE, WEIGHTS_FILE, SegmentationCard
    from opencmr.models.library import model_titled
    from opencmr.models.session import load_network
    from opencmr.train.quantise import calibration_stacks
    from opencmr.train.quantise import quantise as quantise_model

    card = model_titled(model)
    if not isinstance(card, SegmentationCard):
        raise ModelError(f"{model} labels no structures; expected a segmentation model")
    files = [output / name for name in (CARD_FILE, WEIGHTS_FILE, INT8_FILE)]
    with (
        storage.result_files(*files, overwrite=overwrite) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        stacks = calibration_stacks(map(_stack_in, pictures), load_network(card))
        alike = quantise_model(
            card,
            stacks,
            folder,
            version=output.name,
            calibration=calibration or f"{len(pictures)} pictures",
            figures=json.loads(figures.read_text(encoding="utf-8")) if figures else None,
            progress=progress,
        )
    console.say(f"wrote {output}; {alike:.2%} of voxels keep their label in int8", quiet=quiet)


def _stack_in(path: Path) -> "Image":
    """Return the short-axis stack or cine of a NIfTI file or a study."""
    from opencmr.intake.nifti.read import read_nifti
    from opencmr.intake.studies import read_studies
    from opencmr.quality.stacks import judge_stacks
    from opencmr.sort.sorting import choose_sax_cine, sort_study

    if path.name.endswith((".nii", ".nii.gz")):
        return read_nifti(path).image
    with read_studies(path) as studies:
        for study in studies:
            if series := choose_sax_cine(judge_stacks(sort_study(study))).series:
                return series.image
    raise InputError(f"no short-axis cine in {path.name}; expected one study that has one")
