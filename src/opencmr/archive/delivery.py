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

from opencmr.archive.archive import Archive
from opencmr.archive.commitment import Commitments
from opencmr.archive.database import COMMITMENTS, DELIVERIES, JOBS, Database, SendState
from opencmr.archive.worker import plainly, result_of
from opencmr.errors import ExternalServiceError
from opencmr.imaging.study import short_hash

LOOK_S = 0.25
LONGEST_WAIT_S = 60.0
MOST_ATTEMPTS = 10
RESULT_OBJECTS = "dicom"
"""Where in a result its DICOM objects lie, as ``report.dicom_study`` says, too."""


class Courier:
    """Delivers until it is stopped.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the node, with the results below.
    destinations : mapping from name to Archive
    commitments : Commitments
    first_wait_s : float
        After a first failure; doubled by each further one.
    tell : callable
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        destinations: Mapping[str, Archive],
        commitments: Commitments,
        *,
        first_wait_s: float = 1.0,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._folder = folder
        self._destinations = destinations
        self._commitments = commitments
        self._first_wait_s = first_wait_s
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
            .where(DELIVERIES.c.state == SendState.WAITING)
            .order_by(DELIVERIES.c.job)
        )
        with self._database.transaction() as connection:
            waiting = connection.execute(query).all()
        for row in waiting:
            destination = self._destinations.get(row.destination)
            if destination is None or self._is_stopped.is_set():
                continue  # that destination is not given any more; it may be again
            result = self._folder / result_of(row.study_instance_uid, row.instances)
            files = sorted((result / RESULT_OBJECTS).glob("*.dcm"))
            what = f"study {short_hash(row.study_instance_uid)}: {len(files)} objects"
            key = {"job": row.job, "destination": row.destination}
            self._try(DELIVERIES, key, what, partial(_send, destination, files))

    def _answer(self) -> None:
        for transaction_uid, calling_aet in self._commitments.waiting():
            key = {"transaction_uid": transaction_uid, "calling_aet": calling_aet}
            answer = partial(self._commitments.answer, transaction_uid, calling_aet)
            self._try(COMMITMENTS, key, "an answer", answer)

    def _try(self, table: Table, key: dict[str, Any], what: str, send: Callable[[], None]) -> None:
        """Send something if it is its time, and record what became of it."""
        place = (table.name, *key.values())
        if time.monotonic() < self._not_before_s.get(place, 0.0):
            return
        try:
            send()
        except Exception as error:
            self._put_off(table, key, place, f"{what} not sent: {plainly(error)}")
            return
        with self._database.transaction() as connection:
            connection.execute(update(table).filter_by(**key).values(state=SendState.DONE))
        self._tell(f"{what} sent")

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
                .where(table.c.state == SendState.WAITING)
                .values(attempts=attempts, state=state)
            )
        wait_s = min(self._first_wait_s * 2 ** (attempts - 1), LONGEST_WAIT_S)
        self._not_before_s[place] = time.monotonic() + wait_s
        following = "given up until the next start" if is_over else f"again in {wait_s:.0f} s"
        self._tell(f"{told}; {following}")


def _send(destination: Archive, files: Sequence[Path]) -> None:
    """Send objects; raise ``ExternalServiceError`` unless all are stored."""
    if not files:
        return
    failures = destination.store(files).failures
    if failures:
        first = next(iter(failures.values()))
        raise ExternalServiceError(f"{len(failures)} of them were not stored ({first})")
