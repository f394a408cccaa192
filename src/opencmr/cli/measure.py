"""``opencmr measure``: the whole report from labels or contours that a reader drew."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.seg_types import SegType
from opencmr.cli import console
from opencmr.cli.analyze import places_read, read_input, tell
from opencmr.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from opencmr.imaging.given_contours import GivenContours
    from opencmr.imaging.given_labels import GivenLabels
    from opencmr.imaging.given_outlines import GivenOutlines
    from opencmr.imaging.given_segments import GivenSegments


def measure(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="The study (file, folder, zip, DICOMDIR), or its exported image."
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Labels on the grid of one series of INPUT: NIfTI, a DICOM Segmentation object, "
            "or a folder of these; or contours on its pictures, a DICOM RT Structure Set.",
            show_default=False,
        ),
    ] = None,
    contours: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="In place of --labels: polygon files of the left ventricle, one for each image "
            "and surface, named as of Sunnybrook (IM-0001-0059-icontour-manual.txt); INPUT is the "
            "DICOM study.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Result folder.")
    ] = Path("opencmr-result"),
    author: Annotated[str, typer.Option(help="Who drew or corrected them.")] = "reader",
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
    synthetic_haematocrit: console.SyntheticHaematocrit = False,
    spacing: console.Spacing = None,
    sequence: console.StatedSequence = None,
    ranges: console.RangesFile = None,
    model: console.ModelName = None,
    seg_phases: console.SegPhasesWritten = SegPhases.ED_ES,
    seg_type: console.SegTypeWritten = SegType.BINARY,
    previous: console.Previous = None,
    same_patient: console.SamePatient = False,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Measure one study from labels or contours made elsewhere, and report as analyze does.

    They say which series is measured: the one on whose grid labels lie, or whose images contours
    name by number. Everything else in the study is analysed as usual.
    """
    from opencmr.batch.one_study import analyze_only
    from opencmr.imaging.study import Demographics
    from opencmr.intake.contours import read_contours
    from opencmr.intake.dicom.given import read_given_objects
    from opencmr.intake.dicom.label_objects import is_dicom
    from opencmr.intake.nifti.given import read_given_labels
    from opencmr.pipeline import Configuration
    from opencmr.report.earlier import earlier_result

    if (labels is None) == (contours is None):
        raise ConfigurationError("give the labels (--labels) or the contours (--contours)")
    if contours is not None and (original, scheme) != (None, None):
        raise ConfigurationError("--derived-from and --scheme belong to --labels")
    if labels is not None:
        console.require_file(labels, "--labels")
    are_dicom = labels is not None and is_dicom(labels)
    if are_dicom and (original, scheme) != (None, None):
        raise ConfigurationError("--derived-from and --scheme belong to labels as NIfTI")
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
        may_use_synthetic_haematocrit=synthetic_haematocrit,
    )
    own_ranges = console.read_ranges(ranges)
    earlier = earlier_result(previous, is_same_patient=same_patient)
    inputs = places_read(source, labels, contours, original, previous)
    with (
        storage.result_folder(output, overwrite=overwrite, inputs=inputs) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        given: GivenLabels | GivenContours | GivenOutlines | GivenSegments
        if labels is not None and are_dicom:
            given = read_given_objects(labels, author=author, series=series)
        elif labels is not None:
            given = read_given_labels(
                labels,
                author=author,
                scheme=scheme,
                original=original,
                series=series,
                spacing_mm=spacing_mm,
            )
        else:
            assert contours is not None
            given = read_contours(contours, author=author, series=series)
        configuration = Configuration(
            model,
            body,
            seg_phases=seg_phases,
            seg_type=seg_type,
            ranges=own_ranges,
            labels=given,
            sequence=console.technique_of(sequence),
            previous=earlier,
            is_same_patient=same_patient,
        )
        with read_input(source, None, None, spacing_mm, progress) as studies:
            if len(studies) != 1:
                raise InputError(
                    f"the input holds {len(studies)} studies; name the one that the labels "
                    "or contours belong to"
                )
            outcomes, remarks = analyze_only(
                studies, configuration, folder, output, progress, supersedes=output
            )
    for remark in remarks:
        console.say(remark, quiet=quiet)
    tell(outcomes, studies.left_out, as_json=as_json, quiet=quiet)
