"""Talk to a real archive, Orthanc, and print as JSON what came of it.

Run in a network namespace of its own: Debian's Orthanc listens at every address.

    unshare -n sh -c 'ip link set lo up; exec python -m tests.archive.orthanc_round_trip \
        PICTURES RESULT WORK UID'
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sqlalchemy import select

from opencmr.archive.database import CONFIRMATIONS, DELIVERIES, Database, SendState
from opencmr.cli import main

HTTP, DICOM, OURS = 18042, 14242, 11114
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
PEERS = f"""
[web]
kind = "dicomweb"
url = "http://127.0.0.1:{HTTP}/dicom-web"
user = "reader"
password_env = "ORTHANC_PASSWORD"

[wrong]
kind = "dicomweb"
url = "http://127.0.0.1:{HTTP}/dicom-web"
user = "reader"
password_env = "WRONG_PASSWORD"

[get]
kind = "dimse"
host = "127.0.0.1"
port = {DICOM}
aet = "ORTHANC"

[move]
kind = "dimse"
host = "127.0.0.1"
port = {DICOM}
aet = "ORTHANC"
retrieve = "move"
receive_port = {OURS}

[node]
kind = "dimse"
host = "127.0.0.1"
port = {OURS}
aet = "OPENCMR"
calling_aet = "SCANNER"

[stranger]
kind = "dimse"
host = "127.0.0.1"
port = {DICOM}
aet = "NOBODY"
"""


def opencmr(*words: object) -> dict[str, object]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["opencmr", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


def started(work: Path) -> subprocess.Popen[bytes]:
    """Start Orthanc and wait until it answers."""
    configuration = {
        "Plugins": [PLUGIN],
        "StorageDirectory": str(work / "storage"),
        "IndexDirectory": str(work / "storage"),
        "HttpPort": HTTP,
        "DicomPort": DICOM,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowEcho": False,
        "DicomCheckModalityHost": True,
        "DicomModalities": {"opencmr": ["OPENCMR", "127.0.0.1", OURS]},
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"reader": "secret"},
    }
    file = work / "orthanc.json"
    file.write_text(json.dumps(configuration))
    log = (work / "orthanc.log").open("wb")
    process = subprocess.Popen(["Orthanc", str(file)], stdout=log, stderr=log)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{HTTP}/system", timeout=1)
        except urllib.error.HTTPError:  # 401: it is there
            return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("Orthanc does not start:\n" + (work / "orthanc.log").read_text())


def talk(pictures: Path, result: Path, work: Path, study: str) -> dict[str, object]:
    peers = work / "peers.toml"
    peers.write_text(PEERS)
    os.environ |= {"ORTHANC_PASSWORD": "secret", "WRONG_PASSWORD": "guess"}
    said: dict[str, object] = {}

    def ask(step: str, verb: str, peer: str, *words: object) -> None:
        said[step] = opencmr(verb, peer, *words, "--peers", peers)

    for peer in ("web", "get", "wrong", "stranger"):
        ask(f"echo {peer}", "store", peer, "--echo")
    ask("nothing yet", "find", "web", "--json")
    ask("fetch nothing", "fetch", "web", "--study", study, "-o", work / "nothing")
    ask("store", "store", "get", pictures, "--json")
    ask("stow", "store", "web", result, "--json")
    ask("stow again", "store", "web", result, "--json")
    ask("store again", "store", "get", result, "--json")
    for peer in ("web", "get", "move"):
        ask(f"find {peer}", "find", peer, "--study", study, "--modality", "", "--json")
        ask(f"fetch {peer}", "fetch", peer, "--study", study, "-o", work / f"from-{peer}")
    ask("find by modality", "find", "web", "--json", "--modality", "CT")
    said["node"] = committed(work, pictures, peers)
    return said


def committed(work: Path, pictures: Path, peers: Path) -> list[str]:
    """Return what became of a result that a node sends to Orthanc, and asks it to keep."""
    words = [
        Path(__file__).with_name("node_process.py"),
        work / "node",
        DICOM,
        0.3,
        OURS,
        "ORTHANC",
    ]
    node = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.PIPE)
    assert node.stdout is not None
    node.stdout.readline()
    opencmr("store", "node", pictures, "--peers", peers)
    database = Database(f"sqlite:///{work / 'node' / 'node.db'}")
    states: list[str] = []
    for _ in range(600):
        with database.transaction() as connection:
            states = list(connection.execute(select(DELIVERIES.c.state)).scalars())
            asked = list(connection.execute(select(CONFIRMATIONS.c.state)).scalars())
        if states == [SendState.DONE]:
            break
        time.sleep(0.1)
    database.close()
    node.terminate()
    node.wait(30)
    node.stdout.close()
    return [*states, *asked]


if __name__ == "__main__":
    a_pictures, a_result, a_work = map(Path, sys.argv[1:4])
    orthanc = started(a_work)
    try:
        sys.stdout.write(json.dumps(talk(a_pictures, a_result, a_work, sys.argv[4])))
    finally:
        orthanc.terminate()
        orthanc.wait(30)
