"""What the folders of data sets hold beside NIfTI: tables, and slices as PNG in an archive."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from opencmr.errors import ConfigurationError

NAME_THE_FOLDER = "name the folder with --data"


def read_table(path: Path, remedy: str = NAME_THE_FOLDER) -> list[dict[str, str]]:
    """Return the rows of a data set's table.

    Raises
    ------
    ConfigurationError
        When it is not there; ``remedy`` says what helps.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"no {path.parent.name}/{path.name} in the data folder {path.parents[1]}; {remedy}"
        )
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def read_packed_slices(archive: Path, belongs: Callable[[str], bool], what: str) -> np.ndarray:
    """Return those slices ``(Z, Y, X)`` uint8 of an archive whose names belong, by their names.

    Raises
    ------
    ConfigurationError
        When there are none; ``what`` says of what.
    """
    slices: list[np.ndarray] = []
    if archive.is_file():
        with zipfile.ZipFile(archive) as packed:
            for name in sorted(filter(belongs, packed.namelist())):
                with Picture.open(io.BytesIO(packed.read(name))) as picture:
                    slices.append(np.asarray(picture))
    if not slices:
        raise ConfigurationError(f"no slices {what} in {archive}")
    return np.stack(slices)
