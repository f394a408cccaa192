"""What leaves the node: results to their destinations, answers on storage commitment to askers.

Each is tried again until it is acknowledged, ever more rarely, and given up after a number of
attempts; the next start of the node tries once more.  A crash between an acknowledgement and its
record sends the same objects again, under the same UIDs: the archive has them once.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select, update

from opencmr.archive.archive import Archive, Committing
from opencmr.archive.audit import Entry, Event, Record, unrecorded
from opencmr.archive.commitment import Commitments
from opencmr.archive.confirmation import Confirmations
from opencmr.archive.database import COMMITMENTS, DELIVERIES, JOBS, Database, SendState
from opencmr.archive.outgoing import described
from opencmr.archive.result_places import objects_of, result_of
from opencmr.archive.worker import plainly
from opencmr.errors import ExternalServiceError
from opencmr.imaging.study import short_hash

LOOK_S = 0.25
LONGEST_WAIT_S = 60.0
PATIENCE_S = 600.0
"""For storage commitment (proposal): archives answer in seconds, busy ones in minutes."""
MOST_ATTEMPTS = 10


class Courier:
    """Delivers until it is stopped.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the node, with the results below.
    destinations : mapping from name to Archive
    commitments : Commitments
    confirmations : Confirmations
    first_wait_s : float
        After a first failure; doubled by each further one.
    patience_s : float
        How long a destination may take to commit itself before the result is sent again.
    tell : callable
    record : callable
        Told of the audit trail's events: what was sent, and where to.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        destinations: Mapping[str, Archive],
        commitments: Commitments,
        *,
        confirmations: Confirmations,
        first_wait_s: float = 1.0,
        patience_s: float = PATIENCE_S,
        tell: Callable[[str], None] = lambda _: None,
        record: Record = unrecorded,
    ) -> None:
        self._record_event = record
        self._database = database
        self._folder = folder
        self._destinations = destinations
        self._commitments = commitments
        self._confirmations = confirmations
        self._first_wait_s = first_wait_s
        self._patience_s = patience_s
        self._asked_s: dict[tuple[object, ...], float] = {}
        self._tell = tell
        self._not_before_s: dict[tuple[object, ...], float] = {}
        self._is_stopped = threading.Event()
        self._try_given_up_again()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float = 10.0) -> None:
        """Deliver nothing more; a delivery that does not end in time is done again later."""
        self._is_stopped.set()
        self._thread.join(patience_s)

    def _try_given_up_again(self) -> None:
        with self._database.transaction() as connection:
            for table in (DELIVERIES, COMMITMENTS):
                connection.execute(
                    update(table)
                    .where(table.c.state == SendState.FAILED)
                    .values(state=SendState.WAITING, attempts=0)
                )

    def _run(self) -> None:
        while not self._is_stopped.wait(LOOK_S):
            try:
                self._deliver_results()
                self._answer()
            except Exception as error:  # the disk may be full: look again, and say so
                self._tell(f"deliveries: unexpected failure ({type(error).__name__})")
                self._is_stopped.wait(LONGEST_WAIT_S)

    def _deliver_results(self) -> None:
        query = (
            select(DELIVERIES, JOBS.c.study_instance_uid, JOBS.c.instances)
            .join(JOBS, JOBS.c.job == DELIVERIES.c.job)
            .where(DELIVERIES.c.state.in_((SendState.WAITING, SendState.ASKED)))
            .order_by(DELIVERIES.c.job)
        )
        with self._database.transaction() as connection:
            waiting = connection.execute(query).all()
        for row in waiting:
            destination = self._destinations.get(row.destination)
            if destination is None or self._is_stopped.is_set():
                continue  # that destination is not given any more; it may be again
            result = self._folder / result_of(row.study_instance_uid, row.instances)
            files = objects_of(result)
            what = f"study {short_hash(row.study_instance_uid)}: {len(files)} objects"
            key = {"job": row.job, "destination": row.destination}
            if self._is_settled(row.state, key, what):
                continue
            self._try(DELIVERIES, key, what, partial(self._send, destination, files, key))

    def _is_settled(self, state: str, key: dict[str, Any], what: str) -> bool:
        """Whether a delivery is not to be sent now: it is safe there, or not known not to be."""
        answers = self._confirmations.of(**key)
        if SendState.DONE in answers.values():
            self._record(DELIVERIES, key, SendState.DONE)
            self._tell(f"{what} sent, and {key['destination']} keeps them safe")
            return True
        if state == SendState.WAITING:
            return False
        place = (DELIVERIES.name, *key.values())
        asked_s = self._asked_s.setdefault(place, time.monotonic())
        if SendState.FAILED in answers.values():
            why = f"{key['destination']} does not commit itself to them"
        elif time.monotonic() - asked_s > self._patience_s:
            why = (
                f"{key['destination']} does not answer on storage commitment; does it know our "
                "address, and is it let in (--accept)?"
            )
        else:
            return True
        self._asked_s.pop(place)
        self._confirmations.drop_failed(**key)
        self._put_off(DELIVERIES, key, place, f"{what}: {why}")
        return True

    def _send(self, destination: Archive, files: Sequence[Path], key: dict[str, Any]) -> SendState:
        """Send a result, and where its destination offers it ask for storage commitment."""
        if not files:
            return SendState.DONE
        failures = destination.store(files).failures
        if failures:
            first = next(iter(failures.values()))
            raise ExternalServiceError(f"{len(failures)} of them were not stored ({first})")
        name = str(key["destination"])
        self._record_event(
            Entry(Event.EXPORT, f"a result was sent to {name}", instances=len(files))
        )
        if not isinstance(destination, Committing):
            return SendState.DONE
        instances = [(f.sop_class_uid, f.sop_instance_uid) for f in map(described, files)]
        transaction_uid = self._confirmations.begin(**key, instances=instances)
        if destination.ask_commitment(transaction_uid, instances, self._confirmations.heard):
            return SendState.ASKED
        self._confirmations.forget(transaction_uid)
        return SendState.DONE

    def _answer(self) -> None:
        for transaction_uid, calling_aet in self._commitments.waiting():
            key = {"transaction_uid": transaction_uid, "calling_aet": calling_aet}
            answer = partial(self._commitments.answer, transaction_uid, calling_aet)
            self._try(COMMITMENTS, key, "an answer", answer)

    def _try(self, table: Table, key: dict[str, Any], what: str, send: Callable[[], Any]) -> None:
        """Send something if it is its time, and record what became of it."""
        place = (table.name, *key.values())
        if time.monotonic() < self._not_before_s.get(place, 0.0):
            return
        try:
            state = send() or SendState.DONE
        except Exception as error:
            self._put_off(table, key, place, f"{what} not sent: {plainly(error)}")
            return
        self._asked_s.pop(place, None)
        self._record(table, key, state)
        asked = ", and asked whether they are safe there" * (state == SendState.ASKED)
        self._tell(f"{what} sent{asked}")

    def _record(self, table: Table, key: dict[str, Any], state: str) -> None:
        # What was superseded meanwhile stays so.
        is_open = table.c.state.in_((SendState.WAITING, SendState.ASKED))
        with self._database.transaction() as connection:
            connection.execute(update(table).filter_by(**key).where(is_open).values(state=state))

    def _put_off(
        self, table: Table, key: dict[str, Any], place: tuple[object, ...], told: str
    ) -> None:
        with self._database.transaction() as connection:
            query = select(table.c.attempts).filter_by(**key)
            attempts = connection.execute(query).scalar_one() + 1
            is_over = attempts >= MOST_ATTEMPTS
            state = SendState.FAILED if is_over else SendState.WAITING
            connection.execute(
                update(table)
                .filter_by(**key)
                # What was superseded meanwhile stays so.
                .where(table.c.state.in_((SendState.WAITING, SendState.ASKED)))
                .values(attempts=attempts, state=state)
            )
        wait_s = min(self._first_wait_s * 2 ** (attempts - 1), LONGEST_WAIT_S)
        self._not_before_s[place] = time.monotonic() + wait_s
        following = "given up until the next start" if is_over else f"again in {wait_s:.0f} s"
        self._tell(f"{told}; {following}")
