"""An archive behind DICOMweb, good and hostile."""

import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from opencmr.archive import dicomweb, inbox
from opencmr.archive.archive import Query, open_archive
from opencmr.archive.dicomweb import DicomWebArchive
from opencmr.archive.names import require_uid
from opencmr.archive.peers import DicomWebPeer
from opencmr.errors import ConfigurationError, ExternalServiceError, InputError

from .conftest import BOUNDARY, STUDY, instance, multipart, related, send


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "private").mkdir()
    return tmp_path / "private"


def of(archive, **more):
    return open_archive("pacs", archive.peer(**more))


def test_a_study_is_found_and_comes_whole(archive, folder):
    (found,) = of(archive).find(Query(study_instance_uid=STUDY))
    assert (found.patient_id, found.instances) == ("ID-SECRET", 3)
    assert "SECRET" not in repr(found)
    assert of(archive).fetch(STUDY, folder) == 3
    assert {path.read_bytes() for path in folder.iterdir()} == set(archive.files)


@pytest.mark.parametrize("head", [b"MZ", b"\x7fELF", b"#!/bin/sh\n", b"%PDF-1.7", b"II*\0"])
def test_a_file_that_is_a_program_as_well_comes_without_its_preamble(archive, folder, head):
    whole = instance(0)
    archive.files = [head + whole[len(head) :]]
    assert of(archive).fetch(STUDY, folder) == 1
    (came,) = folder.iterdir()
    assert came.read_bytes() == whole


def test_token_and_password_are_sent(archive, monkeypatch):
    monkeypatch.setenv("SECRET_OF_PACS", "hunter2")
    of(archive, token_env="SECRET_OF_PACS").echo()
    of(archive, user="me", password_env="SECRET_OF_PACS").echo()
    assert [given for _, given in archive.seen] == ["Bearer hunter2", "Basic bWU6aHVudGVyMg=="]


def test_objects_are_stored_and_each_failure_is_told(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(dicomweb, "STOW_BYTES", 1000)  # several requests
    files = [tmp_path / f"{number}.dcm" for number in range(4)]
    for number, file in enumerate(files):
        file.write_bytes(instance(number))
    archive.refused = {f"{STUDY}.2"}
    sent = of(archive).store(files)
    assert sent.stored == 3
    assert sent.failures == {files[2]: "the object does not match its class (0xA900)"}
    assert archive.stored == [instance(number) for number in (0, 1, 3)]
    assert len(archive.seen) > 1


def test_an_object_that_the_answer_does_not_name_counts_as_failed(archive, tmp_path):
    file = tmp_path / "a.dcm"
    file.write_bytes(instance(1))
    for answer in (b"{}", b'{"00081199": {"Value": [7]}}', b'{"00081199": 3}'):
        archive.odd["stow"] = lambda h, body=answer: send(h, body, "application/dicom+json")
        assert list(of(archive).store([file]).failures) == [file]
    archive.odd["stow"] = lambda handler: send(handler, b"[]", "application/dicom+json")
    with pytest.raises(ExternalServiceError, match="which objects"):
        of(archive).store([file])


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "does not accept"), (403, "let us do"), (404, "root"), (302, "redirects"), (500, "500")],
)
def test_a_status_is_told_in_words(archive, status, said):
    archive.odd["qido"] = lambda handler: send(handler, b"Secret^Name", "text/html", status)
    with pytest.raises(ExternalServiceError, match=said) as failed:
        of(archive).find(Query())
    assert "Secret" not in str(failed.value)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b'"a"', b"[" * 100_000, b"\xff"])
def test_a_list_that_is_none_is_told(archive, body):
    archive.odd["qido"] = lambda handler: send(handler, body, "application/dicom+json")
    with pytest.raises(ExternalServiceError, match="DICOM JSON"):
        of(archive).find(Query())


WHOLE = [instance(number) for number in range(3)]
CUT = multipart(*WHOLE)


