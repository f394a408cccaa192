"""Outlines in patient coordinates that a caller gives, before it is known what they are of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import Structure
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.given_contours import require_polygon
from opencmr.imaging.given_drawings import GivenDrawings


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
    roi : str
        Number of the region that it belongs to; where several objects were given, with the file.
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

    roi: str
    region: Region
    points_mm: np.ndarray = field(repr=False)
    pictures: tuple[tuple[str, int | None], ...] = field(default=(), repr=False)
    frame_of_reference_uid: str = field(default="", repr=False)
    may_cross: bool = False

    def __post_init__(self) -> None:
        require_polygon(self.points_mm, 3, self.name)

    @property
    def structure(self) -> Structure:
        """What its region is, or is the outer surface of."""
        return self.region.structure

    @property
    def name(self) -> str:
        """The outline as an error names it: never by the name of its region, which is free text."""
        return f"a contour of ROI {self.roi}"


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class GivenOutlines(GivenDrawings[Outline]):
    """Outlines of DICOM RT Structure Sets.

    Attributes
    ----------
    policy : ContourPolicy
    algorithms : mapping of str to str
        That made regions, by ``roi``, where an object says that one did.
    series_uids : frozenset of str
        SeriesInstanceUIDs that an object says it was drawn on; empty where none names any.
    remarks : tuple of QualityFlag
        What was found while they were read.
    """

    policy: ContourPolicy
    algorithms: Mapping[str, str] = field(default_factory=dict)
    series_uids: frozenset[str] = frozenset()
    remarks: tuple[QualityFlag, ...] = ()

    @property
    def derived_from(self) -> str | None:
        """The algorithms that made their regions, where the object says that one did."""
        rois = sorted({one.roi for one in self.drawn} & self.algorithms.keys())
        return ", ".join(dict.fromkeys(self.algorithms[roi] for roi in rois)) or None
