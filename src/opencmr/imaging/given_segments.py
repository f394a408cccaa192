"""Segments of DICOM objects that a caller gives, before it is known whose pictures they mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY, ContourPolicy
from opencmr.anatomy.structures import LabelScheme, Structure, scheme_holding
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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GivenSegments:
    """Segments of one or more DICOM Segmentation objects, as they came, perhaps of several series.

    Attributes
    ----------
    frames : tuple of SegmentFrame
    author : Author
    sha256 : str
        Over the hashes of the files in the order of their content.
    series : str or None
        Key of the series that they belong to, where the caller says it.
    series_of : mapping of str to str
        SeriesInstanceUID of the pictures, by SOP instance UID, where the objects state it.
    """

    frames: tuple[SegmentFrame, ...]
    author: Author
    sha256: str
    series: str | None = None
    series_of: Mapping[str, str] = field(default_factory=dict, repr=False)

    __repr__ = brief

    @property
    def drawn(self) -> tuple[SegmentFrame, ...]:
        """The frames."""
        return self.frames

    def of_these(self, frames: Sequence[SegmentFrame]) -> "GivenSegments":
        """Return the same with some of the frames alone."""
        return replace(self, frames=tuple(frames))

    @property
    def scheme(self) -> LabelScheme:
        """The convention of the labels that they become.

        Raises
        ------
        InputError
            When they are of several series, so that no convention has all.
        """
        return scheme_holding({frame.structure for frame in self.frames})

    @property
    def policy(self) -> ContourPolicy:
        """The contour policy that is stated; else that of the ACDC."""
        return next((one.policy for one in self.frames if one.policy), ACDC_POLICY)

    @property
    def derived_from(self) -> str | None:
        """The algorithms that made them, where the objects say that one did."""
        names = dict.fromkeys(frame.algorithm for frame in self.frames)
        return ", ".join(filter(None, names)) or None
