"""What a file system refuses, in words: a wrong place before the work, a full disk during it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opencmr.errors import ConfigurationError, OpencmrError, StorageError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

NO_SPACE = "no space is left there, or a limit on size is reached"

SENTENCES = {
    **dict.fromkeys(FULL, NO_SPACE),
    errno.EACCES: "you have no permission to write there",
    errno.EPERM: "you have no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name or path is too long",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a part of the path is a file",
    errno.ELOOP: "it is a link that leads back to itself",
    errno.ENOENT: "the path leads nowhere",
}


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full, itself or by what it was raised from."""
    while not (isinstance(error, OSError) and error.errno) and error.__cause__:
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in FULL


def plainly(error: OSError) -> str:
    """Return what an error of the file system means, in words."""
    return SENTENCES.get(error.errno or 0) or error.strerror or type(error).__name__


@contextmanager
def named_before_the_work(output: Path) -> Iterator[None]:
    """Say of an error of the file system that the output cannot be written there."""
    try:
        yield
    except OpencmrError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"the output {output} cannot be written: {plainly(error)}"
        ) from error


@contextmanager
def full_disk_told(where: Path | str) -> Iterator[None]:
    """Say of an error during the work that the disk is full, where it is that."""
    try:
        yield
    except OpencmrError:
        raise
    except OSError as error:
        if not is_full(error):
            raise
        raise StorageError(f"{where} could not be written: {NO_SPACE}") from error
