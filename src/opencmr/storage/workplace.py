"""The hidden folder beside a place, where what is new is made and from which it moves there.

A workplace is held by a lock, so whatever a killed process left can be told from work that goes
on, and is put right at the next start there.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from opencmr.errors import ConfigurationError, StorageError
from opencmr.storage.checksums import sha256_of_bytes
from opencmr.storage.faults import full_disk_told, named_before_the_work, plainly
from opencmr.storage.locks import claimed, locked
from opencmr.storage.ownership import delete_ours
from opencmr.storage.space import require_space

HIDDEN = re.compile(r"\.opencmr-[0-9a-f]{16}\.lock")
"""Name of the lock of a workplace; the workplace lacks the suffix."""

OLD, NEW, GONE, NAMES = "old", "new", "gone", "names.json"
"""In a workplace: the earlier result, the one being made, what is to be deleted, their names."""


@contextmanager
def hidden_workplace(
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
    with named_before_the_work(shown):
        made = [place for place in (parent, *parent.parents) if not place.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)
    try:
        with claimed(lock_of(workplace), shown):
            with named_before_the_work(shown):
                _put_right(workplace)
                for name in names:
                    check(parent / name)
                require_space(parent, shown.parent)
                workplace.mkdir(mode=0o700)
                (workplace / NEW).mkdir()
                (workplace / NAMES).write_text(json.dumps(names), encoding="ascii")
            try:
                with full_disk_told(shown):
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


def sweep(parent: Path) -> None:
    """Put right the workplaces in a folder whose processes are gone."""
    with os.scandir(parent) as entries:
        locks = [Path(entry.path) for entry in entries if HIDDEN.fullmatch(entry.name)]
    for lock in locks:
        # In a shared temporary folder another user's remains are not ours to judge.
        with suppress(OSError):
            if not hasattr(os, "getuid") or lock.lstat().st_uid == os.getuid():
                with locked(lock) as is_held:
                    if is_held:
                        _put_right(lock.with_suffix(""))


def lock_of(workplace: Path) -> Path:
    """Return the lock file of a workplace, beside it."""
    return workplace.with_name(f"{workplace.name}.lock")


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
            why = f"{shown} cannot be replaced: {plainly(error)}"
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
            delete_ours(result, lambda: _spare(workplace.parent, "opencmr-kept"))
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
