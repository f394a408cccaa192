"""The real data sets: in the folder in ``OPENCMR_DATA``, or in the one beside this checkout."""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.intake.nifti.read import read_label_map, read_nifti_pair
from opencmr.train.data_files import read_table


def data_folder() -> Path:
    """Return the folder that holds a folder for each data set."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("OPENCMR_DATA", beside))


def acdc_rows(folds: Collection[int] | None = None) -> list[dict[str, str]]:
    """Return the rows of ACDC's table, of all patients or of those in some folds."""
    rows = read_table(data_folder() / "acdc" / "metadata.csv")
    return [row for row in rows if folds is None or int(row["fold"]) in folds]


def read_patient(folder: Path, patient: str) -> tuple[Image, Segmentation]:
    """Return ED and ES of an ACDC patient, and the readers' labels of both."""
    image = read_nifti_pair(*(folder / f"{patient}_{phase}.nii.gz" for phase in ("ed", "es"))).image
    labels, _ = read_labels(folder, f"{patient}_{{}}_gt.nii.gz")
    author = Author(AuthorKind.READER, "reader")
    return image, Segmentation(labels, ACDC, image.grid, ACDC_POLICY, author)


def read_labels(folder: Path, name: str) -> tuple[np.ndarray, Grid]:
    """Return the labels ``(2, Z, Y, X)`` of ED and ES, and their grid; ``{}`` is the phase."""
    maps = [read_label_map(folder / name.format(phase)) for phase in ("ed", "es")]
    return np.concatenate([one.labels for one in maps]), maps[0].grid
