"""A result counts as delivered when its destination committed itself, where it offers that."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import MRImageStorage, Verification
from sqlalchemy import insert, select, update

from opencmr.archive.archive import open_archive
from opencmr.archive.commitment import Commitments
from opencmr.archive.confirmation import Confirmations
from opencmr.archive.database import DELIVERIES, JOBS, STUDIES, Database, JobState, SendState
from opencmr.archive.delivery import Courier
from opencmr.archive.peers import DimsePeer
from opencmr.archive.push_model import PUSH_MODEL, PUSH_MODEL_INSTANCE
from opencmr.archive.receiver import Door, Receiver
from opencmr.archive.result_places import result_of
from opencmr.archive.store import Store

from .conftest import STUDY, instance

UID = f"{STUDY}.1"


class Committing:
    """An archive that stores everything, and commits itself as it is told to."""

    def __init__(self, *, offers: bool, action_status: int = 0, is_at_once: bool = False) -> None:
        self.stored: list[str] = []
        self.asked: list[Dataset] = []
        self.action_status = action_status
        self.is_at_once = is_at_once
        entity = AE("PACS")
        entity.add_supported_context(MRImageStorage)
        if offers:
            entity.add_supported_context(Verification)
            entity.add_supported_context(PUSH_MODEL)
        self._server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._take), (evt.EVT_N_ACTION, self._act)],
        )
        self.port = int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()

    def _take(self, event: evt.Event) -> int:
        self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    def _act(self, event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        self.asked.append(asked)
        if self.is_at_once:
            args = (answer(asked), 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
            threading.Timer(0.2, event.assoc.send_n_event_report, args).start()
        return self.action_status, None


def answer(asked: Dataset, *, safe: bool = True) -> Dataset:
    """Return what an archive says of all that it was asked for."""
    told = Dataset()
    told.TransactionUID = asked.TransactionUID
    if safe:
        told.ReferencedSOPSequence = asked.ReferencedSOPSequence
        return told
    told.FailedSOPSequence = asked.ReferencedSOPSequence
    for item in told.FailedSOPSequence:
        item.FailureReason = 0x0112
    return told


def report(port: int, event_type: int, told: Dataset) -> int | None:
    """Call the node as an archive does, and return the status of N-EVENT-REPORT."""
    association = AE("PACS").associate(
        "127.0.0.1",
        port,
        contexts=[build_context(PUSH_MODEL)],
        ae_title="OPENCMR",
        ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
    )
    assert association.is_established
    status, _ = association.send_n_event_report(told, event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE)
    association.release()
    return getattr(status, "Status", None)


class Sending:
    """A node without its worker: one result that waits to be delivered."""

    def __init__(self, folder: Path, pacs: Committing, **peer: Any) -> None:
        self.folder, self.told = folder, list[str]()
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        self.store = Store(folder, self.database, least_free_bytes=1 << 20)
        self._peer = DimsePeer(
            kind="dimse", host="127.0.0.1", port=pacs.port, aet="PACS", timeout_s=20, **peer
        )
        with self.database.transaction() as connection:
            connection.execute(
                insert(STUDIES).values(study_instance_uid=STUDY, instances=1, settled=1)
            )
            row = {"job": 1, "study_instance_uid": STUDY, "instances": 1, "lost": 0, "reason": ""}
            connection.execute(insert(JOBS).values(**row, state=JobState.DONE))
            connection.execute(
                insert(DELIVERIES).values(
                    job=1, destination="pacs", state=SendState.WAITING, attempts=0
                )
            )
        objects = folder / result_of(STUDY, 1) / "dicom"
        objects.mkdir(parents=True)
        (objects / "sr.dcm").write_bytes(instance(1))
        self.start()

    def start(self, patience_s: float = 60.0) -> None:
        commitments = Commitments(self.database, self.store, {})
        confirmations = Confirmations(self.database)
        self.receiver = Receiver(
            Door(port=0), self.store, commitments, self.told.append, confirmations=confirmations
        )
        self.courier = Courier(
            self.database,
            self.folder,
            {"pacs": open_archive("pacs", self._peer)},
            commitments,
            confirmations=confirmations,
            first_wait_s=0.05,
            patience_s=patience_s,
            tell=self.told.append,
        )

    def stop(self) -> None:
        self.courier.stop()
        self.receiver.close()

    def state(self) -> str:
        with self.database.transaction() as connection:
            return str(connection.execute(select(DELIVERIES.c.state)).scalar_one())

    def until(self, state: str) -> None:
        pause = threading.Event()
        for _ in range(1200):
            if self.state() == state:
                return
            pause.wait(0.05)
        raise AssertionError((self.state(), self.told))

    def close(self) -> None:
        self.stop()
        self.store.close()
        self.database.close()


@pytest.fixture
def pacs(request: pytest.FixtureRequest) -> Iterator[Committing]:
    found = Committing(**getattr(request, "param", {"offers": True}))
    yield found
    found.close()


@pytest.fixture
def sending(tmp_path: Path, pacs: Committing) -> Iterator[Sending]:
    found = Sending(tmp_path, pacs)
    yield found
    found.close()


def test_it_is_delivered_when_the_archive_commits_itself_and_not_before(
    sending: Sending, pacs: Committing
) -> None:
    sending.until(SendState.ASKED)
    (asked,) = pacs.asked
    assert [item.ReferencedSOPInstanceUID for item in asked.ReferencedSOPSequence] == [UID]
    assert pacs.stored == [UID]
    told = answer(asked)
    told.TransactionUID = "2.25.1"
    assert report(sending.receiver.port, 1, told) == 0x0115  # nobody asked that
    assert sending.state() == SendState.ASKED
    assert report(sending.receiver.port, 1, answer(asked)) == 0
    sending.until(SendState.DONE)
    assert report(sending.receiver.port, 1, answer(asked)) == 0  # told twice, heard once
    assert pacs.stored == [UID]
    assert not any(STUDY in line for line in sending.told)


@pytest.mark.parametrize("pacs", [{"offers": False}], indirect=True)
def test_where_no_commitment_is_offered_success_of_storing_counts(
    sending: Sending, pacs: Committing
) -> None:
    sending.until(SendState.DONE)
    assert (pacs.stored, pacs.asked) == ([UID], [])


@pytest.mark.parametrize("pacs", [{"offers": True, "is_at_once": True}], indirect=True)
def test_an_answer_in_the_same_association_is_heard(sending: Sending, pacs: Committing) -> None:
    sending.until(SendState.DONE)
    assert pacs.stored == [UID]


def test_what_the_archive_does_not_hold_is_sent_again_under_the_same_uid(
    sending: Sending, pacs: Committing
) -> None:
    sending.until(SendState.ASKED)
    assert report(sending.receiver.port, 2, answer(pacs.asked[0], safe=False)) == 0
    pause = threading.Event()
    for _ in range(1200):
        if len(pacs.asked) == 2:
            break
        pause.wait(0.05)
    assert pacs.stored == [UID, UID]
    assert report(sending.receiver.port, 1, answer(pacs.asked[1])) == 0
    sending.until(SendState.DONE)


def test_a_report_that_names_less_than_was_asked_commits_to_nothing(
    sending: Sending, pacs: Committing
) -> None:
    sending.until(SendState.ASKED)
    told = answer(pacs.asked[0])
    told.ReferencedSOPSequence = []
    assert report(sending.receiver.port, 1, told) == 0
    sending.until(SendState.ASKED)
    for _ in range(1200):
        if len(pacs.stored) > 1:
            break
        threading.Event().wait(0.05)
    assert sending.state() != SendState.DONE


def test_an_answer_that_never_comes_is_asked_for_again_and_a_late_one_still_counts(
    sending: Sending, pacs: Committing
) -> None:
    sending.until(SendState.ASKED)
    sending.stop()
    sending.start(patience_s=0.5)  # after a crash
    for _ in range(1200):
        if len(pacs.asked) > 1:
            break
        threading.Event().wait(0.05)
    assert pacs.stored[:2] == [UID, UID]
    assert any("--accept" in line for line in sending.told)
    assert report(sending.receiver.port, 1, answer(pacs.asked[0])) == 0
    sending.until(SendState.DONE)


@pytest.mark.parametrize("pacs", [{"offers": True, "action_status": 0x0110}], indirect=True)
def test_an_archive_that_will_not_promise_is_no_delivery(
    sending: Sending, pacs: Committing
) -> None:
    for _ in range(1200):
        if len(pacs.asked) > 1:
            break
        threading.Event().wait(0.05)
    assert sending.state() == SendState.WAITING
    assert any("does not promise" in line for line in sending.told)


def test_what_was_superseded_meanwhile_stays_so(sending: Sending, pacs: Committing) -> None:
    sending.until(SendState.ASKED)
    with sending.database.transaction() as connection:
        connection.execute(update(DELIVERIES).values(state=SendState.SUPERSEDED))
    assert report(sending.receiver.port, 1, answer(pacs.asked[0])) == 0
    threading.Event().wait(1.0)
    assert sending.state() == SendState.SUPERSEDED


@pytest.mark.parametrize("pacs", [{"offers": True}], indirect=True)
def test_a_peer_whose_entry_says_so_is_not_asked(tmp_path: Path, pacs: Committing) -> None:
    sending = Sending(tmp_path, pacs, storage_commitment=False)
    sending.until(SendState.DONE)
    assert pacs.asked == []
    sending.close()
