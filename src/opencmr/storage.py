"""What is kept on disk: files whole or not at all, results put in place in one step.

A result is made in a hidden workplace beside its place, and moved there when it is whole.  A
workplace is held by a lock that the system frees when its process ends, so whatever a killed
process left can be told from work that goes on, and is put right at the next start there.
Nothing is deleted that opencmr did not write (ADR 0010).
"""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from opencmr.errors import ConfigurationError, OpencmrError, StorageError

fcntl: ModuleType | None
try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

RUN_FILE = "run.json"
LEAST_FREE_BYTES = 64 << 20
"""Below this no work is begun (proposal): a result takes 5 to 20 MB, an unpacked file as much."""
CLAIM_WAIT_S = 1.0
"""How long a lock is waited for: a process that clears a dead one's remains holds it briefly."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
WITHOUT_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK})
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
HIDDEN = re.compile(r"\.opencmr-[0-9a-f]{16}\.lock")
"""Name of the lock of a workplace; the workplace lacks the suffix."""
OLD, NEW, GONE, NAMES = "old", "new", "gone", "names.json"
"""In a workplace: the earlier result, the one being made, what is to be deleted, their names."""


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


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_bytes(content: bytes) -> str:
    """Return the SHA-256 of ``content`` as hexadecimal digits.

    >>> sha256_of_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


@contextmanager
def result_folder(
    output: Path, *, overwrite: bool, inputs: Sequence[Path] = (), may_grow: bool = False
) -> Iterator[Path]:
    """Yield a folder to write into, which becomes ``output`` when all went well.

    At every moment, a kill included, ``output`` is absent, the earlier result or the new one.

    Parameters
    ----------
    output : Path
        Absent, an empty folder or, with ``overwrite``, an earlier result and nothing else.
        A link to a folder is followed.
    overwrite : bool
    inputs : sequence of Path
        What is read; neither may lie in the other.
    may_grow : bool
        ``output`` may be a collection, too.  Whoever removes the folder that is yielded leaves
        ``output`` as it is; it is kept from other processes until the end, and may be added to.

    Raises
    ------
    ConfigurationError
        When ``output`` cannot be written or would cost other files; named before the work.
    StorageError
        When the disk is full, or ``output`` was changed, during the work.
    """
    place = _place_of_folder(output, inputs)

    def check(found: Path) -> None:
        if not (may_grow and found == place and is_collection(found)):
            _refuse_taken(found, output, overwrite=overwrite)

    with _workplace(place.parent, (place.name,), output, check, may_be_left=may_grow) as new:
        (new / place.name).mkdir()
        yield new / place.name


def require_replaceable(output: Path, *, overwrite: bool) -> None:
    """Refuse a folder whose replacement would cost files.

    Raises
    ------
    ConfigurationError
        When it holds other files than an earlier result, or ``overwrite`` is not given.
    """
    _refuse_taken(output.resolve(), output, overwrite=overwrite)


def is_collection(folder: Path) -> bool:
    """Whether a folder's ``run.json`` says that it holds the results of many studies."""
    record = _record_of(folder)
    return record is not None and bool(record["is_collection"])


def is_ours(path: Path) -> bool:
    """Whether a file is listed, unchanged, in the ``run.json`` beside it."""
    record = _record_of(path.parent)
    listed = record["files"] if record is not None else {}
    return path.name in listed and sha256_of(path) == listed[path.name]


@contextmanager
def result_files(*targets: Path, overwrite: bool, inputs: Sequence[Path] = ()) -> Iterator[Path]:
    """Yield a folder to write ``targets`` into by their names; they appear when all went well.

    The first is there only together with the others, which lie in the same folder.

    Raises
    ------
    ConfigurationError
        When a target exists and ``overwrite`` is not given, is an input, or cannot be written.
    StorageError
        When the disk is full during the work.
    """
    for target in targets:
        with _named_before_the_work(target):
            _refuse_dangling(target.parent)
            _refuse_dangling(target)
            if target.is_dir():
                raise ConfigurationError(f"the output {target} is a folder; name a file")
            if target.is_symlink():
                raise ConfigurationError(f"the output {target} is a link; name the file itself")
            if any(_are_one(target, source) for source in inputs):
                raise ConfigurationError("the output is the input; name another file")

    def check(found: Path) -> None:
        if os.path.lexists(found) and not overwrite:
            shown = targets[0].with_name(found.name)
            raise ConfigurationError(f"{shown} exists; give --overwrite to replace it")

    parent = targets[0].parent.resolve()
    with _workplace(parent, tuple(t.name for t in targets), targets[0], check) as new:
        yield new


