"""``opencmr validate``: label maps against a reader's, as page and tables."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr.cli import console


def validate(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="Folder of NIfTI label maps.")
    ],
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="Folder of a reader's, of the same names.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")],
    labels: Annotated[
        str, typer.Option(help="Label convention of the predictions: acdc, mnms or emidec.")
    ] = "acdc",
    reference_labels: Annotated[
        str | None, typer.Option(help="That of the reference, if another.")
    ] = None,
    suffix: Annotated[
        str, typer.Option(help="End of the predictions' names before .nii, such as _seg.")
    ] = "",
    reference_suffix: Annotated[
        str, typer.Option(help="End of the reference's names before .nii, such as _gt.")
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
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Compare label maps with a reader's: overlap, distances, presence, volumes, agreement.

    Writes report.html, results.json and .csv, cases.csv, volumes.csv and run.json into OUT.
    Names that end in _ed and _es, or in _frame and a number, are phases of one case.
    """
    from opencmr.anatomy.structures import scheme_named
    from opencmr.validate.run import Side
    from opencmr.validate.run import validate as run

    for folder in (predictions, reference):
        if not folder.is_dir():
            raise typer.BadParameter(f"{folder} is no folder")
    if groups is not None:
        console.require_file(groups, "the table of groups")
    if (groups is None) != (not by):
        raise typer.BadParameter("--groups and --by need each other")
    with console.progress_bar(quiet=quiet) as progress:
        cohort, written = run(
            Side(predictions, scheme_named(labels), suffix),
            Side(reference, scheme_named(reference_labels or labels), reference_suffix),
            output,
            spacing_mm=console.parse_spacing(spacing),
            groups=groups,
            by=by or (),
            overwrite=overwrite,
            progress=progress,
        )
    overall = cohort.mean("dice")
    dice = overall.mean.value if overall and overall.mean else None
    if as_json:
        console.print_json(
            {
                "output": [str(path) for path in written],
                "cases": len(cohort.cases),
                "dice": None if dice is None else round(dice, 6),
            }
        )
        return
    told = "nothing to score" if dice is None else f"mean Dice {dice:.3f}"
    count = len(cohort.cases)
    console.say(f"{count} case{'s' * (count != 1)}, {told}; wrote {output}", quiet=quiet)
