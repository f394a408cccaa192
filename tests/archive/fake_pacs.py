"""An archive behind DIMSE, in this process: what it holds, how it answers, what it was given."""

import io
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import (
    MRImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from opencmr.archive.peers import DimsePeer

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
    calls_over: ssl.SSLContext | None = None
    """How it sends a study that was asked for by C-MOVE."""

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
        tls = None if self.calls_over is None else (self.calls_over, "127.0.0.1")
        yield "127.0.0.1", self.receive_port, {"tls_args": tls}
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


@contextmanager
def serving(fake: FakePacs, context: ssl.SSLContext | None = None) -> Iterator[FakePacs]:
    """Yield an archive that listens, over TLS where a context is given."""
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
        ssl_context=context,
        evt_handlers=[
            (evt.EVT_C_FIND, fake.find),
            (evt.EVT_C_GET, fake.get),
            (evt.EVT_C_MOVE, fake.move),
            (evt.EVT_C_STORE, fake.store),
        ],
    )
    fake.port = server.server_address[1]
    try:
        yield fake
    finally:
        server.shutdown()
