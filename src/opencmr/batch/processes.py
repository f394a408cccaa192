"""Tasks in processes that may die: whatever kills one fails its task alone."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

GRACE_S = 5.0
"""How long a process that is told to end may clear its workplace."""

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: "connection.Connection[Any, Any]"
    number: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The process ended without an answer: killed, most often for want of memory."""

    exit_code: int | None


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class Processes(Generic[Answer]):
    """Answers of a task to numbers, each from one of several processes.

    Parameters
    ----------
    task : callable
        Picklable; sent to each process once.
    jobs : int
        Processes at a time, at least one.
    """

    def __init__(self, task: Callable[[int], Answer], jobs: int) -> None:
        self._task = task
        self._jobs = jobs
        self._context = get_context("spawn")

    def answers(self, numbers: Sequence[int]) -> Iterator[tuple[int, Answer | Lost]]:
        """Yield each number with its answer, as they come.

        What the task raises is raised here, and ends all processes, as leaving the iterator does.
        """
        waiting = deque(numbers)
        workers: list[_Worker] = []
        try:
            while waiting or workers:
                while waiting and len(workers) < self._jobs:
                    workers.append(self._started(waiting.popleft()))
                for ready in connection.wait([one.pipe for one in workers]):
                    worker = next(one for one in workers if one.pipe is ready)
                    number, answer = worker.number, _received(worker)
                    if isinstance(answer, _Raised):
                        raise answer.error
                    if isinstance(answer, Lost) or not waiting:
                        workers.remove(worker)
                        _ended(worker)
                    else:
                        worker.number = waiting.popleft()
                        _send(worker)
                    yield number, answer
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                _ended(worker)

    def _started(self, number: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._task, theirs))
        process.start()
        theirs.close()  # so that its end is seen here
        worker = _Worker(process, ours, number)
        _send(worker)
        return worker


def _send(worker: _Worker) -> None:
    with suppress(OSError):  # one that is gone is seen when its answer is asked for
        worker.pipe.send(worker.number)


def _received(worker: _Worker) -> Any:
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(GRACE_S)
        return Lost(worker.process.exitcode)


def _ended(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.join(GRACE_S)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _work(task: Callable[[int], Any], pipe: "connection.Connection[Any, Any]") -> None:
    """Answer numbers until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and says so
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            number = pipe.recv()
            try:
                answer = task(number)
            except Exception as error:
                answer = _Raised(error)
            pipe.send(answer)


def _end_with_parent() -> None:
    """End the process when its parent is killed: nobody waits for its work any more."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
