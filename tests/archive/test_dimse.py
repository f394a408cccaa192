"""An archive behind DIMSE, good and hostile."""

import gc
import io
import logging
import socket
import time
from collections.abc import Iterator

import pydicom
import pytest
from pynetdicom import build_context, evt
from pynetdicom.sop_class import Verification

from opencmr.archive.archive import Query, open_archive
from opencmr.archive.association import associated
from opencmr.archive.peers import DimsePeer
from opencmr.errors import ConfigurationError, ExternalServiceError, InputError

from .conftest import STUDY, instance
from .fake_pacs import FakePacs, free_port, serving


@pytest.fixture
def pacs() -> Iterator[FakePacs]:
    with serving(FakePacs(receive_port=free_port())) as fake:
        yield fake


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


def test_what_is_asked_and_answered_reaches_no_log(pacs, caplog):
    """pynetdicom writes whole data sets at its finest level, and faults with what caused them."""
    library = logging.getLogger("pynetdicom")
    library.propagate = True
    library.setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        assert open_archive("pacs", pacs.peer()).find(Query(patient_id="ID-SECRET"))
    assert not [record for record in caplog.records if record.name.startswith("pynetdicom")]


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


def test_a_rejection_that_comes_before_it_is_waited_for_is_told(pacs):
    late = [(evt.EVT_REQUESTED, lambda _: time.sleep(0.5))]
    contexts = [build_context(Verification)]
    with (
        pytest.raises(ExternalServiceError, match="rejects its AE title NOBODY"),
        associated("pacs", pacs.peer(aet="NOBODY"), contexts, evt_handlers=late),
    ):
        pass


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
