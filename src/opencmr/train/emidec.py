"""The EMIDEC set (Lalande et al., Data 2020; 5:89) as PNG slices: cases, folds, nominal spacing.

Its pictures were stretched to squares and state no spacing.  Areas and ratios survive that,
distances do not, so each case gets a *nominal* spacing for training, from what is known of it:
its clinical volume gives the volume of a pixel, and a left ventricle that is round on average
gives the ratio of its sides.  No length that is reported may come from it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from opencmr.anatomy.structures import EMIDEC, Structure
from opencmr.train.data_files import read_packed_slices, read_table

ARCHIVE = "emidec/lge_slices.zip"
CLINICAL_TABLE = "emidec/clinical.csv"
FOLDS = 5
NATIVE_CASES = ("N006", "P100")
"""The two cases that are also there unstretched: together in fold 0, so that they stay a fair
test of a network that learnt from the other folds."""
NOMINAL_SLICE_SPACING_MM = 10.0
"""Distance of slices that turns a pixel's volume into its area.

Of the two unstretched cases one has 10 mm and one 13 mm; it is wrong by up to a third in
another, so by up to 14 % of a length: the range of scales in training must be wider.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One patient of the set.

    Attributes
    ----------
    patient : str
        ``N...`` without infarct, ``P...`` with one.
    myocardium_ml, infarct_ml, no_reflow_ml : float
        The readers' volumes; the myocardium holds the infarct, the infarct its no-reflow.
    fold : int
    """

    patient: str
    myocardium_ml: float
    infarct_ml: float
    no_reflow_ml: float
    fold: int


def read_cases(folder: Path) -> tuple[Case, ...]:
    """Return all cases of the data folder, each with its fold.

    The patients with an infarct in the order of its volume, and those without one by name, are
    dealt to the folds in turn, the unstretched cases first.

    Raises
    ------
    ConfigurationError
        When the table is not there.
    """
    table = {row["patient"]: row for row in read_table(folder / CLINICAL_TABLE)}
    cases = []
    for group in ("N", "P"):
        patients = sorted(
            (patient for patient in table if patient.startswith(group)),
            key=lambda p: (p not in NATIVE_CASES, float(table[p]["inf"]), p),
        )
        for place, patient in enumerate(patients):
            myo, inf, pmo = (float(table[patient][column]) for column in ("myo", "inf", "pmo"))
            cases.append(Case(patient, myo, inf, pmo, place % FOLDS))
    return tuple(cases)


def read_pictures(path: Path) -> np.ndarray:
    """Return the stack ``(Z, Y, X)`` uint8 of ``ARCHIVE.zip/FOLDER/PATIENT``, its slices in order.

    Raises
    ------
    ConfigurationError
        When the archive holds no such slices.
    """
    start = f"{path.parent.name}/{path.name}_"
    return read_packed_slices(path.parent.parent, lambda name: name.startswith(start), f"{start}*")


def nominal_spacing_mm(labels: np.ndarray, myocardium_ml: float) -> tuple[float, float]:
    """Return a spacing (row, column) under which a stretched case has its volume and is round.

    Parameters
    ----------
    labels : (Z, Y, X), EMIDEC scheme
    myocardium_ml : float
        The readers' volume of the myocardium, infarct included.
    """
    pixels = int(EMIDEC.mask(labels, Structure.MYOCARDIUM).sum())
    area_mm2 = 1000 * myocardium_ml / pixels / NOMINAL_SLICE_SPACING_MM
    variance = np.zeros(2)
    for rows, columns in _hearts(labels):
        variance += len(rows) * np.array([rows.var(), columns.var()])
    row_to_column = math.sqrt(variance[1] / variance[0])
    return math.sqrt(area_mm2 * row_to_column), math.sqrt(area_mm2 / row_to_column)


def _hearts(labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the rows and columns of the left ventricle, wall and cavity, of each slice."""
    for plane in labels:
        rows, columns = np.nonzero(plane)
        if len(rows):
            yield rows, columns
