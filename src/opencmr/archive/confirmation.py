"""Storage commitment the other way: we ask a destination whether a result is safe there.

Its report comes later, most often in an association of its own, perhaps after a crash of ours: a
question is on disk before it is asked, and so is the answer before it is acknowledged.
"""

import json
import uuid
from collections.abc import Sequence

from pydicom.dataset import Dataset
from sqlalchemy import delete, insert, select, update

from opencmr.archive.database import CONFIRMATIONS, Database, SendState
from opencmr.archive.names import UID_FORM
from opencmr.archive.push_model import ALL_SAFE, INVALID, NO_SUCH_EVENT, SOME_NOT, SUCCESS


class Confirmations:
    """Our questions to destinations, and what they reported.

    A transaction UID is random: who knows it was asked, whatever its AE title claims.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job: int, destination: str, instances: Sequence[tuple[str, str]]) -> str:
        """Keep a question that is about to be asked; return its transaction UID."""
        transaction_uid = f"2.25.{uuid.uuid4().int}"
        row = {
            "transaction_uid": transaction_uid,
            "job": job,
            "destination": destination,
            "asked": json.dumps([uid for _, uid in instances]),
            "state": SendState.ASKED,
        }
        with self._database.transaction() as connection:
            connection.execute(insert(CONFIRMATIONS), [row])
        return transaction_uid

    def drop_failed(self, job: int, destination: str) -> None:
        """Drop the questions on a delivery that were answered with less than all."""
        key = {"job": job, "destination": destination, "state": SendState.FAILED}
        with self._database.transaction() as connection:
            connection.execute(delete(CONFIRMATIONS).filter_by(**key))

    def forget(self, transaction_uid: str) -> None:
        """Drop a question that was not asked."""
        with self._database.transaction() as connection:
            connection.execute(delete(CONFIRMATIONS).filter_by(transaction_uid=transaction_uid))

    def heard(self, event_type: int | None, told: Dataset) -> int:
        """Keep what a destination reports; return the status of N-EVENT-REPORT."""
        if event_type not in (ALL_SAFE, SOME_NOT):
            return NO_SUCH_EVENT
        try:
            transaction_uid = str(told.TransactionUID)
            safe = {str(i.ReferencedSOPInstanceUID) for i in told.get("ReferencedSOPSequence", [])}
        except Exception:  # whatever a hostile data set makes the reader raise
            return INVALID
        if not UID_FORM.fullmatch(transaction_uid):
            return INVALID
        key = {"transaction_uid": transaction_uid}
        with self._database.transaction() as connection:
            query = select(CONFIRMATIONS.c.asked).filter_by(**key)
            asked = connection.execute(query).scalar_one_or_none()
            if asked is None:
                return INVALID
            is_safe = event_type == ALL_SAFE and safe >= set(json.loads(asked))
            connection.execute(
                update(CONFIRMATIONS)
                .filter_by(**key)
                # What was safe once is not taken back.
                .where(CONFIRMATIONS.c.state != SendState.DONE)
                .values(state=SendState.DONE if is_safe else SendState.FAILED)
            )
        return SUCCESS

    def of(self, job: int, destination: str) -> dict[str, str]:
        """Return the state of each question on a delivery, by its transaction UID."""
        query = select(CONFIRMATIONS.c.transaction_uid, CONFIRMATIONS.c.state).filter_by(
            job=job, destination=destination
        )
        with self._database.transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}
