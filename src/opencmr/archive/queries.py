"""C-FIND as provider: what the node holds, told to who is let in (PS3.4 section C.4.1)."""

import time
from collections.abc import Callable, Iterator
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND

from opencmr.archive.audit import Entry, Event, Outcome, Record
from opencmr.archive.caller import answer, caller_of
from opencmr.archive.identifiers import (
    CANCELLED,
    PENDING,
    Asked,
    answer_of,
    read_asked,
    refusing_what_fails,
)
from opencmr.archive.index import Index
from opencmr.archive.matching import QueryRefusedError
from opencmr.archive.query_keys import Level

OUT_OF_RESOURCES = 0xA700
PATIENCE_S = 20.0
"""How long a query waits for an index that is being completed."""
MOST_ANSWERS = 50_000
"""To one query (proposal); whoever asks for more must ask for less at a time."""
AT_ONCE = 32
"""Answers that wait to be sent; then a peer's wish to cancel is listened for."""
LOOK_S = 0.001
NAMES = {Level.STUDY: "studies", Level.SERIES: "series", Level.IMAGE: "images"}


class Queries:
    """Answers queries from the index.

    Parameters
    ----------
    index : Index
    aet : str
        Ours, from which what is found can be moved.
    tell : callable
        Given a line on what failed, without identifiers.
    record : callable
        Told of the audit trail's events.
    """

    def __init__(self, index: Index, aet: str, tell: Callable[[str], None], record: Record) -> None:
        self._index = index
        self._aet = aet
        self._tell = tell
        self._record = record

    def on_find(self, event: evt.Event) -> Iterator[tuple[int | Dataset, Dataset | None]]:
        """Yield the status and the data set of each answer."""
        caller, address = caller_of(event.assoc)
        try:
            asked, rows = self._found(event)
        except QueryRefusedError as error:
            self._tell(f"refused a query (0x{error.status:04X}): {error}")
            what = "a query was refused"
            self._record(Entry(Event.QUERY, what, Outcome.MINOR_FAILURE, caller, address))
            yield answer(error.status, str(error)), None
            return
        told = 0
        try:
            for row in rows:
                if told % AT_ONCE == 0:
                    _wait_until_sent(event.assoc)
                if event.is_cancelled:
                    yield CANCELLED, None
                    return
                told += 1
                yield PENDING, answer_of(asked, row, self._aet)
        finally:
            what = f"a query was answered with {told} {NAMES[asked.level]}"
            self._record(Entry(Event.QUERY, what, caller=caller, address=address))

    def _found(self, event: evt.Event) -> tuple[Asked, list[dict[str, str]]]:
        with refusing_what_fails():
            request = cast(C_FIND, event.request)
            asked = read_asked(request.Identifier, event.context.transfer_syntax)
            require_complete(self._index, OUT_OF_RESOURCES)
            rows = self._index.found(asked.level, asked.query)
        if len(rows) > MOST_ANSWERS:
            raise QueryRefusedError(OUT_OF_RESOURCES, f"more than {MOST_ANSWERS} answers")
        return asked, rows


def require_complete(index: Index, status: int) -> None:
    """Refuse while what an earlier version kept is still being read: half a list would mislead.

    Raises
    ------
    QueryRefusedError
    """
    if not index.is_complete(PATIENCE_S):
        raise QueryRefusedError(status, "the index is being completed; ask again later")


def is_over(association: Association) -> bool:
    """Whether a peer has gone, or wishes to."""
    return (
        not association.is_established
        or not association.dul.is_alive()
        or association.acse.is_aborted()
        or association.acse.is_release_requested()
    )


def _wait_until_sent(association: Association) -> None:
    """Let the connection send what waits: it listens only when there is nothing to send."""
    while not association.dul.to_provider_queue.empty() and not is_over(association):
        time.sleep(LOOK_S)
    time.sleep(LOOK_S)
