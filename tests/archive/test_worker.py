"""The queue: complete studies are analysed, late ones again, and results leave once."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import select, update

from opencmr import storage
from opencmr.archive import worker as archive_worker
from opencmr.archive.address import Address, as_peer
from opencmr.archive.archive import Sent, Tick, no_tick
from opencmr.archive.audit import AUDIT_FILE, entries
from opencmr.archive.commitment import Commitments
from opencmr.archive.confirmation import Confirmations
from opencmr.archive.database import COMMITMENTS, DELIVERIES, JOBS, Database, JobState, SendState
from opencmr.archive.delivery import Courier
from opencmr.archive.node import Node
from opencmr.archive.push_model import ALL_SAFE, SOME_NOT
from opencmr.archive.receiver import Door, Receiver
from opencmr.archive.result_places import result_of
from opencmr.archive.store import NotKeptError, Store
from opencmr.archive.worker import Analyse, Worker
from opencmr.errors import ConfigurationError, ExternalServiceError, InputError

from .senders import STUDY, instance, received, send

PATIENCE_S = 120


def made(source: Path, result: Path, _supersedes: Path | None) -> str:
    """Stand for an analysis: one object that says how many instances it saw."""
    with storage.result_folder(result, overwrite=False) as folder:
        (folder / "dicom").mkdir()
        (folder / "dicom" / "sr.dcm").write_text(str(len(list(source.iterdir()))))
        storage.write_json(folder / storage.RUN_FILE, {})
    return ""


def made_and_told(source: Path, result: Path, supersedes: Path | None) -> str:
    """Stand for an analysis that notes which result it supersedes."""
    made(source, result, supersedes)
    told = supersedes.relative_to(result.parent).name if supersedes else "nothing"
    (result / "supersedes").write_text(told)
    return ""


def refuses(_source: Path, _result: Path, _supersedes: Path | None) -> str:
    return "no study that can be analysed"


def dies(_source: Path, _result: Path, _supersedes: Path | None) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def waits(_source: Path, _result: Path, _supersedes: Path | None) -> str:
    time.sleep(PATIENCE_S)
    return ""


class InThread:
    """Stands for processes where what is tested is not theirs."""

    def __init__(self, task: Callable[[int], str], _jobs: int) -> None:
        self._task = task

    def answers(self, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        return ((number, self._task(number)) for number in numbers)


class Heap:
    """A destination that fails a number of times first."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.came: list[str] = []

    def store(self, paths: Sequence[Path], _tick: Tick = no_tick) -> Sent:
        if self.failures:
            self.failures -= 1
            if self.failures % 2:
                raise ExternalServiceError("the destination is down")
            return Sent(0, dict.fromkeys(paths, "it is out of resources"))
        self.came += [path.read_text() for path in paths]
        return Sent(len(paths))


