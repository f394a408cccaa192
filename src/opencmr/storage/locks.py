"""A place held by one process at a time, by a lock that the system frees when the process ends."""

import errno
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType

from opencmr.errors import ConfigurationError
from opencmr.storage.faults import named_before_the_work

fcntl: ModuleType | None
try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

CLAIM_WAIT_S = 1.0
"""How long a lock is waited for: a process that clears a dead one's remains holds it briefly."""

WITHOUT_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK})


@contextmanager
def claimed(lock: Path, shown: Path) -> Iterator[None]:
    """Hold a lock file, or refuse what another process holds."""
    with ExitStack() as held:
        with named_before_the_work(shown):
            if not held.enter_context(locked(lock, CLAIM_WAIT_S)):
                raise ConfigurationError(
                    f"another opencmr is writing to {shown}; wait for it or name another output"
                )
        yield


@contextmanager
def locked(path: Path, patience_s: float = 0.0) -> Iterator[bool]:
    """Try to hold a lock file, and tell whether it is held; it is deleted afterwards."""
    until = time.monotonic() + patience_s
    while (descriptor := _try_lock(path)) is None and time.monotonic() < until:
        time.sleep(0.05)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            if fcntl is None:  # no open file can be deleted there
                os.close(descriptor)
                path.unlink(missing_ok=True)
            else:
                try:
                    path.unlink(missing_ok=True)
                finally:
                    os.close(descriptor)


def _try_lock(path: Path) -> int | None:
    """Return the descriptor of a lock file that is now ours, or None when it is another's."""
    flags = os.O_RDWR | os.O_CREAT
    flags |= sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NOINHERIT"))
    descriptor = os.open(path, flags, 0o600)
    is_held = False
    try:
        if _lock(descriptor) and _is_still(path, descriptor):
            try:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps(_this_process()).encode("ascii"))
            except OSError:  # a full disk has room for a name and for nothing in it
                path.unlink(missing_ok=True)
                raise
            is_held = True
    finally:
        if not is_held:
            os.close(descriptor)
    return descriptor if is_held else None


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the file that was locked still has its name: its owner deletes it at its end."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    return False


def _lock(descriptor: int) -> bool:
    """Lock an open file; where the file system knows no locks, ask whether its process lives."""
    if fcntl is None:
        return not _is_alive(_record_in(descriptor))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        return not _is_alive(_record_in(descriptor))
    return True


def _record_in(descriptor: int) -> bytes:
    """Return what a lock file says of its process, and go back to the file's begin."""
    record = os.read(descriptor, 4096)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return record


def _this_process() -> dict[str, object]:
    import psutil

    process = psutil.Process()
    return {"host": platform.node(), "pid": process.pid, "started": process.create_time()}


def _is_alive(record: bytes) -> bool:
    """Whether the process that a lock file names may still run; of another host it may."""
    import psutil

    try:
        owner = json.loads(record)
        if owner["host"] != platform.node():
            return True
        return bool(psutil.Process(owner["pid"]).create_time() == owner["started"])
    except (ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        return False
