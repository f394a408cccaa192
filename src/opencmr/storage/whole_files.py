"""Files written whole or not at all."""

import json
import os
import uuid
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write ``content`` under a temporary name beside ``path``, then rename it.

    Returns
    -------
    Path
        ``path``, whose folder is made when it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".opencmr-{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def write_json(path: Path, content: object) -> Path:
    """Write strict JSON: UTF-8, no NaN, keys in the order given."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return write_bytes(path, (text + "\n").encode("utf-8"))