class Queue:
    """A store, its database, and whatever works on them."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        self.store = Store(folder, self.database, least_free_bytes=1 << 20)
        self.told: list[str] = []
        self.workers: list[Worker] = []

    def worker(
        self,
        analyse: Analyse,
        quiet_s: float = 0.1,
        expected: int | None = None,
        destinations: Sequence[str] = ("heap",),
    ) -> Worker:
        worker = Worker(
            self.database,
            self.store,
            analyse,
            destinations=destinations,
            quiet_s=quiet_s,
            expected=expected,
            tell=self.told.append,
        )
        self.workers.append(worker)
        return worker

    def jobs(self) -> list[tuple[int, str, str]]:
        query = select(JOBS.c.instances, JOBS.c.state, JOBS.c.reason).order_by(JOBS.c.job)
        with self.database.transaction() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def deliveries(self) -> list[str]:
        query = select(DELIVERIES.c.state).order_by(DELIVERIES.c.job)
        with self.database.transaction() as connection:
            return list(connection.execute(query).scalars())

    def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(PATIENCE_S * 20):
            if is_so():
                return
            time.sleep(0.05)
        raise AssertionError((self.jobs(), self.deliveries(), self.told))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    found = Queue(tmp_path)
    yield found
    for worker in found.workers:
        worker.stop()
    found.store.close()
    found.database.close()


def test_late_instances_make_a_new_result_that_supersedes_the_earlier_one(queue: Queue) -> None:
    queue.store.keep(received(1))
    worker = queue.worker(made)
    queue.until(lambda: queue.jobs() == [(1, JobState.DONE, "")])
    queue.store.keep(received(2))
    queue.until(lambda: queue.jobs()[1:] == [(2, JobState.DONE, "")])
    worker.stop()
    assert queue.jobs()[0][1] == JobState.SUPERSEDED
    assert queue.deliveries() == [SendState.SUPERSEDED, SendState.WAITING]
    with queue.database.transaction() as connection:
        assert list(connection.execute(select(JOBS.c.supersedes)).scalars()) == [None, 1]
    heap = Heap(failures=2)
    nobody = Commitments(queue.database, queue.store, {})
    courier = Courier(
        queue.database,
        queue.store.folder,
        {"heap": heap},
        nobody,
        confirmations=Confirmations(queue.database),
        first_wait_s=0.05,
    )
    queue.until(lambda: queue.deliveries()[1] == SendState.DONE)
    courier.stop()
    assert heap.came == ["2"]
    assert not any(STUDY in line for line in queue.told)


@pytest.mark.parametrize(
    ("destinations", "states", "told"),
    [
        ((), (), "000002"),  # results are fetched from the folder
        (("heap",), (SendState.DONE, SendState.DONE), "000002"),
        (("heap",), (SendState.DONE, SendState.SUPERSEDED), "000001"),
        (("heap",), (SendState.ASKED, SendState.WAITING), "nothing"),
        (("heap", "pile"), (SendState.DONE, SendState.WAITING), "000001"),
    ],
)
def test_a_result_supersedes_the_last_one_that_was_delivered(
    destinations: tuple[str, ...],
    states: tuple[SendState, ...],
    told: str,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive_worker, "Processes", InThread)
    for count in (1, 2, 3):
        queue.store.keep(received(count))
        worker = queue.worker(made_and_told, destinations=destinations)
        queue.until(lambda count=count: queue.jobs()[count - 1 :] == [(count, JobState.DONE, "")])
        worker.stop()
        with queue.database.transaction() as connection:
            for job, state in enumerate(states[:count], start=1):
                row = {"job": job, "destination": "heap"}
                connection.execute(update(DELIVERIES).filter_by(**row).values(state=state))
    first, last = (queue.store.folder / result_of(STUDY, count) for count in (1, 3))
    assert (first / "supersedes").read_text() == "nothing"
    assert (last / "supersedes").read_text() == told


def test_a_study_that_grows_while_it_is_analysed_is_analysed_again(queue: Queue) -> None:
    queue.store.keep(received(1))
    worker = queue.worker(waits)
    queue.until(lambda: queue.jobs() == [(1, JobState.RUNNING, "")])
    worker.stop()
    assert queue.jobs() == [(1, JobState.PUT_BACK, "")]
    queue.store.keep(received(2))
    worker = queue.worker(made)
    queue.until(lambda: (2, JobState.DONE, "") in queue.jobs())
    worker.stop()
    result = queue.store.folder / result_of(STUDY, 2)
    assert (result / "dicom" / "sr.dcm").read_text() == "2"


def test_two_contents_of_one_uid_are_one_of_the_expected_instances(queue: Queue) -> None:
    queue.store.keep(received(1))
    with pytest.raises(NotKeptError):
        queue.store.keep(received(1, text="other"))
    worker = queue.worker(made, quiet_s=PATIENCE_S, expected=2)
    time.sleep(1.0)  # four looks at the queue
    assert queue.jobs() == []
    queue.store.keep(received(2))
    queue.until(lambda: queue.jobs() == [(3, JobState.DONE, "")])
    with pytest.raises(NotKeptError):  # after the result: it is wrong at once
        queue.store.keep(received(2, text="other"))
    queue.until(lambda: queue.jobs()[1:] == [(4, JobState.DONE, "")])
    worker.stop()


def test_a_transfer_that_breaks_off_waits_is_marked_and_its_rest_supersedes_it(
    queue: Queue,
) -> None:
    scanner = Receiver(Door(port=0), queue.store, Commitments(queue.database, queue.store, {}))
    whole = [instance(number) for number in range(5)]
    try:
        assert send(scanner.port, whole[:2], is_aborted=True) == [0, 0]
        worker = queue.worker(made, quiet_s=1.5, expected=5)
        queue.until(lambda: queue.jobs() == [(2, JobState.DONE, "2 of 5 expected")])
        assert any("2 instances (2 of 5 expected)" in line for line in queue.told)
        assert send(scanner.port, whole) == [0] * 5  # all of it again, as scanners do
        queue.until(lambda: queue.jobs()[1:] == [(5, JobState.DONE, "")])
        worker.stop()
    finally:
        scanner.close()
    assert queue.jobs()[0][1] == JobState.SUPERSEDED
    assert queue.deliveries() == [SendState.SUPERSEDED, SendState.WAITING]


@pytest.mark.parametrize(
    ("analyse", "reason"),
    [(refuses, "no study that can be analysed"), (dies, "its process died 2 times")],
)
def test_what_cannot_be_analysed_fails_alone_and_with_its_reason(
    analyse: Analyse, reason: str, queue: Queue
) -> None:
    queue.store.keep(received(1))
    worker = queue.worker(analyse)
    queue.until(lambda: queue.jobs()[:1] != [] and queue.jobs()[0][1] == JobState.FAILED)
    worker.stop()
    assert queue.jobs()[0][2].startswith(reason)
    assert queue.deliveries() == []


def test_commitment_says_what_is_safe_and_promises_only_to_whom_it_can_answer(
    queue: Queue,
) -> None:
    queue.store.keep(received(1))
    peers = {"SCANNER": as_peer(Address("SCANNER", "127.0.0.1", 1), "OPENCMR")}
    commitments = Commitments(queue.database, queue.store, peers)
    one = received(1)
    safe = (one.sop_class_uid, one.sop_instance_uid)
    kind, told = commitments.judged("1.2.3", [safe])
    assert (kind, "FailedSOPSequence" in told) == (ALL_SAFE, False)
    wrong_class, unknown = ("1.2.840", safe[1]), (safe[0], "1.2.3.4")
    kind, told = commitments.judged("1.2.3", [safe, wrong_class, unknown])
    assert kind == SOME_NOT
    assert [item.FailureReason for item in told.FailedSOPSequence] == [0x0119, 0x0112]
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == [safe[1]]

    asked = Dataset()
    asked.TransactionUID = "1.2.3"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = safe
    asked.ReferencedSOPSequence = [item]
    assert commitments.ask("STRANGER", 1, asked) == 0x0110
    assert commitments.ask("SCANNER", 2, asked) == 0x0123
    assert commitments.ask("SCANNER", 1, Dataset()) == 0x0115
    assert commitments.waiting() == []
    assert commitments.ask("SCANNER", 1, asked) == 0
    assert commitments.waiting() == [("1.2.3", "SCANNER")]
    with queue.database.transaction() as connection:
        (row,) = connection.execute(select(COMMITMENTS)).all()
    assert row.state == SendState.WAITING


def test_a_second_node_on_one_folder_refuses_to_start(tmp_path: Path) -> None:
    with (
        Node(tmp_path, Door(port=0), made),
        pytest.raises(ConfigurationError, match="another opencmr"),
    ):
        Node(tmp_path, Door(port=0), made)
    with Node(tmp_path, Door(port=0), made) as again:
        assert again.port


def test_a_node_keeps_a_trail_of_starts_and_stops_and_refuses_a_changed_one(tmp_path: Path) -> None:
    for _ in range(2):
        with Node(tmp_path, Door(port=0), made):
            pass
    trail = tmp_path / AUDIT_FILE
    assert [one["event"] for one in entries(trail)] == ["110120", "110121"] * 2
    trail.write_bytes(trail.read_bytes().replace(b"starts", b"begins", 1))
    with pytest.raises(InputError, match="audit trail"):
        Node(tmp_path, Door(port=0), made)
