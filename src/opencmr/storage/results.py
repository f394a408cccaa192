"""Results put in place in one step, when they are whole, and folders that grow."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from opencmr.errors import ConfigurationError
from opencmr.storage.faults import named_before_the_work
from opencmr.storage.locks import claimed
from opencmr.storage.ownership import is_collection, refuse_taken
from opencmr.storage.places import are_one, place_of_folder, refuse_dangling
from opencmr.storage.space import require_space
from opencmr.storage.workplace import hidden_workplace


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
    place = place_of_folder(output, inputs)

    def check(found: Path) -> None:
        if not (may_grow and found == place and is_collection(found)):
            refuse_taken(found, output, overwrite=overwrite)

    with hidden_workplace(place.parent, (place.name,), output, check, may_be_left=may_grow) as new:
        (new / place.name).mkdir()
        yield new / place.name


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
        with named_before_the_work(target):
            refuse_dangling(target.parent)
            refuse_dangling(target)
            if target.is_dir():
                raise ConfigurationError(f"the output {target} is a folder; name a file")
            if target.is_symlink():
                raise ConfigurationError(f"the output {target} is a link; name the file itself")
            if any(are_one(target, source) for source in inputs):
                raise ConfigurationError("the output is the input; name another file")

    def check(found: Path) -> None:
        if os.path.lexists(found) and not overwrite:
            shown = targets[0].with_name(found.name)
            raise ConfigurationError(f"{shown} exists; give --overwrite to replace it")

    parent = targets[0].parent.resolve()
    with hidden_workplace(parent, tuple(t.name for t in targets), targets[0], check) as new:
        yield new


@contextmanager
def growing_folder(folder: Path) -> Iterator[None]:
    """Make a folder that several runs add to, one at a time, and keep other processes out.

    Raises
    ------
    ConfigurationError
        When it cannot be written, or another process works in it.
    """
    with named_before_the_work(folder):
        refuse_dangling(folder)
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(f"the output {folder} is a file; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, folder)
    with claimed(folder / ".opencmr.lock", folder):
        yield