@contextmanager
def growing_folder(folder: Path) -> Iterator[None]:
    """Make a folder that several runs add to, one at a time, and keep other processes out.

    Raises
    ------
    ConfigurationError
        When it cannot be written, or another process works in it.
    """
    with _named_before_the_work(folder):
        _refuse_dangling(folder)
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(f"the output {folder} is a file; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        _require_space(folder, folder)
    with _claimed(folder / ".opencmr.lock", folder):
        yield


@contextmanager
def spool() -> Iterator[Path]:
    """Yield an empty private folder in the temporary space; clear those of dead processes.

    Raises
    ------
    ConfigurationError
        When there is no temporary space.
    StorageError
        When it is full during the work.
    """
    folder = require_temporary_space()
    _sweep(folder)
    workplace = folder / f".opencmr-{uuid.uuid4().hex[:16]}"
    with _claimed(_lock_of(workplace), folder), _full_disk_told("the temporary folder"):
        try:
            workplace.mkdir(mode=0o700)
            yield workplace
        finally:
            shutil.rmtree(workplace, ignore_errors=True)


def require_temporary_space() -> Path:
    """Return the temporary folder, or say that there is none with some space."""
    try:
        folder = Path(tempfile.gettempdir())
    except OSError:
        raise ConfigurationError(
            "no temporary folder can be written, or all are full; name one in TMPDIR"
        ) from None
    _require_space(folder, "the temporary folder")
    return folder


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full, itself or by what it was raised from."""
    while not (isinstance(error, OSError) and error.errno) and error.__cause__:
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in FULL


# Before the work -----------------------------------------------------------------------------


def _place_of_folder(output: Path, inputs: Sequence[Path]) -> Path:
    """Return where a result folder really lies, or refuse what cannot be replaced in one step."""
    with _named_before_the_work(output):
        _refuse_dangling(output)
        place = output.resolve()
        if os.path.lexists(place) and not place.is_dir():
            raise ConfigurationError(f"the output {output} is a file; name a folder")
        if Path.cwd().is_relative_to(place):
            raise ConfigurationError(
                f"the output {output} is the folder that you stand in, or above it; "
                "name a new folder"
            )
        if place.is_mount():
            raise ConfigurationError(f"the output {output} is a mount point; name a folder in it")
        for source in inputs:
            if _lies_in(place, source):
                raise ConfigurationError(
                    f"the output {output} lies in the input; name a folder outside it with -o"
                )
            if _lies_in(source, place):
                raise ConfigurationError(
                    f"the input lies in the output {output}; name another folder with -o"
                )
    return place


def _refuse_dangling(output: Path) -> None:
    """Refuse a link to nothing; raises OSError for a name that no file can have."""
    if output.is_symlink() and not output.exists():
        raise ConfigurationError(f"the output {output} is a link to nothing; name another")
    with suppress(FileNotFoundError):
        output.lstat()


def _lies_in(inner: Path, outer: Path) -> bool:
    real = inner.resolve()
    return any(_are_one(place, outer) for place in (real, *real.parents))


def _are_one(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _require_space(folder: Path, shown: Path | str) -> None:
    usage = shutil.disk_usage(folder)
    # Some file systems do not tell: all their sizes are zero.
    if usage.total and usage.free < LEAST_FREE_BYTES:
        raise ConfigurationError(
            f"{shown} has {usage.free >> 20} MiB of free space left, expected at least "
            f"{LEAST_FREE_BYTES >> 20} MiB; make room or name another place"
        )


@contextmanager
def _named_before_the_work(output: Path) -> Iterator[None]:
    try:
        yield
    except OpencmrError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"the output {output} cannot be written: {_plainly(error)}"
        ) from error


def _plainly(error: OSError) -> str:
    return SENTENCES.get(error.errno or 0) or error.strerror or type(error).__name__


@contextmanager
def _full_disk_told(where: Path | str) -> Iterator[None]:
    try:
        yield
    except OpencmrError:
        raise
    except OSError as error:
        if not is_full(error):
            raise
        raise StorageError(f"{where} could not be written: {NO_SPACE}") from error


# Whose files ---------------------------------------------------------------------------------


def _refuse_taken(folder: Path, shown: Path, *, overwrite: bool) -> None:
    """Refuse a folder whose replacement would cost files that are not of an earlier result."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise ConfigurationError(f"{shown} is not empty; give --overwrite to replace it")
    ours, others = _sorted_by_owner(folder)
    if not ours:
        raise ConfigurationError(
            f"{shown} holds files that are no earlier result; name another folder"
        )
    if others:
        raise ConfigurationError(
            f"{shown} holds {others} files beside the earlier result, or changed since it was "
            "written; move them away or name another folder"
        )


def _sorted_by_owner(folder: Path) -> tuple[list[Path], int]:
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


def _delete_ours(result: Path, spare: Callable[[], Path]) -> None:
    """Delete an earlier result, a file or a folder; what is not ours in it goes to ``spare()``."""
    if not result.is_dir():
        result.unlink()
        return
    for path in _sorted_by_owner(result)[0]:
        path.unlink()
    for where, _, _ in os.walk(result, topdown=False):
        with suppress(OSError):
            Path(where).rmdir()
    if result.exists():
        result.rename(spare())


# The workplace -------------------------------------------------------------------------------


@contextmanager
def _workplace(
    parent: Path,
    names: tuple[str, ...],
    shown: Path,
    check: Callable[[Path], None],
    *,
    may_be_left: bool = False,
) -> Iterator[Path]:
    """Yield a hidden folder; what has ``names`` in it moves to ``parent`` when all went well.

    ``check`` raises where what it is given must not be replaced; asked before the work and,
    of what was moved aside, after it.  With ``may_be_left``, an empty hidden folder moves nothing.
    """
    digest = sha256_of_bytes(os.fsencode(names[0]))[:16]
    workplace = parent / f".opencmr-{digest}"
    with _named_before_the_work(shown):
        made = [place for place in (parent, *parent.parents) if not place.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
    try:
        with _claimed(_lock_of(workplace), shown):
            with _named_before_the_work(shown):
                _put_right(workplace)
                for name in names:
                    check(parent / name)
                _require_space(parent, shown.parent)
                workplace.mkdir(mode=0o700)
                (workplace / NEW).mkdir()
                (workplace / NAMES).write_text(json.dumps(names), encoding="ascii")
            try:
                with _full_disk_told(shown):
                    yield workplace / NEW
                if not may_be_left or any((workplace / NEW).iterdir()):
                    _publish(workplace, names, shown, check)
            finally:
                _put_right(workplace)
    except BaseException:
        for place in made:
            with suppress(OSError):
                place.rmdir()
        raise


def _publish(
    workplace: Path, names: tuple[str, ...], shown: Path, check: Callable[[Path], None]
) -> None:
    """Move what was there aside and the new in, the first name last; then forget the old."""
    parent, old, new = workplace.parent, workplace / OLD, workplace / NEW
    try:
        old.mkdir()
        for name in names:
            if os.path.lexists(parent / name):
                (parent / name).rename(old / name)
                check(old / name)
        for name in reversed(names):
            (new / name).rename(parent / name)
        _sync(parent)
    except (OSError, ConfigurationError) as error:
        _take_back(workplace, names)
        kept = _spare(parent, f"{names[0]}-new")
        new.rename(kept)
        why = str(error)
        if isinstance(error, OSError):
            why = f"{shown} cannot be replaced: {_plainly(error)}"
        raise StorageError(
            f"{why} (found at the end of the work: nothing there was touched, and the new "
            f"result lies in {shown.with_name(kept.name)})"
        ) from error
    old.rename(workplace / GONE)


def _put_right(workplace: Path) -> None:
    """Bring what a process left to a state that is whole, and delete the rest of its workplace.

    Not yet published (the new one still lies in the workplace): the earlier result goes back
    to its place.  Published: the earlier result is deleted.
    """
    if not workplace.is_dir() or workplace.is_symlink():
        return
    if (workplace / OLD).is_dir():
        names = json.loads((workplace / NAMES).read_bytes())
        if os.path.lexists(workplace / NEW / names[0]):
            _take_back(workplace, names)
        else:
            (workplace / OLD).rename(workplace / GONE)
    if (workplace / GONE).is_dir():
        for result in (workplace / GONE).iterdir():
            _delete_ours(result, lambda: _spare(workplace.parent, "opencmr-kept"))
    shutil.rmtree(workplace, ignore_errors=True)


def _take_back(workplace: Path, names: Sequence[str]) -> None:
    """Undo a publication whose last step, the first name, did not happen."""
    parent, old, new = workplace.parent, workplace / OLD, workplace / NEW
    for name in reversed(names):
        if os.path.lexists(parent / name) and not os.path.lexists(new / name):  # published
            (parent / name).rename(new / name)
        if os.path.lexists(old / name):
            taken = os.path.lexists(parent / name)
            (old / name).rename(_spare(parent, f"{name}-old") if taken else parent / name)
    old.rmdir()


def _spare(parent: Path, name: str) -> Path:
    """Return a path that is free: ``name``, ``name-2``, ..."""
    number, place = 1, parent / name
    while os.path.lexists(place):
        number += 1
        place = parent / f"{name}-{number}"
    return place


def _sync(folder: Path) -> None:
    """Make renames in a folder outlast a loss of power, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folder
        return
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock_of(workplace: Path) -> Path:
    return workplace.with_name(f"{workplace.name}.lock")


def _sweep(parent: Path) -> None:
    """Put right the workplaces in a folder whose processes are gone."""
    with os.scandir(parent) as entries:
        locks = [Path(entry.path) for entry in entries if HIDDEN.fullmatch(entry.name)]
    for lock in locks:
        # In a shared temporary folder another user's remains are not ours to judge.
        with suppress(OSError):
            if not hasattr(os, "getuid") or lock.lstat().st_uid == os.getuid():
                with _locked(lock) as is_held:
                    if is_held:
                        _put_right(lock.with_suffix(""))


@contextmanager
def _claimed(lock: Path, shown: Path) -> Iterator[None]:
    """Hold a lock file, or refuse what another process holds."""
    with ExitStack() as held:
        with _named_before_the_work(shown):
            if not held.enter_context(_locked(lock, CLAIM_WAIT_S)):
                raise ConfigurationError(
                    f"another opencmr is writing to {shown}; wait for it or name another output"
                )
        yield


@contextmanager
def _locked(path: Path, patience_s: float = 0.0) -> Iterator[bool]:
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
