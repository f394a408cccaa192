"""Tasks in processes that may die: whatever kills one fails its task alone.

A process is a fork where nothing of this one would be missing in it, and shares the memory of all
that is imported; elsewhere it is started anew (ADR 0048).
"""

import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psutil

GRACE_S = 5.0
"""How long a process that is told to end may clear its workplace."""
WAITING_S = 1.0
"""How long an answer is waited for before the caller is told."""
POOL_END_S = 0.1
"""How long the threads of a pool that was told to end may be seen yet."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What a process answers in its own way."""

Answer = TypeVar("Answer")
if TYPE_CHECKING:
    Pipe = connection.Connection[Any, Any]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: "Pipe"
    number: int

    @property
    def is_fork(self) -> bool:
        return not isinstance(self.process, SpawnProcess)


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
        Picklable; each process has the copy that pickling makes.
    jobs : int
        Processes at a time, at least one.
    """

    def __init__(self, task: Callable[[int], Answer], jobs: int) -> None:
        # A fork too has nothing open or loaded that is this process's.
        self._task = pickle.loads(pickle.dumps(task))
        self._jobs = jobs

    def answers(
        self, numbers: Sequence[int], waiting_still: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[int, Answer | Lost]]:
        """Yield each number with its answer, as they come.

        What the task raises is raised here, and ends all processes, as leaving the iterator does.
        ``waiting_still`` is called every second without an answer.
        """
        waiting = deque(numbers)
        workers: list[_Worker] = []
        try:
            while waiting or workers:
                while waiting and len(workers) < self._jobs:
                    workers.append(self._started(waiting.popleft(), workers))
                answered = connection.wait([one.pipe for one in workers], WAITING_S)
                if not answered:
                    waiting_still()
                for ready in answered:
                    worker = next(one for one in workers if one.pipe is ready)
                    number, answer = worker.number, _received(worker)
                    if isinstance(answer, _Raised):
                        raise answer.error
                    # A fork is new in milliseconds, and without what an earlier task left in it.
                    if isinstance(answer, Lost) or not waiting or worker.is_fork:
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

    def _started(self, number: int, others: Sequence[_Worker]) -> _Worker:
        ours, theirs = connection.Pipe()
        if _can_fork():
            ends = [ours, *(one.pipe for one in others)]
            process: BaseProcess = get_context("fork").Process(
                target=_work, args=(self._task, theirs, ends)
            )
            _start_deaf(process)
        else:
            process = get_context("spawn").Process(target=_work, args=(self._task, theirs))
            process.start()
        theirs.close()  # so that its end is seen here
        worker = _Worker(process, ours, number)
        _send(worker)
        return worker


def _start_deaf(process: BaseProcess) -> None:
    """Start a fork that hears no signal before it has handlers of its own.

    One that came earlier would unwind, there too, what this process is in the midst of.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _can_fork() -> bool:
    """Whether a fork would lack nothing: it has the thread alone that forks (Linux)."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    # Pools that know of forks (OpenBLAS) end their threads before one, and begin anew when asked.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        if (trial := os.fork()) == 0:
            os._exit(0)
    os.waitpid(trial, 0)
    until = time.monotonic() + POOL_END_S
    while (threads := psutil.Process().num_threads()) > 1 and time.monotonic() < until:
        time.sleep(0.001)
    return bool(threads == 1)


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


def _work(task: Callable[[int], Any], pipe: "Pipe", inherited: Sequence["Pipe"] = ()) -> None:
    """Answer numbers until the pipe is closed; ``inherited`` are ends that came with a fork."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and says so
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for end in inherited:
        end.close()  # a pipe is closed when nobody holds its other end
    if inherited:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
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
