"""The receiver: who is let in, what is kept, and that nobody can stop it for the others."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import MRImageStorage
from pynetdicom import AE, AllStoragePresentationContexts

from opencmr.archive import connections
from opencmr.archive.address import Address, parse_address
from opencmr.archive.audit import Entry, Event, Outcome
from opencmr.archive.commitment import Commitments
from opencmr.archive.connections import Caps
from opencmr.archive.database import Database
from opencmr.archive.receiver import VERIFICATION, Door, Receiver, Tls
from opencmr.archive.store import Store
from opencmr.errors import ConfigurationError

from .senders import instance, send

DOOR = Door(port=0)


class Running:
    """A receiver and its store."""

    def __init__(self, folder: Path, door: Door) -> None:
        self.told: list[str] = []
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        self.store = Store(folder, self.database, least_free_bytes=1 << 20)
        commitments = Commitments(self.database, self.store, {})
        self.recorded: list[Entry] = []
        self.receiver = Receiver(
            door, self.store, commitments, self.told.append, record=self.recorded.append
        )
        self.port = self.receiver.port

    @property
    def kept(self) -> list[Path]:
        return sorted((self.store.folder / "instances").glob("*/*.dcm"))

    def close(self) -> None:
        self.receiver.close()
        self.store.close()
        self.database.close()


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    found = Running(tmp_path, getattr(request, "param", DOOR))
    yield found
    found.close()


def echo(port: int, **named: str) -> bool:
    entity = AE(named.get("aet", "SCANNER"))
    entity.acse_timeout = entity.dimse_timeout = 10
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", port, ae_title=named.get("called", "OPENCMR"))
    if not association.is_established:
        return False
    status = association.send_c_echo().Status
    association.release()
    return bool(status == 0)


def rejection(port: int, **named: str) -> tuple[int, int, int]:
    """Return result, source and reason of a rejected association."""
    entity = AE(named.get("aet", "SCANNER"))
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", port, ae_title=named.get("called", "OPENCMR"))
    assert association.is_rejected
    said = association.acceptor.primitive
    assert said is not None
    return said.result, said.result_source, said.diagnostic


@pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")
def test_storescu_of_dcmtk_stores_and_its_file_is_kept(running: Running, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    for number in range(5):
        d = instance(number)
        d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID
        d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
        d.save_as(sent / f"{number}.dcm", enforce_file_format=True)
    words = ["storescu", "-aec", "OPENCMR", "127.0.0.1", str(running.port), "+sd", str(sent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(running.kept) == 5


def test_what_is_refused_is_told_without_identifiers(running: Running) -> None:
    wrong = instance(1)
    wrong.StudyInstanceUID = ""
    assert send(running.port, [instance(0), wrong, instance(2)]) == [0, 0xC000, 0]
    assert running.told == ["refused an instance (0xC000): the data set names no study"]
    assert len(running.kept) == 2


@pytest.mark.parametrize("running", [replace(DOOR, callers=("SCANNER",))], indirect=True)
def test_wrong_titles_are_rejected_with_their_reasons(running: Running) -> None:
    assert echo(running.port)
    assert rejection(running.port, called="OTHER") == (1, 1, 7)
    assert rejection(running.port, aet="STRANGER") == (1, 1, 3)
    assert [(one.event, one.outcome, one.caller) for one in running.recorded] == [
        (Event.NODE_AUTHENTICATION, Outcome.MINOR_FAILURE, caller)
        for caller in ("SCANNER", "STRANGER")
    ]
    assert {one.address for one in running.recorded} == {"127.0.0.1"}


def test_what_came_is_recorded_once_an_association_ends_however_it_does(running: Running) -> None:
    wrong = instance(1)
    wrong.StudyInstanceUID = ""
    send(running.port, [instance(0), wrong, instance(2)])
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage)
    association = entity.associate("127.0.0.1", running.port, ae_title="OPENCMR")
    association.send_c_store(instance(3))
    association.abort()
    until = time.monotonic() + 30
    while len(running.recorded) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)  # for one that would be told twice
    assert [(one.event, one.instances) for one in running.recorded] == [
        (Event.INSTANCES_TRANSFERRED, 2),
        (Event.INSTANCES_TRANSFERRED, 1),
    ]
    assert not any(word in str(running.recorded) for word in ("SECRET", "Secret", "1.2.826"))


@pytest.mark.parametrize("running", [replace(DOOR, callers=("SCANNER",))], indirect=True)
def test_nobody_is_let_in_because_the_trail_cannot_be_written(running, monkeypatch) -> None:
    def full(_: Entry) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running.receiver, "_record", full)
    assert rejection(running.port, aet="STRANGER") == (1, 1, 3)
    until = time.monotonic() + 30
    while not any("audit trail" in line for line in running.told):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("running", [replace(DOOR, callers=("SCANNER@10.9.8.7",))], indirect=True)
def test_a_title_from_a_foreign_address_is_rejected(running: Running) -> None:
    assert rejection(running.port) == (1, 1, 3)


@pytest.mark.parametrize("running", [replace(DOOR, caps=Caps(associations=2))], indirect=True)
def test_one_association_too_many_is_rejected_for_the_moment(running: Running) -> None:
    held = []
    for _ in range(2):
        entity = AE("SCANNER")
        entity.add_requested_context(VERIFICATION)
        held.append(entity.associate("127.0.0.1", running.port, ae_title="OPENCMR"))
    assert all(one.is_established for one in held)
    assert rejection(running.port) == (2, 3, 2)
    for one in held:
        one.release()


@pytest.mark.long
def test_two_hundred_silent_connections_leave_room_and_few_threads(running: Running) -> None:
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(200)]
    assert echo(running.port)
    until = time.monotonic() + 30  # the threads of those that gave way end in their own time
    while threading.active_count() - before > 4 * Caps().associations:
        assert time.monotonic() < until
        time.sleep(0.05)
    for one in silent:
        one.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\x01\x00\x40\x00\x00\x00" + bytes(64),  # an association request of 1 GiB
        b"\x01\x00\x00\x00\x00\xff" + bytes(3),  # one that never ends
        b"\xff" * 600,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_dicom_is_closed_and_harms_nobody(
    said: bytes, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ARTIM_S", 1.0)
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as peer:
        peer.sendall(said)
        try:
            while peer.recv(4096):  # an abort may come first
                pass
        except ConnectionResetError:
            pass
    assert echo(running.port)


def association_request(contexts: int) -> bytes:
    """Return what a caller that offers so many presentation contexts says first."""
    entity = AE("SCANNER")
    entity.acse_timeout = entity.network_timeout = 5
    for context in AllStoragePresentationContexts[:contexts]:
        entity.add_requested_context(context.abstract_syntax or "")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        caller = threading.Thread(target=entity.associate, args=("127.0.0.1", port))
        caller.start()
        peer, _ = listening.accept()
        with peer:
            said = peer.recv(8)
            length = int.from_bytes(said[2:6], "big") + 6
            while len(said) < length:
                said += peer.recv(65536)
        caller.join()
    return said


def mutant(said: bytes, random: np.random.Generator) -> bytes:
    """Return a message with bytes changed, removed, doubled or promised, and one after it."""
    content = bytearray(said)
    kind = random.integers(5)
    place, end = sorted(random.integers(0, len(content), 2))
    if kind == 0:
        for one in random.integers(0, len(content), random.integers(1, 9)):
            content[one] = random.integers(256)
    elif kind == 1:
        del content[place:]
    elif kind == 2:
        content[place:place] = content[place:end] * int(random.integers(1, 50))
    elif kind == 3:
        content[2:6] = random.bytes(4)
    else:
        del content[place:end]
    return bytes(content) + random.bytes(int(random.integers(0, 64)))


def test_broken_requests_for_an_association_harm_nobody(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ARTIM_S", 1.0)
    whole = [association_request(contexts) for contexts in (1, 100)]
    random = np.random.default_rng(7)
    for number in range(80):
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as peer:
            peer.sendall(mutant(whole[number % 2], random))
            peer.shutdown(socket.SHUT_WR)
            if number % 8 == 0:
                assert echo(running.port)
    assert echo(running.port)
    assert running.kept == []


def test_beyond_this_machine_nothing_goes_in_clear_unless_asked() -> None:
    with pytest.raises(ConfigurationError, match="--insecure"):
        Door(host="0.0.0.0")
    assert Door(host="0.0.0.0", is_insecure=True).host == "0.0.0.0"


@pytest.mark.parametrize("text", ["PACS", "PACS@host", "@h:104", "PACS@h:0", "A" * 17 + "@h:104"])
def test_a_bad_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_address(text)
    assert parse_address("PACS@[::1]:104") == Address("PACS", "::1", 104)


@pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("echoscu") is None,
    reason="openssl or dcmtk is not installed",
)
def test_tls_lets_in_who_has_a_certificate_and_a_silent_client_stops_nobody(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(
        [*words, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60
    )
    running = Running(tmp_path, replace(DOOR, tls=Tls(certificate, key, certificate)))
    call = ["echoscu", "-aec", "OPENCMR", "127.0.0.1", str(running.port)]
    named = [*call, "+tls", str(key), str(certificate), "+cf", str(certificate)]
    nameless = [*call, "+tla", "+cf", str(certificate)]
    with socket.create_connection(("127.0.0.1", running.port)):
        codes = [
            subprocess.run(one, capture_output=True, timeout=60, check=False).returncode
            for one in (named, nameless, call)
        ]
    running.close()
    alerts = [one for one in running.recorded if "no TLS connection" in one.what]
    assert {(one.event, one.address) for one in alerts} == {
        (Event.NODE_AUTHENTICATION, "127.0.0.1")
    }
    assert len(alerts) >= 2
    assert codes[0] == 0
    assert all(codes[1:])
