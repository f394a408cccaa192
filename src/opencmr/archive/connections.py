"""Connections to the receiver, kept within bounds before a byte of them is believed.

pynetdicom 3.0 shakes hands for TLS inside ``accept``, so that one silent client stops everybody;
counts every open connection as an association; waits for the rest of a message without end; and
reads as many bytes as a length field promises.  Here hands are shaken in the connection's own
thread, connections that have said nothing yet give way to newer ones, and every message has a
largest size and a last moment.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from opencmr.archive.identifiers import STUDY_ROOT_MOVE

ARTIM_S = 8.0
"""How long a connection may say nothing before it asks for an association (PS3.8, 9.1.5)."""
TLS_S = 5.0
PDU_S = 30.0
"""From the first byte of a message to its last."""
LARGEST_PDU_BYTES = 1 << 20
LARGEST_MESSAGE_BYTES = 512 << 20
PIECE_BYTES = 64 << 10
WITHOUT_ASSOCIATION = frozenset({"Sta1", "Sta2", "Sta13"})
"""Before a request and after an end, of the state machine in PS3.8 section 9.2."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How many may be connected.

    Attributes
    ----------
    associations : int
        At once; a further one is rejected for the moment (2/3/2).
    from_one_host : int
        Connections of one host.
    """

    associations: int = 25
    from_one_host: int = 32

    @property
    def connections(self) -> int:
        """Open connections in all, those that have said nothing included."""
        return 2 * self.associations


@dataclass(slots=True, eq=False)
class _Connection:
    request: socket.socket
    host: str
    association: Association | None = None
    is_refused: bool = False

    @property
    def is_over(self) -> bool:
        if self.association is None:
            return self.is_refused
        return self.association.ident is not None and not self.association.is_alive()

    @property
    def is_silent(self) -> bool:
        return not self.is_over and (
            self.association is None or is_without_association(self.association)
        )


def is_without_association(association: Association) -> bool:
    """Whether a connection has not asked for an association yet, or is done with it."""
    return association.dul.state_machine.current_state in WITHOUT_ASSOCIATION


def _tell_nobody(_: str) -> None:
    pass


def _serve_nobody(
    association: Association, _request: C_MOVE, _context: PresentationContext
) -> None:
    association.abort()


class BoundedEntity(ApplicationEntity):
    """Counts as an association what asked for one."""

    @property
    def active_associations(self) -> list[Association]:
        """The associations, without connections that have said nothing yet or are closing."""
        return [one for one in super().active_associations if not is_without_association(one)]


class BoundedServer(ThreadedAssociationServer):
    """Accepts connections within :class:`Caps`, and shakes hands outside the accepting thread."""

    daemon_threads = True
    request_queue_size = 128
    caps = Caps()
    tell_untrusted = staticmethod(_tell_nobody)
    serve_move: Callable[[Association, C_MOVE, PresentationContext], None] = staticmethod(
        _serve_nobody
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._open: list[_Connection] = []
        self._lock = threading.Lock()
        super().__init__(*arguments, **named)
        # Shared, not copied: a copy of all storage classes takes 50 ms a connection.
        self.shared_contexts, self.contexts = self.contexts, []

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return a connection as it is accepted, before any handshake."""
        assert self.socket is not None
        return self.socket.accept()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Admit a connection, in place of a silent one where it is one too many."""
        with self._lock:
            connection = self._admitted(request, str(client_address[0]))
        if connection is None:
            self.shutdown_request(request)
            return
        threading.Thread(target=self._begin, args=(connection, client_address), daemon=True).start()

    def close_connections(self) -> None:
        """End every connection and wait until its threads are gone."""
        with self._lock:
            left, self._open = self._open, []
        for one in left:
            _shut(one.request)
        for one in left:
            if one.association is not None and one.association.ident is not None:
                one.association.join(ARTIM_S)

    def _admitted(self, request: socket.socket, host: str) -> _Connection | None:
        self._open = [one for one in self._open if not one.is_over]
        same = [one for one in self._open if one.host == host]
        for group, most in ((same, self.caps.from_one_host), (self._open, self.caps.connections)):
            if len(group) >= most:
                oldest = next((one for one in group if one.is_silent), None)
                if oldest is None:
                    return None
                _shut(oldest.request)
                self._open = [one for one in self._open if one is not oldest]
        connection = _Connection(request, host)
        self._open.append(connection)
        return connection

    def _begin(self, connection: _Connection, client_address: Any) -> None:
        try:
            if self.ssl_context is not None:
                connection.request.settimeout(TLS_S)
                connection.request = self.ssl_context.wrap_socket(
                    connection.request, server_side=True
                )
            BoundedHandler(cast(Any, connection), client_address, self)
        except (OSError, ssl.SSLError):
            if not isinstance(connection.request, ssl.SSLSocket) and self.ssl_context is not None:
                self.tell_untrusted(connection.host)
            connection.is_refused = True
            self.shutdown_request(connection.request)


class BoundedHandler(RequestHandler):
    """Makes the association of a connection that was admitted, which stands for its request."""

    def setup(self) -> None:
        """Take the connection apart."""
        self.connection = cast(_Connection, self.request)
        self.request = self.connection.request

    def _create_association(self) -> Association:
        association = super()._create_association()
        association.__class__ = _Serving
        association.dul.event_queue.get_nowait()  # of the socket that is replaced
        association.dul.socket = BoundedSocket(association, client_socket=self.request)
        association.acse_timeout = ARTIM_S
        assert isinstance(self.server, BoundedServer)
        association.acceptor.supported_contexts = self.server.shared_contexts
        self.connection.association = association
        return association


class _Serving(Association):
    """Hands a C-MOVE to the server's own provider."""

    def _serve_request(self, msg: Any, context_id: int) -> None:
        context = self._accepted_cx.get(context_id)
        is_move = isinstance(msg, C_MOVE) and msg.is_valid_request and context is not None
        if not is_move or context is None or context.abstract_syntax != STUDY_ROOT_MOVE:
            super()._serve_request(msg, context_id)
            return
        assert isinstance(self._server, BoundedServer)
        self.dimse.cancel_req = {}
        self._is_paused = True
        try:
            self._server.serve_move(self, msg, context)
        finally:
            self._is_paused = False
            self.dimse.cancel_req = {}


