"""An archive behind DIMSE: C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE (PS3.7), by pynetdicom."""

import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    ParametricMapStorage,
)
from pynetdicom import StoragePresentationContexts, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

# pynetdicom makes the names of SOP classes at work.
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from opencmr.archive import tls
from opencmr.archive.archive import (
    MOST_STUDIES,
    FoundStudy,
    Query,
    Sent,
    Tick,
    no_tick,
)
from opencmr.archive.association import associated, entity_of
from opencmr.archive.inbox import Inbox
from opencmr.archive.names import require_uid
from opencmr.archive.outgoing import Outgoing, described
from opencmr.archive.peers import DimsePeer, is_loopback
from opencmr.archive.push_model import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST,
    SUCCESS,
    question,
)
from opencmr.errors import ConfigurationError, ExternalServiceError, InputError, OpencmrError

PENDING = (0xFF00, 0xFF01)
OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0xA700, 0xC000
MOST_CONTEXTS = 128
"""Presentation contexts of an association (PS3.8 9.3.2.2: odd numbers from 1 to 255)."""
COMPRESSED = tuple(
    UID(f"1.2.840.10008.1.2.{suffix}")
    for suffix in ("4.90", "4.91", "4.80", "4.81", "4.70", "4.57", "4.51", "4.50", "5", "1.99")
)
"""JPEG 2000, JPEG-LS, JPEG, RLE and deflated: what intake reads (PS3.6 table A-1)."""
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, *COMPRESSED)
ANSWER_AT_ONCE_S = 2.0
"""How long an association is kept for an answer on storage commitment (proposal)."""
KEYWORDS = (
    "PatientID", "PatientName", "StudyDate", "StudyInstanceUID", "StudyDescription",
    "ModalitiesInStudy", "NumberOfStudyRelatedInstances",
)  # fmt: skip
STATUS_WORDS = {
    0x0122: "it does not store objects of this class",
    0x0124: "it is not allowed",
    0xA700: "it is out of resources",
    0xA701: "it is out of resources",
    0xA702: "it could not send the objects",
    0xA801: "it does not know our AE title as a destination",
    0xA900: "the object does not match its class",
}
"""Status of C-STORE, C-FIND, C-GET and C-MOVE (PS3.4 B.2.3, C.4)."""


@dataclass(frozen=True, slots=True)
class Originator:
    """Who asked for an object to be sent, and in which message (PS3.7 section 9.1.1.1)."""

    aet: str
    message_id: int


@dataclass(frozen=True, slots=True)
class SentOne:
    """What became of an object: why it is not stored, nothing where it is."""

    outgoing: Outgoing
    why: str
    is_warned: bool = False


