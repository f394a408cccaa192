"""The key of de-identification: with it a second run gives the same UIDs and dates."""

import os
import re
import secrets
import stat
from pathlib import Path

from opencmr.errors import ConfigurationError

KEY_BYTES = 32
READABLE_BY_OTHERS = 0o077


def new_key() -> bytes:
    """Return a key that nobody has."""
    return secrets.token_bytes(KEY_BYTES)


def read_key(path: Path) -> bytes:
    """Return the key in a file.

    Raises
    ------
    ConfigurationError
        When it cannot be read, holds no key, or others may read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(2 * KEY_BYTES + 2).decode("ascii", "replace").strip()
    except OSError as error:
        raise ConfigurationError("the key file cannot be read; name another with --key") from error
    if not stat.S_ISREG(mode) or not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise ConfigurationError(
            f"the key file holds no key of opencmr deid ({2 * KEY_BYTES} hexadecimal digits); "
            "name one that does not exist, and it is made"
        )
    if os.name == "posix" and mode & READABLE_BY_OTHERS:
        raise ConfigurationError(
            "others may read the key file, and with it could link the copies to the patients; "
            "chmod 600 it, or make another"
        )
    return bytes.fromhex(text)


def write_key(path: Path, key: bytes) -> None:
    """Write a key to a new file that its owner alone may read.

    Raises
    ------
    ConfigurationError
        When there is something at ``path`` already, or it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(key.hex().encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise ConfigurationError("the key file exists already, and is not replaced") from error
    except OSError as error:
        raise ConfigurationError(
            "the key file cannot be written; name another with --key"
        ) from error
