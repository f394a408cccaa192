"""Segments of DICOM objects that a caller gives, before it is known whose pictures they mark."""

from dataclasses import dataclass, field

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.imaging.brief import brief
from opencmr.imaging.segmentation import Author


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
    """

    structure: Structure
    mask: np.ndarray
    affine: np.ndarray
    pictures: tuple[tuple[str, int], ...]

    __repr__ = brief


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GivenSegments:
    """Segments of one or more DICOM Segmentation objects, as they came.

    Attributes
    ----------
    frames : tuple of SegmentFrame
    scheme : LabelScheme
        The convention of the labels that they become.
    policy : ContourPolicy
    author : Author
    sha256 : str
        Over the hashes of the files in the order of their content.
    derived_from : str or None
        The algorithm that made them, where the objects say that one did.
    series : str or None
        Key of the series that they belong to, where the caller says it.
    """

    frames: tuple[SegmentFrame, ...]
    scheme: LabelScheme
    policy: ContourPolicy
    author: Author
    sha256: str
    derived_from: str | None = field(default=None)
    series: str | None = None

    __repr__ = brief
