"""kill -9 at any moment: nothing acknowledged is lost, and no result is there twice."""

import os
import subprocess
import threading
import time
from pathlib import Path

from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification
from sqlalchemy import select

from opencmr.archive.database import DELIVERIES, JOBS, Database, JobState, SendState
from opencmr.archive.push_model import PUSH_MODEL

from .kill_rounds import kill, killed_while_receiving, killed_while_working, stop
from .senders import instance, send, start_node

KILLS = int(os.environ.get("OPENCMR_NODE_KILLS", "5"))
"""40 in `make check-long`."""


def test_kills_while_receiving_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    found = dict(killed_while_receiving(tmp_path, KILLS))
    assert found.pop("kills") == KILLS
    assert KILLS < found.pop("acknowledged") < found.pop("sent")  # kills hit a node at work
    assert found == dict.fromkeys(found, 0)


def test_kills_while_analysing_and_sending_lose_no_job_and_double_no_result(
    tmp_path: Path,
) -> None:
    found = dict(killed_while_working(tmp_path, KILLS))
    assert found.pop("kills_at_work") > 0
    del found["sent_again_under_the_same_uid"]
    assert found == dict.fromkeys(found, KILLS)


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
