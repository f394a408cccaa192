"""An archive behind DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18), by httpx.

Redirects, proxies of the environment and addresses in answers are not followed: data go to the
peer that was named and nowhere else.
"""

import json
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from opencmr.archive import tls
from opencmr.archive.archive import (
    MOST_STUDIES,
    FoundStudy,
    Query,
    Sent,
    Tick,
    no_tick,
)
from opencmr.archive.faults import why_not_connected
from opencmr.archive.inbox import Inbox
from opencmr.archive.multipart import MultipartError, boundary_of, parts
from opencmr.archive.names import require_uid
from opencmr.archive.outgoing import Outgoing, described
from opencmr.archive.peers import DicomWebPeer
from opencmr.errors import ExternalServiceError, InputError

MOST_ANSWER_BYTES = 32 << 20
"""Of an answer in JSON (proposal): 500 studies take about 1 MB."""
SLOWEST_BYTES_PER_S = 1024
"""A study that comes slower than this, after the peer's time limit, is given up (proposal)."""
STOW_BYTES = 64 << 20
"""A request takes more objects until it is this large (proposal)."""
CHUNK_BYTES = 1 << 20
REFUSED_WORDS = {
    0x0110: "processing failure",
    0x0122: "it does not store objects of this class",
    0x0124: "it is not allowed",
    0x0211: "it does not know this operation",
    0xA700: "it is out of resources",
    0xA900: "the object does not match its class",
    0xC000: "it cannot understand the object",
    0xC122: "it does not store this transfer syntax",
}
"""Failure Reason (PS3.18 table I.2-2, PS3.7 annex C)."""

STUDY_UID, SOP_UIDS, FAILED, STORED = "0020000D", "00081155", "00081198", "00081199"
PATIENT_ID, PATIENT_NAME, STUDY_DATE, DESCRIPTION = "00100020", "00100010", "00080020", "00081030"
MODALITIES, INSTANCES, FAILURE_REASON = "00080061", "00201208", "00081197"


