"""``opencmr segment``: labels of a NIfTI stack or cine on its own grid."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr.cli import console


def segment(
    source: Annotated[Path, typer.Argument(metavar="IN.nii.gz", help="NIfTI stack or cine.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.nii.gz")],
    labels: Annotated[str, typer.Option(help="Label convention: acdc or mnms.")] = "acdc",
    probabilities: Annotated[
        Path | None,
        typer.Option(
            metavar="SHARES.npz",
            help="Also write the share of each class (C, T, Z, Y, X) as a NumPy archive.",
        ),
    ] = None,
    model: console.ModelName = None,
    spacing: console.Spacing = None,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Segment a short-axis NIfTI stack (3-D) or cine (4-D) onto its own grid."""
    from opencmr.anatomy.reasons import Reason
    from opencmr.anatomy.structures import scheme_named
    from opencmr.anatomy.techniques import Technique
    from opencmr.anatomy.views import View
    from opencmr.errors import ConfigurationError, InputError
    from opencmr.intake.nifti import read_nifti, sidecar_of, write_labels_nifti
    from opencmr.models.session import Networks
    from opencmr.segment.short_axis import segment_short_axis

    console.require_file(source, "the input")
    if not output.name.endswith((".nii", ".nii.gz")):
        raise ConfigurationError(f"the output {output.name} must end in .nii or .nii.gz")
    if source.resolve() == output.resolve():
        raise ConfigurationError("the output is the input; name another file")
    for path in (output, sidecar_of(output), *([probabilities] if probabilities else [])):
        if path.exists() and not overwrite:
            raise ConfigurationError(f"{path} exists; give --overwrite to replace it")
    scheme = scheme_named(labels)
    read = read_nifti(source, spacing_mm=console.parse_spacing(spacing))
    networks = Networks()
    network = networks.segmentation(View.SAX, Technique.CINE, name=model)
    for remark in networks.remarks:
        console.say(remark, quiet=quiet)
    with console.progress_bar(quiet=quiet) as progress:
        segmentation = segment_short_axis(
            read.image,
            network,
            keep_probabilities=probabilities is not None,
            progress=lambda done, total: progress("segmenting", done, total),
        )
    if segmentation is None:
        raise InputError(Reason("NO_HEART_FOUND", "the network sees no heart in this image"))
    output.parent.mkdir(parents=True, exist_ok=True)
    written = write_labels_nifti(
        output, segmentation.to_scheme(scheme), scheme=scheme, like=source, grid=read.image.grid
    )
    if probabilities is not None:
        import numpy as np

        assert segmentation.probabilities is not None
        names = ["background", *(v.value for v in segmentation.scheme.structures.values())]
        with probabilities.open("wb") as target:
            np.savez_compressed(target, shares=segmentation.probabilities, classes=names)
        written.append(probabilities)
    for flag in read.flags:
        console.say(f"{flag.severity.value}: {flag.code}: {flag.message}", quiet=quiet)
    if as_json:
        console.print_json(
            {
                "output": [str(path) for path in written],
                "labels": {str(k): v.value for k, v in scheme.structures.items()},
                "model": network.card.title,
                "flags": [flag.code for flag in read.flags],
            }
        )
    else:
        console.say(f"wrote {output}", quiet=quiet)
