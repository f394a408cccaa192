"""What the verbs that talk to an archive share: its name, and where peers are named."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencmr import storage
from opencmr.cli import console
from opencmr.errors import ConfigurationError, ExternalServiceError
from opencmr.progress import Progress

if TYPE_CHECKING:
    from opencmr.archive.archive import Archive, Sent, Tick

PARTLY_SENT = 3

PeerName = Annotated[str, typer.Argument(metavar="PEER", help="An archive of the peers file.")]
PeersFile = Annotated[
    Path | None,
    typer.Option(
        "--peers",
        metavar="FILE.toml",
        help="Where archives are named, in place of opencmr/peers.toml in the user's "
        "configuration.",
        show_default=False,
    ),
]


def archive_of(name: str, peers: Path | None) -> "Archive":
    """Return the archive of a name in the peers file; nothing is sent yet."""
    from opencmr.archive.archive import open_archive
    from opencmr.archive.peers import find_peer

    return open_archive(name, find_peer(name, peers))


def ticking(progress: Progress, what: str) -> "Tick":
    """Return what shows instances that come or go as one task."""
    return lambda done, total: progress(what, done, total)


@contextmanager
def study_from(
    archive: "Archive | None", study: str | None, source: Path | None, progress: Progress
) -> Iterator[Path | None]:
    """Yield INPUT as it is, or a study fetched into a private folder that is removed at the end."""
    if archive is None:
        yield source
        return
    if source is not None or study is None:
        raise ConfigurationError("--from goes with --study, without INPUT")
    with storage.spool() as folder:
        archive.fetch(study, folder, ticking(progress, "fetch"))
        yield folder


def send_back(archive: "Archive", result: Path, progress: Progress) -> "Sent":
    """Send the DICOM objects of a result.

    Raises
    ------
    ExternalServiceError
        When not all are stored; the result stays.
    ConfigurationError
        When the result has none.
    """
    objects = sorted((result / "dicom").glob("*.dcm"))
    if not objects:
        raise ConfigurationError(
            f"nothing to send back: {result} has no DICOM objects; not_written in run.json says why"
        )
    sent = archive.store(objects, ticking(progress, "send back"))
    if sent.failures:
        first = next(iter(sent.failures.values()))
        raise ExternalServiceError(
            f"{len(sent.failures)} of {len(objects)} objects were not stored ({first}); send them "
            f"again with: opencmr store PEER {result / 'dicom'}"
        )
    return sent


def tell_sent(sent: "Sent", *, as_json: bool, quiet: bool) -> None:
    """Say what became of each object, and end with 3 where some, 1 where all are not stored."""
    if as_json:
        rows = [{"file": str(path), "reason": why} for path, why in sent.failures.items()]
        console.print_json({"stored": sent.stored, "failures": rows})
    for path, why in sent.failures.items():
        console.say(f"not stored: {path}: {why}", quiet=as_json)
    console.say(f"stored: {sent.stored}", quiet=quiet or as_json)
    if sent.failures:
        raise typer.Exit(PARTLY_SENT if sent.stored else 1)