class DimseArchive:
    """An archive behind DIMSE.  See :class:`opencmr.archive.archive.Archive`."""

    def __init__(self, name: str, peer: DimsePeer) -> None:
        self._name, self._peer = name, peer

    def echo(self) -> None:
        """Ask whether it is there (C-ECHO)."""
        with self._associated([build_context(Verification)]) as association:
            self._require_success(association.send_c_echo())

    def find(self, query: Query) -> list[FoundStudy]:
        """Search for studies (C-FIND, study root)."""
        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        for keyword in KEYWORDS:
            setattr(asked, keyword, None)
        # ISO_IR 192: an identifier may have any letters.
        asked.SpecificCharacterSet = "ISO_IR 192"
        asked.PatientID, asked.StudyDate = query.patient_id, query.study_date
        asked.StudyInstanceUID = query.study_instance_uid
        asked.ModalitiesInStudy = query.modality
        found: list[FoundStudy] = []
        model = StudyRootQueryRetrieveInformationModelFind
        with self._associated([build_context(model)]) as association:
            for status, row in association.send_c_find(asked, model):
                if status.get("Status") not in PENDING:
                    self._require_success(status)
                elif row is not None and row.get("StudyInstanceUID"):
                    found.append(_study(row))
                if len(found) >= MOST_STUDIES:
                    association.abort()
                    break
        return found

    def fetch(self, study_instance_uid: str, folder: Path, tick: Tick = no_tick) -> int:
        """Retrieve a study (C-GET, or C-MOVE to a receiver that lives until it has come)."""
        require_uid(study_instance_uid)
        found = self.find(Query(study_instance_uid=study_instance_uid))
        if not any(row.study_instance_uid == study_instance_uid for row in found):
            raise InputError(f"{self._name} holds no study of this UID")
        asked = Dataset()
        asked.QueryRetrieveLevel = "STUDY"
        asked.StudyInstanceUID = study_instance_uid
        expected = max(row.instances or 0 for row in found)
        inbox = Inbox(folder, self._name, study_instance_uid)
        receiver = _Receiver(inbox, lambda count: tick(count, max(expected, count)))
        status = (self._move if self._peer.retrieve == "move" else self._get)(asked, receiver)
        if receiver.error is not None:
            raise receiver.error
        self._require_success(status)
        if inbox.count < max(1, expected):
            raise self._failed(f"{inbox.count} of {expected} instances came; nothing is kept")
        return inbox.count

    def store(self, paths: Sequence[Path], tick: Tick = no_tick) -> Sent:
        """Send objects (C-STORE), each as it is encoded."""
        waiting = [described(path) for path in paths]
        failures: dict[Path, str] = {}
        for done, sent in enumerate(self.store_each(waiting), 1):
            if sent.why:
                failures[sent.outgoing.path] = sent.why
            tick(done, len(waiting))
        return Sent(len(waiting) - len(failures), failures)

    def store_each(
        self, waiting: Sequence[Outgoing], originator: "Originator | None" = None
    ) -> Generator["SentOne", None, None]:
        """Send objects one by one, each as it is encoded, and yield what became of it.

        Closed before its end, it sends nothing more.

        Raises
        ------
        ExternalServiceError
            When there is no association; what was not yielded was not sent.
        """
        kinds = sorted({(one.sop_class_uid, one.transfer_syntax_uid) for one in waiting})
        for first in range(0, len(kinds), MOST_CONTEXTS):
            some = kinds[first : first + MOST_CONTEXTS]
            now = [o for o in waiting if (o.sop_class_uid, o.transfer_syntax_uid) in some]
            with self._associated([build_context(*kind) for kind in some]) as association:
                accepted = {
                    (str(c.abstract_syntax), str(c.transfer_syntax[0]))
                    for c in association.accepted_contexts
                }
                for one in now:
                    yield self._store(association, one, accepted, originator)

    def ask_commitment(
        self,
        transaction_uid: str,
        instances: Sequence[tuple[str, str]],
        heard: Callable[[int | None, Dataset], int],
    ) -> bool:
        """Ask for storage commitment (N-ACTION), and listen a moment for an answer at once."""
        if not self._peer.storage_commitment:
            return False
        answered = threading.Event()

        def report(event: evt.Event) -> tuple[int, None]:
            try:
                return heard(event.event_type, event.event_information), None
            finally:
                answered.set()

        asked = question(transaction_uid, instances)
        # What it has just stored, it takes again: that tells a peer without storage commitment,
        # and perhaps without verification, from one that is down.
        stored = sorted({sop_class_uid for sop_class_uid, _ in instances})[: MOST_CONTEXTS - 2]
        contexts = [build_context(uid) for uid in (PUSH_MODEL, Verification, *stored)]
        with self._associated(
            contexts, evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)]
        ) as association:
            if not any(c.abstract_syntax == PUSH_MODEL for c in association.accepted_contexts):
                return False
            status, _ = association.send_n_action(asked, REQUEST, PUSH_MODEL, PUSH_MODEL_INSTANCE)
            if status.get("Status") != SUCCESS:
                why = _words(status.get("Status"), self._peer.timeout_s)
                raise self._failed(f"it does not promise storage commitment: {why}")
            answered.wait(ANSWER_AT_ONCE_S)
        return True

    def _store(
        self,
        association: Association,
        one: Outgoing,
        accepted: set[tuple[str, str]],
        originator: "Originator | None",
    ) -> "SentOne":
        """Send an object; say why it is not stored, where it is not."""
        if (one.sop_class_uid, one.transfer_syntax_uid) not in accepted:
            why = "it does not take objects of this class in this transfer syntax"
            return SentOne(one, why)
        aet = message_id = None
        if originator is not None:
            aet, message_id = originator.aet, originator.message_id
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they quote values
                status = association.send_c_store(
                    one.path, originator_aet=aet, originator_id=message_id
                )
        except Exception:  # hostile bytes raise anything, and the file may be gone
            return SentOne(one, "the object cannot be sent, or the connection broke")
        code = status.get("Status")
        # 0xBxxx: stored, with a warning (PS3.4 B.2.3).
        is_warned = code is not None and code >> 12 == 0xB
        why = "" if code == 0 or is_warned else _words(code, self._peer.timeout_s)
        return SentOne(one, why, is_warned)

    def _get(self, asked: Dataset, receiver: "_Receiver") -> Dataset:
        model = StudyRootQueryRetrieveInformationModelGet
        classes = [c.abstract_syntax for c in StoragePresentationContexts]
        classes = [c for c in classes if c not in (MRImageStorage, ParametricMapStorage)]
        storage = [MRImageStorage, ParametricMapStorage, *classes][: MOST_CONTEXTS - 1]
        contexts = [build_context(model), *(build_context(str(c), [*SYNTAXES]) for c in storage)]
        roles = [build_role(str(c), scp_role=True) for c in storage]
        handlers = [(evt.EVT_C_STORE, receiver.take)]
        with self._associated(contexts, ext_neg=roles, evt_handlers=handlers) as association:
            return receiver.last(association, association.send_c_get(asked, model))

    def _move(self, asked: Dataset, receiver: "_Receiver") -> Dataset:
        model = StudyRootQueryRetrieveInformationModelMove
        with (
            self._receiving(receiver),
            self._associated([build_context(model)]) as association,
        ):
            return receiver.last(
                association, association.send_c_move(asked, self._peer.calling_aet, model)
            )

    @contextmanager
    def _receiving(self, receiver: "_Receiver") -> Iterator[None]:
        """Listen at the peer's ``receive_port`` for it alone, until the end."""
        peer = self._peer
        entity = entity_of(peer)
        entity.supported_contexts = [
            build_context(str(c.abstract_syntax), [*SYNTAXES]) for c in StoragePresentationContexts
        ]
        entity.add_supported_context(str(ParametricMapStorage), [*SYNTAXES])
        entity.require_called_aet = True
        entity.require_calling_aet = [peer.aet]
        context = None
        if peer.tls is not None and peer.tls.cert is not None and peer.tls.key is not None:
            context = tls.called(peer.tls.cert, peer.tls.key, peer.tls.ca, is_mutual=True)
        # All addresses: which of them the archive sees us at, we cannot know.
        address = "127.0.0.1" if is_loopback(peer.host) else ""
        try:
            server = entity.start_server(
                (address, peer.receive_port or 0),
                block=False,
                ssl_context=context,
                evt_handlers=[(evt.EVT_C_STORE, receiver.take)],
            )
        except OSError:
            raise ConfigurationError(
                f"{self._name}: port {peer.receive_port} (receive_port) is taken, or not ours"
            ) from None
        try:
            yield
        finally:
            if server is not None:
                server.shutdown()

    def _associated(
        self, contexts: Iterable[PresentationContext], **more: Any
    ) -> AbstractContextManager[Association]:
        return associated(self._name, self._peer, contexts, **more)

    def _require_success(self, status: Dataset) -> None:
        code = status.get("Status")
        if code != 0:
            raise self._failed(_words(code, self._peer.timeout_s))

    def _failed(self, why: str) -> ExternalServiceError:
        return ExternalServiceError(f"{self._name}: {why}")


