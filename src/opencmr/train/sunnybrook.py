"""The endocardial slices of the Sunnybrook set (Radau et al., MIDAS Journal 2009) as PNG.

28 patients of a GE scanner, ED and ES, with the cavity of the left ventricle drawn and nothing
else.  The masks are polygons that were painted with their outline through whole pixels, from
coordinates that count from one and lost their fractions (so painted, the contours of the three
patients who have them give the very masks).  The files state no spacing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion

from opencmr.train.data_files import read_packed_slices, read_table

ARCHIVE = "sunnybrook/endo_slices.zip"
TABLE = "sunnybrook/endo_reference.csv"
FOLDS = 5
NEVER = -1
"""The fold of patients from whom no network may learn."""
WITH_CINES = ("SC-HF-I-01", "SC-HF-I-04", "SC-HF-I-06")
"""Their whole cines are what every shipped network is tried on."""
NOMINAL_SPACING_MM = (1.3, 1.3)
"""Near that of the three whose cines state one (1.29 to 1.37): for training, and for figures that
are ratios; no length that is reported may come from it."""
BASAL_SLICES = 2
"""The first of a stack, where these readers drew outflow tract too, which ACDC's left out: what
lies there is not learnt (with it, a network drew cavity beyond the base of ACDC's hearts)."""
PHASES = 20
"""Pictures of a slice follow each other in the numbers of the files."""


@dataclass(frozen=True, slots=True)
class Case:
    """One patient: the phases that were drawn, counted from 0, and the fold."""

    patient: str
    ed_phase: int
    es_phase: int
    fold: int


def read_cases(folder: Path) -> tuple[Case, ...]:
    """Return all cases of the data folder, each with its fold.

    In the order of the table, which goes by the kind of disease, they are dealt to the folds in
    turn; those with cines are in none.

    Raises
    ------
    ConfigurationError
        When the table is not there.
    """
    rows = read_table(folder / TABLE)
    learnt = [row["key"] for row in rows if row["key"] not in WITH_CINES]
    return tuple(
        Case(
            row["key"],
            int(row["ed_phase"]),
            int(row["es_phase"]),
            NEVER if row["key"] in WITH_CINES else learnt.index(row["key"]) % FOLDS,
        )
        for row in rows
    )


def read_stack(path: Path) -> np.ndarray:
    """Return the pictures ``(Z, Y, X)`` uint8 of ``ARCHIVE.zip/FOLDER/PATIENT/PHASE``, in order.

    Raises
    ------
    ConfigurationError
        When the archive holds no such slices.
    """
    folder, patient, phase = path.parents[1].name, path.parent.name, int(path.name)

    def belongs(name: str) -> bool:
        place, _, number = name.removesuffix(".png").rpartition("-")
        of_patient = place.startswith(f"{folder}/{patient}-IM-")
        return of_patient and (int(number) - 1) % PHASES == phase

    return read_packed_slices(path.parents[2], belongs, f"{folder}/{patient} at phase {phase}")


def cavity(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where a mask ``(Z, Y, X)`` as painted says cavity, and where it leaves it open.

    The contour runs through a painted pixel of the outline or, as coordinates count from one and
    lost their fractions, through the one before it, in either direction.
    """
    painted = np.pad(drawn > 0, [(0, 0), (0, 1), (0, 1)])
    within = np.stack([binary_erosion(one) for one in painted])
    inside = np.logical_and.reduce(list(_moved_back(within)))
    return inside, np.logical_or.reduce(list(_moved_back(painted))) & ~inside


def _moved_back(masks: np.ndarray) -> Iterator[np.ndarray]:
    """Yield masks ``(Z, Y + 1, X + 1)`` moved by nothing and by one in each direction."""
    rows, columns = masks.shape[1] - 1, masks.shape[2] - 1
    for down in (0, 1):
        for right in (0, 1):
            yield masks[:, down : down + rows, right : right + columns]
