"""Where the real data sets lie: the folder in ``OPENCMR_DATA``, or the one beside this checkout."""

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the folder that holds a folder for each data set."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("OPENCMR_DATA", beside))
