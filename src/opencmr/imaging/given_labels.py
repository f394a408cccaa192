"""Labels that a caller gives, before it is known which series of a study they belong to."""

from dataclasses import dataclass, field

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import LabelScheme
from opencmr.geometry.grid import Grid
from opencmr.imaging.brief import brief
from opencmr.imaging.segmentation import Author


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GivenLabels:
    """Labels drawn or corrected by a reader, as they came.

    Attributes
    ----------
    labels : (T, Z, Y, X) uint8
    grid : Grid
        As the file states it.
    scheme : LabelScheme
    policy : ContourPolicy
    author : Author
    sha256 : str
        Of the file.
    file : str
        As the caller names it: for the caller's own errors, never for a result.
    derived_from : str or None
        The version that they correct.
    series : str or None
        Key of the series that they belong to, where the caller says it.
    """

    labels: np.ndarray
    grid: Grid
    scheme: LabelScheme
    policy: ContourPolicy
    author: Author
    sha256: str
    file: str = field(repr=False)
    derived_from: str | None = None
    series: str | None = None

    __repr__ = brief
