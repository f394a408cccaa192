"""``opencmr store``: DICOM objects to an archive."""

from pathlib import Path
from typing import Annotated

import typer

from opencmr.cli import archives, console
from opencmr.errors import ConfigurationError


def store(
    peer: archives.PeerName,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="DICOM files, or folders that hold them."),
    ] = None,
    echo: Annotated[
        bool, typer.Option("--echo", help="Only ask whether PEER is there and lets us in.")
    ] = False,
    peers: archives.PeersFile = None,
    as_json: console.AsJson = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Send DICOM objects to PEER: for instance, dicom/ of a result.

    What is sent twice is stored once. Exit status 3 where PEER did not store some of the objects,
    1 where it stored none.
    """
    from opencmr.archive.outgoing import dicom_files

    if echo == bool(paths):
        raise ConfigurationError("name a PATH to send, or --echo")
    archive = archives.archive_of(peer, peers)
    if echo:
        archive.echo()
        if as_json:
            console.print_json({"answers": True})
        console.say(f"{peer} answers", quiet=quiet or as_json)
        return
    for path in paths or ():
        console.require_file(path, "the path")
    with console.progress_bar(quiet=quiet) as progress:
        sent = archive.store(dicom_files(paths or ()), archives.ticking(progress, "send"))
    archives.tell_sent(sent, as_json=as_json, quiet=quiet)
