"""``opencmr fetch``: a study from an archive into a folder."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr import storage
from opencmr.cli import archives, console

PRIVATE = 0o700


def fetch(
    peer: archives.PeerName,
    study: Annotated[str, typer.Option(metavar="UID", help="StudyInstanceUID.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="New folder, for you alone.")
    ],
    peers: archives.PeersFile = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Fetch a study from PEER, whole or not at all.

    File names are hashes; the files name the patient as the archive has them. Exit status 4
    where PEER holds no such study.
    """
    archive = archives.archive_of(peer, peers)
    with (
        storage.result_folder(output, overwrite=False) as folder,
        console.progress_bar(quiet=quiet) as progress,
    ):
        folder.chmod(PRIVATE)
        count = archive.fetch(study, folder, archives.ticking(progress, "fetch"))
    if as_json:
        console.print_json({"instances": count, "folder": str(output)})
    console.say(f"{count} instances: {output}", quiet=quiet or as_json)
