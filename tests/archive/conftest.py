"""A small archive in this process that speaks DICOMweb, and can be told to misbehave."""

import contextlib
import dataclasses
import gc
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from opencmr.archive.peers import DicomWebPeer
from opencmr.cli import main

from .orthanc_round_trip import PLUGIN

HERE = Path(__file__).parent
LEFT_SOCKET = "ignore:unclosed.*socket:ResourceWarning"
STUDY = "1.2.826.0.1.3680043.10.999.1"


@pytest.fixture(autouse=True)
def analyses_are_found_by_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is asked for an analysis of a test imports its module by its name."""
    monkeypatch.syspath_prepend(HERE.parents[1])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pynetdicom leave sockets of broken associations to the garbage collector, as it does."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(LEFT_SOCKET))


@pytest.fixture(autouse=True)
def left_sockets_are_collected() -> Iterator[None]:
    """Leave none of them to a later test; what was there before is not searched through."""
    gc.freeze()
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


BOUNDARY = "the-boundary"


def instance(number: int, study: str = STUDY, uid: str = "") -> bytes:
    """Return a whole DICOM file of a few hundred bytes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    uid = uid or f"{STUDY}.{number}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hostile one is no UID
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.0"
    dataset.Modality = "MR"
    dataset.PatientID, dataset.PatientName = "ID-SECRET", "Secret^Name"
    dataset.StudyDate = "20260102"
    dataset.BitsAllocated = 8
    dataset.PixelData = b"\r\n--the-boundar" * 20
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def multipart(*parts: bytes, header: str = "Content-Type: application/dicom\r\n") -> bytes:
    begin = f"--{BOUNDARY}\r\n{header}\r\n".encode()
    return b"".join(begin + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def value(vr: str, *values: object) -> dict[str, object]:
    return {"vr": vr, "Value": list(values)}


@dataclasses.dataclass
class FakeArchive:
    """What it holds and what it does: a handler by (method, what), in place of the good one."""

    files: list[bytes]
    study: str = STUDY
    url: str = ""
    odd: dict[str, Callable[[BaseHTTPRequestHandler], None]] = dataclasses.field(
        default_factory=dict
    )
    stored: list[bytes] = dataclasses.field(default_factory=list)
    refused: set[str] = dataclasses.field(default_factory=set)
    seen: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)

    def peer(self, **more: object) -> DicomWebPeer:
        return DicomWebPeer.model_validate({"kind": "dicomweb", "url": self.url, **more})

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append((handler.path, handler.headers.get("Authorization")))
        what = "stow" if handler.command == "POST" else "qido" if "?" in handler.path else "wado"
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.headers.get("Transfer-Encoding") == "chunked":
            while size := int(handler.rfile.readline(), 16):
                body += handler.rfile.read(size)
                handler.rfile.readline()
            handler.rfile.readline()
        if what in self.odd:
            self.odd[what](handler)
        elif what == "qido":
            row = {
                "0020000D": value("UI", self.study),
                "00100020": value("LO", "ID-SECRET"),
                "00100010": value("PN", {"Alphabetic": "Secret^\x1b[31mName"}),
                "00201208": value("IS", len(self.files)),
            }
            send(handler, json.dumps([row]).encode(), "application/dicom+json")
        elif what == "wado":
            send(handler, multipart(*self.files), related())
        else:
            self.stow(handler, body)

    def stow(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        boundary = handler.headers["Content-Type"].rpartition("boundary=")[2].encode()
        parts = [p.partition(b"\r\n\r\n")[2][:-2] for p in body.split(b"--" + boundary)[1:-1]]
        rows: dict[str, list[object]] = {"00081199": [], "00081198": []}
        for part in parts:
            uid = str(pydicom.dcmread(io.BytesIO(part)).SOPInstanceUID)
            row = {"00081155": value("UI", uid)}
            if uid in self.refused:
                rows["00081198"].append(row | {"00081197": value("US", 0xA900)})
            else:
                self.stored.append(part)
                rows["00081199"].append(row)
        answer = {tag: value("SQ", *items) for tag, items in rows.items() if items}
        status = 202 if self.refused else 200
        send(handler, json.dumps(answer).encode(), "application/dicom+json", status)


def related(boundary: str = BOUNDARY) -> str:
    return f'multipart/related; type="application/dicom"; boundary={boundary}'


def send(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    kind: str,
    status: int = 200,
    length: int | None = None,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)


@pytest.fixture
def archive() -> Iterator[FakeArchive]:
    """An archive that holds three instances of one study."""
    fake = FakeArchive([instance(number) for number in range(3)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.answer(self)

        def do_POST(self) -> None:
            fake.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run of the command left."""

    status: int
    out: str
    err: str


@pytest.fixture
def opencmr(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run ``opencmr`` with the given words, in this process."""

    def run(*words: object) -> Outcome:
        out, err, status = io.StringIO(), io.StringIO(), 0
        monkeypatch.setattr(sys, "argv", ["opencmr", *map(str, words)])
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return Outcome(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def peers_file(archive: FakeArchive, tmp_path: Path) -> Path:
    """A peers file that names the archive ``here``."""
    file = tmp_path / "peers.toml"
    file.write_text(f'[here]\nkind = "dicomweb"\nurl = "{archive.url}"\n')
    return file


NAMESPACE = ["unshare", "-n"] if os.name == "posix" and os.geteuid() == 0 else ["unshare", "-rn"]


@pytest.fixture(scope="session")
def in_network_with_orthanc() -> Callable[..., dict[str, Any]]:
    """Run a module that starts Orthanc, in a network of its own; return what it prints as JSON."""
    if not shutil.which("Orthanc") or not Path(PLUGIN).is_file():
        pytest.skip("Orthanc is not here (Debian: apt-get install orthanc orthanc-dicomweb)")
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare -n may not make a network of its own here")

    def run(module: str, *words: object) -> dict[str, Any]:
        alone = [*NAMESPACE, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        done = subprocess.run(
            [*alone, sys.executable, "-m", module, *map(str, words)],
            cwd=HERE.parents[1],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    return run


@dataclasses.dataclass(frozen=True)
class Authority:
    """A certificate authority that lives as long as the test."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def signed(self, owner: str, address: str = "127.0.0.1") -> tuple[Path, Path]:
        """Return a certificate for an address, and its key."""
        certificate, key = self.folder / f"{owner}.pem", self.folder / f"{owner}.key"
        request, names = self.folder / f"{owner}.csr", self.folder / "names.cnf"
        names.write_text(f"subjectAltName = IP:{address}\n")
        openssl("req", "-new", *NEW_KEY, "-subj", f"/CN={owner}", "-keyout", key, "-out", request)
        ours = ("-CA", self.certificate, "-CAkey", self.folder / f"{self.name}.key")
        words = ("-days", "2", "-CAcreateserial", "-extfile", names)
        openssl("x509", "-req", "-in", request, *ours, *words, "-out", certificate)
        return certificate, key


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


@pytest.fixture
def authority(tmp_path: Path) -> Callable[[str], Authority]:
    """Make a throw-away authority of the given name."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def made(name: str) -> Authority:
        new = Authority(tmp_path, name)
        words = ("-x509", "-days", "2", "-subj", f"/CN={name}")
        openssl(
            "req", *words, *NEW_KEY, "-keyout", tmp_path / f"{name}.key", "-out", new.certificate
        )
        return new

    return made
