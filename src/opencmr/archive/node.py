"""The node: one folder, one receiver, one queue, one way out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from opencmr import storage
from opencmr.archive.archive import Archive
from opencmr.archive.audit import AUDIT_FILE, Audit
from opencmr.archive.commitment import Commitments
from opencmr.archive.confirmation import Confirmations
from opencmr.archive.database import Database
from opencmr.archive.delivery import Courier
from opencmr.archive.index import Index
from opencmr.archive.peers import DimsePeer
from opencmr.archive.receiver import Door, Receiver
from opencmr.archive.store import Store
from opencmr.archive.worker import QUIET_S, Analyse, Worker

DATABASE_FILE = "node.db"


@dataclass(frozen=True, slots=True)
class AnalyzeReceived:
    """The whole pipeline over a received study, loaded in the process that runs it."""

    model: str | None = None

    def __call__(self, source: Path, result: Path, supersedes: Path | None) -> str:
        """Write the result of a study; return why there is none, or nothing."""
        from opencmr.batch.one_study import analyze_only
        from opencmr.errors import InputError
        from opencmr.intake.studies import read_studies
        from opencmr.pipeline import Configuration

        try:
            with (
                storage.result_folder(result, overwrite=False, inputs=[source]) as folder,
                read_studies(source) as studies,
            ):
                if len(studies) != 1:
                    found = "no study" if not len(studies) else f"{len(studies)} studies"
                    raise InputError(f"expected one study that can be analysed, found {found}")
                configuration = Configuration(model=self.model)
                analyze_only(studies, configuration, folder, result, supersedes=supersedes)
        except InputError as error:
            return str(error)
        return ""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a study is complete, and below how much free space nothing is accepted."""

    quiet_s: float = QUIET_S
    expected: int | None = None
    least_free_bytes: int | None = None


class Node:
    """Everything that runs between start and stop; use it in a ``with``.

    Parameters
    ----------
    folder : Path
        Kept from other processes.
    door : Door
    analyse : callable
    destinations : mapping from name to Archive
        Where every result goes.
    peers : sequence of DimsePeer
        Who may be answered on storage commitment, and who objects are sent to by C-MOVE.
    rules : Rules
    url : str
        Of another database than the folder's own.
    tell : callable
        Given lines for people, without identifiers.

    Raises
    ------
    ConfigurationError
        When another node has the folder, or the port cannot be had.
    InputError
        When the folder's audit trail was changed.
    """

    def __init__(
        self,
        folder: Path,
        door: Door,
        analyse: Analyse,
        *,
        destinations: Mapping[str, Archive] | None = None,
        peers: Sequence[DimsePeer] = (),
        rules: Rules | None = None,
        url: str = "",
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        rules = rules or Rules()
        destinations = destinations or {}
        with ExitStack() as opened:
            opened.enter_context(storage.growing_folder(folder))
            place = folder.resolve()
            audit = opened.enter_context(Audit(place / AUDIT_FILE))
            database = Database(url or f"sqlite:///{place / DATABASE_FILE}")
            opened.callback(database.close)
            store = Store(place, database, least_free_bytes=rules.least_free_bytes)
            opened.callback(store.close)
            if store.quarantined:
                tell(f"{store.quarantined} files that were never acknowledged: in quarantine/")
            by_title = {peer.aet: peer for peer in peers}
            commitments = Commitments(database, store, by_title)
            confirmations = Confirmations(database)
            courier = Courier(
                database,
                place,
                destinations,
                commitments,
                confirmations=confirmations,
                tell=tell,
                record=audit.record,
            )
            opened.callback(courier.stop)
            worker = Worker(
                database,
                store,
                analyse,
                destinations=list(destinations),
                quiet_s=rules.quiet_s,
                expected=rules.expected,
                tell=tell,
            )
            opened.callback(worker.stop)
            index = Index(database, place, tell)
            opened.callback(index.stop)
            self._receiver = Receiver(
                door,
                store,
                commitments,
                tell,
                confirmations=confirmations,
                record=audit.record,
                index=index,
                destinations=by_title,
            )
            opened.callback(self._receiver.close)
            self._opened = opened.pop_all()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._receiver.port

    def __enter__(self) -> "Node":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()
