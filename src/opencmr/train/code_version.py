"""Which code trains: the commit of a checkout, else the version of the package."""

import subprocess
from pathlib import Path

import opencmr


def code_version() -> str:
    """Return ``opencmr <version>``, with the commit where the code lies in a git checkout."""
    version = f"opencmr {opencmr.__version__}"
    folder = Path(opencmr.__file__).parent
    # A package installed below somebody else's checkout is not tracked there.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return version
    commit = _git(folder, "describe", "--always", "--dirty", "--abbrev=12")
    return f"{version} ({commit})" if commit else version


def _git(folder: Path, *words: str) -> str | None:
    """Return what git says of ``folder``, or None where it cannot."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
