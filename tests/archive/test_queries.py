"""Queries and retrieval: dcmtk finds and moves what the node holds, hostile peers get nothing."""

import io
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_FIND, C_MOVE

from opencmr.archive import queries, tls
from opencmr.archive.address import Address, as_peer
from opencmr.archive.audit import Entry, Event, Outcome
from opencmr.archive.commitment import Commitments
from opencmr.archive.database import Database
from opencmr.archive.identifiers import STUDY_ROOT_FIND, STUDY_ROOT_MOVE
from opencmr.archive.index import Index
from opencmr.archive.peers import DimsePeer
from opencmr.archive.receiver import VERIFICATION, Door, Receiver, Tls
from opencmr.archive.store import Store

from .conftest import Authority
from .senders import as_received, instance

pytestmark = pytest.mark.skipif(
    shutil.which("findscu") is None or shutil.which("movescu") is None,
    reason="dcmtk is not installed",
)
FIRST, SECOND = "1.2.826.0.1.3680043.8.498.21", "1.2.826.0.1.3680043.8.498.22"
PATIENCE_S = 60


def of(study: str, number: int, **values: Any) -> Dataset:
    d = instance(number, study)
    d.SpecificCharacterSet = "ISO_IR 100"
    d.PatientName, d.PatientID = "Müller^Anna", "P-1"
    d.StudyDate, d.StudyTime, d.AccessionNumber, d.StudyID = "20260102", "0815", "A-1", "1"
    d.StudyDescription, d.SeriesDescription = "heart", "cine"
    d.SeriesNumber, d.InstanceNumber = 4, number
    for keyword, value in values.items():
        setattr(d, keyword, value)
    return d


class Peer:
    """What a move is to be sent to; its handler may be told to misbehave."""

    def __init__(self, aet: str, context: ssl.SSLContext | None = None) -> None:
        self.came: list[tuple[str, str, int]] = []
        self.meanwhile = lambda: None
        self.status = 0
        entity = AE(aet)
        entity.add_supported_context(MRImageStorage)
        self.server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            ssl_context=context,
            evt_handlers=[(evt.EVT_C_STORE, self._take)],
        )
        self.address = Address(aet, "127.0.0.1", int(self.server.server_address[1]))

    def _take(self, event: evt.Event) -> int:
        request = event.request
        self.came.append(
            (
                str(request.AffectedSOPInstanceUID),
                str(request.MoveOriginatorApplicationEntityTitle),
                int(request.MoveOriginatorMessageID),
            )
        )
        self.meanwhile()
        return self.status


