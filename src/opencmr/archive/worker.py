"""The queue's other end: complete studies are analysed one by one, each in a process of its own.

A study is complete when nothing came for it for a while, or when as many instances are there as
were announced.  A job is a study at one count of instances, and so is its result's folder.  What
comes later makes a new job, whose result supersedes the earlier one.
"""

import shutil
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import active_children
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from opencmr import storage
from opencmr.archive.database import (
    DELIVERIES,
    INSTANCES,
    JOBS,
    STUDIES,
    Database,
    JobState,
    SendState,
)
from opencmr.archive.index import heads_of, replace_result
from opencmr.archive.result_places import result_of
from opencmr.archive.store import Store
from opencmr.batch.processes import Lost, Processes
from opencmr.errors import OpencmrError
from opencmr.imaging.study import short_hash

QUIET_S = 30.0
LOOK_S = 0.25
"""How often the queue is looked at."""
MOST_LOST = 2
"""A study whose process died as often is not tried again."""

Analyse = Callable[[Path, Path, Path | None], str]
"""Of a folder of instances, a folder that becomes the result, and that of the result which it
supersedes; returns why there is none, or nothing.  Sent to another process: picklable."""


@dataclass(frozen=True, slots=True)
class Job:
    """A study at one count of instances."""

    job: int
    study_instance_uid: str
    instances: int
    lacking: str = ""
    """What is said of it where it has not as many instances as were announced."""
    supersedes: Path | None = None
    """Folder, below the node's, of the last earlier result that was delivered."""

    @property
    def key(self) -> str:
        """What the study is called where its UID must not be shown."""
        return short_hash(self.study_instance_uid)

    @property
    def result(self) -> Path:
        """The result's folder, below the node's."""
        return result_of(self.study_instance_uid, self.instances)


@dataclass(frozen=True, slots=True)
class _Task:
    """An analysis, as a process is asked for it."""

    analyse: Analyse
    source: Path
    result: Path
    supersedes: Path | None

    def __call__(self, _number: int) -> str:
        if (self.result / storage.RUN_FILE).is_file():  # whole, from before a crash
            return ""
        return self.analyse(self.source, self.result, self.supersedes)