@pytest.mark.parametrize(
    ("body", "kind", "length", "said"),
    [
        (CUT[:-300], related(), None, "ends too early"),
        (CUT[:700], related(), len(CUT), "connection broke"),
        (CUT, related(), 1 << 60, "more than 16384 MiB"),
        (CUT, "text/html", None, "no multipart"),
        (CUT, related("another"), None, "too long|too early"),
        (b"", related(), None, "too early"),
        (f"--{BOUNDARY}--".encode(), related(), None, "0 of 3"),
        (multipart(*WHOLE[:2]), related(), None, "2 of 3"),
        (multipart(WHOLE[0], WHOLE[0], WHOLE[0]), related(), None, "1 of 3"),
        (multipart(WHOLE[0][:-100]), related(), None, "no whole"),
        (multipart(WHOLE[0][:200]), related(), None, "no whole"),
        (multipart(b"MZ" * 300), related(), None, "no whole"),
        (multipart(b""), related(), None, "no whole"),
        (multipart(instance(1, "1.2.3")), related(), None, "another study"),
    ],
)
def test_half_or_foreign_studies_are_refused(archive, folder, body, kind, length, said):
    archive.odd["wado"] = lambda handler: send(handler, body, kind, length=length)
    with pytest.raises(ExternalServiceError, match=said):
        of(archive).fetch(STUDY, folder)


def test_names_that_a_peer_gives_never_become_paths(archive, folder, tmp_path):
    before = set(tmp_path.rglob("*"))
    archive.files = [instance(0, uid=uid) for uid in ("../../out", "/etc/x", "a\\b", "x" * 64)]
    assert of(archive).fetch(STUDY, folder) == 4
    new = set(tmp_path.rglob("*")) - before
    assert {path.parent for path in new} == {folder}
    assert all(len(path.stem) == 32 and path.stem.isalnum() for path in new)


def test_too_much_is_refused_while_it_comes(archive, folder, monkeypatch):
    monkeypatch.setattr(
        inbox.Inbox.__init__, "__kwdefaults__", {"most_instances": 2, "most_bytes": 10**9}
    )
    with pytest.raises(ExternalServiceError, match="more than 2 instances"):
        of(archive).fetch(STUDY, folder)
    monkeypatch.setattr(
        inbox.Inbox.__init__, "__kwdefaults__", {"most_instances": 9, "most_bytes": 1000}
    )
    with pytest.raises(ExternalServiceError, match="MiB"):
        of(archive).fetch(STUDY, folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4000
    monkeypatch.setattr(dicomweb, "MOST_ANSWER_BYTES", 100)
    with pytest.raises(ExternalServiceError, match="larger"):
        of(archive).find(Query())


def test_silence_and_a_slow_drip_end(archive, folder):
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"", related(), length=10**6)
        while not stop.wait(0.05):
            try:
                handler.wfile.write(b"-")
            except OSError:
                return

    archive.odd["wado"] = drip
    with pytest.raises(ExternalServiceError, match="too slowly"):
        of(archive, timeout_s=0.4).fetch(STUDY, folder)
    archive.odd["wado"] = lambda _handler: stop.wait(3)
    with pytest.raises(ExternalServiceError, match=r"no answer within 0\.4 s"):
        of(archive, timeout_s=0.4).fetch(STUDY, folder)
    stop.set()


def test_an_unknown_study_and_what_is_no_uid_are_told_apart(archive, folder):
    archive.odd["qido"] = lambda handler: send(handler, b"[]", "application/dicom+json")
    with pytest.raises(InputError, match="no study"):
        of(archive).fetch(STUDY, folder)
    for uid in ("../studies", "1.2/3", "1..2", "", "1" * 65, "1.2\n"):
        with pytest.raises(ConfigurationError):
            require_uid(uid)


def test_a_closed_port_is_told():
    peer = DicomWebPeer(kind="dicomweb", url="http://127.0.0.1:9/dicom-web")
    with pytest.raises(ExternalServiceError, match="refused"):
        open_archive("pacs", peer).echo()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key in one file."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed (Debian: apt-get install openssl)")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run(["openssl", *words.split(), *more], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


def test_tls_is_verified(certificate):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            send(self, b"[]", "application/dicom+json")

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        port = server.server_address[1]
        peer = {"kind": "dicomweb", "url": f"https://127.0.0.1:{port}"}
        trusting = DicomWebPeer.model_validate(peer | {"ca": Path(f"{certificate}.crt")})
        DicomWebArchive("pacs", trusting).echo()
        with pytest.raises(ExternalServiceError, match="certificate is not trusted"):
            DicomWebArchive("pacs", DicomWebPeer.model_validate(peer)).echo()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_certificate_file_that_is_none_is_told(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    peer = DicomWebPeer(kind="dicomweb", url="https://127.0.0.1:9", ca=file)
    with pytest.raises(ConfigurationError, match="PEM"):
        open_archive("pacs", peer)
