"""The application entity that is called: verification, storage, its commitment, queries (PS3.4)."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from pydicom import uid as uids
from pydicom.dataset import Dataset
from pynetdicom import AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from opencmr.archive import tls
from opencmr.archive.association import silence_pynetdicom
from opencmr.archive.audit import Entry, Event, Outcome, Record, unrecorded
from opencmr.archive.caller import answer, caller_of
from opencmr.archive.commitment import Commitments
from opencmr.archive.confirmation import Confirmations
from opencmr.archive.connections import (
    LARGEST_PDU_BYTES,
    BoundedEntity,
    BoundedSocket,
    Caps,
    start,
)
from opencmr.archive.identifiers import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from opencmr.archive.index import Index
from opencmr.archive.moves import Moves
from opencmr.archive.names import require_ae_title
from opencmr.archive.peers import DimsePeer
from opencmr.archive.push_model import PROCESSING_FAILURE, PUSH_MODEL
from opencmr.archive.queries import Queries
from opencmr.archive.store import NOT_STORED, NotKeptError, Received, Store
from opencmr.errors import ConfigurationError

VERIFICATION = "1.2.840.10008.1.1"
TRANSFER_SYNTAXES = (
    uids.ExplicitVRLittleEndian,
    uids.ImplicitVRLittleEndian,
    uids.ExplicitVRBigEndian,
    uids.RLELossless,
    uids.JPEGBaseline8Bit,
    uids.JPEGExtended12Bit,
    uids.JPEGLossless,
    uids.JPEGLosslessSV1,
    uids.JPEGLSLossless,
    uids.JPEGLSNearLossless,
    uids.JPEG2000Lossless,
    uids.JPEG2000,
    uids.HTJ2KLossless,
    uids.HTJ2KLosslessRPCL,
    uids.HTJ2K,
)
"""Not the deflated one: a megabyte of it may unpack to a gigabyte."""
PDU_BYTES = 256 << 10
"""What we ask peers to keep to; four times as much is still read."""
SUCCESS = 0x0000
CALLING_AE_NOT_RECOGNISED = (0x01, 0x01, 0x03)
"""Result, source and reason (PS3.8 table 9-21)."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: our certificate and its key, and who signs the peers' certificates.

    Attributes
    ----------
    authority : Path or None
        None lets in peers without a certificate.
    """

    certificate: Path
    key: Path
    authority: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what hands are shaken with.

        Raises
        ------
        ConfigurationError
            When a file cannot be read, or they do not belong together.
        """
        return tls.called(
            self.certificate, self.key, self.authority, is_mutual=self.authority is not None
        )


@dataclass(frozen=True, slots=True)
class Door:
    """Where the node listens, and for whom.

    Attributes
    ----------
    callers : sequence of str
        Who may call, as ``AET`` or ``AET@HOST`` with the address of a host; empty for everybody
        who can reach the port.  A title is a claim, not a proof: only certificates are.
    """

    aet: str = "OPENCMR"
    host: str = "127.0.0.1"
    port: int = 11112
    callers: Sequence[str] = ()
    tls: Tls | None = None
    is_insecure: bool = False
    caps: Caps = field(default_factory=Caps)

    def __post_init__(self) -> None:
        require_ae_title(self.aet)
        for caller in self.callers:
            aet, _, host = caller.partition("@")
            require_ae_title(aet)
            if host:
                _require_address(host, caller)
        _require_address(self.host, "--host")
        is_open = not ip_address(self.host).is_loopback and self.tls is None
        if is_open and not self.is_insecure:
            raise ConfigurationError(
                f"{self.host} is reachable from other machines, and patients' data would cross "
                "the network in clear; give --tls-certificate and --tls-key, or --insecure where "
                "the network itself is protected"
            )

    @property
    def may_be_asked(self) -> bool:
        """Whether who calls is told which patients are here.

        From this machine, and from others where it is known who calls, by list or certificate.
        """
        is_known = bool(self.callers) or (self.tls is not None and self.tls.authority is not None)
        return is_known or ip_address(self.host).is_loopback

    def lets_in(self, aet: str, host: str) -> bool:
        """Whether a caller with this title and address is on the list."""
        allowed = {tuple(caller.partition("@")[::2]) for caller in self.callers}
        return not allowed or bool(allowed & {(aet, ""), (aet, host)})


