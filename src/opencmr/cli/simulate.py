"""``opencmr simulate``: a digital heart study with known truth."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.cli import console

if TYPE_CHECKING:
    from opencmr.simulate import HeartParameters, TissueParameters

EndDiastolicVolume = Annotated[
    float, typer.Option("--edv", help="LV end-diastolic volume, mL.", show_default=True)
]
EjectionFraction = Annotated[float, typer.Option("--ef", help="LV ejection fraction, %.")]
Mass = Annotated[float | None, typer.Option("--mass", help="LV mass, g.", show_default="115")]
Wall = Annotated[
    float | None, typer.Option("--wall", help="LV wall thickness at end-diastole, mm.")
]
RightVolume = Annotated[float, typer.Option("--rv-edv", help="RV end-diastolic volume, mL.")]
HeartRate = Annotated[float, typer.Option("--heart-rate", help="Beats per minute.")]
Haematocrit = Annotated[float, typer.Option(help="Of the simulated blood, a fraction.")]
Ecv = Annotated[float, typer.Option(help="Extracellular volume of healthy muscle, %.")]
Territory = Annotated[
    str, typer.Option("--scar", help="Scar in the territory of LAD, RCA or LCX; none: no scar.")
]
ScarMass = Annotated[float, typer.Option("--scar-mass", help="Of the scar, no-reflow included, g.")]
Transmurality = Annotated[
    float, typer.Option(help="How far the scar reaches through the wall, 0 to 1.")
]
NoReflow = Annotated[float, typer.Option(help="Of the scar's dark core, g.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides noise, texture and UIDs.")]


def parameters_of(
    *,
    edv_ml: float,
    ef_percent: float,
    mass_g: float | None,
    wall_mm: float | None,
    rv_edv_ml: float,
    heart_rate_bpm: float,
    seed: int,
    rv_ef_percent: float | None = None,
    septum_deg: float = 62.0,
) -> "HeartParameters":
    """Return the digital heart that the options describe."""
    from opencmr.errors import ConfigurationError
    from opencmr.simulate import HeartParameters, mass_of_wall_g

    if mass_g is not None and wall_mm is not None:
        raise ConfigurationError("give --mass or --wall, not both: one follows from the other")
    if wall_mm is not None:
        mass_g = mass_of_wall_g(edv_ml, wall_mm)
    return HeartParameters(
        edv_ml=edv_ml,
        ef_percent=ef_percent,
        lv_mass_g=115.0 if mass_g is None else mass_g,
        rv_edv_ml=rv_edv_ml,
        heart_rate_bpm=heart_rate_bpm,
        seed=seed,
        rv_ef_percent=rv_ef_percent,
        rv_insertion_deg=septum_deg,
    )


def tissue_of(
    series: tuple[str, ...],
    *,
    haematocrit: float,
    ecv_percent: float,
    scar: str,
    scar_mass_g: float,
    transmurality: float,
    no_reflow_g: float,
) -> "TissueParameters":
    """Return the tissue that the options describe."""
    from opencmr.simulate import ScarParameters, TissueParameters

    scarred = None
    if scar.lower() != "none":
        scarred = ScarParameters(scar.upper(), scar_mass_g, transmurality, no_reflow_g)
    return TissueParameters(series, haematocrit=haematocrit, ecv_percent=ecv_percent, scar=scarred)


def simulate(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Folder; must not exist.")
    ],
    edv: EndDiastolicVolume = 150.0,
    ef: EjectionFraction = 60.0,
    mass: Mass = None,
    wall: Wall = None,
    rv_edv: RightVolume = 165.0,
    heart_rate: HeartRate = 68.0,
    rv_ef: Annotated[
        float | None,
        typer.Option(help="RV ejection fraction, %; by default both stroke volumes are equal."),
    ] = None,
    septum: Annotated[
        float, typer.Option(help="RV shape: half the angle of the septum, degrees.")
    ] = 62.0,
    phases: Annotated[
        int | None, typer.Option(help="Cardiac phases of the cines.", show_default="30")
    ] = None,
    seed: Seed = 1,
    nifti: Annotated[
        bool, typer.Option("--nifti", help="Write the short axis as NIfTI, with its true labels.")
    ] = False,
    series_per_slice: Annotated[
        bool, typer.Option(help="One DICOM series a slice, as some scanners write.")
    ] = False,
    small: Annotated[bool, typer.Option(help="A coarse and quick study of eight phases.")] = False,
    with_series: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="NAMES",
            help="Series of tissue too, DICOM alone, such as lge,molli,post-molli,t2,t2star; also "
            "shmolli, sasha.",
        ),
    ] = "",
    haematocrit: Haematocrit = 0.42,
    ecv: Ecv = 26.0,
    scar: Territory = "none",
    scar_mass: ScarMass = 14.0,
    transmurality: Transmurality = 0.75,
    no_reflow: NoReflow = 0.0,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Make a digital heart study with known truth, as DICOM or NIfTI."""
    import dataclasses

    from opencmr.errors import ConfigurationError
    from opencmr.simulate import Protocol, simulate_study, write_dicom, write_nifti

    if os.path.lexists(output):
        raise ConfigurationError(f"{output} exists; name a new folder")
    parameters = parameters_of(
        edv_ml=edv,
        ef_percent=ef,
        mass_g=mass,
        wall_mm=wall,
        rv_edv_ml=rv_edv,
        heart_rate_bpm=heart_rate,
        seed=seed,
        rv_ef_percent=rv_ef,
        septum_deg=septum,
    )
    protocol = Protocol.small() if small else Protocol()
    names = tuple(name.strip().lower() for name in with_series.split(",") if name.strip())
    if names and nifti:
        raise ConfigurationError("--with writes DICOM, which holds the times; leave out --nifti")
    if not names and scar.lower() != "none":
        raise ConfigurationError("a scar is seen in series of tissue; name them, as --with lge")
    tissue = tissue_of(
        names,
        haematocrit=haematocrit,
        ecv_percent=ecv,
        scar=scar,
        scar_mass_g=scar_mass,
        transmurality=transmurality,
        no_reflow_g=no_reflow,
    )
    if phases is not None:
        protocol = dataclasses.replace(protocol, phases=phases)
    with (
        storage.result_folder(output, overwrite=False) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        study = simulate_study(
            parameters, protocol=protocol, tissue=tissue if names else None, progress=progress
        )
        if nifti:
            written = write_nifti(study, folder)
        else:
            written = write_dicom(study, folder, series_per_slice=series_per_slice)
    console.say(f"wrote {len(written)} files to {output}; the truth is in truth.json", quiet=quiet)
