"""Which files are of an earlier result: those that a ``run.json`` lists and nobody changed.

Nothing else is ever replaced or deleted (ADR 0010).
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from opencmr.errors import ConfigurationError
from opencmr.storage.checksums import sha256_of

RUN_FILE = "run.json"


def is_collection(folder: Path) -> bool:
    """Whether a folder's ``run.json`` says that it holds the results of many studies."""
    record = _record_of(folder)
    return record is not None and bool(record["is_collection"])


def is_ours(path: Path) -> bool:
    """Whether a file is listed, unchanged, in the ``run.json`` beside it."""
    record = _record_of(path.parent)
    listed = record["files"] if record is not None else {}
    return path.name in listed and sha256_of(path) == listed[path.name]


def require_replaceable(output: Path, *, overwrite: bool) -> None:
    """Refuse a folder whose replacement would cost files.

    Raises
    ------
    ConfigurationError
        When it holds other files than an earlier result, or ``overwrite`` is not given.
    """
    refuse_taken(output.resolve(), output, overwrite=overwrite)


def refuse_taken(folder: Path, shown: Path, *, overwrite: bool) -> None:
    """Refuse a folder whose replacement would cost files that are not of an earlier result."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise ConfigurationError(f"{shown} is not empty; give --overwrite to replace it")
    ours, others = sorted_by_owner(folder)
    if not ours:
        raise ConfigurationError(
            f"{shown} holds files that are no earlier result; name another folder"
        )
    if others:
        files = "1 file" if others == 1 else f"{others} files"
        raise ConfigurationError(
            f"{shown} holds {files} beside the earlier result, or changed since it was written; "
            "move them away or name another folder"
        )


def sorted_by_owner(folder: Path) -> tuple[list[Path], int]:
    """Return a folder's files that a result of ours lists, unchanged, and how many others it has.

    A ``run.json`` comes after the files that it lists.  A link, an empty folder and a special
    file are others.
    """
    listed: dict[Path, str | None] = {}
    with os.scandir(folder) as entries:
        below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for place in (*below, folder):
        record = _record_of(place)
        # A folder of several studies names each by its key: another name is another's result.
        if record is not None and (place == folder or record["study"] == place.name):
            listed |= {place / name: digest for name, digest in record["files"].items()}
            listed[place / RUN_FILE] = None
    needed = {parent for path in listed for parent in path.parents}
    ours, others = [], 0
    for where, folders, files in os.walk(folder):
        for path in (Path(where, name) for name in folders):
            others += path.is_symlink() or path not in needed
        for path in (Path(where, name) for name in files):
            if path in listed and path.is_file() and not path.is_symlink():
                digest = listed[path]
                if digest is None or sha256_of(path) == digest:
                    ours.append(path)
                    continue
            others += 1
    order = {path: number for number, path in enumerate(listed)}
    return sorted(ours, key=order.__getitem__), others


def delete_ours(result: Path, spare: Callable[[], Path]) -> None:
    """Delete an earlier result, a file or a folder; what is not ours in it goes to ``spare()``."""
    if not result.is_dir():
        result.unlink()
        return
    for path in sorted_by_owner(result)[0]:
        path.unlink()
    for where, _, _ in os.walk(result, topdown=False):
        with suppress(OSError):
            Path(where).rmdir()
    if result.exists():
        result.rename(spare())


def _record_of(folder: Path) -> dict[str, Any] | None:
    """Return the study and the files {path: SHA-256} of a ``run.json`` of ours, else None."""
    try:
        record = json.loads((folder / RUN_FILE).read_bytes())
        files = {str(row["path"]): str(row["sha256"]) for row in record["files"]}
        is_ours = "opencmr" in record["versions"] and "disclaimer" in record
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    paths = [PurePosixPath(name) for name in files]
    if not is_ours or any(path.is_absolute() or ".." in path.parts for path in paths):
        return None
    study = record.get("study")
    return {"study": study, "files": files, "is_collection": study is None and "studies" in record}
