"""Outlines in patient coordinates that a caller gives, before it is known what they are of."""

from dataclasses import dataclass, field

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.imaging.brief import brief
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.given_contours import require_polygon
from opencmr.imaging.segmentation import Author


@dataclass(frozen=True, slots=True)
class Region:
    """What an outline encloses.

    Attributes
    ----------
    structure : Structure
    is_epicardial : bool
        The outline is the outer surface of the left ventricle: its structure is the myocardium,
        and the cavity lies within it too.
    """

    structure: Structure
    is_epicardial: bool = False


EPICARDIUM = Region(Structure.MYOCARDIUM, is_epicardial=True)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One closed outline of one region of interest (ROI) in one plane.

    Attributes
    ----------
    roi : int
        Number of the region that it belongs to.
    region : Region
    points_mm : (N, 3) float64, LPS
        The last point is joined to the first.
    pictures : tuple of (SOP instance UID, frame number or None)
        On which it was drawn; no frame number where none is stated, nothing where no picture is.
    frame_of_reference_uid : str
        That of the points; empty where it is not stated.
    may_cross : bool
        Where it crosses another one of its region, what both enclose is outside, by statement.

    Raises
    ------
    GeometryError
        When the points are no polygon.
    """

    roi: int
    region: Region
    points_mm: np.ndarray = field(repr=False)
    pictures: tuple[tuple[str, int | None], ...] = field(default=(), repr=False)
    frame_of_reference_uid: str = field(default="", repr=False)
    may_cross: bool = False

    def __post_init__(self) -> None:
        require_polygon(self.points_mm, 3, self.name)

    @property
    def name(self) -> str:
        """The outline as an error names it: never by the name of its region, which is free text."""
        return f"a contour of ROI {self.roi}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GivenOutlines:
    """Outlines of a DICOM RT Structure Set, as they came.

    Attributes
    ----------
    outlines : tuple of Outline
    scheme : LabelScheme
        The convention of the labels that they become.
    policy : ContourPolicy
    author : Author
    sha256 : str
        Of the file.
    derived_from : str or None
        The algorithm that made them, where the object says that one did.
    series : str or None
        Key of the series that they belong to, where the caller says it.
    series_uids : frozenset of str
        SeriesInstanceUIDs that the object says it was drawn on; empty where it names none.
    remarks : tuple of QualityFlag
        What was found while they were read.
    """

    outlines: tuple[Outline, ...]
    scheme: LabelScheme
    policy: ContourPolicy
    author: Author
    sha256: str
    derived_from: str | None = field(default=None)
    series: str | None = None
    series_uids: frozenset[str] = frozenset()
    remarks: tuple[QualityFlag, ...] = ()

    __repr__ = brief
