"""Both readers of a pipe give the same bytes, wait no longer than asked, and end with it."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from opencmr.intake.dicom.answers import (
    CHUNK_BYTES,
    CHUNKS,
    Answers,
    PolledAnswers,
    ThreadedAnswers,
)

BOTH = pytest.mark.parametrize("kind", [PolledAnswers, ThreadedAnswers])
MOST_S = 30.0
"""A loaded machine's; no test waits for it."""


def read(answers: Answers, count: int) -> bytes:
    target = bytearray(count)
    rest = memoryview(target)
    until = time.monotonic() + MOST_S
    while rest and time.monotonic() < until:
        found = answers.read_into(rest, 0.05)
        if found == 0:
            break
        rest = rest[found or 0 :]
    return bytes(target[: count - len(rest)])


@BOTH
def test_everything_comes_in_order_and_then_the_end(kind: Callable[..., Answers]) -> None:
    reads, writes = os.pipe()
    sent = os.urandom(5 * CHUNK_BYTES + 17)

    def write() -> None:
        with os.fdopen(writes, "wb") as pipe:
            pipe.write(sent)

    with os.fdopen(reads, "rb", buffering=0) as stream:
        answers = kind(stream)
        assert answers.read_into(memoryview(bytearray(4)), 0.01) is None
        thread = threading.Thread(target=write)
        thread.start()
        assert read(answers, 20) == sent[:20]
        assert read(answers, len(sent)) == sent[20:]
        assert answers.read_into(memoryview(bytearray(4)), MOST_S) == 0
        thread.join()


def test_a_thread_whose_bytes_nobody_wants_ends() -> None:
    before = set(threading.enumerate())
    reads, writes = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writes, "wb", buffering=0) as pipe:
            for _ in range(3 * CHUNKS):
                pipe.write(bytes(CHUNK_BYTES))

    with os.fdopen(reads, "rb", buffering=0) as stream:
        answers = ThreadedAnswers(stream)
        threading.Thread(target=write).start()
        assert read(answers, 10) == bytes(10)
        answers.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(MOST_S)
        assert not thread.is_alive()
