"""``opencmr demo``: simulate a heart, analyse it, show truth beside measurement."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.cli import simulate as simulated

STUDY_FOLDER = "simulated-study"
TISSUE_SERIES = ("lge", "molli", "post-molli", "t2", "t2star")
SCAR_SHARE = 0.12
"""Of the LV mass: a scar that fits a territory of every heart, light or heavy."""


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
    haematocrit: simulated.Haematocrit = 0.42,
    ecv: simulated.Ecv = 26.0,
    scar: simulated.Territory = "LCX",
    scar_mass: Annotated[
        float | None,
        typer.Option(
            "--scar-mass",
            help="Of the scar, no-reflow included, g; by default 12 % of the LV mass.",
        ),
    ] = None,
    transmurality: simulated.Transmurality = 0.75,
    no_reflow: simulated.NoReflow = 0.0,
    overwrite: console.Overwrite = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Run the whole job on the built-in heart and its tissue, and compare with the known truth."""
    from opencmr.batch.exit_status import exit_status
    from opencmr.batch.one_study import analyze_one
    from opencmr.imaging.study import Demographics
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
    tissue = simulated.tissue_of(
        TISSUE_SERIES,
        haematocrit=haematocrit,
        ecv_percent=ecv,
        scar=scar,
        scar_mass_g=SCAR_SHARE * parameters.lv_mass_g if scar_mass is None else scar_mass,
        transmurality=transmurality,
        no_reflow_g=no_reflow,
    )
    with (
        storage.result_folder(output, overwrite=overwrite) as result,
        console.progress_bar(quiet=quiet) as progress,
    ):
        storage.require_temporary_space()
        study = simulate_study(
            parameters,
            protocol=Protocol.small() if small else Protocol(),
            tissue=tissue,
            progress=progress,
        )
        simulated_files = write_dicom(study, result / STUDY_FOLDER)
        with read_studies(result / STUDY_FOLDER, progress=progress) as studies:
            (read,) = studies
            outcome = analyze_one(
                read,
                Configuration(
                    demographics=Demographics(haematocrit=haematocrit), truth=study.whole_truth
                ),
                result,
                output,
                orphans=studies.left_out,
                progress=progress,
                beside=simulated_files,
                supersedes=output,
            )
    console.say(outcome.text, quiet=quiet)
    console.say_if_no_pdf(quiet=quiet)
    console.say(f"\n{'':<14} {'truth':>6} {'measured':>9}", quiet=quiet)
    for symbol, truth in study.whole_truth.items():
        measured = outcome.values.get(symbol)
        shown = "–" if measured is None else f"{measured:.1f}"
        console.say(f"{symbol:<14} {truth:6.1f} {shown:>9}", quiet=quiet)
    if status := exit_status((outcome,), ()):
        raise typer.Exit(status)
