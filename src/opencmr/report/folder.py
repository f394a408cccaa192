"""The result folder: complete or not there at all, and never over somebody else's files."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opencmr.errors import ConfigurationError

RUN_FILE = "run.json"


@contextmanager
def result_folder(output: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder to write into, which becomes ``output`` when all went well.

    Raises
    ------
    ConfigurationError
        When ``output`` is a file, or holds anything and ``overwrite`` is not given, or holds
        files that are no earlier result.
    """
    if output.exists() and not output.is_dir():
        raise ConfigurationError(f"the output {output} is a file; name a folder")
    if output.is_dir() and any(output.iterdir()):
        if not overwrite:
            raise ConfigurationError(f"{output} is not empty; give --overwrite to replace it")
        if not _is_earlier_result(output):
            raise ConfigurationError(
                f"{output} holds files that are no earlier result; name another folder"
            )
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if output.exists():
            shutil.rmtree(output)
        partial.rename(output)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _is_earlier_result(folder: Path) -> bool:
    if (folder / RUN_FILE).is_file():
        return True
    return all((child / RUN_FILE).is_file() for child in folder.iterdir())
