"""``opencmr validate``: label maps, or a model's over a data set, against a reader's."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr.cli import console

if TYPE_CHECKING:
    from opencmr.progress import Progress
    from opencmr.validate.cohort import Cohort
    from opencmr.validate.run import LeftOut


def validate(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")],
    predictions: Annotated[
        Path | None, typer.Argument(metavar="PREDICTIONS", help="Folder of NIfTI label maps.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Argument(metavar="REFERENCE", help="Folder of a reader's, of the same names."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Label convention of the predictions: acdc, mnms or emidec; by default what the "
            "JSON files beside them say, else acdc. Files that say another are left out."
        ),
    ] = None,
    reference_labels: Annotated[
        str | None,
        typer.Option(
            help="That of the reference; by default what the JSON files beside it say, else that "
            "of the predictions."
        ),
    ] = None,
    suffix: Annotated[
        str,
        typer.Option(help="End of the predictions' names before .nii, such as _seg."),
    ] = "",
    reference_suffix: Annotated[
        str,
        typer.Option(help="End of the reference's names before .nii, such as _gt."),
    ] = "",
    spacing: console.Spacing = None,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Table of the cases; its first column names them."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column of --groups to summarise by; may be repeated."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[@VERSION]", help="Run this model first, over --data; see opencmr models."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="MANIFEST", help="acdc, or a manifest.json as training writes it."),
    ] = None,
    data_folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder of the data sets, below which the manifest's paths lie."
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(metavar="N[,N...]", help="Folds of the manifest; all by default."),
    ] = None,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Compare label maps with a reader's: overlap, distances, presence, volumes, agreement.

    Give two folders, PREDICTIONS and REFERENCE, or --model, --data and --data-folder: the model
    is then run first, and its labels are written to OUT/predictions.

    Writes report.html, results.json and .csv, cases.csv, volumes.csv and run.json into OUT.
    Names that end in _ed and _es, or in _frame and a number, are phases of one case.
    """
    of_folders = {
        "PREDICTIONS": predictions, "REFERENCE": reference, "--labels": labels,
        "--reference-labels": reference_labels, "--suffix": suffix,
        "--reference-suffix": reference_suffix, "--spacing": spacing, "--groups": groups,
        "--by": by,
    }  # fmt: skip
    of_model = {"--data": data, "--data-folder": data_folder, "--folds": folds}
    with console.progress_bar(quiet=quiet) as progress:
        if model is not None:
            _refuse(of_folders, "with --model")
            if data is None or data_folder is None:
                raise typer.BadParameter("--model needs --data and --data-folder")
            cohort, written = _validate_model(
                model, data, data_folder, _parse_folds(folds), output, overwrite, quiet, progress
            )
            left_out: tuple[LeftOut, ...] = ()
        else:
            _refuse(of_model, "without --model")
            if predictions is None or reference is None:
                raise typer.BadParameter(
                    "expected two folders, PREDICTIONS and REFERENCE, or --model with --data and "
                    "--data-folder"
                )
            for folder in (predictions, reference):
                if not folder.is_dir():
                    raise typer.BadParameter(f"{folder} is no folder")
            if groups is not None:
                console.require_file(groups, "the table of groups")
            if (groups is None) != (not by):
                raise typer.BadParameter("--groups and --by need each other")
            from opencmr.anatomy.structures import scheme_named
            from opencmr.validate.run import Side
            from opencmr.validate.run import validate as run

            of_prediction = scheme_named(labels) if labels else None
            of_reference = scheme_named(reference_labels) if reference_labels else None
            cohort, written, left_out = run(
                Side(predictions, of_prediction, suffix),
                Side(reference, of_reference, reference_suffix),
                output,
                spacing_mm=console.parse_spacing(spacing),
                groups=groups,
                by=by or (),
                overwrite=overwrite,
                progress=progress,
            )
    _tell(cohort, written, left_out, output, as_json=as_json, quiet=quiet)


def _refuse(given: Mapping[str, object], when: str) -> None:
    """Refuse options that mean nothing here."""
    strange = [name for name, value in given.items() if value]
    if strange:
        raise typer.BadParameter(f"{', '.join(strange)} can't be given {when}")


def _parse_folds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter(f"--folds takes whole numbers such as 0 or 0,1, found {text!r}")
    return tuple(int(part) for part in parts)


def _validate_model(
    model: str,
    data: str,
    data_folder: Path,
    folds: tuple[int, ...] | None,
    output: Path,
    overwrite: bool,
    quiet: bool,
    progress: "Progress",
) -> "tuple[Cohort, list[Path]]":
    from opencmr.models.session import Networks
    from opencmr.validate.data_set import remarks_on
    from opencmr.validate.model_run import ModelRun, read_data, validate_model

    labelled = read_data(data, data_folder, folds)
    networks = Networks()
    card = networks.library.choose_segmentation(model)
    network = networks.segmentation(card.input.view, card.input.technique, name=card.reference)
    for remark in (*networks.remarks, *remarks_on(card, labelled)):
        console.say(remark, quiet=quiet)
    run = ModelRun(network, labelled, data_folder)
    return validate_model(run, output, overwrite=overwrite, progress=progress)


def _tell(
    cohort: "Cohort",
    written: list[Path],
    left_out: "tuple[LeftOut, ...]",
    output: Path,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say what came of it."""
    overall = cohort.mean("dice")
    dice = overall.mean.value if overall and overall.mean else None
    if as_json:
        console.print_json(
            {
                "output": [str(path) for path in written],
                "cases": len(cohort.cases),
                "left_out": [asdict(one) for one in left_out],
                "dice": None if dice is None else round(dice, 6),
            }
        )
        return
    for one in left_out:
        console.say(f"left out: {one.file}, as {one.reason}", quiet=quiet)
    told = "nothing to score" if dice is None else f"mean Dice {dice:.3f}"
    count = len(cohort.cases)
    console.say(f"{count} case{'s' * (count != 1)}, {told}; wrote {output}", quiet=quiet)
