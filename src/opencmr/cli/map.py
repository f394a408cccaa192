"""``opencmr map``: relaxation times of every pixel from a series of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencmr import storage
from opencmr.anatomy.map_kinds import MapKind
from opencmr.cli import console
from opencmr.errors import ConfigurationError
from opencmr.imaging.flag import About, QualityFlag

if TYPE_CHECKING:
    from opencmr.imaging.relaxation import RelaxationSeries
    from opencmr.measure.relaxometry.method import Method
    from opencmr.measure.relaxometry.of_series import SeriesMap

PARTS = {"": "values_ms", "_se": "standard_error_ms", "_residual": "residual"}
"""What stands after the output's name, and the part of the map that is written there."""


def map_relaxation(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="DICOM series (folder, zip, file) or 4-D NIfTI."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.nii.gz")],
    kind: Annotated[MapKind, typer.Option(help="The relaxation time.")],
    scheme: Annotated[
        str | None,
        typer.Option(
            help="MOLLI, ShMOLLI, SASHA or IR, with counts such as 'MOLLI 5(3)3' or without; in "
            "place of what the input names."
        ),
    ] = None,
    no_motion_correction: Annotated[
        bool,
        typer.Option(
            "--no-motion-correction",
            help="Leave pictures that moved in the plane where they lie.",
        ),
    ] = False,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Fit T1, T2 or T2* in every pixel and write the map in ms.

    Beside it: OUT_se.nii.gz, the standard error in ms, OUT_residual.nii.gz, what the curve
    leaves in the unit of the pictures, and OUT.json, how it was made.  What cannot be fitted is
    NaN.  Pictures that moved in the plane are laid on one another where the curve fits the better
    for it.  A NIfTI file needs the time of each picture in a JSON file of its own name.
    """
    from opencmr.intake.nifti.write import sidecar_of, write_map_nifti
    from opencmr.intake.relaxation_series import is_nifti, read_relaxation_series
    from opencmr.measure.relaxometry.of_series import map_of_series, method_of

    console.require_file(source, "the input")
    files = _files(output)
    record = sidecar_of(output)
    console.require_own_json(record, frozenset({"map", "curve"}), "the map")
    like = source if is_nifti(source) else None
    inputs = (source, sidecar_of(source)) if like else (source,)
    written = [*files.values(), record]
    with (
        storage.result_files(*written, overwrite=overwrite, inputs=inputs) as place,
        console.progress_bar(quiet=quiet) as progress,
    ):
        series = read_relaxation_series(source, kind, scheme=scheme, progress=progress)
        method = method_of(series, kind)
        mapped = map_of_series(series, method, corrects_motion=not no_motion_correction)
        for suffix, path in files.items():
            write_map_nifti(
                place / path.name,
                getattr(mapped.found, PARTS[suffix]),
                grid=series.image.grid if series.has_geometry else None,
                like=like,
            )
        flags = (*series.flags, *mapped.motion.flags(About()))
        told = _record(series, method, mapped, flags, sought=not no_motion_correction)
        storage.write_json(place / record.name, told)
    for remark in series.remarks:
        console.say(remark, quiet=quiet)
    if mapped.motion.sentence:
        console.say(mapped.motion.sentence, quiet=quiet)
    for flag in flags:
        console.say(f"{flag.severity.value}: {flag.code}: {flag.message}", quiet=quiet)
    if as_json:
        console.print_json({"output": [str(path) for path in written], **told})
    else:
        console.say(
            f"{kind.value} of {told['fitted_pixels']} of {told['pixels']} pixels, median "
            f"{told['median_ms']} ms; wrote {output}",
            quiet=quiet,
        )


def _files(output: Path) -> dict[str, Path]:
    """Return the path of each part by its suffix."""
    for end in (".nii.gz", ".nii"):
        if output.name.endswith(end) and output.name != end:
            stem = output.name.removesuffix(end)
            return {suffix: output.with_name(f"{stem}{suffix}{end}") for suffix in PARTS}
    raise ConfigurationError(f"the output {output.name} must end in .nii or .nii.gz")


def _record(
    series: "RelaxationSeries",
    method: "Method",
    mapped: "SeriesMap",
    flags: Sequence[QualityFlag],
    *,
    sought: bool,
) -> dict[str, Any]:
    """Return how a map was made, as programs read it."""
    import numpy as np

    from opencmr import __version__

    times_ms = series.along.times_ms
    values_ms, motion = mapped.found.values_ms, mapped.motion
    found = values_ms[np.isfinite(values_ms)]
    described: dict[str, Any] = {
        "map": method.kind.value,
        "unit": "ms",
        "scheme": method.scheme.value if method.kind is MapKind.T1 else None,
        "curve": method.curve,
        "polarity": ("restored" if mapped.magnitude else "as stored")
        if method.restores_polarity
        else "not needed",
        "times_ms": [_plain(one) for one in times_ms[:, 0]]
        if (times_ms == times_ms[:, :1]).all()
        else [[_plain(one) for one in row] for row in times_ms.T],
        "pixels": values_ms.size,
        "fitted_pixels": int(found.size),
        "median_ms": round(float(np.median(found)), 3) if found.size else None,
        "geometry_known": series.has_geometry,
        "remarks": list(series.remarks),
        "flags": [
            {"severity": f.severity.value, "code": f.code, "message": f.message} for f in flags
        ],
        "motion": {
            "moved_pictures": motion.moved,
            "shifts_px": motion.shifts_px.transpose(1, 0, 2).round(3).tolist(),
            "greatest_shift_mm": round(motion.greatest, 2) if motion.spacing_mm else None,
            "misfit_before": _significant(motion.misfit and motion.misfit[0]),
            "misfit_after": _significant(motion.misfit and motion.misfit[1]),
        }
        if sought
        else None,
        "sources": len(series.image.sources),
        "made_with": f"opencmr {__version__}",
        "disclaimer": "Research use only, not for diagnosis.",
    }
    return described


def _plain(time_ms: float) -> float | None:
    """Return a time as JSON knows it: none for a picture without preparation."""
    return round(float(time_ms), 6) if time_ms < float("inf") else None


def _significant(misfit: float | None) -> float | None:
    """Return a misfit, whose unit is the pictures' own, by four digits."""
    return None if misfit is None else float(f"{misfit:.4g}")
