"""``opencmr sort``: what each series of a study shows."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.cli.analyze import places_read
from opencmr.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from opencmr.imaging.study import Study
    from opencmr.intake.studies import Studies
    from opencmr.report.blocks import Montage
    from opencmr.report.sorted_tree import Copied
    from opencmr.sort.examination import NamedSeries


class Link(StrEnum):
    """How files are linked in place of copies."""

    HARD = "hard"
    SYMBOLIC = "symbolic"


def sort(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="Folder for clean copies; must not exist."
        ),
    ] = None,
    link: Annotated[
        Link | None,
        typer.Option(help="Link the files as they are, identity and all: hard or symbolic."),
    ] = None,
    keep_patient_characteristics: Annotated[
        bool,
        typer.Option("--keep-patient-characteristics", help="Keep sex, age, height and weight."),
    ] = False,
    spacing: console.Spacing = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Name the sequence and the view of every series in INPUT, with a probability and evidence.

    With -o, copies of the DICOM images go to OUT/study-NN/SEQUENCE_VIEW_NN/NNNN.dcm without what
    identifies the patient, sort.json and contact_sheet.html beside them; with --link, links to the
    files as they are.
    Exit status 0, or 4 when no series could be read.
    """
    from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
    from opencmr.intake.studies import read_studies
    from opencmr.report.sorted_rows import plain_row, table_text
    from opencmr.report.sorted_tree import write_tree
    from opencmr.sort.examination import missing

    console.require_file(source, "the input")
    if output is None and (link is not None or keep_patient_characteristics):
        raise ConfigurationError("--link and --keep-patient-characteristics go with -o OUT")
    if link is not None and keep_patient_characteristics:
        raise ConfigurationError("links are the files as they are: nothing is removed from them")
    copied: list[Copied] = []
    sheets: dict[str, Montage] = {}

    def look(key: str, study: "Study | None", rows: "tuple[NamedSeries, ...]") -> None:
        from opencmr.report import contact_sheet

        sheet = contact_sheet.of_series(study, rows)
        sheets.update({key: sheet} if sheet is not None else {})

    with ExitStack() as places:
        if output is not None:
            made = storage.result_folder(output, overwrite=False, inputs=places_read(source))
            folder = places.enter_context(made)
        progress = places.enter_context(console.progress_bar(quiet=quiet))
        studies = places.enter_context(
            read_studies(
                source,
                spacing_mm=console.parse_spacing(spacing),
                progress=progress,
                is_listing_enough=True,
            )
        )
        named = named_of(studies, look if output is not None else None)
        if output is not None:
            how = link or Deidentifier(secrets.token_bytes(16), keep_patient_characteristics)
            _refuse_links_into_archives(source, studies, link)
            copied = write_tree(named, studies.listed, folder, how, sheets)
        left_out = studies.left_out
    if as_json:
        console.print_json([plain_row(one) for rows in named.values() for one in rows])
    else:
        places_of = {one.named.scanned.study_key: one.folder for one in copied if one.folder}
        for key, rows in named.items():
            place = f" in {places_of[key].split('/')[0]}" if key in places_of else ""
            typer.echo(f"study {key}{place}")
            for line in table_text(rows):
                typer.echo(f"  {line}")
            if absent := missing(rows):
                typer.echo(f"  not found of a standard examination: {', '.join(absent)}")
    if output is not None:
        _say_what_was_written(copied, output, link, quiet=quiet)
    for row in left_out:
        console.say(f"left out: {row.count} x {row.what}: {row.reason}", quiet=quiet or as_json)


def _refuse_links_into_archives(source: Path, studies: "Studies", link: Link | None) -> None:
    """Refuse to link to what was unpacked for this run alone."""
    root = places_read(source)[0].resolve()
    files = (path for one in studies.listed for path in one.files)
    if link is not None and not all(path == root or root in path.parents for path in files):
        raise ConfigurationError("files inside an archive cannot be linked; unpack it first")


def _say_what_was_written(
    copied: "list[Copied]", output: Path, link: Link | None, *, quiet: bool
) -> None:
    """Say where the files are, which series have none, and loudly that links hide nothing."""
    for one in copied:
        if one.why_not:
            name = f"{one.named.naming.sequence.value} {one.named.naming.view.value}"
            console.say(f"not in {output}: {name}: {one.why_not}", quiet=quiet)
    if link is not None:
        console.say(
            f"WARNING: {output} links to the files AS THEY ARE: names, dates and identifiers of "
            "the patient are in them.  Nothing was de-identified."
        )
    files = sum(one.files for one in copied)
    console.say(f"{files} files in {sum(bool(one.folder) for one in copied)} folders", quiet=quiet)


def named_of(
    studies: "Studies",
    look: "Callable[[str, Study | None, tuple[NamedSeries, ...]], None] | None" = None,
) -> dict[str, tuple["NamedSeries", ...]]:
    """Return the named series of each study by its key, one study in memory at a time.

    ``look`` sees each study by its key while its pictures are there; None where none was read.
    """
    from opencmr.pipeline import Configuration, sorted_study
    from opencmr.sort.examination import name_series, name_unread
    from opencmr.sort.sorting import choose_sax_cine

    listed = [one.series for one in studies.listed]
    named = {}
    try:
        for one_read in studies:
            study = sorted_study(one_read, Configuration())
            scanned = [one for one in listed if one.study_key == study.key]
            named[study.key] = name_series(study, scanned, choose_sax_cine(study).series)
            if look is not None:
                look(study.key, study, named[study.key])
    except InputError:  # nothing can be analysed; what the headers say is told all the same
        pass
    for key in dict.fromkeys(one.study_key for one in listed):
        if key not in named:
            named[key] = tuple(name_unread(one) for one in listed if one.study_key == key)
            if look is not None:
                look(key, None, named[key])
    return dict(sorted(named.items()))