class DicomWebArchive:
    """An archive behind DICOMweb.  See :class:`opencmr.archive.archive.Archive`."""

    def __init__(self, name: str, peer: DicomWebPeer) -> None:
        self._name, self._peer = name, peer
        token = peer.token()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._credentials = peer.credentials()
        self._tls = tls.calling(peer.ca)

    def echo(self) -> None:
        """Ask for one study at most."""
        self._json("GET", "/studies", params={"limit": "1"})

    def find(self, query: Query) -> list[FoundStudy]:
        """Search for studies (QIDO-RS)."""
        asked = {
            "PatientID": query.patient_id,
            "StudyDate": query.study_date,
            "StudyInstanceUID": query.study_instance_uid,
            "ModalitiesInStudy": query.modality,
        }
        params = [(key, value) for key, value in asked.items() if value]
        params += [("includefield", tag) for tag in (DESCRIPTION, MODALITIES, INSTANCES)]
        params.append(("limit", str(MOST_STUDIES)))
        rows = self._json("GET", "/studies", params=params)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._failed("its list of studies is no DICOM JSON")
        return [_study(row) for row in rows[:MOST_STUDIES] if _text(row, STUDY_UID)]

    def fetch(self, study_instance_uid: str, folder: Path, tick: Tick = no_tick) -> int:
        """Retrieve a study (WADO-RS), each instance as it is stored, and count what came."""
        require_uid(study_instance_uid)
        found = self.find(Query(study_instance_uid=study_instance_uid))
        if not any(row.study_instance_uid == study_instance_uid for row in found):
            raise InputError(f"{self._name} holds no study of this UID")
        expected = max(row.instances or 0 for row in found)
        inbox = Inbox(folder, self._name, study_instance_uid)
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        with self._asked(
            "GET", f"/studies/{study_instance_uid}", headers={"Accept": accept}
        ) as answer:
            self._require_good(answer)
            stated = answer.headers.get("content-length", "")
            inbox.require_room(int(stated) if re.fullmatch("[0-9]{1,20}", stated) else 0)
            boundary = boundary_of(answer.headers.get("content-type", ""))
            for part in parts(self._in_time(answer), boundary):
                path, stream = inbox.begin()
                with stream:
                    for piece in part:
                        inbox.count_bytes(len(piece))
                        stream.write(piece)
                inbox.finish(path)
                tick(inbox.count, max(expected, inbox.count))
        if inbox.count < max(1, expected):
            raise self._failed(f"{inbox.count} of {expected} instances came; nothing is kept")
        return inbox.count

    def store(self, paths: Sequence[Path], tick: Tick = no_tick) -> Sent:
        """Send objects (STOW-RS), some at a time, and read of each what became of it."""
        waiting = [described(path) for path in paths]
        failures: dict[Path, str] = {}
        done = 0
        for batch in _batches(waiting):
            failures |= self._store(batch)
            done += len(batch)
            tick(done, len(waiting))
        return Sent(done - len(failures), failures)

    def _store(self, batch: Sequence[Outgoing]) -> dict[Path, str]:
        boundary = uuid.uuid4().hex
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}'
        }
        answer = self._json(
            "POST",
            "/studies",
            headers=headers,
            content=_multipart([one.path for one in batch], boundary),
            also_good=(202, 409),
        )
        if not isinstance(answer, dict):
            raise self._failed("it does not say which objects it stored")
        stored = {_text(item, SOP_UIDS) for item in _items(answer, STORED)}
        failed = {_text(item, SOP_UIDS): _reason(item) for item in _items(answer, FAILED)}
        return {
            one.path: failed.get(one.sop_instance_uid, "it does not say that it stored this")
            for one in batch
            if one.sop_instance_uid in failed or one.sop_instance_uid not in stored
        }

    @contextmanager
    def _asked(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """Yield the answer, of which only the head was read; say in words what goes wrong."""
        url = self._peer.url.rstrip("/") + path
        try:
            with (
                httpx.Client(
                    auth=self._credentials,
                    headers=self._headers,
                    verify=self._tls,
                    timeout=self._peer.timeout_s,
                    follow_redirects=False,
                    trust_env=False,
                ) as client,
                client.stream(method, url, **request) as answer,
            ):
                yield answer
        except MultipartError as error:
            raise self._failed(f"{error}; nothing is kept") from None
        except httpx.TimeoutException:
            raise self._failed(f"no answer within {self._peer.timeout_s:g} s") from None
        except httpx.ConnectError as error:
            raise self._failed(why_not_connected(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise self._failed("the connection broke, or the answer is no HTTP") from None

    def _json(self, method: str, path: str, also_good: tuple[int, ...] = (), **request: Any) -> Any:
        """Return the answer in DICOM JSON; an empty list where there is no content."""
        headers = {"Accept": "application/dicom+json", **request.pop("headers", {})}
        with self._asked(method, path, headers=headers, **request) as answer:
            self._require_good(answer, also_good)
            if answer.status_code == 204:
                return []
            content = bytearray()
            for chunk in self._in_time(answer):
                content += chunk
                if len(content) > MOST_ANSWER_BYTES:
                    raise self._failed(f"its answer is larger than {MOST_ANSWER_BYTES >> 20} MiB")
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise self._failed("its answer is no DICOM JSON; is the url the DICOMweb root?") from (
                None
            )

    def _in_time(self, answer: httpx.Response) -> Iterator[bytes]:
        """Yield the content, unless it drips."""
        begin, count = time.monotonic(), 0
        for chunk in answer.iter_bytes():
            count += len(chunk)
            over_s = time.monotonic() - begin - self._peer.timeout_s
            if over_s > 0 and count < over_s * SLOWEST_BYTES_PER_S:
                raise self._failed("its answer comes too slowly")
            yield chunk

    def _require_good(self, answer: httpx.Response, also_good: tuple[int, ...] = ()) -> None:
        status = answer.status_code
        if status in (200, 204, *also_good):
            return
        if status == 401:
            raise self._failed("it does not accept the user, password or token (401)")
        if status == 403:
            raise self._failed("it accepts who we are, and does not let us do this (403)")
        if status == 404:
            raise self._failed("nothing is at this address (404); is the url the DICOMweb root?")
        if 300 <= status < 400:
            raise self._failed(f"it redirects ({status}); write the final url for this peer")
        raise self._failed(f"it answers with HTTP status {status}")

    def _failed(self, why: str) -> ExternalServiceError:
        return ExternalServiceError(f"{self._name}: {why}")


def _multipart(paths: Sequence[Path], boundary: str) -> Iterator[bytes]:
    for path in paths:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")


def _batches(waiting: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for one in waiting:
        batch.append(one)
        size += one.path.stat().st_size
        if size >= STOW_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _study(row: dict[str, Any]) -> FoundStudy:
    count = _text(row, INSTANCES)
    return FoundStudy(
        study_instance_uid=_text(row, STUDY_UID),
        patient_id=_text(row, PATIENT_ID),
        patient_name=_text(row, PATIENT_NAME),
        study_date=_text(row, STUDY_DATE),
        description=_text(row, DESCRIPTION),
        modalities=tuple(map(str, _values(row, MODALITIES))),
        instances=int(count) if count.isascii() and count.isdigit() and len(count) < 10 else None,
    )


def _values(row: Any, tag: str) -> list[Any]:
    """Return the values of an element of DICOM JSON (PS3.18 F.2); whatever it is, a list."""
    element = row.get(tag) if isinstance(row, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _items(row: Any, tag: str) -> list[dict[str, Any]]:
    return [item for item in _values(row, tag) if isinstance(item, dict)]


def _text(row: Any, tag: str) -> str:
    first = next(iter(_values(row, tag)), None)
    if isinstance(first, dict):  # a person's name
        first = first.get("Alphabetic") or first.get("Ideographic")
    return "" if first is None else str(first)


def _reason(item: dict[str, Any]) -> str:
    text = _text(item, FAILURE_REASON)
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return "it says no reason"
    code = int(text)
    return f"{REFUSED_WORDS.get(code, 'it was not stored')} (0x{code:04X})"
