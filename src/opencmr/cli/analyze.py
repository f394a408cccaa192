"""``opencmr analyze``: the whole pipeline over every study in the input."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.anatomy.phases import SegPhases
from opencmr.cli import console
from opencmr.errors import ConfigurationError
from opencmr.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opencmr.batch import Outcome
    from opencmr.imaging.flag import LeftOut
    from opencmr.intake.studies import Studies


def analyze(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.", show_default=False),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")
    ] = Path("opencmr-result"),
    ed: Annotated[Path | None, typer.Option(help="NIfTI stack at end-diastole.")] = None,
    es: Annotated[Path | None, typer.Option(help="NIfTI stack at end-systole.")] = None,
    height_cm: console.HeightCm = None,
    weight_kg: console.WeightKg = None,
    sex: console.Sex = None,
    age: console.AgeYears = None,
    heart_rate: console.HeartRate = None,
    spacing: console.Spacing = None,
    ranges: console.RangesFile = None,
    model: console.ModelName = None,
    seg_phases: Annotated[
        SegPhases, typer.Option(help="Cardiac phases that are written as DICOM SEG.")
    ] = SegPhases.ED_ES,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Analyse every study in INPUT: sort, segment, measure, report.

    Writes report.html, report.pdf, measurements.json and .csv, the segmentation, run.json and,
    for a DICOM study, dicom/ into OUT; for several studies, one such folder a study under OUT.
    """
    from opencmr.batch import analyze_studies
    from opencmr.imaging.study import Demographics
    from opencmr.models.session import Networks
    from opencmr.pipeline import Configuration

    configuration = Configuration(
        model=model,
        demographics=Demographics(
            sex=console.parse_sex(sex),
            age_years=age,
            height_cm=height_cm,
            weight_kg=weight_kg,
            heart_rate_bpm=heart_rate,
        ),
        seg_phases=seg_phases,
        ranges=console.read_ranges(ranges),
    )
    inputs = places_read(source, ed, es)
    with (
        storage.result_folder(output, overwrite=overwrite, inputs=inputs) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        networks = Networks()
        with read_input(source, ed, es, console.parse_spacing(spacing), progress) as studies:
            outcomes = analyze_studies(studies, configuration, folder, output, progress, networks)
    tell(outcomes, studies.left_out, networks.remarks, as_json=as_json, quiet=quiet)


def tell(
    outcomes: "Sequence[Outcome]",
    left_out: "Sequence[LeftOut]",
    remarks: "Sequence[str]",
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say what became of each study, for people or for machines, and end with its status."""
    from opencmr.batch import exit_status

    for remark in remarks:
        console.say(remark, quiet=quiet)
    status = exit_status(outcomes, left_out)
    if as_json:
        console.print_json(
            {
                "exit_status": status,
                "studies": [outcome.summary for outcome in outcomes],
                "left_out": [row.plain for row in left_out],
            }
        )
    for outcome in outcomes:
        console.say(outcome.text, quiet=quiet or as_json)
    for row in left_out:
        console.say(f"left out: {row.count} x {row.what}: {row.reason}", quiet=quiet or as_json)
    if status:
        raise typer.Exit(status)


def places_read(*sources: Path | None) -> list[Path]:
    """Return what is read of each input: of a DICOMDIR, the folder round it."""
    named = [source for source in sources if source is not None]
    return [source.parent if source.name.upper() == "DICOMDIR" else source for source in named]


def read_input(
    source: Path | None,
    ed: Path | None,
    es: Path | None,
    spacing_mm: tuple[float, float, float] | None,
    progress: Progress,
) -> "Studies":
    """Read what INPUT, or ``--ed`` and ``--es``, names."""
    from opencmr.intake.studies import read_pair, read_studies

    if ed is not None or es is not None:
        if source is not None or ed is None or es is None:
            raise ConfigurationError("--ed and --es go together, without INPUT")
        console.require_file(ed, "--ed")
        console.require_file(es, "--es")
        return read_pair(ed, es, spacing_mm=spacing_mm)
    if source is None:
        raise ConfigurationError("name an INPUT: a file, folder, zip or DICOMDIR; or --ed and --es")
    console.require_file(source, "the input")
    return read_studies(source, spacing_mm=spacing_mm, progress=progress)
