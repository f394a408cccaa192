"""``opencmr measure``: the whole report from labels that a reader drew or corrected."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr import storage
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.seg_types import SegType
from opencmr.cli import console
from opencmr.cli.analyze import places_read, read_input, tell
from opencmr.errors import InputError


def measure(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="The study (file, folder, zip, DICOMDIR), or its exported image."
        ),
    ],
    labels: Annotated[
        Path,
        typer.Option(metavar="LABELS.nii.gz", help="Labels on the grid of one series of INPUT."),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")
    ] = Path("opencmr-result"),
    author: Annotated[str, typer.Option(help="Who drew or corrected the labels.")] = "reader",
    original: Annotated[
        Path | None,
        typer.Option(
            "--derived-from",
            metavar="SEG.nii.gz",
            help="The labels that were corrected; by default, what the JSON beside LABELS says.",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            help="Label convention: acdc, mnms or (late enhancement) emidec; by default what the "
            "JSON file beside the labels says, else acdc."
        ),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(help="Key of the labelled series (s01, ...), where several lie on one grid."),
    ] = None,
    height_cm: console.HeightCm = None,
    weight_kg: console.WeightKg = None,
    sex: console.Sex = None,
    age: console.AgeYears = None,
    heart_rate: console.HeartRate = None,
    haematocrit: console.Haematocrit = None,
    spacing: console.Spacing = None,
    sequence: console.StatedSequence = None,
    ranges: console.RangesFile = None,
    model: console.ModelName = None,
    seg_phases: Annotated[
        SegPhases, typer.Option(help="Cardiac phases that are written as DICOM SEG.")
    ] = SegPhases.ED_ES,
    seg_type: Annotated[
        SegType,
        typer.Option(help="DICOM SEG of one mask a structure, or (labelmap) of one label a pixel."),
    ] = SegType.BINARY,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Measure one study from labels made or corrected elsewhere, and report as analyze does.

    The labels say which series is measured: the one on whose grid they lie. Everything else in
    the study is analysed as usual.
    """
    from opencmr.batch.one_study import analyze_one
    from opencmr.imaging.study import Demographics
    from opencmr.intake.nifti.given import read_given_labels
    from opencmr.models.session import Networks
    from opencmr.pipeline import Configuration

    console.require_file(labels, "--labels")
    if original is not None:
        console.require_file(original, "--derived-from")
    spacing_mm = console.parse_spacing(spacing)
    body = Demographics(
        sex=console.parse_sex(sex),
        age_years=age,
        height_cm=height_cm,
        weight_kg=weight_kg,
        heart_rate_bpm=heart_rate,
        haematocrit=haematocrit,
    )
    own_ranges = console.read_ranges(ranges)
    inputs = places_read(source, labels, original)
    with (
        storage.result_folder(output, overwrite=overwrite, inputs=inputs) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        given = read_given_labels(
            labels,
            author=author,
            scheme=scheme,
            original=original,
            series=series,
            spacing_mm=spacing_mm,
        )
        configuration = Configuration(
            model,
            body,
            seg_phases=seg_phases,
            seg_type=seg_type,
            ranges=own_ranges,
            labels=given,
            sequence=console.technique_of(sequence),
        )
        networks = Networks()
        with read_input(source, None, None, spacing_mm, progress) as studies:
            if len(studies) != 1:
                raise InputError(
                    f"the input holds {len(studies)} studies; name the one that the labels "
                    "belong to"
                )
            (outcome,) = (
                analyze_one(
                    study,
                    configuration,
                    folder,
                    output,
                    orphans=studies.left_out,
                    networks=networks,
                    progress=progress,
                )
                for study in studies
            )
    for remark in networks.remarks:
        console.say(remark, quiet=quiet)
    tell([outcome], studies.left_out, as_json=as_json, quiet=quiet)
