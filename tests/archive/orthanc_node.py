"""Let Orthanc send a study to a node and get the results back, and print as JSON what came of it.

Run in a network namespace of its own, as orthanc_round_trip.py is:

    unshare -n sh -c 'ip link set lo up; exec python -m tests.archive.orthanc_node WORK'

WORK then holds ``phantom/``, the node's folder ``node/``, and what came back from Orthanc by
DICOMweb and by C-GET: ``from-web/``, ``from-get/``.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from opencmr.archive.database import CONFIRMATIONS, DELIVERIES, JOBS, STUDIES, Database, SendState

from .orthanc_round_trip import HTTP, OURS, PEERS, opencmr, started

QUIET_S = 3
SENT_AGAIN = 20
PATIENCE_S = 400


def ask(path: str, body: object = None) -> Any:
    """Ask Orthanc's own interface."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{HTTP}{path}", None if body is None else json.dumps(body).encode()
    )
    secret = base64.b64encode(b"reader:secret").decode()
    request.add_header("Authorization", f"Basic {secret}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def do(*words: object) -> bool:
    """Whether a command of ours did what it was asked."""
    return opencmr(*words)["status"] == 0


def until(is_so: Callable[[], bool], log: Path) -> None:
    """Wait for what must come, and show what the node said where it does not."""
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end_s:
            raise SystemExit(f"it did not come:\n{log.read_text()}")
        time.sleep(0.2)


def start_node(folder: Path, peers: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start the node that users start."""
    words = ["--folder", folder, "--port", OURS, "--send-to", "get", "--peers", peers]
    rules = ["--quiet-seconds", QUIET_S, "--least-free-gib", 0]
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "opencmr", "node", *map(str, words + rules)],
            stdout=out,
            stderr=out,
        )


def held() -> list[list[str]]:
    """Return study, modality and instance of all that Orthanc holds."""
    tags = [ask(f"/instances/{one}/simplified-tags") for one in ask("/instances")]
    keys = ("StudyInstanceUID", "Modality", "SOPInstanceUID")
    return sorted([one[key] for key in keys] for one in tags)


def rows(folder: Path) -> dict[str, list[Any]]:
    """Return what the node did: states, and of studies what came and what is settled."""
    database = Database(f"sqlite:///{folder / 'node.db'}")
    columns = (JOBS.c.state, DELIVERIES.c.state, CONFIRMATIONS.c.state)
    with database.transaction() as connection:
        found: dict[str, list[Any]] = {
            str(column.table.name): list(connection.execute(select(column)).scalars())
            for column in columns
        }
        counts = select(STUDIES.c.instances, STUDIES.c.settled)
        found["studies"] = [list(row) for row in connection.execute(counts)]
    database.close()
    return found


def talk(work: Path) -> dict[str, object]:
    peers, folder, log, phantom = (work / n for n in ("peers.toml", "node", "node.log", "phantom"))
    peers.write_text(PEERS)
    named = ("--peers", peers)
    os.environ["ORTHANC_PASSWORD"] = "secret"
    assert do("simulate", "-o", phantom, "--small")
    assert do("store", "get", phantom, *named)
    said: dict[str, object] = {"before": held()}
    node = start_node(folder, peers, log)
    try:
        until(lambda: do("store", "node", "--echo", *named), log)
        (study,) = ask("/studies")
        ask("/modalities/opencmr/store", {"Resources": [study], "Synchronous": True})
        until(lambda: rows(folder)["deliveries"] == [SendState.DONE], log)
        said |= {"after": held(), "rows": rows(folder)}
        (uid,) = {one[0] for one in held()}
        for peer in ("web", "get"):
            assert do("fetch", peer, "--study", uid, "-o", work / f"from-{peer}", *named)
        again = work / "again"
        again.mkdir()
        for picture in sorted(phantom.rglob("*.dcm"))[:SENT_AGAIN]:
            shutil.copy(picture, again)
        assert do("store", "node", again, *named)
        time.sleep(QUIET_S + 1)
        said |= {"after again": held(), "rows again": rows(folder)}
    finally:
        node.terminate()
        said["status"] = node.wait(60)
    return said


if __name__ == "__main__":
    a_work = Path(sys.argv[1])
    orthanc = started(a_work)
    try:
        sys.stdout.write(json.dumps(talk(a_work)))
    finally:
        orthanc.terminate()
        orthanc.wait(30)
