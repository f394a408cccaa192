"""``opencmr deid``: copies of a study without what identifies the patient."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.cli.analyze import places_read
from opencmr.errors import ConfigurationError
from opencmr.intake.dicom.deidentification.dates import Dates

if TYPE_CHECKING:
    from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
    from opencmr.intake.dicom.deidentification.input import Deidentified

PARTLY_WRITTEN = 3
RECORD = "deid.json"
AN_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def deid(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder, zip or DICOMDIR.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Folder; must not exist.")
    ],
    keep_characteristics: Annotated[
        bool,
        typer.Option("--keep-characteristics", help="Keep sex, age, height and weight."),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Secret that makes UIDs, identifiers and shifts; made where it does not exist.",
            show_default=False,
        ),
    ] = None,
    dates: Annotated[
        Dates, typer.Option(help="Shift dates, by one number of days a patient, or remove them.")
    ] = Dates.SHIFT,
    new_id: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Identifier and name of the one patient.", show_default=False
        ),
    ] = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Copy the MR pictures of INPUT without what identifies the patient (DICOM PS3.15 annex E).

    They go to OUT/STUDY/SERIES/NNNN.dcm, deid.json beside them.  UIDs are replaced, the same for
    the same; with the same --key a later run gives the same.  Pictures that may have text burned
    in, and objects that are no MR picture, are refused and listed.  Faces are not looked for.
    Exit status 0; 3 when a DICOM or NIfTI file was refused; 4 when there was nothing to write.
    """
    from opencmr.intake.dicom.deidentification.deidentifier import Deidentifier
    from opencmr.intake.dicom.deidentification.input import deidentify
    from opencmr.intake.dicom.deidentification.key import new_key, read_key, write_key

    console.require_file(source, "the input")
    if new_id is not None and not AN_IDENTIFIER.fullmatch(new_id):
        raise ConfigurationError("--new-id takes up to 64 letters, digits and any of _ . -")
    if key is not None and key.resolve().is_relative_to(output.resolve()):
        raise ConfigurationError("the key would lie with the copies; keep it apart from them")
    is_known = key is not None and key.exists()
    secret = read_key(key) if key is not None and is_known else new_key()
    how = Deidentifier(secret, keep_characteristics, dates, new_id or "")
    with (
        storage.result_folder(output, overwrite=False, inputs=places_read(source)) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        made = deidentify(source, folder, how, progress)
        told = _record(made, how)
        storage.write_json(folder / RECORD, told)
        if key is not None and not is_known:
            write_key(key, secret)
    if as_json:
        console.print_json(told)
    silent = quiet or as_json
    for row in made.refused:
        console.say(f"refused: {row.count} x {row.what}: {row.reason}", quiet=silent)
    studies = len({one.study for one in made.copies})
    console.say(
        f"{told['files']} files in {len(made.copies)} series of {studies} "
        f"{'study' if studies == 1 else 'studies'}",
        quiet=silent,
    )
    if key is None:
        console.say("without --key no later run gives the same identifiers", quiet=silent)
    if not made.is_whole:
        raise typer.Exit(PARTLY_WRITTEN)


def _record(made: "Deidentified", how: "Deidentifier") -> dict[str, Any]:
    """Return what was done, as programs read it."""
    from opencmr import __version__

    studies: dict[str, list[dict[str, Any]]] = {}
    for one in made.copies:
        studies.setdefault(one.study, []).append({"folder": one.series, "files": one.files})
    return {
        "files": sum(one.files for one in made.copies),
        "studies": [{"folder": name, "series": rows} for name, rows in studies.items()],
        "refused": [
            {
                "what": row.what,
                "code": row.reason.code,
                "reason": row.reason.sentence,
                "count": row.count,
            }
            for row in made.refused
        ],
        "options": [{"code": one.value, "meaning": one.meaning} for one in how.options],
        "dates": how.dates.value,
        "made_with": f"opencmr {__version__}",
    }
