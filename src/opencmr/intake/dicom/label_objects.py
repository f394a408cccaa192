"""Files of DICOM objects that hold labels: Segmentations and RT Structure Sets."""

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.uid import UID, RTStructureSetStorage, SegmentationStorage

from opencmr.errors import InputError
from opencmr.intake.containers import limits
from opencmr.intake.dicom.parsing import open_dicom, refuse_cut, refuse_damaged
from opencmr.intake.refusal import RefusedError
from opencmr.storage import sha256_of_bytes

LABEL_MAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
SEGMENTATIONS = (SegmentationStorage, LABEL_MAP_STORAGE)
STRUCTURE_SETS = (RTStructureSetStorage,)
CALLED = "DICOM Segmentation object (SEG) or DICOM RT Structure Set (RTSTRUCT)"
MOST_FILES = 1000


class Read(NamedTuple):
    """An object that was read.

    Attributes
    ----------
    sha256 : str
        Of its file.
    dataset : Dataset
    name : str
        Of its file, from the folder that was given on.
    """

    sha256: str
    dataset: Dataset
    name: str


@contextmanager
def silenced() -> Iterator[None]:
    """Keep back what pydicom warns of: it quotes values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def is_dicom(path: Path) -> bool:
    """Whether a path is a folder, or a file that begins as DICOM files do (PS3.10 7.1)."""
    if path.is_dir():
        return True
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def is_one_of(dataset: Dataset, classes: Collection[UID]) -> bool:
    """Whether an object is of one of the SOP classes."""
    return str(dataset.get("SOPClassUID")) in classes


@silenced()
def objects_in(path: Path) -> list[Read]:
    """Return the objects in a file, or in a folder and below it, in the order of their hashes.

    Links in a folder are not followed, and what is no such object is passed over.

    Raises
    ------
    InputError
        When there is none, one is damaged, or there are too many files.
    """
    found = sorted(_read(path), key=lambda one: one.sha256)
    if not found:
        raise InputError(f"{path} {'holds' if path.is_dir() else 'is'} no {CALLED}")
    return found


def _read(path: Path) -> Iterator[Read]:
    in_folder = path.is_dir()
    places = sorted(path.rglob("*")) if in_folder else [path]
    if len(places) > MOST_FILES:
        raise InputError(
            f"{path} holds more than {MOST_FILES} files; name the folder of the labels alone"
        )
    for place in places:
        if in_folder and (place.is_symlink() or not place.is_file() or not is_dicom(place)):
            continue
        if place.stat().st_size > limits.INSTANCE_BYTES:
            raise InputError(f"{place} is larger than {limits.INSTANCE_BYTES >> 20} MiB")
        data = place.read_bytes()
        try:
            dataset = open_dicom(data)
            if is_one_of(dataset, (*SEGMENTATIONS, *STRUCTURE_SETS)):
                refuse = refuse_cut if is_one_of(dataset, STRUCTURE_SETS) else refuse_damaged
                refuse(dataset)
                name = place.relative_to(path).as_posix() if in_folder else place.name
                yield Read(sha256_of_bytes(data), dataset, name)
        except RefusedError as error:
            raise InputError(f"{place} cannot be read: {error}") from error
        except Exception:  # hostile bytes raise anything
            raise InputError(f"{place} is damaged: it cannot be parsed as DICOM") from None
