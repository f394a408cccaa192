"""An archive behind DIMSE, in this process, good and hostile."""

import gc
import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import (
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from opencmr.archive.archive import Query, open_archive
from opencmr.archive.peers import DimsePeer
from opencmr.errors import ConfigurationError, ExternalServiceError, InputError

from .conftest import STUDY, instance


@dataclass
class FakePacs:
    """What it holds, how it answers, and what it was given."""

    port: int = 0
    receive_port: int = 0
    files: list[bytes] = field(default_factory=lambda: [instance(n) for n in range(3)])
    study: str = STUDY
    said: int = 3
    store_status: dict[str, int] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)

    def peer(self, **more: object) -> DimsePeer:
        known = {"kind": "dimse", "host": "127.0.0.1", "port": self.port, "aet": "PACS"}
        return DimsePeer.model_validate(known | {"timeout_s": 5} | more)

    def datasets(self) -> list[Dataset]:
        return [pydicom.dcmread(io.BytesIO(file)) for file in self.files]

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        assert event.identifier.QueryRetrieveLevel == "STUDY"
        if event.identifier.StudyInstanceUID in ("", self.study):
            row = Dataset()
            row.StudyInstanceUID, row.PatientID = self.study, "ID-SECRET"
            row.SpecificCharacterSet, row.PatientName = "ISO_IR 192", "Tëst^Pätient"
            row.ModalitiesInStudy = ["MR", "SR"]
            row.NumberOfStudyRelatedInstances = self.said
            yield 0xFF00, row

    def get(self, event: evt.Event) -> Iterator[object]:
        yield len(self.files)
        for dataset in self.datasets():
            yield 0xFF00, dataset

    def move(self, event: evt.Event) -> Iterator[object]:
        if event.move_destination != "OPENCMR":
            yield None, None
            return
        yield "127.0.0.1", self.receive_port
        yield len(self.files)
        for dataset in self.datasets():
            yield 0xFF00, dataset

    def store(self, event: evt.Event) -> int:
        uid = str(event.dataset.SOPInstanceUID)
        self.stored.append(uid)
        return self.store_status.get(uid, 0)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def pacs() -> Iterator[FakePacs]:
    fake = FakePacs(receive_port=free_port())
    entity = AE(ae_title="PACS")
    entity.require_called_aet = True
    for model in (
        Verification,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
        StudyRootQueryRetrieveInformationModelMove,
    ):
        entity.add_supported_context(model)
    entity.add_supported_context(MRImageStorage, scu_role=True, scp_role=True)
    entity.requested_contexts = StoragePresentationContexts[:100]
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_FIND, fake.find),
            (evt.EVT_C_GET, fake.get),
            (evt.EVT_C_MOVE, fake.move),
            (evt.EVT_C_STORE, fake.store),
        ],
    )
    fake.port = server.server_address[1]
    yield fake
    server.shutdown()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "private").mkdir()
    return tmp_path / "private"


def test_it_answers_and_names_its_studies(pacs):
    archive = open_archive("pacs", pacs.peer())
    archive.echo()
    (found,) = archive.find(Query(patient_id="ID-SECRET"))
    assert found.patient_name == "Tëst^Pätient"
    assert found.modalities == ("MR", "SR")
    assert found.instances == 3


@pytest.mark.parametrize("how", ["get", "move"])
def test_a_study_comes_whole(pacs, folder, how):
    archive = open_archive("pacs", pacs.peer(retrieve=how, receive_port=pacs.receive_port))
    seen: list[tuple[int, int]] = []
    assert archive.fetch(STUDY, folder, lambda *count: seen.append(count)) == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in folder.iterdir()}
    assert uids == {dataset.SOPInstanceUID for dataset in pacs.datasets()}


@pytest.mark.parametrize("how", ["get", "move"])
def test_half_or_foreign_studies_are_refused(pacs, folder, how):
    archive = open_archive("pacs", pacs.peer(retrieve=how, receive_port=pacs.receive_port))
    pacs.said = 4
    with pytest.raises(ExternalServiceError, match="3 of 4"):
        archive.fetch(STUDY, folder)
    pacs.files = [instance(7, "1.2.3")]
    with pytest.raises(ExternalServiceError, match="another study"):
        archive.fetch(STUDY, folder)
    with pytest.raises(InputError, match="no study"):
        archive.fetch("1.2.3", folder)


def test_a_destination_that_it_does_not_know_is_told(pacs, folder):
    peer = pacs.peer(retrieve="move", receive_port=pacs.receive_port, calling_aet="OTHER")
    with pytest.raises(ExternalServiceError, match="AE title as a destination"):
        open_archive("pacs", peer).fetch(STUDY, folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        peer = pacs.peer(retrieve="move", receive_port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="receive_port"):
            open_archive("pacs", peer).fetch(STUDY, folder)


def test_objects_are_stored_and_each_failure_is_told(pacs, tmp_path):
    files = [tmp_path / f"{number}.dcm" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(instance(number))
    pacs.store_status = {f"{STUDY}.1": 0xA700, f"{STUDY}.2": 0xB000}  # a warning is stored
    sent = open_archive("pacs", pacs.peer()).store(files)
    assert sent.stored == 2
    assert sent.failures == {files[1]: "it is out of resources (0xA700)"}
    assert pacs.stored == [f"{STUDY}.{number}" for number in range(3)]


def test_a_class_that_it_does_not_take_is_told(pacs, tmp_path):
    dataset = pydicom.dcmread(io.BytesIO(instance(0)))
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.save_as(tmp_path / "ct.dcm")
    with pytest.raises(ExternalServiceError, match=r"does not|no association|rejects"):
        open_archive("pacs", pacs.peer()).store([tmp_path / "ct.dcm"])


def test_who_does_not_let_us_in_is_told(pacs):
    with pytest.raises(ExternalServiceError, match="rejects its AE title NOBODY"):
        open_archive("pacs", pacs.peer(aet="NOBODY")).echo()


# pynetdicom leaves the socket of a failed connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_who_is_not_there_is_told(pacs):
    with pytest.raises(ExternalServiceError, match="nothing listens"):
        open_archive("pacs", pacs.peer(port=free_port())).echo()
    gc.collect()


# The same of a failed handshake.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_peer_that_speaks_no_tls_is_told(pacs):
    with pytest.raises(ExternalServiceError, match=r"TLS|in time"):
        open_archive("pacs", pacs.peer(tls={}, timeout_s=1)).echo()
    gc.collect()


def test_a_server_that_says_nothing_ends_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        peer = DimsePeer(kind="dimse", host="127.0.0.1", port=port, aet="PACS", timeout_s=0.5)
        with pytest.raises(ExternalServiceError, match="no association came about"):
            open_archive("pacs", peer).echo()
