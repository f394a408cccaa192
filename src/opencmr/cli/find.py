"""``opencmr find``: the studies that an archive holds."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr.cli import archives, console

if TYPE_CHECKING:
    from opencmr.archive.archive import FoundStudy

HEAD = ("date", "patient ID", "name", "modalities", "instances", "study UID", "description")


def find(
    peer: archives.PeerName,
    patient_id: Annotated[str, typer.Option(help="PatientID; * and ? stand for others.")] = "",
    date: Annotated[str, typer.Option(help="YYYYMMDD, or a range YYYYMMDD-YYYYMMDD.")] = "",
    study: Annotated[str, typer.Option(help="StudyInstanceUID.")] = "",
    modality: Annotated[str, typer.Option(help="Of any series; MR, unless it is empty.")] = "MR",
    peers: archives.PeersFile = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """List the studies that PEER holds, on standard output alone: the list names patients."""
    from opencmr.archive.archive import MOST_STUDIES, Query

    query = Query(patient_id, date, study, modality)
    found = archives.archive_of(peer, peers).find(query)
    if as_json:
        console.print_json([asdict(one) for one in found])
    else:
        rows = [HEAD, *map(_row, found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows if found else ():
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo("  ".join(cells).rstrip())
    is_silent = quiet or as_json
    console.say(f"studies: {len(found)}", quiet=is_silent)
    if len(found) >= MOST_STUDIES:
        console.say("there may be more; ask for a date or a patient", quiet=is_silent)


def _row(study: "FoundStudy") -> tuple[str, ...]:
    cells = (
        study.study_date,
        study.patient_id,
        study.patient_name,
        " ".join(study.modalities),
        "" if study.instances is None else str(study.instances),
        study.study_instance_uid,
        study.description,
    )
    return tuple(map(_printable, cells))


def _printable(text: str) -> str:
    """Return a text of a peer without what could steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
