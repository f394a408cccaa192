"""Instances on disk: acknowledged only when the file and its row would survive a loss of power.

An instance is written under a name of its own and flushed by whoever brings it; then one thread
takes all that wait, moves them to their places, flushes the folders and commits their rows
together.  Names on disk are hashes: nothing that a peer says becomes a part of a path.
"""

import hashlib
import io
import os
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import uid as uids
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_file_meta_info
from sqlalchemy import Connection, insert, select, update

from opencmr import storage
from opencmr.archive.database import CONFLICTS, INSTANCES, STUDIES, Database
from opencmr.archive.heads import TAGS, Head, head_of
from opencmr.archive.index import add_heads
from opencmr.archive.names import UID_FORM
from opencmr.archive.query_keys import LAST_TAG
from opencmr.errors import OpencmrError

LEAST_FREE_BYTES = 5 << 30
LEAST_FREE_FRACTION = 0.05
"""Below the larger of both nothing more is accepted (proposal)."""
BATCH = 256
"""Instances in one transaction at most."""
KEEP_S = 120.0
"""An instance that is not safe by then is told as not stored."""
INSTANCES_FOLDER = "instances/"
PREAMBLE = bytes(128) + b"DICM"
"""Always empty: a file that is DICOM and a program at once cannot come in."""
BINARY = getattr(os, "O_BINARY", 0)
STUDY_INSTANCE_UID = 0x0020000D
SOP_CLASS_UID, SOP_INSTANCE_UID = 0x00080016, 0x00080018
MODEL_NAME = 0x00081090
OURS = "opencmr"
"""Manufacturer's model name of what ``report.dicom_study`` writes; a test holds them together."""
MEDIA_STORAGE_SOP_CLASS_UID, MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020002, 0x00020003
TRANSFER_SYNTAX_UID = 0x00020010

OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
UID_CONFLICT = 0xC111
NOT_STORED = 0xC112
"""Statuses of C-STORE (PS3.4 table B.2-1); from C000 on the last digits are ours to choose."""


class NotKeptError(OpencmrError):
    """An instance that is not kept, with the status of C-STORE that says so."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Received:
    """An instance as it came: what the peer says of it, and its data set without file meta."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: dict[str, str]
    head: Head
    partial: Path
    kept: "Future[bool]"
    is_own: bool
    """A result of opencmr, come back: kept, and no reason to analyse its study again."""