class BoundedSocket(AssociationSocket):
    """Reads messages that have a largest size and a last moment."""

    unread_bytes = 0
    """Read since the last whole DIMSE message."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Return ``nr_bytes``, or fewer where the peer closed.

        Raises
        ------
        OSError
            When the message is too large, or does not come in time; pynetdicom then closes.
        """
        connection = self.socket
        assert connection is not None
        self.unread_bytes += nr_bytes
        if nr_bytes > LARGEST_PDU_BYTES or self.unread_bytes > LARGEST_MESSAGE_BYTES:
            _shut(connection)
            raise OSError("the message is larger than any that is accepted")
        content = bytearray(nr_bytes)
        view, have, until = memoryview(content), 0, time.monotonic() + self._patience_s
        with _timeouts_of(connection):
            while have < nr_bytes:
                connection.settimeout(max(until - time.monotonic(), 0.001))
                try:
                    count = connection.recv_into(view[have : have + PIECE_BYTES])
                except TimeoutError:
                    _shut(connection)
                    raise
                if not count:
                    break
                have += count
        return content[:have]

    @property
    def _patience_s(self) -> float:
        return PDU_S if self.assoc.is_established else ARTIM_S


@contextlib.contextmanager
def _timeouts_of(connection: socket.socket) -> Iterator[None]:
    """Give a socket that is written to by the same thread its own patience back."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            connection.settimeout(PDU_S)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def start(
    entity: BoundedEntity,
    address: tuple[str, int],
    handlers: list[Any],
    context: ssl.SSLContext | None,
    caps: Caps,
    tell_untrusted: Callable[[str], None] = _tell_nobody,
    serve_move: Callable[[Association, C_MOVE, PresentationContext], None] = _serve_nobody,
) -> BoundedServer:
    """Listen in a thread of its own.

    ``tell_untrusted`` is given the address of a caller with whom no TLS came about;
    ``serve_move`` answers every C-MOVE.

    Raises
    ------
    OSError
        When the address cannot be had.
    """
    kind = type(
        "BoundedServer",
        (BoundedServer,),
        {
            "caps": caps,
            "tell_untrusted": staticmethod(tell_untrusted),
            "serve_move": staticmethod(serve_move),
        },
    )
    entity.maximum_associations = caps.associations
    server = entity.make_server(
        address,
        ae_title=entity.ae_title,
        contexts=entity.supported_contexts,
        ssl_context=context,
        evt_handlers=handlers,
        server_class=kind,
    )
    entity._servers.append(server)  # where its associations are counted
    threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()
    assert isinstance(server, BoundedServer)
    return server
