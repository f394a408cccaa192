"""Reading what the decoding process sends, never for longer than the caller will wait."""

import os
import queue
import select
import threading
from contextlib import suppress
from typing import IO, Protocol

CHUNK_BYTES = 1 << 20
CHUNKS = 4
"""So much is read ahead where a thread reads."""


class Answers(Protocol):
    """The bytes that a process sends."""

    def read_into(self, target: memoryview, wait_s: float) -> int | None:
        """Fill some of ``target``: how many bytes; 0 at the end; None when nothing came in time."""

    def close(self) -> None:
        """Give up what is still to come; the process is gone, or about to be."""


def answers_of(stream: IO[bytes]) -> Answers:
    """Return the reader of a pipe that this system has: by ``poll``, else by a thread."""
    return PolledAnswers(stream) if hasattr(select, "poll") else ThreadedAnswers(stream)


class PolledAnswers:
    """Waits for a pipe by ``poll`` and reads straight into the target (POSIX)."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._descriptor = stream.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN | select.POLLHUP)

    def read_into(self, target: memoryview, wait_s: float) -> int | None:
        """Fill some of ``target`` with what there is."""
        if not self._poll.poll(1000 * wait_s):
            return None
        return os.readv(self._descriptor, [target])

    def close(self) -> None:
        """Nothing: the stream is its owner's."""


class ThreadedAnswers:
    """Waits for a thread that reads the pipe (Windows, whose pipes cannot be polled).

    The thread ends with the process that writes to the pipe.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._chunks: queue.Queue[bytes] = queue.Queue(CHUNKS)
        self._rest = memoryview(b"")
        self._has_ended = False
        self._is_closed = False
        # A descriptor of its own: the stream may be closed while the thread reads.
        descriptor = os.dup(stream.fileno())
        threading.Thread(target=self._read, args=(descriptor,), daemon=True).start()

    def _read(self, descriptor: int) -> None:
        with suppress(OSError):
            while not self._is_closed and (chunk := os.read(descriptor, CHUNK_BYTES)):
                self._chunks.put(chunk)
        os.close(descriptor)
        self._chunks.put(b"")

    def read_into(self, target: memoryview, wait_s: float) -> int | None:
        """Fill some of ``target`` with what the thread has read."""
        if self._has_ended:
            return 0
        if not self._rest:
            try:
                self._rest = memoryview(self._chunks.get(timeout=wait_s))
            except queue.Empty:
                return None
            self._has_ended = not self._rest
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Let the thread go on, and so to its end."""
        self._is_closed = True
        with suppress(queue.Empty):
            while True:
                self._chunks.get_nowait()
