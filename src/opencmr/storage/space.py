"""How much room must be left before work is begun."""

import shutil
from pathlib import Path

from opencmr.errors import ConfigurationError

LEAST_FREE_BYTES = 64 << 20
"""Below this no work is begun (proposal): a result takes 5 to 20 MB, an unpacked file as much."""


def require_space(folder: Path, shown: Path | str) -> None:
    """Refuse a file system on which too little is left; ``shown`` is what the folder is called."""
    usage = shutil.disk_usage(folder)
    # Some file systems do not tell: all their sizes are zero.
    if usage.total and usage.free < LEAST_FREE_BYTES:
        raise ConfigurationError(
            f"{shown} has {usage.free >> 20} MiB of free space left, expected at least "
            f"{LEAST_FREE_BYTES >> 20} MiB; make room or name another place"
        )
