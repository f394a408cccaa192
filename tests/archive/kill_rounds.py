"""Nodes killed at random moments, and what is found afterwards, counted and not judged."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
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

from .senders import instance, send, start_node

SEED = 20261129
EACH = 400
"""Instances of a study that is sent, by two associations, while its node is killed."""

QUIET_S = "0.3"
"""After so long without an instance a study is analysed, which takes 0.2 s."""

STUCK_S = 300.0
"""A node that delivers nothing more for so long is not waited for; a loaded machine takes long."""


@contextmanager
def pacs() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Serve as an archive that takes everything: its port, and study and UID of all that came."""
    came: list[tuple[str, str]] = []

    def take(event: evt.Event) -> int:
        came.append(
            (str(event.dataset.StudyInstanceUID), str(event.request.AffectedSOPInstanceUID))
        )
        return 0

    entity = AE("PACS")
    entity.add_supported_context(MRImageStorage)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    try:
        yield server.server_address[1], came
    finally:
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


def study_uid(number: int) -> str:
    return f"1.2.826.0.1.3680043.8.498.{number + 1}"


def killed_while_receiving(folder: Path, kills: int) -> Mapping[str, int]:
    """Kill a node once for each of so many studies while they come; count what is kept."""
    chance = random.Random(SEED)
    acknowledged: list[str] = []
    for number in range(kills):
        process, port = start_node(folder)
        halves = [[instance(n, study_uid(number)) for n in range(k, EACH, 2)] for k in (0, 1)]
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
    process, _ = start_node(folder)  # sweeps
    database = Database(f"sqlite:///{folder / 'node.db'}")
    with database.transaction() as connection:
        paths = dict(
            connection.execute(select(INSTANCES.c.sop_instance_uid, INSTANCES.c.path)).all()
        )
        counted = sum(connection.execute(select(STUDIES.c.instances)).scalars())
    kill(process)
    database.close()
    on_disk = {p.relative_to(folder).as_posix() for p in (folder / "instances").glob("*/*")}
    return {
        "kills": kills,
        "sent": kills * EACH,
        "acknowledged": len(acknowledged),
        "lost": len(set(acknowledged) - set(paths)),
        "unreadable": sum(not _is_readable(folder / path, uid) for uid, path in paths.items()),
        "files_without_a_row": len(on_disk - set(paths.values())),
        "rows_without_a_file": len(set(paths.values()) - on_disk),
        "miscounted": abs(counted - len(paths)),
        "left_unfinished": len(list((folder / "incoming").iterdir())),
    }


def _is_readable(path: Path, uid: str) -> bool:
    try:
        return bool(dcmread(path).SOPInstanceUID == uid)
    except Exception:  # what a kill left may raise anything
        return False


def killed_while_working(folder: Path, kills: int) -> Mapping[str, int]:
    """Send as many studies, and after each kill the node that analyses and sends them.

    Return what was counted, ``kills_at_work`` too: those that came while a study had still to be
    analysed or its result to be delivered.
    """
    chance = random.Random(SEED)
    stored = at_work = 0
    with pacs() as (pacs_port, came):
        words = (str(pacs_port), QUIET_S)
        process, port = start_node(folder, *words)
        database = Database(f"sqlite:///{folder / 'node.db'}")

        def deliveries() -> list[SendState]:
            with database.transaction() as connection:
                return list(connection.execute(select(DELIVERIES.c.state)).scalars())

        for number in range(kills):
            stored += send(port, [instance(n, study_uid(number)) for n in range(2)]) == [0, 0]
            time.sleep(chance.uniform(0.1, 1.2))
            kill(process)
            at_work += deliveries().count(SendState.DONE) <= number
            process, port = start_node(folder, *words)
        sent = deliveries()
        last_s = time.monotonic()
        while sent != [SendState.DONE] * kills and time.monotonic() - last_s < STUCK_S:
            time.sleep(0.1)
            before, sent = sent, deliveries()
            if sent != before:
                last_s = time.monotonic()
        with database.transaction() as connection:
            jobs = connection.execute(select(JOBS.c.study_instance_uid, JOBS.c.state)).all()
        stop(process)
        database.close()
    done = [study for study, state in jobs if state == JobState.DONE]
    results = {uid for _, uid in came}
    return {
        "kills": kills,
        "kills_at_work": at_work,
        "studies": stored,
        "analysed": len(set(done)),
        "jobs": len(jobs),
        "delivered": sent.count(SendState.DONE),
        "deliveries": len(sent),
        "studies_with_a_result_there": len({study for study, _ in came}),
        "results_there": len(results),
        "sent_again_under_the_same_uid": len(came) - len(results),
    }
