"""``opencmr analyze``: the whole pipeline over every study in the input."""

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.seg_types import SegType
from opencmr.cli import archives, console
from opencmr.errors import ConfigurationError
from opencmr.models.precision import Precision
from opencmr.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opencmr.archive.archive import Archive
    from opencmr.imaging.flag import LeftOut
    from opencmr.intake.demographics_table import DemographicsTable
    from opencmr.intake.index import Entry
    from opencmr.intake.studies import Studies
    from opencmr.pipeline import Configuration
    from opencmr.report.outcome import StudyOutcome


class LabelFrom(StrEnum):
    """Where the label of a study comes from."""

    PATH = "path"
    ID = "id"
    NONE = "none"


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
    haematocrit: console.Haematocrit = None,
    synthetic_haematocrit: console.SyntheticHaematocrit = False,
    spacing: console.Spacing = None,
    sequence: console.StatedSequence = None,
    ranges: console.RangesFile = None,
    model: console.ModelName = None,
    precision: console.PrecisionAsked = Precision.F32,
    seg_phases: console.SegPhasesWritten = SegPhases.ED_ES,
    seg_type: console.SegTypeWritten = SegType.BINARY,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Studies at a time, each in a process of its own.")
    ] = 1,
    label_from: Annotated[
        LabelFrom,
        typer.Option(
            help="Label of each of several studies, in cohort.csv and cohort.html alone: its path "
            "in INPUT or its PatientID."
        ),
    ] = LabelFrom.NONE,
    demographics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Height, weight, sex and age by path in INPUT or PatientID; columns path or id, "
            "height_cm, weight_kg, sex, age.",
            show_default=False,
        ),
    ] = None,
    previous: console.Previous = None,
    same_patient: console.SamePatient = False,
    from_peer: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PEER",
            help="Fetch the study from this archive of the peers file, in place of INPUT.",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(metavar="UID", help="With --from: its StudyInstanceUID.", show_default=False),
    ] = None,
    is_sent_back: Annotated[
        bool, typer.Option("--send-back", help="With --from: send dicom/ of the result there.")
    ] = False,
    peers: archives.PeersFile = None,
    overwrite: console.Overwrite = False,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Analyse every study in INPUT: sort, segment, measure, report.

    Writes report.html, measurements.json and .csv, the segmentation, run.json, with the extra
    pdf report.pdf and, for a DICOM study, dicom/ into OUT. For several studies: one such folder a
    study under OUT, put in place when it is done, then cohort.csv, key.csv and cohort.html; the
    same command again goes on where it was stopped.
    """
    from opencmr.batch.cohort import Place, analyze_cohort
    from opencmr.batch.one_study import analyze_only
    from opencmr.imaging.study import Demographics
    from opencmr.intake.demographics_table import read_demographics
    from opencmr.pipeline import Configuration
    from opencmr.report.earlier import earlier_result

    spacing_mm = console.parse_spacing(spacing)
    configuration = Configuration(
        model=model,
        demographics=Demographics(
            sex=console.parse_sex(sex),
            age_years=age,
            height_cm=height_cm,
            weight_kg=weight_kg,
            heart_rate_bpm=heart_rate,
            haematocrit=haematocrit,
            may_use_synthetic_haematocrit=synthetic_haematocrit,
        ),
        seg_phases=seg_phases,
        seg_type=seg_type,
        precision=precision,
        ranges=console.read_ranges(ranges),
        spacing_mm=spacing_mm,
        sequence=console.technique_of(sequence),
        previous=earlier_result(previous, is_same_patient=same_patient),
        is_same_patient=same_patient,
    )
    if demographics is not None:
        console.require_file(demographics, "--demographics")
    table = read_demographics(demographics) if demographics is not None else None
    archive = archive_asked(from_peer, study, peers, is_sent_back=is_sent_back)
    inputs = places_read(source, ed, es, previous)
    with (
        storage.result_folder(output, overwrite=overwrite, inputs=inputs, may_grow=True) as folder,
        console.progress_bar(quiet=quiet) as progress,
        archives.study_from(archive, study, source, progress) as read,
        read_input(read, ed, es, spacing_mm, progress) as studies,
    ):
        if previous is not None and len(studies) > 1:
            raise ConfigurationError(
                f"--previous goes with one study, and the input holds {len(studies)}; name one"
            )
        configurations = [configuration] * len(studies)
        if table is not None:
            configurations = configurations_of(studies, configuration, table)
            if unused := table.unused(studies.entries):
                lines = ", ".join(map(str, unused))
                console.say(f"the demographics: no study for line {lines}", quiet=quiet)
        if len(studies) == 1:
            storage.require_replaceable(output, overwrite=overwrite)
            outcomes, remarks = analyze_only(
                studies, configurations[0], folder, output, progress, supersedes=output
            )
            for remark in remarks:
                console.say(remark, quiet=quiet)
        else:
            folder.rmdir()  # the studies are put in place one by one
            outcomes = analyze_cohort(
                studies,
                configurations,
                Place(output.resolve(), output, overwrite),
                jobs=jobs,
                labels=[label_of(entry, label_from) for entry in studies.entries],
                inputs=[str(base_of(read or inputs[0]) / entry.place) for entry in studies.entries],
                progress=progress,
                tell=lambda line: console.say(line, quiet=quiet),
            )
    try:
        tell(outcomes, studies.left_out, as_json=as_json, quiet=quiet, cohort=output)
    finally:  # a result that is flagged goes back with its flags
        if archive is not None and is_sent_back and not any(one.error for one in outcomes):
            with console.progress_bar(quiet=quiet) as progress:
                sent = archives.send_back(archive, output, progress)
            console.say(f"sent back: {sent.stored}", quiet=quiet or as_json)


def archive_asked(
    name: str | None, study: str | None, peers: Path | None, *, is_sent_back: bool
) -> "Archive | None":
    """Return the archive of ``--from``; nothing where it is not given."""
    if name is None:
        if study is not None or is_sent_back or peers is not None:
            raise ConfigurationError("--study, --send-back and --peers go with --from")
        return None
    return archives.archive_of(name, peers)


def tell(
    outcomes: "Sequence[StudyOutcome]",
    left_out: "Sequence[LeftOut]",
    *,
    as_json: bool,
    quiet: bool,
    cohort: Path | None = None,
) -> None:
    """Say what became of each study, for people or for machines, and end with its status.

    ``cohort``: the folder of several studies' results.
    """
    from opencmr.batch.exit_status import exit_status

    is_silent = quiet or as_json
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
        console.say(outcome.text, quiet=is_silent)
    if any(not outcome.error for outcome in outcomes):
        console.say_if_no_pdf(quiet=is_silent)
    if cohort is not None and len(outcomes) > 1:
        console.say(f"all studies: {cohort / 'cohort.html'}", quiet=is_silent)
    for row in left_out:
        console.say(f"left out: {row.count} x {row.what}: {row.reason}", quiet=is_silent)
    if status:
        raise typer.Exit(status)


def base_of(source: Path) -> Path:
    """Return the folder from which the places of studies in an input are counted."""
    return source if source.is_dir() else source.parent


def label_of(entry: "Entry", label_from: LabelFrom) -> str:
    """Return what a study is called in the table and the page of a cohort."""
    labels = {LabelFrom.NONE: "", LabelFrom.PATH: entry.place, LabelFrom.ID: entry.patient_id}
    return labels[label_from]


def configurations_of(
    studies: "Studies", configuration: "Configuration", table: "DemographicsTable"
) -> "list[Configuration]":
    """Return the configuration of each study: what its row states goes before the options."""
    found = []
    for entry in studies.entries:
        row = table.of(entry)
        stated = asdict(row.stated) if row is not None else {}
        known = {name: value for name, value in stated.items() if value is not None}
        body = replace(configuration.demographics, **known)
        found.append(replace(configuration, demographics=body))
    return found


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
