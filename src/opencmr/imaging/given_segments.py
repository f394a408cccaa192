"""Segments of DICOM objects that a caller gives, before it is known whose pictures they mark."""

from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY, ContourPolicy
from opencmr.anatomy.structures import Structure
from opencmr.imaging.brief import brief
from opencmr.imaging.given_drawings import GivenDrawings


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SegmentFrame:
    """One structure on one picture.

    Attributes
    ----------
    structure : Structure
    mask : (Y, X) bool
    affine : (4, 4) float64
        ``affine @ (row, column, 0, 1)`` is the LPS position in mm of a pixel's centre.
    pictures : tuple of (SOP instance UID, frame number)
        On which it was drawn.
    policy : ContourPolicy or None
        Where its object states one.
    algorithm : str
        That made it; empty where none did, or it has no name.
    """

    structure: Structure
    mask: np.ndarray
    affine: np.ndarray
    pictures: tuple[tuple[str, int], ...]
    policy: ContourPolicy | None = None
    algorithm: str = ""

    __repr__ = brief


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class GivenSegments(GivenDrawings[SegmentFrame]):
    """Segments of one or more DICOM Segmentation objects."""

    @property
    def policy(self) -> ContourPolicy:
        """The contour policy that is stated; else that of the ACDC."""
        return next((one.policy for one in self.drawn if one.policy), ACDC_POLICY)

    @property
    def derived_from(self) -> str | None:
        """The algorithms that made them, where the objects say that one did."""
        names = dict.fromkeys(frame.algorithm for frame in self.drawn)
        return ", ".join(filter(None, names)) or None
