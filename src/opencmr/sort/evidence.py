"""What is known about a series before anyone says what it shows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from opencmr.accents import without_accents
from opencmr.geometry.planes import Plane, angle_between_deg, plane_of_slice, shared_point_mm
from opencmr.imaging.axis import Axis, Beats, Echo, Preparation, PreparationKind, Single
from opencmr.imaging.image import Unit
from opencmr.imaging.study import Series, SeriesHeader
from opencmr.sort.pictures import Pictures, look_at

TYPICAL_LONG_AXIS = np.array([0.60, -0.65, -0.46])
"""Direction from base to apex in an ordinary chest, LPS: leftward, anterior, inferior.

Within 15 degrees of the short-axis normals of every oriented stack of the real data sets
(nine hearts, three vendors); axial, coronal and sagittal planes are 48 degrees and more away.
"""
ALONG_AXIS_DEG = 25.0
"""A plane that the long axis leaves by less than this is a long-axis plane."""
SHARED_AXIS_MM = 12.0
"""Long-axis planes of one ventricle cross within this distance (half a cavity's width)."""
BODY_AXIS_DEG = 10.0
"""A plane whose normal is this near to a body axis is axial, coronal or sagittal."""
SHORT_AXIS_DEG = 38.0
"""A plane whose normal is this near to the typical long axis may be a short-axis plane."""
BODY_PLANES = ("sagittal", "coronal", "transaxial")
"""Planes across the x, y and z axes of LPS."""
CROSSING_DEG = 40.0
"""Planes along the long axis that differ by this much cross along it (views are 60 apart)."""
STACK_SLICES = 3
"""Fewer parallel slices than this are no stack."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts about one series, each of which a rule may weigh.

    Attributes
    ----------
    phases, slices : int
    along : type of Axis
        What differs between the pictures of a slice.
    preparation : PreparationKind or None
        Of pictures that differ in it.
    spacing_mm : float or None
        Between slice positions.
    even : bool
        One distance between all neighbours.
    heartbeat_share : float or None
        Share of the heartbeat that the trigger times span; None where unknown.
    words : str
        Description and protocol in lower case, separated by single spaces.
    body_plane : str
        The plane across the nearest body axis: transaxial, coronal or sagittal.
    is_right : bool
        The plane passes the long axis of the left ventricle on the patient's right.
    unit : Unit
    header : SeriesHeader
    other_half : SeriesHeader or None
        Of the series that the same acquisition gave: its velocities, or its magnitude.
    venc_cm_s : float or None
        Greatest velocity that is encoded.
    silent : bool
        The source has no header (NIfTI).
    oriented : bool
        The source says how the patient lies.
    typical_axis_deg : float
        Angle between the normal and the typical long axis.
    body_axis_deg : float
        Angle between the normal and the nearest body axis.
    tilt_deg : float
        Angle between the plane and the long axis: 0 for a long-axis plane.
    turn_deg : float
        Turn of the plane about the long axis, 0 to 180: 0 holds the upward direction, 90
        the patient's right.
    off_axis_mm : float or None
        Distance of the plane from the line that the long-axis planes share.
    other_orientations : bool
        The scanner's series holds stacks of other orientations too.
    beside_others : bool
        The study holds stacks of other orientations: without any, nothing was planned on it.
    pictures : Pictures or None
        What the pictures do; None where they are too few or too small to tell.
    """

    phases: int
    slices: int
    along: type[Axis]
    preparation: PreparationKind | None
    spacing_mm: float | None
    even: bool
    heartbeat_share: float | None
    words: str
    body_plane: str
    is_right: bool
    unit: Unit
    header: SeriesHeader
    other_half: SeriesHeader | None
    venc_cm_s: float | None
    silent: bool
    oriented: bool
    typical_axis_deg: float
    body_axis_deg: float
    tilt_deg: float
    turn_deg: float
    off_axis_mm: float | None
    other_orientations: bool
    beside_others: bool
    pictures: Pictures | None

    def says(self, pattern: str) -> bool:
        """Return whether the description matches a pattern."""
        return re.search(pattern, self.words) is not None

    def named(self, pattern: str) -> bool:
        """Return whether the name of the pulse sequence matches a pattern."""
        return re.search(pattern, self.header.sequence_name.lower()) is not None

    @property
    def without_words(self) -> "Evidence":
        """The same without what a human typed."""
        return replace(self, words="")

    @property
    def without_header(self) -> "Evidence":
        """The same without what the scanner wrote of how the pictures were made."""
        modality = SeriesHeader(modality=self.header.modality)
        return replace(self, header=modality, other_half=None, venc_cm_s=None)

    @property
    def without_geometry(self) -> "Evidence":
        """The same without where the planes lie; their number and distance stay."""
        return replace(
            self,
            body_plane="",
            is_right=False,
            oriented=False,
            typical_axis_deg=90.0,
            body_axis_deg=90.0,
            tilt_deg=90.0,
            turn_deg=0.0,
            off_axis_mm=None,
            other_orientations=False,
            beside_others=False,
        )

    @property
    def without_pictures(self) -> "Evidence":
        """The same without a look at the pictures."""
        return replace(self, pictures=None)

    @property
    def prepared(self) -> bool:
        """Whether the pictures of a slice differ in their preparation."""
        return self.preparation is not None

    @property
    def t2_prepared(self) -> bool:
        """Whether they differ in the length of a T2 preparation."""
        return self.preparation is PreparationKind.T2_PREPARATION

    @property
    def echoes(self) -> bool:
        """Whether the pictures of a slice are of different echoes."""
        return self.along is Echo

    @property
    def beats(self) -> bool:
        """Whether the pictures of a slice are of heartbeats one after another."""
        return self.along is Beats

    @property
    def is_stack(self) -> bool:
        """Whether there are enough parallel slices."""
        return self.slices >= STACK_SLICES

    @property
    def is_along_axis(self) -> bool:
        """Whether it is a single or double slice along the long axis."""
        return self.oriented and self.tilt_deg <= ALONG_AXIS_DEG


@dataclass(frozen=True, slots=True, eq=False)
class LongAxis:
    """The long axis of the left ventricle as a study's planes tell it.

    ``direction`` (3,) points to the apex, LPS; ``point_mm`` (3,) lies on it, None where no
    three planes agree.
    """

    direction: np.ndarray
    point_mm: np.ndarray | None
    frame_of_reference_uid: str


def is_headless(one: Series) -> bool:
    """Return whether a series comes from a file without a DICOM header."""
    return not one.header.modality and not one.header.image_type


def towards_apex(normal: np.ndarray) -> np.ndarray:
    """Return a short-axis normal in the sense that points to the apex."""
    return np.asarray(normal if normal @ TYPICAL_LONG_AXIS > 0 else -normal)


def find_long_axis(series: Sequence[Series], sax: Series | None) -> LongAxis:
    """Return the long axis: the normal of the short-axis stack, placed by the other planes."""
    if sax is None:
        return _axis_of_planes(series)
    direction = towards_apex(sax.image.grid.normal)
    reference = sax.frame_of_reference_uid
    planes = [
        plane_of_slice(one.image.grid)
        for one in series
        if reference
        and one.frame_of_reference_uid == reference
        and one.image.grid.orientation_known
        and one.image.grid.shape[0] < STACK_SLICES
    ]
    along = [p for p in planes if _tilt_deg(p.normal, direction) <= ALONG_AXIS_DEG]
    middle = plane_of_slice(sax.image.grid, sax.image.grid.shape[0] // 2).point_mm
    point = shared_point_mm(along, direction, middle, SHARED_AXIS_MM)
    return LongAxis(direction, point, reference)


def _axis_of_planes(series: Sequence[Series]) -> LongAxis:
    """Return the line along which oblique single slices cross, or the typical long axis.

    Two- and four-chamber planes cross along the long axis; it is believed where the crossings of
    the planes of one frame of reference lie as near to the typical direction as a short axis's
    normal may.
    """
    typical = TYPICAL_LONG_AXIS / np.linalg.norm(TYPICAL_LONG_AXIS)
    frames = {one.frame_of_reference_uid for one in series} - {""}
    for frame in sorted(frames):
        normals = [
            plane_of_slice(one.image.grid).normal
            for one in series
            if one.frame_of_reference_uid == frame
            and one.image.grid.orientation_known
            and one.image.grid.shape[0] < STACK_SLICES
            and _tilt_deg(plane_of_slice(one.image.grid).normal, typical) <= SHORT_AXIS_DEG
        ]
        lines = [
            towards_apex(np.cross(one, other))
            for one, other in combinations(normals, 2)
            if angle_between_deg(one, other) >= CROSSING_DEG
        ]
        if lines:
            line = np.mean([one / np.linalg.norm(one) for one in lines], axis=0)
            line /= np.linalg.norm(line)
            if angle_between_deg(line, typical) <= SHORT_AXIS_DEG:
                return LongAxis(line, None, frame)
    return LongAxis(typical, None, "")


def gather_evidence(
    one: Series,
    axis: LongAxis,
    *,
    other_orientations: bool,
    beside_others: bool = False,
    other_half: SeriesHeader | None = None,
) -> Evidence:
    """Return the facts about a series, given the study's long axis."""
    grid, image = one.image.grid, one.image
    plane = plane_of_slice(grid, grid.shape[0] // 2)
    gaps = grid.slice_gaps_mm
    return Evidence(
        phases=image.phases,
        slices=grid.shape[0],
        along=type(image.along),
        preparation=image.along.kind if isinstance(image.along, Preparation) else None,
        spacing_mm=grid.slice_spacing_mm,
        even=bool(gaps.size and np.ptp(gaps) <= 0.1 * np.median(gaps)),
        heartbeat_share=_heartbeat_share(one),
        words=words_of(one.header),
        body_plane=BODY_PLANES[int(np.abs(plane.normal).argmax())],
        is_right=_is_right(plane, axis),
        unit=image.unit,
        header=one.header,
        other_half=other_half,
        venc_cm_s=image.venc_cm_s,
        silent=is_headless(one),
        oriented=grid.orientation_known,
        typical_axis_deg=angle_between_deg(plane.normal, TYPICAL_LONG_AXIS),
        body_axis_deg=float(np.degrees(np.arccos(min(np.abs(plane.normal).max(), 1.0)))),
        tilt_deg=_tilt_deg(plane.normal, axis.direction),
        turn_deg=turn_about_deg(plane.normal, axis.direction),
        off_axis_mm=_off_axis_mm(one, plane, axis),
        other_orientations=other_orientations,
        beside_others=beside_others,
        pictures=look_at(image),
    )


def evidence_of_header(header: SeriesHeader) -> Evidence:
    """Return what a header alone tells of a series whose pictures could not be used."""
    return Evidence(
        phases=1,
        slices=1,
        along=Single,
        preparation=None,
        spacing_mm=None,
        even=False,
        heartbeat_share=None,
        words=words_of(header),
        body_plane="",
        is_right=False,
        unit=Unit.ARBITRARY,
        header=header,
        other_half=None,
        venc_cm_s=None,
        silent=not header.modality,
        oriented=False,
        typical_axis_deg=90.0,
        body_axis_deg=90.0,
        tilt_deg=90.0,
        turn_deg=0.0,
        off_axis_mm=None,
        other_orientations=False,
        beside_others=False,
        pictures=None,
    )


def _off_axis_mm(one: Series, plane: Plane, axis: LongAxis) -> float | None:
    if axis.point_mm is None or one.frame_of_reference_uid != axis.frame_of_reference_uid:
        return None
    return plane.distance_mm(axis.point_mm)


def _is_right(plane: Plane, axis: LongAxis) -> bool:
    if axis.point_mm is None:
        return False
    towards = ((plane.point_mm - axis.point_mm) @ plane.normal) * plane.normal
    return bool(towards[0] < 0)


def _tilt_deg(normal: np.ndarray, axis: np.ndarray) -> float:
    return 90.0 - angle_between_deg(normal, axis)


def turn_about_deg(normal: np.ndarray, axis: np.ndarray) -> float:
    """Return by how much a plane along the long axis is turned about it, 0 to 180 degrees.

    0: the plane holds the direction to the patient's head, as far as it is across the axis
    (a two-chamber plane does, roughly); 90: the direction to the patient's right, where the
    right ventricle lies.

    Parameters
    ----------
    normal : (3,)
        Of the plane, LPS.
    axis : (3,)
        Unit, towards the apex, LPS.
    """
    up = np.array([0.0, 0.0, 1.0]) - axis[2] * axis
    if np.linalg.norm(up) < 1e-6:
        return 0.0
    up /= np.linalg.norm(up)
    across = np.cross(axis, up)
    if across[0] > 0:  # LPS: the patient's right is negative x
        across = -across
    held = np.cross(normal, axis)
    return float(np.degrees(np.arctan2(held @ across, held @ up)) % 180.0)


def _heartbeat_share(one: Series) -> float | None:
    trigger_ms, rr_ms = one.image.trigger_ms, one.image.rr_ms
    known = np.isfinite(trigger_ms).all(0) & np.isfinite(rr_ms)
    if one.image.phases < 2 or not known.any():
        return None
    spans = np.ptp(trigger_ms[:, known], axis=0) / rr_ms[known]
    return float(np.median(spans))


def words_of(header: SeriesHeader) -> str:
    """Return description and protocol in lower case without accents, words between single spaces.

    >>> words_of(SeriesHeader(series_description="LGE_Spätenhancement", protocol_name="短轴"))
    'lge spatenhancement 短轴'
    """
    plain = without_accents(f"{header.series_description} {header.protocol_name}").lower()
    return " ".join(re.findall(r"[^\W_]+", plain))