def _require_address(host: str, where: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        raise ConfigurationError(
            f"{where}: {host!r} is no address of a host, such as 10.1.2.3 or ::1"
        ) from None


class Receiver:
    """Receives until it is closed.

    Parameters
    ----------
    door : Door
    store : Store
    commitments : Commitments
    tell : callable
        Given a line on what was refused, without identifiers.
    confirmations : Confirmations or None
        Told what destinations report on what was sent to them.
    record : callable
        Told of the audit trail's events: who was not let in, how many instances came from whom,
        who asked for what.
    index : Index or None
        What queries are answered from; None, or a door where nobody may ask, offers neither
        queries nor retrieval.
    destinations : mapping from AE title to DimsePeer
        Where retrieval may send to.

    Raises
    ------
    ConfigurationError
        When the port cannot be had.
    """

    def __init__(
        self,
        door: Door,
        store: Store,
        commitments: Commitments,
        tell: Callable[[str], None] = lambda _: None,
        *,
        confirmations: Confirmations | None = None,
        record: Record = unrecorded,
        index: Index | None = None,
        destinations: Mapping[str, DimsePeer] | None = None,
    ) -> None:
        self._confirmations = confirmations
        self._record = record
        self._kept: dict[Association, int] = {}
        self._door = door
        self._store = store
        self._commitments = commitments
        self._tell = tell
        silence_pynetdicom()
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._on_request),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_RELEASED, self._on_end),
            (evt.EVT_ABORTED, self._on_end),
            (evt.EVT_CONN_CLOSE, self._on_end),
            (evt.EVT_DIMSE_RECV, _on_whole_message),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_N_ACTION, self._on_action),
            (evt.EVT_N_EVENT_REPORT, self._on_report),
        ]
        entity = _entity(door.aet)
        retrieval = {}
        if index is not None and door.may_be_asked:
            entity.add_supported_context(STUDY_ROOT_FIND)
            entity.add_supported_context(STUDY_ROOT_MOVE)
            queries = Queries(index, door.aet, tell, self._write)
            handlers.append((evt.EVT_C_FIND, queries.on_find))
            retrieval["serve_move"] = Moves(index, destinations or {}, tell, self._write).serve
        context = door.tls.context() if door.tls is not None else None
        try:
            self._server = start(
                entity,
                (door.host, door.port),
                handlers,
                context,
                door.caps,
                self._on_untrusted,
                **retrieval,
            )
        except OSError as error:
            raise ConfigurationError(
                f"port {door.port} of {door.host} cannot be had: {error.strerror}; "
                "name another with --port"
            ) from error

    @property
    def port(self) -> int:
        """The port, also where the system was asked to choose one."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Receive nothing more; what is being stored is finished or was not acknowledged."""
        self._server.shutdown()
        self._server.close_connections()

    def _on_request(self, event: evt.Event) -> None:
        if not self._door.lets_in(*caller_of(event.assoc)):
            self._tell("refused an association: the caller is not on the list (--accept)")
            event.assoc.acse.send_reject(*CALLING_AE_NOT_RECOGNISED)
            self._refused(event, "the caller is not on the list")
            event.assoc.kill()

    def _on_rejected(self, event: evt.Event) -> None:
        self._refused(event, "the association is rejected: another title was called, or too many")

    def _on_untrusted(self, address: str) -> None:
        what = "no TLS connection came about: no TLS, too old a version, or no trusted certificate"
        self._write(Entry(Event.NODE_AUTHENTICATION, what, Outcome.MINOR_FAILURE, address=address))

    def _refused(self, event: evt.Event, what: str) -> None:
        caller, address = caller_of(event.assoc)
        self._write(Entry(Event.NODE_AUTHENTICATION, what, Outcome.MINOR_FAILURE, caller, address))

    def _write(self, entry: Entry) -> None:
        try:
            self._record(entry)
        except OSError:
            self._tell("the audit trail cannot be written; is the disk full?")

    def _on_end(self, event: evt.Event) -> None:
        count = self._kept.pop(event.assoc, 0)
        if count:
            caller, address = caller_of(event.assoc)
            self._write(
                Entry(
                    Event.INSTANCES_TRANSFERRED,
                    "instances were received and kept",
                    caller=caller,
                    address=address,
                    instances=count,
                )
            )

    def _on_store(self, event: evt.Event) -> int | Dataset:
        request = cast(C_STORE, event.request)
        try:
            received = Received(
                sop_class_uid=str(request.AffectedSOPClassUID or ""),
                sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),
                transfer_syntax_uid=str(event.context.transfer_syntax),
                dataset=request.DataSet.getvalue() if request.DataSet else b"",
            )
            self._store.keep(received)
        except NotKeptError as error:
            self._tell(f"refused an instance (0x{error.status:04X}): {error}")
            return answer(error.status, str(error))
        except Exception as error:  # its message may quote a header
            self._tell(f"refused an instance: unexpected failure ({type(error).__name__})")
            return answer(NOT_STORED, "unexpected failure")
        self._kept[event.assoc] = self._kept.get(event.assoc, 0) + 1
        return SUCCESS

    def _on_action(self, event: evt.Event) -> tuple[int | Dataset, None]:
        requestor = event.assoc.requestor
        try:
            asked = event.action_information
        except Exception:
            asked = Dataset()
        return self._commitments.ask(requestor.ae_title.strip(), event.action_type, asked), None

    def _on_report(self, event: evt.Event) -> tuple[int, None]:
        try:
            if self._confirmations is not None:
                return self._confirmations.heard(event.event_type, event.event_information), None
        except Exception as error:  # its message may quote what came
            self._tell(f"a report was not kept: unexpected failure ({type(error).__name__})")
        return PROCESSING_FAILURE, None


def _entity(aet: str) -> BoundedEntity:
    entity = BoundedEntity(aet)
    entity.require_called_aet = True
    entity.maximum_pdu_size = PDU_BYTES
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax or "", list(TRANSFER_SYNTAXES))
    entity.add_supported_context(VERIFICATION)
    # In both roles: we are asked, and are told what we asked.
    entity.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    assert entity.maximum_pdu_size < LARGEST_PDU_BYTES
    return entity


def _on_whole_message(event: evt.Event) -> None:
    if isinstance(event.assoc.dul.socket, BoundedSocket):
        event.assoc.dul.socket.unread_bytes = 0
