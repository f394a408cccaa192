"""``opencmr demo``: simulate a heart, analyse it, show truth beside measurement."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from opencmr.cli import console
from opencmr.cli import simulate as simulated

STUDY_FOLDER = "simulated-study"


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")
    ] = Path("demo"),
    edv: simulated.EndDiastolicVolume = 150.0,
    ef: simulated.EjectionFraction = 60.0,
    mass: simulated.Mass = None,
    wall: simulated.Wall = None,
    rv_edv: simulated.RightVolume = 165.0,
    heart_rate: simulated.HeartRate = 68.0,
    seed: simulated.Seed = 1,
    small: Annotated[bool, typer.Option(help="A coarse and quick study of eight phases.")] = False,
    overwrite: console.Overwrite = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Run the whole job on the built-in heart and compare with its known truth."""
    import shutil

    from opencmr.cli.analyze import analyze_studies
    from opencmr.intake.studies import read_studies
    from opencmr.pipeline import Configuration
    from opencmr.simulate import Protocol, simulate_study, write_dicom

    parameters = simulated.parameters_of(
        edv_ml=edv,
        ef_percent=ef,
        mass_g=mass,
        wall_mm=wall,
        rv_edv_ml=rv_edv,
        heart_rate_bpm=heart_rate,
        seed=seed,
    )
    with (
        console.progress_bar(quiet=quiet) as progress,
        tempfile.TemporaryDirectory(prefix="opencmr-demo-") as folder,
    ):
        study = simulate_study(
            parameters, protocol=Protocol.small() if small else Protocol(), progress=progress
        )
        files = Path(folder) / STUDY_FOLDER
        write_dicom(study, files)
        results = analyze_studies(
            read_studies(files, progress=progress).studies,
            Configuration(truth=study.truth),
            output,
            overwrite,
            progress,
        )
        shutil.move(files, output / STUDY_FOLDER)
    (result,) = results
    console.say(f"report: {result.folder / 'report.html'}", quiet=quiet)
    console.say(f"{'':<8}{'truth':>8}{'measured':>10}", quiet=quiet)
    assert result.report is not None
    for symbol, truth in study.truth.items():
        found = result.report.find(symbol)
        if found is not None:
            unit = found.quantity.unit
            console.say(
                f"{symbol:<8}{found.quantity.format(truth):>8}{found.text:>10} {unit}",
                quiet=quiet,
            )
    if result.withheld:
        raise typer.Exit(3)
