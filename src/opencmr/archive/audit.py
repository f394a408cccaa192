"""The audit trail of a node: who called, what came, what left; no patient, no identifier.

Events and their codes are those of DICOM PS3.15 annex A.5 (CID 400 and 401).  Each entry ends with
a hash over itself and the one before it, so that a changed, removed or inserted entry shows; what
was cut off at the end does not.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from opencmr.errors import InputError

AUDIT_FILE = "audit.jsonl"
FIRST_CHAIN = "0" * 64
REPEAT_S = 1.0
"""An entry that says the same as the one before, so soon after it, is counted in the next one:
a caller that is refused a thousand times a second must not fill the disk."""


class Event(Enum):
    """Code and meaning."""

    APPLICATION_START = ("110120", "Application Start")
    APPLICATION_STOP = ("110121", "Application Stop")
    INSTANCES_TRANSFERRED = ("110104", "DICOM Instances Transferred")
    EXPORT = ("110106", "Export")
    QUERY = ("110112", "Query")
    NODE_AUTHENTICATION = ("110126", "Node Authentication")
    """A security alert: a caller that is not let in."""


class Outcome(IntEnum):
    """EventOutcomeIndicator (PS3.15 A.5.2)."""

    SUCCESS = 0
    MINOR_FAILURE = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened.

    Attributes
    ----------
    event : Event
    what : str
        In words, without identifiers of patients.
    outcome : Outcome
    caller, address : str
        AE title and address of the other side; a title is a claim.
    instances : int or None
        As many objects it was about.
    """

    event: Event
    what: str
    outcome: Outcome = Outcome.SUCCESS
    caller: str = ""
    address: str = ""
    instances: int | None = None

    @property
    def plain(self) -> dict[str, object]:
        """The entry as it is written, without its time and place in the chain."""
        code, meaning = self.event.value
        return {
            "event": code,
            "meaning": meaning,
            "outcome": int(self.outcome),
            "what": self.what,
            "caller": self.caller,
            "address": self.address,
            "instances": self.instances,
        }


Record = Callable[[Entry], None]
"""What is told every event."""


def unrecorded(_: Entry) -> None:
    """Keep no trail."""


class Audit:
    """The trail in a file, appended to; use it in a ``with``.

    An entry that a kill cut off is dropped at the next start, which says so.

    Raises
    ------
    InputError
        When the trail of the file is not whole.
    OSError
        When it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._last: tuple[Entry, float] | None = None
        self._repeated = 0
        torn = _drop_torn_end(path)
        self._chain = FIRST_CHAIN
        for entry in entries(path):
            self._chain = str(entry["chain"])
        path.touch(mode=0o600, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        cut = "; an entry that was being written at its end is dropped" * torn
        self.record(Entry(Event.APPLICATION_START, f"the node starts{cut}"))

    def record(self, entry: Entry) -> None:
        """Append an entry; it is with the system when this returns."""
        with self._lock:
            now_s = time.monotonic()
            if self._last and self._last[0] == entry and now_s - self._last[1] < REPEAT_S:
                self._repeated += 1
                return
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            told = {"at": at, **entry.plain, "repeated_before": self._repeated}
            self._chain, line = _chained(told, self._chain)
            self._file.write(line)
            self._last, self._repeated = (entry, now_s), 0

    def __enter__(self) -> "Audit":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.record(Entry(Event.APPLICATION_STOP, "the node stops"))
        self._file.close()


def entries(path: Path) -> Iterator[dict[str, object]]:
    """Yield the entries of a trail, checking each; none where there is no file.

    Raises
    ------
    InputError
        At the first entry that does not follow from the one before it.
    """
    chain = FIRST_CHAIN
    for number, line in enumerate(_lines(path), 1):
        try:
            told = json.loads(line)
            following, expected = _chained({k: v for k, v in told.items() if k != "chain"}, chain)
        except (ValueError, AttributeError, RecursionError):
            expected, told, following = b"", {}, ""
        if line != expected:
            raise InputError(f"entry {number} of the audit trail was changed, or one before it")
        chain = following
        yield told


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from file


def _chained(told: dict[str, object], previous: str) -> tuple[str, bytes]:
    """Return the hash of an entry that follows another, and its line."""
    chain = sha256((previous + json.dumps(told)).encode()).hexdigest()
    return chain, (json.dumps(told | {"chain": chain}) + "\n").encode()


def _drop_torn_end(path: Path) -> bool:
    """Cut off what a kill left after the last whole line; say whether there was anything."""
    if not path.exists():
        return False
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        file.truncate(whole)
    return whole < len(content)
