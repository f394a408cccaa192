"""Where instances from an archive are put: few enough, of the study asked for, each once."""

import hashlib
import warnings
from pathlib import Path
from typing import BinaryIO

import pydicom

from opencmr.errors import ExternalServiceError
from opencmr.intake.dicom.parsing import is_cut

MOST_INSTANCES = 50_000
MOST_BYTES = 16 << 30
"""Of one study (proposal): the largest CMR studies have about 10,000 instances and 4 GiB."""

PREAMBLE_BYTES = 128
"""Before the letters DICM (PS3.10 section 7.1)."""


class Inbox:
    """A private folder that is filled from a network.

    Nothing that a peer says becomes a file name: an instance is named by the hash of its
    SOPInstanceUID, and by a number until that is known.

    Parameters
    ----------
    folder : Path
        Empty, for nobody else to read.
    peer : str
        For messages.
    """

    def __init__(
        self,
        folder: Path,
        peer: str,
        study_instance_uid: str,
        *,
        most_instances: int = MOST_INSTANCES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._folder, self._peer, self._study = folder, peer, study_instance_uid
        self._most_instances, self._most_bytes = most_instances, most_bytes
        self._bytes = self._begun = 0
        self._names: set[str] = set()

    @property
    def count(self) -> int:
        """How many different instances are in it."""
        return len(self._names)

    def begin(self) -> tuple[Path, BinaryIO]:
        """Return a new file of a name of its own, open for writing.

        Raises
        ------
        ExternalServiceError
            When too many have come.
        """
        if self._begun >= self._most_instances:
            raise ExternalServiceError(
                f"{self._peer} sends more than {self._most_instances} instances for one study; "
                "nothing is kept"
            )
        self._begun += 1
        path = self._folder / f"part-{self._begun}"
        return path, path.open("xb")

    def count_bytes(self, number: int) -> None:
        """Count what is about to be written.

        Raises
        ------
        ExternalServiceError
            When it is too much.
        """
        self._bytes += number
        self.require_room(self._bytes)

    def require_room(self, total: int) -> None:
        """Refuse a study of this many bytes, where they are too many.

        Raises
        ------
        ExternalServiceError
        """
        if total > self._most_bytes:
            raise ExternalServiceError(
                f"{self._peer} sends more than {self._most_bytes >> 20} MiB for one study; "
                "nothing is kept"
            )

    def put(self, content: bytes) -> None:
        """Add a whole DICOM file."""
        path, stream = self.begin()
        with stream:
            self.count_bytes(len(content))
            stream.write(content)
        self.finish(path)

    def finish(self, path: Path) -> None:
        """Take in a file that was written to its end.

        Raises
        ------
        ExternalServiceError
            When it is no whole DICOM file, or of another study.
        """
        uids = uids_of_whole(path)
        if uids is None:
            raise ExternalServiceError(
                f"{self._peer} sends what is no whole DICOM object; nothing is kept"
            )
        study, uid = uids
        if study != self._study:
            raise ExternalServiceError(
                f"{self._peer} sends an object of another study; nothing is kept"
            )
        _empty_preamble(path)
        name = hashlib.sha256(uid.encode()).hexdigest()[:32] + ".dcm"
        path.replace(self._folder / name)
        self._names.add(name)


def _empty_preamble(path: Path) -> None:
    """Leave no file that is DICOM and a program at once (CVE-2019-11687)."""
    with path.open("r+b") as stream:
        stream.write(bytes(PREAMBLE_BYTES))


def uids_of_whole(path: Path) -> tuple[str, str] | None:
    """Return StudyInstanceUID and SOPInstanceUID of a DICOM file that is whole, else None.

    Whole: it has a SOPInstanceUID, and no element is longer than the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            dataset = pydicom.dcmread(path)
            if any(map(is_cut, dataset.values())):
                return None
            uids = str(dataset.get("StudyInstanceUID", "")), str(dataset.SOPInstanceUID)
    except Exception:  # hostile bytes raise anything
        return None
    return uids if uids[1] else None
