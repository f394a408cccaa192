"""Where an output may lie: not in an input, no link to nothing, nothing that is stood in."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from opencmr.errors import ConfigurationError
from opencmr.storage.faults import named_before_the_work


def place_of_folder(output: Path, inputs: Sequence[Path]) -> Path:
    """Return where a result folder really lies, or refuse what cannot be replaced in one step."""
    with named_before_the_work(output):
        refuse_dangling(output)
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


def refuse_dangling(output: Path) -> None:
    """Refuse a link to nothing; raises OSError for a name that no file can have."""
    if output.is_symlink() and not output.exists():
        raise ConfigurationError(f"the output {output} is a link to nothing; name another")
    with suppress(FileNotFoundError):
        output.lstat()


def _lies_in(inner: Path, outer: Path) -> bool:
    real = inner.resolve()
    return any(are_one(place, outer) for place in (real, *real.parents))


def are_one(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder."""
    return one.exists() and other.exists() and one.samefile(other)