class _Receiver:
    """What takes in the instances of one study; the first failure is kept and ends it."""

    def __init__(self, inbox: Inbox, tick: Callable[[int], None]) -> None:
        self.inbox, self._tick = inbox, tick
        self.error: OpencmrError | OSError | None = None
        self._lock = threading.Lock()  # an archive may send over several associations

    def last(self, association: Association, answers: Iterable[tuple[Dataset, Any]]) -> Dataset:
        """Return the last status of a retrieval; end it at the first failure."""
        status = Dataset()
        for answer, _ in answers:
            status = answer
            if self.error is not None:
                association.abort()
                break
        return status

    def take(self, event: evt.Event) -> int:
        """Answer a C-STORE with its status, once the object is on disk."""
        with self._lock:
            if self.error is not None:
                return CANNOT_UNDERSTAND
            try:
                self.inbox.put(event.encoded_dataset())
            except OpencmrError as error:
                self.error = error
                return CANNOT_UNDERSTAND
            except OSError as error:
                self.error = error
                return OUT_OF_RESOURCES
            self._tick(self.inbox.count)
            return 0


def _words(code: int | None, timeout_s: float) -> str:
    if code is None:
        return f"the connection broke, or no answer within {timeout_s:g} s"
    return f"{STATUS_WORDS.get(code, 'it says that it failed')} (0x{code:04X})"


def _study(row: Dataset) -> FoundStudy:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        values = {keyword: row.get(keyword) for keyword in KEYWORDS}
    modalities = values["ModalitiesInStudy"] or ()
    count = str(values["NumberOfStudyRelatedInstances"] or "")
    return FoundStudy(
        study_instance_uid=str(values["StudyInstanceUID"]),
        patient_id=str(values["PatientID"] or ""),
        patient_name=str(values["PatientName"] or ""),
        study_date=str(values["StudyDate"] or ""),
        description=str(values["StudyDescription"] or ""),
        modalities=(modalities,) if isinstance(modalities, str) else tuple(map(str, modalities)),
        instances=int(count) if count.isdigit() and len(count) < 10 else None,
    )
