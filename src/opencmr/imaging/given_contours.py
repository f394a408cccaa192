"""Contours that a caller gives, before it is known which series of a study they belong to."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import ACDC, LabelScheme
from opencmr.errors import GeometryError
from opencmr.imaging.brief import brief
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.segmentation import Author

FEWEST_POINTS = 3
"""Fewer points enclose nothing."""


def require_polygon(points: np.ndarray, axes: int, name: str) -> None:
    """Refuse points ``(N, axes)`` that are no polygon, by the name of their contour.

    Raises
    ------
    GeometryError
        When they have another shape, are not finite, or are too few different ones.
    """
    if points.ndim != 2 or points.shape[1] != axes:
        raise GeometryError(f"{name} must have (N, {axes}) points, found {points.shape}")
    if not np.isfinite(points).all():
        raise GeometryError(f"{name} holds a point that is not finite")
    different = len(np.unique(points, axis=0))
    if different < FEWEST_POINTS:
        raise GeometryError(
            f"{name} has {different} different points; expected at least {FEWEST_POINTS}"
        )


class Surface(StrEnum):
    """Which surface of the left ventricle an outline follows."""

    ENDOCARDIUM = "endocardial"
    EPICARDIUM = "epicardial"


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """One closed outline on one image.

    Attributes
    ----------
    image_number : int
        InstanceNumber of the image.
    surface : Surface
    points : (N, 2) float64
        Row and column in pixels; (0, 0) is the centre of the first pixel.  The last point is
        joined to the first.

    Raises
    ------
    GeometryError
        When the points are no polygon.
    """

    image_number: int
    surface: Surface
    points: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        require_polygon(self.points, 2, self.name)

    @property
    def name(self) -> str:
        """The contour as an error names it: never by its file."""
        return f"the {self.surface.value} contour of image {self.image_number}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GivenContours:
    """Contours of the left ventricle drawn by a reader, as they came.

    Attributes
    ----------
    contours : tuple of Contour
        At most one of a surface and image.
    policy : ContourPolicy
    author : Author
    sha256 : str
        Over the hashes of the files in the order of their images.
    series : str or None
        Key of the series that they belong to, where the caller says it.
    remarks : tuple of QualityFlag
        What was found while they were read.
    """

    contours: tuple[Contour, ...]
    policy: ContourPolicy
    author: Author
    sha256: str
    series: str | None = None
    remarks: tuple[QualityFlag, ...] = ()

    __repr__ = brief

    @property
    def scheme(self) -> LabelScheme:
        """The convention of the labels that they become."""
        return ACDC

    @property
    def derived_from(self) -> None:
        """Polygon files do not say what they correct."""
        return
