"""What the decoding process may do, as far as its system can hold it to that (ADR 0004).

POSIX limits memory and file sizes and has an alarm.  Elsewhere the parent watches time and
memory, and Python's own watchdog ends a process whose parent is gone.
"""

import contextlib
import faulthandler
import os
import signal
import stat
from pathlib import Path
from types import ModuleType
from typing import IO

from opencmr.intake.refusal import RefusedError

resource: ModuleType | None
try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None

HAS_ALARM = hasattr(signal, "alarm")
READING = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT")
"""Flags of opening a file that each system has some of."""


def restrict(memory_bytes: int) -> None:
    """Limit memory, forbid writing files and core dumps, and die of an unanswered alarm.

    The alarm's default action ends the process even inside a codec's loop, and even when the
    parent is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if HAS_ALARM:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if resource is None:
        return
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS does not limit address space
            resource.setrlimit(kind, (most, most))


def end_after(seconds: int, unheard: IO[bytes]) -> None:
    """End this process in so many seconds, whatever it does then; 0: not at all.

    Parameters
    ----------
    seconds : int
    unheard : file
        Where Python's watchdog may write; it needs a descriptor that stays open.
    """
    if HAS_ALARM:
        signal.alarm(seconds)
    elif seconds:
        # Its thread needs no interpreter, so a codec that never comes back does not stop it.
        faulthandler.dump_traceback_later(seconds, exit=True, file=unheard)
    else:
        faulthandler.cancel_dump_traceback_later()


def open_regular(path: str) -> int:
    """Return a descriptor of a regular file; a link or pipe put in its place is not followed.

    Raises
    ------
    RefusedError
        When it is none.
    """
    if not hasattr(os, "O_NOFOLLOW") and Path(path).is_symlink():
        raise RefusedError("UNSAFE_PATH", "No regular file.")
    flags = sum(getattr(os, name, 0) for name in READING)
    descriptor = os.open(path, os.O_RDONLY | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError("UNSAFE_PATH", "No regular file.")
    return descriptor
