"""``opencmr segment``: labels of a NIfTI stack or cine on its own grid."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.errors import ConfigurationError
from opencmr.models.precision import Precision

if TYPE_CHECKING:
    from opencmr.imaging.segmentation import Segmentation


def segment(
    source: Annotated[Path, typer.Argument(metavar="IN.nii.gz", help="NIfTI stack or cine.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.nii.gz")],
    sequence: Annotated[
        console.StackKind,
        typer.Option(help="How the stack was made: cine, or late enhancement (lge)."),
    ] = console.StackKind.CINE,
    labels: Annotated[
        str, typer.Option(help="Label convention: acdc, mnms or (lge alone) emidec.")
    ] = "acdc",
    probabilities: Annotated[
        Path | None,
        typer.Option(
            metavar="SHARES.npz",
            help="Also write the share of each class (C, T, Z, Y, X) as a NumPy archive.",
        ),
    ] = None,
    model: console.ModelName = None,
    precision: console.PrecisionAsked = Precision.F32,
    spacing: console.Spacing = None,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Segment a short-axis NIfTI stack (3-D) or cine (4-D) onto its own grid.

    Volumes are not judged: any number of slices of a stated spacing gets its labels.
    """
    from opencmr.anatomy.structures import scheme_named
    from opencmr.anatomy.techniques import Technique
    from opencmr.anatomy.views import View
    from opencmr.imaging.flag import QualityFlag, Severity
    from opencmr.intake.nifti.read import read_nifti
    from opencmr.intake.nifti.write import sidecar_of, write_labels_nifti
    from opencmr.models.session import Networks
    from opencmr.quality.small_heart import small_heart_flags
    from opencmr.segment.second_look import look_again
    from opencmr.segment.short_axis import empty_segmentation, segment_short_axis

    console.require_file(source, "the input")
    if not output.name.endswith((".nii", ".nii.gz")):
        raise ConfigurationError(f"the output {output.name} must end in .nii or .nii.gz")
    sidecar = sidecar_of(output)
    console.require_own_json(sidecar, frozenset({"labels", "scheme"}), "the labels")
    scheme = scheme_named(labels)
    written = [output, sidecar, *([probabilities] if probabilities else [])]
    if len({os.path.realpath(path) for path in written}) < len(written):
        raise ConfigurationError("labels and shares need two names")
    with ExitStack() as places:

        def place_of(*targets: Path) -> Path:
            made = storage.result_files(*targets, overwrite=overwrite, inputs=(source,))
            return places.enter_context(made) / targets[0].name

        labels_path = place_of(output, sidecar)
        shares_path = place_of(probabilities) if probabilities else None
        read = read_nifti(source, spacing_mm=console.parse_spacing(spacing))
        networks = Networks(precision=precision)
        technique = Technique[sequence.name]
        network = networks.segmentation(View.SAX, technique, name=model)
        second = networks.second_look(network.card)
        for remark in networks.remarks:
            console.say(remark, quiet=quiet)
        progress = places.enter_context(console.progress_bar(quiet=quiet))
        segmentation = segment_short_axis(
            read.image,
            network,
            keep_probabilities=probabilities is not None,
            progress=lambda done, total: progress("segmenting", done, total),
        )
        if segmentation is not None and second is not None:
            segmentation = look_again(segmentation, read.image, second)
        flags = read.flags
        if segmentation is None:
            segmentation = empty_segmentation(
                read.image, network, keep_probabilities=probabilities is not None
            )
            unseen = "The network sees no heart in this image; the labels are empty."
            flags += (QualityFlag(Severity.REVIEW, "NO_HEART_FOUND", unseen),)
        flags += tuple(small_heart_flags(segmentation))
        write_labels_nifti(
            labels_path,
            segmentation.to_scheme(scheme),
            scheme=scheme,
            like=source,
            grid=read.image.grid,
            flags=flags,
        )
        if shares_path is not None:
            _write_shares(shares_path, segmentation)
    for flag in flags:
        console.say(f"{flag.severity.value}: {flag.code}: {flag.message}", quiet=quiet)
    if as_json:
        console.print_json(
            {
                "output": [str(path) for path in written],
                "labels": {str(k): v.value for k, v in scheme.structures.items()},
                "model": network.card.title,
                "second_look": second.card.title if second else None,
                "precision": network.card.precision.value,
                "flags": [flag.code for flag in flags],
            }
        )
    else:
        console.say(f"wrote {output}", quiet=quiet)


def _write_shares(path: Path, segmentation: "Segmentation") -> None:
    """Write the share of each class as a NumPy archive."""
    import numpy as np

    assert segmentation.probabilities is not None
    names = ["background", *(v.value for v in segmentation.scheme.structures.values())]
    with path.open("wb") as target:
        np.savez_compressed(target, shares=segmentation.probabilities, classes=names)
