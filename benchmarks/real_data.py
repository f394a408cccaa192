"""The real data sets: in the folder in ``OPENCMR_DATA``, or in the one beside this checkout."""

import os
from collections.abc import Collection
from pathlib import Path

from opencmr.train.data_files import read_table


def data_folder() -> Path:
    """Return the folder that holds a folder for each data set."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("OPENCMR_DATA", beside))


def acdc_rows(folds: Collection[int] | None = None) -> list[dict[str, str]]:
    """Return the rows of ACDC's table, of all patients or of those in some folds."""
    rows = read_table(data_folder() / "acdc" / "metadata.csv")
    return [row for row in rows if folds is None or int(row["fold"]) in folds]
