"""What an archive can do for us, whichever protocol it speaks."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydicom.dataset import Dataset

from opencmr.archive.names import require_uid
from opencmr.archive.peers import DimsePeer, Peer
from opencmr.errors import ConfigurationError

MOST_STUDIES = 500
"""Of one question; more are a sign that it was too wide (proposal)."""
DATE = re.compile(r"[0-9]{8}|[0-9]{8}-|-[0-9]{8}|[0-9]{8}-[0-9]{8}")

Tick = Callable[[int, int], None]
"""Told how many instances have come or gone so far, and of how many."""


def no_tick(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a study must have to be found; empty matches all (PS3.4 C.2.2.2).

    Attributes
    ----------
    study_date : str
        ``YYYYMMDD``, or a range ``YYYYMMDD-YYYYMMDD`` of which one end may be missing.
    """

    patient_id: str = field(default="", repr=False)
    study_date: str = ""
    study_instance_uid: str = ""
    modality: str = ""

    def __post_init__(self) -> None:
        if self.study_date and not DATE.fullmatch(self.study_date):
            raise ConfigurationError("a date is YYYYMMDD, or a range YYYYMMDD-YYYYMMDD")
        if self.study_instance_uid:
            require_uid(self.study_instance_uid)
        if any(c < " " or c == "\\" for c in self.patient_id + self.modality):
            raise ConfigurationError("a backslash or control character cannot be asked for")


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that an archive holds.  It names a patient: for standard output alone."""

    study_instance_uid: str
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    study_date: str = ""
    description: str = field(default="", repr=False)
    modalities: tuple[str, ...] = ()
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of objects that were sent: how many are stored, and why others are not.

    Attributes
    ----------
    failures : mapping from file to the reason, in words
    """

    stored: int
    failures: dict[Path, str] = field(default_factory=dict)


class Archive(Protocol):
    """An archive of studies.  Every method raises ``ExternalServiceError`` when it fails."""

    def echo(self) -> None:
        """Ask whether it is there and lets us in."""

    def find(self, query: Query) -> list[FoundStudy]:
        """Return the studies that match, ``MOST_STUDIES`` at most."""

    def fetch(self, study_instance_uid: str, folder: Path, tick: Tick = no_tick) -> int:
        """Write every instance of a study into an empty private folder; return their number.

        Raises
        ------
        InputError
            When the archive holds no such study.
        """

    def store(self, paths: Sequence[Path], tick: Tick = no_tick) -> Sent:
        """Send DICOM files."""


@runtime_checkable
class Committing(Protocol):
    """An archive that may be asked whether what was sent is safe there (PS3.4 annex J)."""

    def ask_commitment(
        self,
        transaction_uid: str,
        instances: Sequence[tuple[str, str]],
        heard: Callable[[int | None, Dataset], int],
    ) -> bool:
        """Ask; return False where it does not offer an answer.

        Parameters
        ----------
        transaction_uid : str
            By which the answer is known, which may come later in another association.
        instances : sequence of (SOP class UID, SOP instance UID)
        heard : callable
            Given the event type and the report where it comes at once; returns its status.

        Raises
        ------
        ExternalServiceError
            When it does not promise an answer.
        """


def open_archive(name: str, peer: Peer) -> Archive:
    """Return the archive behind a peer; nothing is sent yet.

    Raises
    ------
    ConfigurationError
        When the extra that speaks its protocol is missing, or its secrets cannot be read.
    """
    try:
        if isinstance(peer, DimsePeer):
            from opencmr.archive.dimse import DimseArchive

            return DimseArchive(name, peer)
        from opencmr.archive.dicomweb import DicomWebArchive

        return DicomWebArchive(name, peer)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed; pip install 'opencmr[serve]'"
        ) from None
