"""DIMSE over TLS: both sides show a certificate, and a wrong one is refused by either."""

import gc
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from opencmr.archive import tls
from opencmr.archive.archive import Query, open_archive
from opencmr.archive.commitment import Commitments
from opencmr.archive.database import Database
from opencmr.archive.peers import DimsePeer
from opencmr.archive.push_model import PUSH_MODEL
from opencmr.archive.store import Store
from opencmr.errors import ConfigurationError, ExternalServiceError

from .conftest import STUDY, Authority, instance
from .fake_pacs import FakePacs, free_port, serving
from .senders import received

# pynetdicom leaves the socket of a failed handshake to the garbage collector.
REFUSED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def ours(authority: Callable[[str], Authority]) -> Authority:
    return authority("hospital")


def shown(ours: Authority, owner: str = "opencmr") -> dict[str, Path]:
    """Return the TLS of a peer's entry, with a certificate that the authority signed."""
    certificate, key = ours.signed(owner)
    return {"ca": ours.certificate, "cert": certificate, "key": key}


def mutual(ours: Authority) -> ssl.SSLContext:
    return tls.called(*ours.signed("pacs"), ours.certificate, is_mutual=True)


@pytest.mark.parametrize("how", ["get", "move"])
def test_echo_find_store_and_fetch_work_with_certificates_of_both_sides(
    ours: Authority, tmp_path: Path, how: str
) -> None:
    (tmp_path / "new.dcm").write_bytes(instance(9))
    (tmp_path / "study").mkdir()
    fake = FakePacs(receive_port=free_port())
    with serving(fake, mutual(ours)):
        entry = {"tls": shown(ours), "retrieve": how, "receive_port": fake.receive_port}
        if how == "move":
            fake.calls_over = tls.calling(ours.certificate, *ours.signed("pacs"))
        archive = open_archive("pacs", fake.peer(**entry))
        archive.echo()
        (found,) = archive.find(Query(study_instance_uid=STUDY))
        assert found.instances == 3
        assert archive.store([tmp_path / "new.dcm"]).failures == {}
        assert fake.stored == [f"{STUDY}.9"]
        assert archive.fetch(STUDY, tmp_path / "study") == 3


@REFUSED
def test_a_peer_that_another_authority_signed_is_refused(
    ours: Authority, authority: Callable[[str], Authority]
) -> None:
    with serving(FakePacs(), mutual(ours)) as fake:
        entry = {"tls": shown(ours) | {"ca": authority("other").certificate}}
        with pytest.raises(ExternalServiceError, match=r"certificate is not trusted.*see ca"):
            open_archive("pacs", fake.peer(**entry)).echo()
    elsewhere = tls.called(*ours.signed("pacs", "192.0.2.7"), ours.certificate, is_mutual=True)
    with (
        serving(FakePacs(), elsewhere) as fake,
        pytest.raises(ExternalServiceError, match=r"not trusted.*127\.0\.0\.1"),
    ):
        open_archive("pacs", fake.peer(tls=shown(ours))).echo()
    gc.collect()


@REFUSED
def test_without_a_certificate_that_the_peer_trusts_there_is_no_association(
    ours: Authority, authority: Callable[[str], Authority]
) -> None:
    with serving(FakePacs(), mutual(ours)) as fake:
        foreign = shown(authority("other")) | {"ca": ours.certificate}
        for entry in ({"ca": ours.certificate}, foreign, None):
            with pytest.raises(ExternalServiceError):
                open_archive("pacs", fake.peer(tls=entry, timeout_s=2)).echo()
        open_archive("pacs", fake.peer(tls=shown(ours))).echo()
    gc.collect()


def test_files_that_do_not_belong_together_are_told(ours: Authority, tmp_path: Path) -> None:
    entry = shown(ours) | {"key": ours.signed("another")[1]}
    peer = DimsePeer.model_validate(
        {"kind": "dimse", "host": "127.0.0.1", "port": 1, "aet": "PACS", "tls": entry}
    )
    with pytest.raises(ConfigurationError, match="a certificate and its key"):
        open_archive("pacs", peer).echo()
    with pytest.raises(ConfigurationError, match="cannot be read as certificates"):
        tls.calling(tmp_path / "nothing.pem")


def test_an_answer_on_storage_commitment_goes_over_the_tls_of_its_asker(
    ours: Authority, tmp_path: Path
) -> None:
    told: list[tuple[str, int]] = []

    def take(event: evt.Event) -> tuple[int, None]:
        assert event.assoc.requestor.ae_title == "KNOWN_AS"
        told.append((str(event.event_information.TransactionUID), event.event_type))
        return 0, None

    entity = AE("SCANNER")
    entity.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        ssl_context=mutual(ours),
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)],
    )
    peer = FakePacs(port=server.server_address[1]).peer(
        aet="SCANNER", calling_aet="KNOWN_AS", tls=shown(ours)
    )
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    store = Store(tmp_path, database, least_free_bytes=1 << 20)
    one = received(1)
    store.keep(one)
    asked, item = Dataset(), Dataset()
    asked.TransactionUID = "1.2.3"
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = (
        one.sop_class_uid,
        one.sop_instance_uid,
    )
    asked.ReferencedSOPSequence = [item]
    commitments = Commitments(database, store, {"SCANNER": peer})
    assert commitments.ask("SCANNER", 1, asked) == 0
    commitments.answer("1.2.3", "SCANNER")
    assert told == [("1.2.3", 1)]
    assert commitments.waiting() == []
    server.shutdown()
    store.close()
    database.close()
