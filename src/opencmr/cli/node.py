"""``opencmr node``: studies come in from the network, results go back."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from opencmr.cli import archives, console
from opencmr.errors import ConfigurationError

GIB = 1 << 30


def node(
    folder: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Where instances, index and results are kept.", show_default=False
        ),
    ],
    aet: Annotated[str, typer.Option(help="Our AE title.")] = "OPENCMR",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 11112,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AET[@ADDRESS]",
            help="Who may call; again for more. Everybody where not given; then queries from "
            "other machines are answered only by --tls-authority.",
        ),
    ] = None,
    send_to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PEER",
            help="Where results are sent: an archive of the peers file, or AET@HOST:PORT; "
            "again for more.",
        ),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PEER",
            help="Who may ask for storage commitment and is called with the answer, and where "
            "C-MOVE may send to; as --send-to, whose peers may, too.",
        ),
    ] = None,
    peers: archives.PeersFile = None,
    quiet_seconds: Annotated[
        float, typer.Option(min=1, help="A study for which nothing came so long is complete.")
    ] = 30.0,
    expect: Annotated[
        int | None,
        typer.Option(min=1, help="A study of so many instances is complete at once."),
    ] = None,
    model: console.ModelName = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE.pem", help="Our certificate: TLS 1.2 or newer.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE.pem", help="Our certificate's key.")
    ] = None,
    tls_authority: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.pem", help="Who signs peers' certificates; none without is let in."
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Without TLS also beyond this machine, both ways.")
    ] = False,
    most_associations: Annotated[
        int, typer.Option(min=1, max=100, help="Associations at once.")
    ] = 25,
    least_free_gib: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Below so much free space nothing is accepted. 5 GiB or 5 % of the disk, "
            "whichever is more, where not given.",
            show_default=False,
        ),
    ] = None,
    check_audit: Annotated[
        bool,
        typer.Option("--check-audit", help="Check the folder's audit trail, and end."),
    ] = False,
    quiet: console.Quiet = False,
    verbose: console.Verbose = False,
) -> None:
    """Receive studies, analyse each when it is complete, and send the results.

    Runs until it is stopped (SIGTERM or Ctrl-C); the same command again goes on where it was
    stopped or killed. Needs the extra serve. It calls only the addresses that are given.
    """
    try:
        from opencmr.archive.address import as_peer, parse_address
        from opencmr.archive.archive import open_archive
        from opencmr.archive.audit import AUDIT_FILE, entries
        from opencmr.archive.connections import Caps
        from opencmr.archive.node import AnalyzeReceived, Node, Rules
        from opencmr.archive.peers import DimsePeer, Peer, find_peer
        from opencmr.archive.receiver import Door, Tls
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the node needs {error.name}, which is not installed; "
            "install it with: pip install 'opencmr[serve]'"
        ) from error

    if check_audit:
        console.require_file(folder / AUDIT_FILE, "the audit trail of --folder")
        count = sum(1 for _ in entries(folder / AUDIT_FILE))
        console.say(f"{count} entries, each follows from the one before it", quiet=quiet)
        return
    if (tls_certificate is None) != (tls_key is None):
        raise ConfigurationError("--tls-certificate and --tls-key go together")
    if tls_authority is not None and tls_certificate is None:
        raise ConfigurationError("--tls-authority goes with --tls-certificate and --tls-key")
    tls = None
    if tls_certificate is not None and tls_key is not None:
        tls = Tls(tls_certificate, tls_key, tls_authority)
    door = Door(
        aet=aet,
        host=host,
        port=port,
        callers=accept or (),
        tls=tls,
        is_insecure=insecure,
        caps=Caps(associations=most_associations),
    )

    def named(name: str) -> Peer:
        if "@" in name:
            return as_peer(parse_address(name), aet, is_insecure=insecure)
        return find_peer(name, peers)

    destinations = {name: named(name) for name in send_to or ()}
    askers = [named(name) for name in peer or ()]
    if not all(isinstance(one, DimsePeer) for one in askers):
        raise ConfigurationError("--peer names an archive of kind dimse: it is called by DIMSE")
    askers += destinations.values()
    rules = Rules(
        quiet_s=quiet_seconds,
        expected=expect,
        least_free_bytes=None if least_free_gib is None else int(least_free_gib * GIB),
    )
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with Node(
        folder,
        door,
        AnalyzeReceived(model),
        destinations={name: open_archive(name, one) for name, one in destinations.items()},
        peers=[one for one in askers if isinstance(one, DimsePeer)],
        rules=rules,
        tell=lambda line: console.say(line, quiet=quiet),
    ) as running:
        console.say(f"{aet} listens on {host}, port {running.port}", quiet=quiet)
        if not door.may_be_asked:
            console.say(
                "queries are not answered: say by --accept or --tls-authority who may ask",
                quiet=quiet,
            )
        console.say_if_no_pdf(quiet=quiet)
        while not stopped.wait(1.0):  # a wait without end would hold up signals on Windows
            pass
        console.say("stopping", quiet=quiet)
