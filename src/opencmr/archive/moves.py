"""C-MOVE as provider: objects are sent to a peer of the configuration (PS3.4 section C.4.2).

In place of pynetdicom's own, which calls the destination without its TLS, time limit and titles,
takes one that does not answer for one that is unknown, and decodes what it sends in advance.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.dsutils import encode
from pynetdicom.presentation import PresentationContext

from opencmr.archive.audit import Entry, Event, Outcome, Record
from opencmr.archive.caller import LONGEST_COMMENT, caller_of
from opencmr.archive.dimse import DimseArchive, Originator, SentOne
from opencmr.archive.identifiers import (
    CANCELLED,
    PENDING,
    SUCCESS,
    failures_of,
    read_asked,
    refusing_what_fails,
    require_named,
)
from opencmr.archive.index import Held, Index
from opencmr.archive.matching import QueryRefusedError
from opencmr.archive.outgoing import Outgoing, described
from opencmr.archive.peers import DimsePeer
from opencmr.archive.queries import is_over, require_complete
from opencmr.errors import InputError, OpencmrError

CANNOT_COUNT, CANNOT_SEND = 0xA701, 0xA702
UNKNOWN_DESTINATION = 0xA801
SOME_FAILED = 0xB000
"""Statuses of C-MOVE (PS3.4 table C.4-2)."""
MOST_OBJECTS = 65_535
"""What the number of sub-operations can say (PS3.7 section 9.3.4, US)."""


@dataclass(slots=True)
class _Tally:
    """Of the sub-operations of a retrieval."""

    remaining: int
    completed: int = 0
    warned: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, sent: SentOne, uid: str) -> None:
        """Count what became of an object."""
        if sent.why:
            self.fail(uid)
            return
        self.remaining -= 1
        self.warned += sent.is_warned
        self.completed += not sent.is_warned

    def fail(self, uid: str) -> None:
        """Count an object that was not sent."""
        self.remaining -= 1
        self.failed.append(uid)

    @property
    def status(self) -> int:
        """What is said at the end."""
        if not (self.failed or self.warned):
            return SUCCESS
        return SOME_FAILED if self.completed or self.warned else CANNOT_SEND


class Moves:
    """Sends what is asked for to peers that are known by their AE titles, and to nobody else.

    Parameters
    ----------
    index : Index
    destinations : mapping from AE title to DimsePeer
    tell : callable
        Given a line on what failed, without identifiers.
    record : callable
        Told of the audit trail's events.
    """

    def __init__(
        self,
        index: Index,
        destinations: Mapping[str, DimsePeer],
        tell: Callable[[str], None],
        record: Record,
    ) -> None:
        self._index = index
        self._destinations = destinations
        self._tell = tell
        self._record = record

    def serve(
        self, association: Association, request: C_MOVE, context: PresentationContext
    ) -> None:
        """Answer a request, sub-operation by sub-operation."""
        asking = _Asking(association, request, context)
        caller, address = caller_of(association)
        event = Event.INSTANCES_TRANSFERRED
        try:
            peer, held = self._asked(asking)
        except QueryRefusedError as error:
            self._tell(f"refused to send (0x{error.status:04X}): {error}")
            what = "a request to send instances was refused"
            self._record(Entry(event, what, Outcome.MINOR_FAILURE, caller, address))
            asking.respond(error.status, comment=str(error))
            return
        tally = _Tally(len(held))
        status = self._send(asking, peer, held, tally)
        outcome = Outcome.SUCCESS if status == SUCCESS else Outcome.MINOR_FAILURE
        what = f"instances were sent to {peer.aet} on request"
        count = tally.completed + tally.warned
        self._record(Entry(event, what, outcome, caller, address, instances=count))
        if not is_over(association):
            asking.respond(status, tally)

    def _asked(self, asking: "_Asking") -> tuple[DimsePeer, Sequence[Held]]:
        request = asking.request
        with refusing_what_fails():
            asked = read_asked(request.Identifier, asking.context.transfer_syntax[0])
            require_named(asked)
            peer = self._destinations.get(str(request.MoveDestination or "").strip())
            if peer is None:
                raise QueryRefusedError(UNKNOWN_DESTINATION, "the destination is not known here")
            require_complete(self._index, CANNOT_COUNT)
            held = self._index.held(asked.level, asked.query)
        if len(held) > MOST_OBJECTS:
            raise QueryRefusedError(CANNOT_COUNT, f"more than {MOST_OBJECTS} instances")
        return peer, held

    def _send(self, asking: "_Asking", peer: DimsePeer, held: Sequence[Held], tally: _Tally) -> int:
        """Send what is there, and count; return the last status."""
        left = {one.path: one.sop_instance_uid for one in held}
        waiting = list(_described(held))
        there = {one.path for one in waiting}
        for path in [path for path in left if path not in there]:
            tally.fail(left.pop(path))
        originator = Originator(asking.caller, asking.request.MessageID or 0)
        sending = DimseArchive(peer.aet, peer).store_each(waiting, originator)
        try:
            with closing(sending):
                for sent in sending:
                    tally.count(sent, left.pop(sent.outgoing.path))
                    if is_over(asking.association):
                        return CANNOT_SEND
                    if asking.is_cancelled and left:
                        return CANCELLED
                    asking.respond(PENDING, tally)
        except OpencmrError as error:
            self._tell(f"sending on request: {error}")
        for uid in left.values():
            tally.fail(uid)
        return tally.status


@dataclass(frozen=True, slots=True)
class _Asking:
    """A request, and whom it is answered to."""

    association: Association
    request: C_MOVE
    context: PresentationContext

    @property
    def caller(self) -> str:
        return caller_of(self.association)[0]

    @property
    def is_cancelled(self) -> bool:
        return self.request.MessageID in self.association.dimse.cancel_req

    def respond(self, status: int, tally: _Tally | None = None, *, comment: str = "") -> None:
        told = C_MOVE()
        told.MessageID = told.MessageIDBeingRespondedTo = self.request.MessageID
        told.AffectedSOPClassUID = self.request.AffectedSOPClassUID
        told.Status = status
        if comment:
            told.ErrorComment = comment[:LONGEST_COMMENT]  # type: ignore[assignment]
        if tally is not None:
            if status in (PENDING, CANCELLED):
                told.NumberOfRemainingSuboperations = tally.remaining
            told.NumberOfCompletedSuboperations = tally.completed
            told.NumberOfWarningSuboperations = tally.warned
            told.NumberOfFailedSuboperations = len(tally.failed)
            if status not in (PENDING, SUCCESS):
                told.Identifier = io.BytesIO(self._encoded(failures_of(tally.failed)))
        self.association.dimse.send_msg(told, self.context.context_id or 0)

    def _encoded(self, told: Dataset) -> bytes:
        syntax = self.context.transfer_syntax[0]
        return encode(told, syntax.is_implicit_VR, syntax.is_little_endian) or b""


def _described(held: Sequence[Held]) -> Iterator[Outgoing]:
    """Yield what is there: it may have been deleted meanwhile, or be damaged."""
    for one in held:
        with suppress(InputError):
            yield described(one.path)
