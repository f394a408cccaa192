"""Write files whole or not at all."""

import hashlib
import json
import os
import tempfile
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write ``content`` under a temporary name beside ``path``, then rename it.

    Returns
    -------
    Path
        ``path``, whose folder is made when it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        adopt(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def adopt(temporary: Path, path: Path) -> None:
    """Give a finished temporary file its name and the rights of an ordinary new file."""
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o666 & ~umask)
    temporary.replace(path)


def write_json(path: Path, content: object) -> Path:
    """Write strict JSON: UTF-8, no NaN, keys in the order given."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return write_bytes(path, (text + "\n").encode("utf-8"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
