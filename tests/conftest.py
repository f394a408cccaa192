"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def _data_folder() -> Path:
    named = os.environ.get("OPENCMR_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of the real data sets; skips where there is none."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real data: set OPENCMR_DATA or put it at {folder}")
    return folder
