"""Storage commitment (PS3.4 annex J): the peer asks what is safe here, and may delete its own.

The question is answered at once with a promise, and later, in an association of our own, with
the list.  Question and answer survive a crash: the promise is given when the question is on disk.
"""

import json
from collections.abc import Mapping

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role
from sqlalchemy import delete, insert, select, update

from opencmr.archive.association import associated
from opencmr.archive.database import COMMITMENTS, Database, SendState
from opencmr.archive.names import UID_FORM
from opencmr.archive.peers import DimsePeer
from opencmr.archive.push_model import (
    ALL_SAFE,
    CLASS_CONFLICT,
    INVALID,
    NO_SUCH_ACTION,
    NO_SUCH_OBJECT,
    PROCESSING_FAILURE,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST,
    SOME_NOT,
    SUCCESS,
)
from opencmr.archive.store import Store
from opencmr.errors import ExternalServiceError

MOST_INSTANCES = 100_000


class Commitments:
    """Questions of peers whose address is known, and their answers.

    Parameters
    ----------
    database : Database
    store : Store
    peers : mapping from AE title to DimsePeer
        Only they can be answered, so that only they are promised an answer.
    """

    def __init__(self, database: Database, store: Store, peers: Mapping[str, DimsePeer]) -> None:
        self._database = database
        self._store = store
        self._peers = peers

    def ask(self, calling_aet: str, action_type: int | None, asked: Dataset) -> int:
        """Keep a question; return the status of N-ACTION."""
        if action_type != REQUEST:
            return NO_SUCH_ACTION
        if calling_aet not in self._peers:
            return PROCESSING_FAILURE
        try:
            transaction = str(asked.TransactionUID)
            instances = [
                (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
                for item in asked.ReferencedSOPSequence
            ]
        except Exception:  # whatever a hostile data set makes the reader raise
            return INVALID
        are_uids = all(UID_FORM.fullmatch(uid) for pair in instances for uid in pair)
        if not (
            UID_FORM.fullmatch(transaction) and are_uids and 0 < len(instances) <= MOST_INSTANCES
        ):
            return INVALID
        key = {"transaction_uid": transaction, "calling_aet": calling_aet}
        with self._database.transaction() as connection:
            connection.execute(delete(COMMITMENTS).filter_by(**key))
            row = {**key, "asked": json.dumps(instances), "state": SendState.WAITING, "attempts": 0}
            connection.execute(insert(COMMITMENTS), [row])
        return SUCCESS

    def waiting(self) -> list[tuple[str, str]]:
        """Return (transaction UID, calling AE title) of what is to be answered."""
        query = select(COMMITMENTS.c.transaction_uid, COMMITMENTS.c.calling_aet).where(
            COMMITMENTS.c.state == SendState.WAITING
        )
        with self._database.transaction() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def answer(self, transaction_uid: str, calling_aet: str) -> None:
        """Tell a peer what is safe.

        Raises
        ------
        ExternalServiceError
            When it cannot be told now.
        """
        key = {"transaction_uid": transaction_uid, "calling_aet": calling_aet}
        with self._database.transaction() as connection:
            row = connection.execute(select(COMMITMENTS.c.asked).filter_by(**key)).one()
        event_type, told = self.judged(transaction_uid, json.loads(row.asked))
        peer = self._peers.get(calling_aet)
        if peer is None:
            raise ExternalServiceError("the asker's address is no longer given; name it in --peer")
        _tell(peer, event_type, told)
        with self._database.transaction() as connection:
            connection.execute(update(COMMITMENTS).filter_by(**key).values(state=SendState.DONE))

    def judged(self, transaction_uid: str, asked: list[tuple[str, str]]) -> tuple[int, Dataset]:
        """Return the type of the event and what it says: what is safe here, and what is not."""
        told = Dataset()
        told.TransactionUID = transaction_uid
        safe, failed = [], []
        for sop_class_uid, sop_instance_uid in asked:
            item = Dataset()
            item.ReferencedSOPClassUID = sop_class_uid
            item.ReferencedSOPInstanceUID = sop_instance_uid
            holds = self._store.holds(sop_class_uid, sop_instance_uid)
            if holds:
                safe.append(item)
            else:
                item.FailureReason = CLASS_CONFLICT if holds is None else NO_SUCH_OBJECT
                failed.append(item)
        if safe:
            told.ReferencedSOPSequence = safe
        if failed:
            told.FailedSOPSequence = failed
        return SOME_NOT if failed else ALL_SAFE, told


def _tell(peer: DimsePeer, event_type: int, told: Dataset) -> None:
    """Call the peer in the role of the provider, and report the event."""
    contexts, role = [build_context(PUSH_MODEL)], build_role(PUSH_MODEL, scp_role=True)
    with associated(peer.aet, peer, contexts, ext_neg=[role]) as association:
        status, _ = association.send_n_event_report(
            told, event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE
        )
    if getattr(status, "Status", None) != SUCCESS:
        raise ExternalServiceError(f"{peer.aet} did not take the report of storage commitment")
