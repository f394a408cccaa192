"""kill -9 at any moment: nothing acknowledged is lost, and no result is there twice."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification
from sqlalchemy import select

from opencmr.archive.database import (
    DELIVERIES,
    INSTANCES,
    JOBS,
    STUDIES,
    Database,
    JobState,
    SendState,
)
from opencmr.archive.push_model import PUSH_MODEL

from .senders import instance, send, start_node

KILLS = int(os.environ.get("OPENCMR_NODE_KILLS", "5"))
"""40 in `make check-long`."""
SEED = 20261129


@pytest.fixture
def pacs() -> Iterator[tuple[int, list[str]]]:
    """An archive that takes everything: its port, and every UID as often as it came."""
    came: list[str] = []

    def take(event: evt.Event) -> int:
        came.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    entity = AE("PACS")
    entity.add_supported_context(MRImageStorage)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    yield server.server_address[1], came
    server.shutdown()


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def stop(process: "subprocess.Popen[str]") -> None:
    """End a node as a service manager does, and see that it ends well and in time."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_kills_while_receiving_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    acknowledged: list[str] = []
    for number in range(KILLS):
        process, port = start_node(tmp_path)
        study = f"1.2.826.0.1.3680043.8.498.{number + 1}"
        halves = [[instance(n, study) for n in range(k, 400, 2)] for k in (0, 1)]
        senders = [
            threading.Thread(
                target=send,
                args=(port, half),
                kwargs={"acknowledged": acknowledged, "timeout_s": 3},
                daemon=True,
            )
            for half in halves
        ]
        for one in senders:
            one.start()
        time.sleep(chance.uniform(0.1, 1.5))
        kill(process)
        for one in senders:
            one.join()
    assert len(acknowledged) > KILLS
    process, port = start_node(tmp_path)  # sweeps
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    with database.transaction() as connection:
        paths = dict(
            connection.execute(select(INSTANCES.c.sop_instance_uid, INSTANCES.c.path)).all()
        )
        counted = sum(connection.execute(select(STUDIES.c.instances)).scalars())
    assert set(acknowledged) <= set(paths)
    assert counted == len(paths)
    for uid, path in paths.items():
        assert dcmread(tmp_path / path).SOPInstanceUID == uid
    on_disk = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "instances").glob("*/*")}
    assert on_disk == set(paths.values())
    assert list((tmp_path / "incoming").iterdir()) == []
    kill(process)
    database.close()


def test_kills_while_analysing_and_sending_lose_no_job_and_double_no_result(
    tmp_path: Path, pacs: tuple[int, list[str]]
) -> None:
    pacs_port, came = pacs
    chance = random.Random(SEED)
    studies = [f"1.2.826.0.1.3680043.8.498.{number + 1}" for number in range(KILLS)]
    process, port = start_node(tmp_path, str(pacs_port), "0.3")
    for study in studies:
        assert send(port, [instance(n, study) for n in range(2)]) == [0, 0]
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.1, 2.5))
        kill(process)
        process, _ = start_node(tmp_path, str(pacs_port), "0.3")
    done = waiting = None
    for _ in range(3000):  # a loaded machine takes its time
        with database.transaction() as connection:
            done = connection.execute(select(JOBS.c.study_instance_uid, JOBS.c.state)).all()
            waiting = connection.execute(select(DELIVERIES.c.state)).scalars().all()
        if list(waiting) == [SendState.DONE] * len(studies):
            break
        time.sleep(0.1)
    stop(process)
    assert sorted(map(tuple, done or [])) == sorted((s, JobState.DONE) for s in studies)
    assert list(waiting or []) == [SendState.DONE] * len(studies)
    assert len(set(came)) == len(studies)  # sent again perhaps, and the same each time
    database.close()


def test_a_kill_after_sending_and_before_its_record_sends_the_same_again(tmp_path: Path) -> None:
    came: list[str] = []
    running: list[subprocess.Popen[str]] = []
    asked = threading.Event()

    def take(event: evt.Event) -> int:
        came.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    def commit(_event: evt.Event) -> tuple[int, None]:
        if len(came) == 1:
            running[0].kill()  # it has its success of storing, and wrote nothing down
        else:
            asked.set()
        return 0, None

    entity = AE("PACS")
    for context in (MRImageStorage, Verification, PUSH_MODEL):
        entity.add_supported_context(context)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, take), (evt.EVT_N_ACTION, commit)],
    )
    words = (str(server.server_address[1]), "0.3")
    process, port = start_node(tmp_path, *words)
    running.append(process)
    assert send(port, [instance(0)]) == [0]
    process.wait(120)
    kill(process)
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")

    def state() -> str:
        with database.transaction() as connection:
            return str(connection.execute(select(DELIVERIES.c.state)).scalar_one())

    assert state() == SendState.WAITING
    process, _ = start_node(tmp_path, *words)
    assert asked.wait(120)
    for _ in range(600):
        if state() == SendState.ASKED:
            break
        time.sleep(0.1)
    stop(process)
    assert state() == SendState.ASKED  # stored twice, and promised by nobody
    assert came == [came[0]] * 2
    database.close()
    server.shutdown()


def test_a_stop_during_an_analysis_puts_its_job_back_and_the_next_start_does_it(
    tmp_path: Path,
) -> None:
    process, port = start_node(tmp_path, "0", "0.1", "0", "PACS", "3600")
    assert send(port, [instance(0)]) == [0]
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")

    def until(state: JobState) -> None:
        for _ in range(1200):
            with database.transaction() as connection:
                if list(connection.execute(select(JOBS.c.state)).scalars()) == [state]:
                    return
            time.sleep(0.1)
        raise AssertionError(state)

    until(JobState.RUNNING)
    stop(process)
    until(JobState.PUT_BACK)
    process, _ = start_node(tmp_path, "0", "0.1")
    until(JobState.DONE)
    stop(process)
    database.close()
    (result,) = (tmp_path / "results").glob("*/*")  # of the analysis that was stopped nothing
    assert (result / "dicom" / "sr.dcm").is_file()