class Worker:
    """Analyses what is complete until it is stopped.

    Parameters
    ----------
    database : Database
    store : Store
    analyse : callable
    destinations : sequence of str
        To each of which every result is to be delivered.
    quiet_s : float
        A study for which nothing came so long is complete.
    expected : int or None
        A study of so many instances is complete at once.
    tell : callable
        Given a line on each study, without identifiers.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        analyse: Analyse,
        *,
        destinations: Sequence[str] = (),
        quiet_s: float = QUIET_S,
        expected: int | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._store = store
        self._analyse = analyse
        self._destinations = tuple(destinations)
        self._quiet_s = quiet_s
        self._expected = expected
        self._tell = tell
        self._name = uuid.uuid4().hex
        self._is_stopped = threading.Event()
        self._release_all()
        self._thread = threading.Thread(target=self._run, name="worker")
        self._thread.start()

    def stop(self) -> None:
        """End an analysis that runs, and put its job back."""
        self._is_stopped.set()
        while self._thread.is_alive():
            # The process may just have been started; it has nothing to lose.
            for child in active_children():
                child.terminate()
            self._thread.join(LOOK_S)

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                job = self._lease()
                if job is not None:
                    self._do(job)
                    continue
            except Exception as error:  # the disk may be full: look again, and say so
                self._tell(f"the queue: {plainly(error)}; trying again")
                self._is_stopped.wait(self._quiet_s)
            self._is_stopped.wait(LOOK_S)

    def _release_all(self) -> None:
        """Put back what another process was doing: the folder is ours alone, so it is dead."""
        with self._database.transaction() as connection:
            connection.execute(
                update(JOBS)
                .where(JOBS.c.state == JobState.RUNNING)
                .values(state=JobState.PUT_BACK, leased_by=None)
            )

    def _lease(self) -> Job | None:
        """Return a complete study, taken from the queue."""
        waiting = (
            select(STUDIES.c.study_instance_uid, STUDIES.c.instances)
            .where(STUDIES.c.instances > STUDIES.c.settled)
            .order_by(STUDIES.c.study_instance_uid)
        )
        with self._database.transaction() as connection:
            for uid, instances in connection.execute(waiting).all():
                lacking = self._lacking(connection, uid)
                is_whole = self._expected is not None and not lacking
                if is_whole or self._store.quiet_s(uid) >= self._quiet_s:
                    job = self._leased(connection, uid, instances)
                    earlier = self._delivered(connection, uid, instances)
                    return Job(job, uid, instances, lacking, earlier)
        return None

    def _lacking(self, connection: Connection, uid: str) -> str:
        """Say how many of the announced instances there are; nothing where it is their number.

        Two contents of one UID are one instance.
        """
        if self._expected is None:
            return ""
        query = select(func.count()).where(INSTANCES.c.study_instance_uid == uid)
        there = connection.execute(query).scalar_one()
        return "" if there == self._expected else f"{there} of {self._expected} expected"

    def _leased(self, connection: Connection, uid: str, instances: int) -> int:
        lease = {"state": JobState.RUNNING, "leased_by": self._name}
        key = {"study_instance_uid": uid, "instances": instances}
        found = connection.execute(select(JOBS.c.job).filter_by(**key)).scalar_one_or_none()
        if found is not None:
            connection.execute(update(JOBS).where(JOBS.c.job == found).values(**lease))
            return int(found)
        earlier = connection.execute(
            select(JOBS.c.job)
            .where(JOBS.c.study_instance_uid == uid, JOBS.c.state == JobState.DONE)
            .order_by(JOBS.c.instances.desc())
        ).scalar()
        row = {**key, **lease, "lost": 0, "reason": "", "supersedes": earlier}
        made = connection.execute(insert(JOBS).values(**row)).inserted_primary_key
        assert made is not None
        return int(made[0])

    def _delivered(self, connection: Connection, uid: str, instances: int) -> Path | None:
        """Return the last result of fewer instances that a destination has, if there is one.

        One that no destination has would be a predecessor that nobody can look up.  Without
        destinations, results are fetched from the folder: every one counts.
        """
        earlier = select(JOBS.c.instances).where(
            JOBS.c.study_instance_uid == uid,
            JOBS.c.instances < instances,
            JOBS.c.state.in_((JobState.DONE, JobState.SUPERSEDED)),
        )
        if self._destinations:
            there = select(DELIVERIES.c.job).where(DELIVERIES.c.state == SendState.DONE)
            earlier = earlier.where(JOBS.c.job.in_(there))
        found = connection.execute(earlier.order_by(JOBS.c.instances.desc())).scalar()
        return None if found is None else result_of(uid, found)

    def _do(self, job: Job) -> None:
        lacking = f" ({job.lacking})" if job.lacking else ""
        self._tell(f"study {job.key}: {job.instances} instances{lacking}, analysed now")
        result = self._store.folder / job.result
        result.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        earlier = job.supersedes and self._store.folder / job.supersedes
        task = _Task(self._analyse, self._store.files_of(job.study_instance_uid), result, earlier)
        try:
            ((_, answer),) = Processes(task, 1).answers([0])
        except Exception as error:
            answer = plainly(error)
        if isinstance(answer, Lost):
            self._lose(job)
        else:
            self._end(job, answer)

    def _lose(self, job: Job) -> None:
        """Put a job back whose process died, unless that was its own doing once too often."""
        row = JOBS.c.job == job.job
        with self._database.transaction() as connection:
            values: dict[str, object] = {"state": JobState.PUT_BACK, "leased_by": None}
            if not self._is_stopped.is_set():
                values["lost"] = JOBS.c.lost + 1
            connection.execute(update(JOBS).where(row).values(**values))
            lost = connection.execute(select(JOBS.c.lost).where(row)).scalar_one()
        if lost >= MOST_LOST:
            self._end(job, f"its process died {lost} times, most often for want of memory")
        else:
            self._tell(f"study {job.key}: put back")

    def _end(self, job: Job, reason: str) -> None:
        """Settle a job: its result is to be delivered, it failed, or more instances came."""
        study = STUDIES.c.study_instance_uid == job.study_instance_uid
        heads = [] if reason else heads_of(self._store.folder, job.result)
        with self._database.transaction() as connection:
            there = connection.execute(select(STUDIES.c.instances).where(study)).scalar_one()
            is_overtaken = there != job.instances
            state = JobState.FAILED if reason else JobState.DONE
            if is_overtaken:
                state = JobState.OVERTAKEN
            connection.execute(
                update(JOBS)
                .where(JOBS.c.job == job.job)
                .values(state=state, leased_by=None, reason=reason or job.lacking)
            )
            connection.execute(update(STUDIES).where(study).values(settled=job.instances))
            if state is JobState.DONE:
                self._supersede(connection, job)
                replace_result(connection, job.study_instance_uid, heads)
        if is_overtaken:
            # It may have read some of the new instances: the result of neither count.
            shutil.rmtree(self._store.folder / job.result, ignore_errors=True)
        told = {JobState.FAILED: f"failed: {reason}", JobState.OVERTAKEN: "more came meanwhile"}
        self._tell(f"study {job.key}: {told.get(state, f'analysed, {job.result}')}")

    def _supersede(self, connection: Connection, job: Job) -> None:
        """Order the delivery of a result, and no longer that of earlier ones of its study."""
        earlier = select(JOBS.c.job).where(
            JOBS.c.study_instance_uid == job.study_instance_uid, JOBS.c.instances < job.instances
        )
        connection.execute(
            update(DELIVERIES)
            .where(DELIVERIES.c.job.in_(earlier), DELIVERIES.c.state != SendState.DONE)
            .values(state=SendState.SUPERSEDED)
        )
        connection.execute(
            update(JOBS)
            .where(JOBS.c.job.in_(earlier), JOBS.c.state == JobState.DONE)
            .values(state=JobState.SUPERSEDED)
        )
        rows = [
            {"job": job.job, "destination": one, "state": SendState.WAITING, "attempts": 0}
            for one in self._destinations
        ]
        if rows:
            connection.execute(insert(DELIVERIES), rows)


def plainly(error: Exception) -> str:
    """Return what may be told of an error: the message of a foreign one may quote a header."""
    known = isinstance(error, OpencmrError)
    return str(error) if known else f"unexpected failure ({type(error).__name__})"