class Store:
    """Received instances under a folder, and their index.

    Parameters
    ----------
    folder : Path
        Held by this process alone.  ``instances/`` is what was acknowledged, ``incoming/`` what
        is being written, ``quarantine/`` files that a crash left without a row, and instances whose
        UID another study has.
    database : Database
    least_free_bytes : int or None
        Below this nothing is accepted; None for 5 GB or 5 % of the disk, whichever is more.
    """

    def __init__(
        self, folder: Path, database: Database, *, least_free_bytes: int | None = None
    ) -> None:
        self.folder = folder
        self._database = database
        self._least_free_bytes = least_free_bytes
        self._incoming = folder / "incoming"
        self._instances = folder / "instances"
        for place in (self._incoming, self._instances, folder / "quarantine"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._why_broken = ""
        self._arrived_s: dict[str, float] = {}
        self._opened_s = time.monotonic()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue()
        self.quarantined = self._sweep()
        for place in (self._instances, self._incoming, folder):
            _flush_folder(place)
        self._keeper = threading.Thread(target=self._keep_all, name="keeper", daemon=True)
        self._keeper.start()

    def keep(self, received: Received) -> bool:
        """Keep an instance; return whether it is new, when it is safe.

        The same instance again is no error and is not kept twice.  Another one of the same UID
        is refused, and kept beside the first for the analysis to see that both are doubtful.

        Raises
        ------
        NotKeptError
            When the disk is nearly full, the instance is not what it is said to be, another
            one has its UID, or it could not be written.
        """
        self._require_room()
        if not UID_FORM.fullmatch(received.sop_instance_uid):
            raise NotKeptError(CANNOT_UNDERSTAND, "the SOP instance UID is no UID")
        head, is_own = read_head(received)
        study_uid = head["StudyInstanceUID"]
        folder = _hash(study_uid)[:32]
        row = {
            "sop_instance_uid": received.sop_instance_uid,
            "sop_class_uid": received.sop_class_uid,
            "study_instance_uid": study_uid,
            "dataset_sha256": storage.sha256_of_bytes(received.dataset),
            "path": f"{INSTANCES_FOLDER}{folder}/{_hash(received.sop_instance_uid)[:32]}.dcm",
        }
        partial = self._incoming / f"{uuid.uuid4().hex}.part"
        try:
            _write(partial, received)
            waiting = _Waiting(row, head, partial, Future(), is_own)
            self._queue.put(waiting)
            return waiting.kept.result(KEEP_S)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            partial.unlink(missing_ok=True)

    def quiet_s(self, study_instance_uid: str) -> float:
        """Return how long nothing came for a study, as far as this process knows.

        By a clock that is never set: a change of the time of day ends no study early.
        """
        return time.monotonic() - self._arrived_s.get(study_instance_uid, self._opened_s)

    def files_of(self, study_instance_uid: str) -> Path:
        """Return the folder of a study's instances."""
        return self._instances / _hash(study_instance_uid)[:32]

    def holds(self, sop_class_uid: str, sop_instance_uid: str) -> bool | None:
        """Whether an instance is safe here; None where it is, and of another class."""
        query = select(INSTANCES.c.sop_class_uid, INSTANCES.c.path).where(
            INSTANCES.c.sop_instance_uid == sop_instance_uid
        )
        with self._database.transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not (self.folder / row.path).is_file():
            return False
        return True if row.sop_class_uid == sop_class_uid else None

    def close(self) -> None:
        """Finish what waits; keep nothing more."""
        self._why_broken = "the node is being stopped"
        self._queue.put(None)
        self._keeper.join()

    def _require_room(self) -> None:
        if self._why_broken:
            raise NotKeptError(OUT_OF_RESOURCES, self._why_broken)
        usage = shutil.disk_usage(self.folder)
        least = self._least_free_bytes
        if least is None:
            least = max(LEAST_FREE_BYTES, int(usage.total * LEAST_FREE_FRACTION))
        # Some file systems do not tell: all their sizes are zero.
        if usage.total and usage.free < least:
            raise NotKeptError(OUT_OF_RESOURCES, "the disk is nearly full")

    def _failed(self, error: OSError) -> NotKeptError:
        if storage.is_full(error):
            return NotKeptError(OUT_OF_RESOURCES, "the disk is full")
        # After a failed flush nobody knows what is on the disk: no trying again (fsync(2)).
        self._why_broken = "the disk failed; see to it and start the node again"
        return NotKeptError(NOT_STORED, self._why_broken)

    # The keeper's thread -------------------------------------------------------------------

    def _keep_all(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, is_last = [first], False
            while len(batch) < BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    is_last = True
                    break
                batch.append(following)
            self._keep_batch(batch)
            if is_last:
                return

    def _keep_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            with self._database.transaction() as connection:
                answers = self._placed(connection, batch)
        except Exception as error:
            is_full = "full" in str(getattr(error, "orig", "")) or storage.is_full(error)
            if isinstance(error, OSError) and not is_full:
                answer: Exception = error
            else:
                status = OUT_OF_RESOURCES if is_full else NOT_STORED
                answer = NotKeptError(status, "the index could not be written")
            for one in batch:
                one.kept.set_exception(answer)
            return
        now_s = time.monotonic()
        for one, answer_of_one in zip(batch, answers, strict=True):
            self._arrived_s[one.row["study_instance_uid"]] = now_s
            if isinstance(answer_of_one, NotKeptError):
                one.kept.set_exception(answer_of_one)
            else:
                one.kept.set_result(answer_of_one)

    def _placed(
        self, connection: Connection, batch: Sequence[_Waiting]
    ) -> list[bool | NotKeptError]:
        """Move the new ones to their places and write their rows; return what to tell of each."""
        uids = [one.row["sop_instance_uid"] for one in batch]
        known = {
            row.sop_instance_uid: (row.study_instance_uid, row.dataset_sha256)
            for row in connection.execute(
                select(INSTANCES).where(INSTANCES.c.sop_instance_uid.in_(uids))
            )
        }
        answers: list[bool | NotKeptError] = []
        new: list[_Waiting] = []
        conflicts: dict[str, _Waiting] = {}
        for one in batch:
            uid = one.row["sop_instance_uid"]
            facts = one.row["study_instance_uid"], one.row["dataset_sha256"]
            if uid not in known:
                known[uid] = facts
                new.append(one)
                answers.append(True)
            elif known[uid] == facts:
                answers.append(False)
            else:
                one.row["path"] = _place_of_conflict(one.row, known[uid][0])
                conflicts[one.row["path"]] = one
                sentence = "other content of this UID is kept; nobody knows which is right"
                answers.append(NotKeptError(UID_CONFLICT, sentence))
        self._move(new)
        self._keep_conflicts(connection, conflicts)
        if new:
            connection.execute(insert(INSTANCES), [one.row for one in new])
            add_heads(connection, [(one.head, one.row["path"]) for one in new])
            _count(connection, [one.row["study_instance_uid"] for one in new if not one.is_own])
        return answers

    def _keep_conflicts(self, connection: Connection, conflicts: dict[str, _Waiting]) -> None:
        """Keep what was refused for its UID: in its study, whose analysis leaves out both."""
        if not conflicts:
            return
        there = select(CONFLICTS.c.path).where(CONFLICTS.c.path.in_(conflicts))
        for path in connection.execute(there).scalars().all():
            del conflicts[path]
        self._move(conflicts.values())
        keys = ("path", "sop_instance_uid", "study_instance_uid")
        for one in conflicts.values():
            connection.execute(insert(CONFLICTS), [{key: one.row[key] for key in keys}])
            if one.row["path"].startswith(INSTANCES_FOLDER) and not one.is_own:
                _count(connection, [one.row["study_instance_uid"]])

    def _move(self, new: Iterable[_Waiting]) -> None:
        changed: set[Path] = set()
        for one in new:
            place = self.folder / one.row["path"]
            if not place.parent.is_dir():
                place.parent.mkdir(mode=0o700)
                changed.add(place.parent.parent)
            one.partial.replace(place)
            changed.add(place.parent)
        for folder in changed:
            _flush_folder(folder)

    def _sweep(self) -> int:
        """Put right what a crash left; return how many files went to quarantine.

        None of them was acknowledged, so that their senders hold them still.
        """
        for partial in self._incoming.glob("*.part"):
            partial.unlink()
        with self._database.transaction() as connection:
            rows = set(connection.execute(select(INSTANCES.c.path)).scalars())
            rows |= set(connection.execute(select(CONFLICTS.c.path)).scalars())
        found = 0
        for path in self._instances.glob("*/*"):
            if path.relative_to(self.folder).as_posix() not in rows:
                path.replace(self.folder / "quarantine" / f"{uuid.uuid4().hex}.dcm")
                found += 1
        return found


def read_head(received: Received) -> tuple[Head, bool]:
    """Return what an instance can be found by, and whether opencmr made it.

    No more than its head is read.

    Raises
    ------
    NotKeptError
        When it cannot be read, names no study, or is another instance than it is said to be.
    """
    syntax = uids.UID(received.transfer_syntax_uid)
    tags = [SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, MODEL_NAME]
    wanted = [*tags, *TAGS]
    try:
        head = read_dataset(
            io.BytesIO(received.dataset),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: bool(tag > LAST_TAG),
            specific_tags=wanted,
        )
        said = [_text(head.get_item(tag)) if tag in head else "" for tag in tags]
    except Exception:  # whatever a hostile header makes the reader raise
        raise NotKeptError(CANNOT_UNDERSTAND, "the data set cannot be read") from None
    if said[:2] != [received.sop_class_uid, received.sop_instance_uid]:
        raise NotKeptError(DOES_NOT_MATCH, "the data set is of another instance or class")
    if not UID_FORM.fullmatch(said[2]):
        raise NotKeptError(CANNOT_UNDERSTAND, "the data set names no study")
    # The UIDs as they were judged above.
    uids_as_judged = {"SOPInstanceUID": said[1], "StudyInstanceUID": said[2]}
    return head_of(head) | {"SOPClassUID": said[0]} | uids_as_judged, said[3] == OURS


def _text(element: Any) -> str:
    """Return the text of a raw element as it stands, judged by nobody."""
    value = element.value
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")


def _write(partial: Path, received: Received) -> None:
    meta = FileMetaDataset()
    for tag, uid in (
        (MEDIA_STORAGE_SOP_CLASS_UID, received.sop_class_uid),
        (MEDIA_STORAGE_SOP_INSTANCE_UID, received.sop_instance_uid),
        (TRANSFER_SYNTAX_UID, received.transfer_syntax_uid),
    ):
        # As it came: a warning would quote it.
        meta.add(DataElement(tag, "UI", uid, validation_mode=IGNORE))
    head = DicomBytesIO()
    write_file_meta_info(head, meta)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(PREAMBLE)
        stream.write(head.getvalue())
        stream.write(received.dataset)
        stream.flush()
        os.fsync(stream.fileno())


def _place_of_conflict(row: dict[str, str], known_study_uid: str) -> str:
    """Return where an instance goes whose UID is that of another one in a study."""
    is_of_same = row["study_instance_uid"] == known_study_uid
    folder = Path(row["path"]).parent.as_posix() if is_of_same else "quarantine"
    return f"{folder}/{Path(row['path']).stem}-{row['dataset_sha256'][:32]}.dcm"


def _count(connection: Connection, study_uids: Sequence[str]) -> None:
    """Add new instances to their studies."""
    for uid in dict.fromkeys(study_uids):
        more = study_uids.count(uid)
        changed = connection.execute(
            update(STUDIES)
            .where(STUDIES.c.study_instance_uid == uid)
            .values(instances=STUDIES.c.instances + more)
        )
        if not changed.rowcount:
            row = {"study_instance_uid": uid, "instances": more, "settled": 0}
            connection.execute(insert(STUDIES), [row])


def _flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows flushes names with their files
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash(uid: str) -> str:
    return hashlib.sha256(uid.encode("ascii")).hexdigest()