class Running:
    """A node's receiver that holds two studies, and a peer that it may send to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.recorded: list[Entry] = []
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        self.store = Store(folder, self.database, least_free_bytes=1 << 20)
        for number in (1, 2, 10):
            self.store.keep(as_received(of(FIRST, number)))
        other = {"PatientName": "Doe^John", "PatientID": "P-2", "StudyDate": "20260301"}
        second = {"SeriesInstanceUID": f"{SECOND}.2", "SeriesNumber": 5}
        self.store.keep(as_received(of(SECOND, 1, **other)))
        self.store.keep(as_received(of(SECOND, 2, **other, **second)))
        self.index = Index(self.database, folder, self.told.append)
        self.peer = Peer("READER")
        nobody = Address("NOBODY", "127.0.0.1", 1)
        self.receiver = Receiver(
            Door(port=0),
            self.store,
            Commitments(self.database, self.store, {}),
            self.told.append,
            record=self.recorded.append,
            index=self.index,
            destinations={one.aet: as_peer(one, "OPENCMR") for one in (self.peer.address, nobody)},
        )

    def close(self) -> None:
        self.peer.server.shutdown()
        self.receiver.close()
        self.index.stop()
        self.store.close()
        self.database.close()

    def files(self) -> list[Path]:
        return sorted((self.folder / "instances").glob("*/*.dcm"))

    def dcmtk(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        # In the C locale: a peer's bytes are not always of this machine's letters.
        known = [program, "-v", "-S", "-aec", "OPENCMR", "127.0.0.1", str(self.receiver.port)]
        done = subprocess.run(
            [*known, *words], capture_output=True, timeout=PATIENCE_S, check=False, cwd=self.folder
        )
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
        )

    def find(self, folder: Path, *keys: str) -> list[Dataset]:
        """Return what findscu finds."""
        folder.mkdir(exist_ok=True)
        for old in folder.glob("rsp*.dcm"):
            old.unlink()
        words = [word for key in keys for word in ("-k", key)]
        done = self.dcmtk("findscu", "-X", "-od", str(folder), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return [dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]

    def move(self, destination: str, *keys: str) -> subprocess.CompletedProcess[str]:
        words = [word for key in keys for word in ("-k", key)]
        return self.dcmtk("movescu", "-aem", destination, *words)

    def wait_for_records(self, count: int) -> list[Entry]:
        until = time.monotonic() + PATIENCE_S
        while len(self.recorded) < count and time.monotonic() < until:
            time.sleep(0.02)
        return self.recorded


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path / "node")
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir(mode=0o700)


def test_findscu_lists_studies_with_counts_modalities_and_names_in_any_letters(
    running: Running, tmp_path: Path
) -> None:
    asked = ["PatientName", "PatientID", "StudyDate", "ModalitiesInStudy", "StudyInstanceUID"]
    counts = ["NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"]
    found = running.find(tmp_path / "out", "QueryRetrieveLevel=STUDY", *asked, *counts)
    assert {
        str(d.StudyInstanceUID): (
            str(d.PatientName), d.PatientID, d.StudyDate, d.ModalitiesInStudy,
            d.NumberOfStudyRelatedSeries, d.NumberOfStudyRelatedInstances, d.RetrieveAETitle,
        )
        for d in found
    } == {
        FIRST: ("Müller^Anna", "P-1", "20260102", "MR", 1, 3, "OPENCMR"),
        SECOND: ("Doe^John", "P-2", "20260301", "MR", 2, 2, "OPENCMR"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        (["PatientName=doe*"], {SECOND}),
        (["PatientName=*"], {FIRST, SECOND}),
        (["PatientID=P-1"], {FIRST}),
        (["StudyDate=20260101-20260131"], {FIRST}),
        (["StudyDate=20260201-"], {SECOND}),
        ([f"StudyInstanceUID={FIRST}\\{SECOND}\\1.2.3"], {FIRST, SECOND}),
        (["ModalitiesInStudy=CT"], set()),
        (["ModalitiesInStudy=MR", "AccessionNumber=A-1", "PatientID=P-2"], {SECOND}),
    ],
)
def test_findscu_finds_the_studies_that_match(running: Running, tmp_path, keys, studies) -> None:
    found = running.find(tmp_path / "out", "QueryRetrieveLevel=STUDY", "StudyInstanceUID", *keys)
    assert {str(d.StudyInstanceUID) for d in found} == studies
    (entry,) = running.wait_for_records(1)
    assert (entry.event, entry.outcome) == (Event.QUERY, Outcome.SUCCESS)
    assert entry.what == f"a query was answered with {len(studies)} studies"


def test_findscu_goes_down_to_series_and_images(running: Running, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study = f"StudyInstanceUID={SECOND}"
    asked = ("SeriesInstanceUID", "Modality=MR", "SeriesNumber", "NumberOfSeriesRelatedInstances")
    series = running.find(out, "QueryRetrieveLevel=SERIES", study, *asked)
    assert [(d.SeriesInstanceUID, d.SeriesNumber) for d in series] == [
        (f"{SECOND}.1", 4),
        (f"{SECOND}.2", 5),
    ]
    assert {d.NumberOfSeriesRelatedInstances for d in series} == {1}
    keys = (f"StudyInstanceUID={FIRST}", f"SeriesInstanceUID={FIRST}.1")
    images = running.find(
        out, "QueryRetrieveLevel=IMAGE", *keys, "SOPInstanceUID", "InstanceNumber", "SOPClassUID"
    )
    assert [(d.SOPInstanceUID, d.InstanceNumber) for d in images] == [
        (f"{FIRST}.1.{number}", number) for number in (1, 2, 10)
    ]
    assert {d.SOPClassUID for d in images} == {MRImageStorage}
    some = "\\".join(f"{FIRST}.1.{number}" for number in (2, 10))
    few = running.find(out, "QueryRetrieveLevel=IMAGE", *keys, f"SOPInstanceUID={some}")
    assert len(few) == 2


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        (["QueryRetrieveLevel=PATIENT", "PatientID"], "A900"),
        (["StudyInstanceUID"], "A900"),
        (["QueryRetrieveLevel=SERIES", "SeriesInstanceUID"], "A900"),
        (["QueryRetrieveLevel=SERIES", f"StudyInstanceUID={FIRST}\\{SECOND}"], "A900"),
        (["QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={FIRST}", "SOPInstanceUID"], "A900"),
        (["QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.*"], "A900"),
        (["QueryRetrieveLevel=STUDY", "StudyDate=yesterday"], "A900"),
    ],
)
def test_what_is_no_query_of_the_model_is_refused_and_recorded(
    running: Running, keys, status
) -> None:
    words = [word for key in keys for word in ("-k", key)]
    done = running.dcmtk("findscu", "-d", *words)
    assert f"0x{status.lower()}" in (done.stdout + done.stderr).lower()
    (entry,) = running.wait_for_records(1)
    assert (entry.event, entry.outcome) == (Event.QUERY, Outcome.MINOR_FAILURE)
    assert not any(word in str([running.told, entry]) for word in ("yesterday", FIRST, "1.2.*"))


def test_movescu_has_a_study_sent_to_a_known_peer(running: Running) -> None:
    done = running.move("READER", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={FIRST}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [uid for uid, _, _ in running.peer.came] == [f"{FIRST}.1.{n}" for n in (1, 2, 10)]
    assert {title for _, title, _ in running.peer.came} == {"MOVESCU"}
    (entry,) = running.wait_for_records(1)
    assert entry.event is Event.INSTANCES_TRANSFERRED
    assert (entry.what, entry.instances) == ("instances were sent to READER on request", 3)
    assert (entry.caller, entry.address) == ("MOVESCU", "127.0.0.1")


def test_movescu_receives_itself_what_is_sent(running: Running, tmp_path: Path) -> None:
    running.receiver.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    running.receiver = Receiver(
        Door(port=0),
        running.store,
        Commitments(running.database, running.store, {}),
        index=running.index,
        destinations={"MOVESCU": as_peer(Address("MOVESCU", "127.0.0.1", port), "OPENCMR")},
    )
    out = tmp_path / "out"
    out.mkdir()
    words = ["-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={SECOND}"]
    done = running.dcmtk(
        "movescu", "--port", str(port), "-od", str(out), *words, "-k",
        f"SeriesInstanceUID={SECOND}.1\\{SECOND}.2",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    came = [dcmread(path) for path in out.iterdir()]
    assert {str(d.SOPInstanceUID) for d in came} == {f"{SECOND}.1.1", f"{SECOND}.1.2"}
    sent = {str(d.SOPInstanceUID): d.PixelData for d in map(dcmread, running.files())}
    assert all(d.PixelData == sent[str(d.SOPInstanceUID)] for d in came)


def test_what_is_asked_for_over_tls_is_sent_over_tls(
    running: Running, authority: Callable[[str], Authority]
) -> None:
    ours = authority("hospital")
    certificate, key = ours.signed("opencmr")
    reader = Peer("ARCHIVE", tls.called(*ours.signed("archive"), ours.certificate, is_mutual=True))
    known = {"kind": "dimse", "host": "127.0.0.1", "port": reader.address.port, "aet": "ARCHIVE"}
    shown = {"ca": ours.certificate, "cert": certificate, "key": key}
    running.receiver.close()
    running.receiver = Receiver(
        Door(port=0, tls=Tls(certificate, key, ours.certificate)),
        running.store,
        Commitments(running.database, running.store, {}),
        index=running.index,
        destinations={"ARCHIVE": DimsePeer.model_validate(known | {"tls": shown})},
    )
    entity = AE("ASKER")
    entity.add_requested_context(STUDY_ROOT_MOVE)
    over_tls = (tls.calling(ours.certificate, *ours.signed("asker")), "127.0.0.1")
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", FIRST
    called = {"addr": "127.0.0.1", "port": running.receiver.port, "ae_title": "OPENCMR"}
    association = entity.associate(**called, tls_args=over_tls)
    *_, (last, _) = association.send_c_move(asked, "ARCHIVE", STUDY_ROOT_MOVE)
    association.release()
    assert last.Status == 0
    assert [uid for uid, _, _ in reader.came] == [f"{FIRST}.1.{n}" for n in (1, 2, 10)]
    assert not entity.associate(**called).is_established
    reader.server.shutdown()


@pytest.mark.parametrize(
    ("destination", "keys", "status"),
    [
        ("STRANGER", ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={FIRST}"], "A801"),
        ("NOBODY", ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={FIRST}"], "A702"),
        ("READER", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"], "A900"),
        ("READER", ["QueryRetrieveLevel=STUDY", "PatientID=P-1"], "A900"),
        ("READER", ["QueryRetrieveLevel=PATIENT", "PatientID=P-1"], "A900"),
    ],
)
def test_a_move_that_cannot_be_is_told_why(running: Running, destination, keys, status) -> None:
    words = [word for key in keys for word in ("-k", key)]
    done = running.dcmtk("movescu", "-d", "-aem", destination, *words)
    assert f"0x{status.lower()}" in (done.stdout + done.stderr).lower()
    assert running.peer.came == []
    (entry,) = running.wait_for_records(1)
    assert entry.outcome is Outcome.MINOR_FAILURE
    assert "STRANGER" not in str([running.told, entry])


def asked(level: str, **keys: str) -> Dataset:
    d = Dataset()
    d.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(d, keyword, value)
    return d


def associated(running: Running, *classes: str) -> Any:
    entity = AE("READER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 8
    for one in classes:
        entity.add_requested_context(one)
    made = entity.associate("127.0.0.1", running.receiver.port, ae_title="OPENCMR")
    assert made.is_established
    return made


def moved(running: Running, level: str, **keys: str) -> list[tuple[Dataset, Dataset | None]]:
    association = associated(running, STUDY_ROOT_MOVE)
    answers = list(association.send_c_move(asked(level, **keys), "READER", STUDY_ROOT_MOVE))
    association.release()
    return answers


def counts(status: Dataset) -> tuple[int | None, ...]:
    kinds = ("Remaining", "Completed", "Warning", "Failed")
    return tuple(status.get(f"NumberOf{kind}Suboperations") for kind in kinds)


def test_sub_operations_are_counted_and_a_file_that_is_gone_has_failed(running: Running) -> None:
    gone = next(p for p in running.files() if dcmread(p).SOPInstanceUID == f"{FIRST}.1.2")
    gone.unlink()
    answers = moved(running, "STUDY", StudyInstanceUID=FIRST)
    assert [counts(status) for status, _ in answers] == [
        (1, 1, 0, 1),
        (0, 2, 0, 1),
        (None, 2, 0, 1),
    ]
    status, told = answers[-1]
    assert status.Status == 0xB000
    assert told is not None
    assert told.FailedSOPInstanceUIDList == f"{FIRST}.1.2"


def test_a_file_that_goes_while_its_study_is_sent_harms_nobody(running: Running) -> None:
    def clean() -> None:
        for path in running.files():
            path.unlink()

    running.peer.meanwhile = clean
    status, _ = moved(running, "STUDY", StudyInstanceUID=FIRST)[-1]
    assert (status.Status, counts(status)) == (0xB000, (None, 1, 0, 2))
    assert moved(running, "STUDY", StudyInstanceUID=SECOND)[-1][0].Status == 0xA702


def test_warnings_of_the_destination_are_counted_as_such(running: Running) -> None:
    running.peer.status = 0xB000
    status, _ = moved(running, "STUDY", StudyInstanceUID=FIRST)[-1]
    assert (status.Status, counts(status)) == (0xB000, (None, 0, 3, 0))


def test_what_is_not_held_is_moved_with_success_and_nothing(running: Running) -> None:
    ((status, _),) = moved(running, "STUDY", StudyInstanceUID="1.2.3")
    assert (status.Status, counts(status)) == (0, (None, 0, 0, 0))


def test_a_move_ends_when_it_is_cancelled(running: Running) -> None:
    association = associated(running, STUDY_ROOT_MOVE)

    def cancel() -> None:
        if len(running.peer.came) == 1:
            association.send_c_cancel(7, query_model=STUDY_ROOT_MOVE)
            time.sleep(0.5)

    running.peer.meanwhile = cancel
    identifier = asked("STUDY", StudyInstanceUID=FIRST)
    answers = list(association.send_c_move(identifier, "READER", STUDY_ROOT_MOVE, msg_id=7))
    association.release()
    status, _ = answers[-1]
    assert (status.Status, counts(status)) == (0xFE00, (2, 1, 0, 0))
    assert len(running.peer.came) == 1


def test_a_query_ends_when_it_is_cancelled(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "AT_ONCE", 1)
    monkeypatch.setattr(queries, "LOOK_S", 0.3)
    association = associated(running, STUDY_ROOT_FIND)
    keys = asked("IMAGE", StudyInstanceUID=FIRST, SeriesInstanceUID=f"{FIRST}.1")
    statuses = []
    for status, _ in association.send_c_find(keys, STUDY_ROOT_FIND, msg_id=9):
        if not statuses:
            association.send_c_cancel(9, query_model=STUDY_ROOT_FIND)
        statuses.append(status.Status)
    association.release()
    assert statuses[-1] == 0xFE00
    assert len(statuses) < 4


def test_a_move_stops_when_its_asker_goes_away(running: Running) -> None:
    association = associated(running, STUDY_ROOT_MOVE)

    def leave() -> None:
        association.abort()
        time.sleep(0.5)

    running.peer.meanwhile = leave
    list(association.send_c_move(asked("STUDY", StudyInstanceUID=FIRST), "READER", STUDY_ROOT_MOVE))
    (entry,) = running.wait_for_records(1)
    assert (entry.outcome, entry.instances) == (Outcome.MINOR_FAILURE, 1)
    assert len(running.peer.came) == 1


HOSTILE = [
    b"",
    b"\xff" * 64,
    b"\x08\x00\x52\x00\xff\xff\xff\xffSTUDY ",
    b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x20\x00\x0d\x00\xff\xff\xff\x7f1.2",
    b"\x08\x00\x15\x11\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000,
    b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x20\x00\x11\x00\x02\x00\x00\x00x ",
    b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x10\x00\x10\x00\x04\x00\x10\x00" + b"*a" * (1 << 19),
    b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x10\x00\x20\x00\x00\x00\x50\x00" + b"x" * (5 << 20),
]


@pytest.mark.parametrize("identifier", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", [C_FIND, C_MOVE])
def test_hostile_identifiers_get_nothing_and_harm_nobody(
    running: Running, kind, identifier
) -> None:
    uid = STUDY_ROOT_FIND if kind is C_FIND else STUDY_ROOT_MOVE
    association = associated(running, uid, VERIFICATION)
    request = kind()
    request.MessageID, request.Priority, request.AffectedSOPClassUID = 1, 2, uid
    request.Identifier = io.BytesIO(identifier)
    if kind is C_MOVE:
        request.MoveDestination = "READER"
    context = next(c for c in association.accepted_contexts if c.abstract_syntax == uid)
    association._reactor_checkpoint.clear()  # its own thread would take the answer
    while not association._is_paused:
        time.sleep(0.001)
    association.dimse.send_msg(request, context.context_id)
    _, answered = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    if answered is not None:  # or the association was aborted
        assert answered.Status >> 12 in (0xA, 0xC) or identifier is HOSTILE[6]
        assert answered.Status in (0xA700, 0xA701, 0xA900, 0xC000, 0x0000)
    association.abort()
    assert running.peer.came == []
    again = associated(running, VERIFICATION)
    assert again.send_c_echo().Status == 0
    again.release()


def test_requests_under_a_context_that_is_not_theirs_get_nothing(running: Running) -> None:
    for kind, uid in ((C_FIND, STUDY_ROOT_FIND), (C_MOVE, STUDY_ROOT_MOVE)):
        association = associated(running, VERIFICATION, MRImageStorage)
        for context in association.accepted_contexts:
            request = kind()
            request.MessageID, request.Priority, request.AffectedSOPClassUID = 1, 2, uid
            content = io.BytesIO()
            asked("STUDY", StudyInstanceUID=FIRST).save_as(
                content, implicit_vr=True, little_endian=True
            )
            request.Identifier = content
            if kind is C_MOVE:
                request.MoveDestination = "READER"
            if association.is_established:
                association.dimse.send_msg(request, context.context_id)
        time.sleep(0.3)
        association.abort()
    assert running.peer.came == []
    again = associated(running, VERIFICATION)
    assert again.send_c_echo().Status == 0
    again.release()


def test_a_node_without_an_index_offers_neither(running: Running) -> None:
    running.receiver.close()
    running.receiver = Receiver(
        Door(port=0), running.store, Commitments(running.database, running.store, {})
    )
    association = associated(running, VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE)
    assert {c.abstract_syntax for c in association.accepted_contexts} == {VERIFICATION}
    association.release()


def test_queries_while_instances_come_in_see_what_was_acknowledged(
    running: Running, tmp_path: Path
) -> None:
    done = threading.Event()

    def keep() -> None:
        for number in range(100, 160):
            running.store.keep(as_received(of(FIRST, number)))
        done.set()

    keeper = threading.Thread(target=keep)
    keeper.start()
    association = associated(running, STUDY_ROOT_FIND)
    keys = asked("STUDY", StudyInstanceUID=FIRST, NumberOfStudyRelatedInstances="")
    seen = []
    while not done.is_set() or len(seen) < 2:
        answers = list(association.send_c_find(keys, STUDY_ROOT_FIND))
        seen.append(int(answers[0][1].NumberOfStudyRelatedInstances))
    keeper.join()
    answers = list(association.send_c_find(keys, STUDY_ROOT_FIND))
    association.release()
    assert seen == sorted(seen)
    assert int(answers[0][1].NumberOfStudyRelatedInstances) == 63


def test_an_index_that_is_being_completed_gives_no_half_list(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PATIENCE_S", 0.01)
    running.index._is_complete.clear()
    association = associated(running, STUDY_ROOT_FIND, STUDY_ROOT_MOVE)
    keys = asked("STUDY", StudyInstanceUID=FIRST)
    ((found, _),) = association.send_c_find(keys, STUDY_ROOT_FIND)
    ((sent, _),) = association.send_c_move(keys, "READER", STUDY_ROOT_MOVE)
    association.release()
    assert (found.Status, sent.Status) == (0xA700, 0xA701)


@pytest.mark.parametrize(
    ("door", "is_told"),
    [
        (Door(), True),
        (Door(host="::1"), True),
        (Door(host="0.0.0.0", is_insecure=True), False),
        (Door(host="0.0.0.0", is_insecure=True, callers=("STATION@10.1.2.3",)), True),
        (Door(host="0.0.0.0", tls=Tls(Path("c.pem"), Path("k.pem"))), False),
        (Door(host="0.0.0.0", tls=Tls(Path("c.pem"), Path("k.pem"), Path("a.pem"))), True),
    ],
)
def test_nobody_unknown_is_told_which_patients_are_here(door: Door, is_told: bool) -> None:
    assert door.may_be_asked is is_told


def test_a_node_that_takes_from_everybody_answers_nobody(running: Running) -> None:
    running.receiver.close()
    running.receiver = Receiver(
        Door(host="0.0.0.0", port=0, is_insecure=True),
        running.store,
        Commitments(running.database, running.store, {}),
        index=running.index,
    )
    association = associated(running, VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE)
    assert {c.abstract_syntax for c in association.accepted_contexts} == {VERIFICATION}
    association.release()
