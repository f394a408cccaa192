"""Room in the temporary folder, given back at the end and cleared after a kill."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opencmr.errors import ConfigurationError
from opencmr.storage.faults import full_disk_told
from opencmr.storage.locks import claimed
from opencmr.storage.space import require_space
from opencmr.storage.workplace import lock_of, sweep


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
    sweep(folder)
    workplace = folder / f".opencmr-{uuid.uuid4().hex[:16]}"
    with claimed(lock_of(workplace), folder), full_disk_told("the temporary folder"):
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
    require_space(folder, "the temporary folder")
    return folder
