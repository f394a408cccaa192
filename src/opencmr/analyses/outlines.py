"""Outlines in patient coordinates become labels on the slices and phases that they are of."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from itertools import combinations

import numpy as np

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.contours import (
    contours_cross,
    epicardium_missing,
    filled,
    is_outside,
    require_pictures_as_drawn,
)
from opencmr.analyses.placing import drawn_on, series_taking
from opencmr.analyses.several_series import part_of_one_series
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure, with_inside
from opencmr.errors import GeometryError, InputError
from opencmr.imaging.flag import About, QualityFlag
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.given_outlines import EPICARDIUM, GivenOutlines, Outline, Region
from opencmr.imaging.study import Series, Study

MOST_TILT_DEG = 2.0
"""A contour that is turned farther out of a slice's plane is not of that slice (proposal)."""
ROUNDED_MM = 0.2
"""By so much points may lie off one plane however small their contour is: coordinates are rounded
to a tenth of a millimetre by some (proposal)."""
MOST_PARTS = 100
"""Contours of one region on one picture; a structure of the heart has a few."""
ALONE_MM = 1.0
"""Half the thickness of a slice that has no neighbour and states none."""

Place = tuple[int, int]
"""Phase and slice."""
Places = Mapping[str, Mapping[int, list[Place]]]
"""Where each picture is, by SOP instance UID and frame number."""
Held = Mapping[Place, Set[Region]]
"""The regions that are outlined on each picture."""
LV = Region(Structure.LV)
WALL = Region(Structure.MYOCARDIUM)


def labels_of_outlines(
    given: GivenOutlines, study: Study, analyses: Sequence[Analysis]
) -> tuple[GivenLabels, tuple[QualityFlag, ...]]:
    """Return outlines as labels of the series that is measured from them, and remarks.

    A pixel belongs to a region when its centre lies within an odd number of its outlines.  The
    wall is what lies within the epicardium and not in the cavity, where no outline of the wall
    itself is there.

    Parameters
    ----------
    given : GivenOutlines
    study : Study
        Sorted.
    analyses : sequence of Analysis

    Raises
    ------
    InputError
        When they are of pictures that no measured series holds, or several do, or of another
        frame of reference.
    GeometryError
        When an outline lies on no slice, does not say of which phase it is, leaves its picture,
        or contradicts another one.
    ConfigurationError
        When the caller names a series that is not there.
    """
    series, given, others = _series_of(given, study, analyses)
    places = _places(series)
    require_pictures_as_drawn(series)
    _require_frame(given.drawn, series)
    scheme = given.scheme
    labels = np.zeros(series.image.values.shape, dtype=np.uint8)
    held: dict[Place, Set[Region]] = {}
    crossing: list[Place] = []
    for place, outlines in _by_place(given.drawn, series, places).items():
        regions = _regions(outlines, series, place[1])
        held[place] = regions.keys()
        if {LV, EPICARDIUM} <= regions.keys() and is_outside(regions[LV], regions[EPICARDIUM]):
            crossing.append(place)
        for region in sorted(regions, key=lambda one: -len(with_inside(one.structure))):
            if region != EPICARDIUM or WALL not in regions:
                labels[place][regions[region]] = scheme.label_of(region.structure)
    _require_cavities(held)
    crossed = (contours_cross(_pictures(crossing)),) if crossing else ()
    about = About(series=series.key)
    remarks = (*given.remarks, *others, *_missing(held), *crossed)
    return (
        drawn_on(series, labels, given, "the RT Structure Set"),
        tuple(replace(flag, about=about) for flag in remarks),
    )


def _series_of(
    given: GivenOutlines, study: Study, analyses: Sequence[Analysis]
) -> tuple[Series, GivenOutlines, tuple[QualityFlag, ...]]:
    """Return the series that is measured, the outlines of it, and remarks on the others."""
    stated = given.series_uids
    if stated and stated.isdisjoint(uid for one in study.series for uid in one.uids):
        raise _other("the series that the RT Structure Set refers to is not in the input")
    if not any(one.pictures for one in given.drawn):
        return _by_position(given, series_taking(given, study, analyses)), given, ()
    return part_of_one_series(given, study, analyses, "contours")


def _by_position(given: GivenOutlines, taking: Sequence[Series]) -> Series:
    """Return the only series on whose slices outlines lie that name no picture."""
    frames = {one.frame_of_reference_uid for one in given.drawn}
    same = [one for one in taking if frames == {one.frame_of_reference_uid} and "" not in frames]
    if not same:
        raise InputError(
            Reason(
                "OTHER_FRAME",
                "the contours name no picture, and no series that is measured from such labels "
                "has their frame of reference",
            )
        )
    among = [one for one in same if not given.series_uids.isdisjoint(one.uids)] or same
    here = [one for one in among if not any(_faults(outline, one) for outline in given.drawn)]
    if len(here) > 1:
        keys = ", ".join(one.key for one in here)
        raise GeometryError(
            f"the contours name no picture and lie on slices of several series: {keys}. Say "
            "which with --series."
        )
    return (here or among)[0]


def _faults(outline: Outline, series: Series) -> bool:
    slices = range(series.image.grid.shape[0])
    return all(_why_not(outline, series, z) is not None for z in slices)


def _other(sentence: str) -> InputError:
    return InputError(Reason("OTHER_PICTURES", sentence))


def _places(series: Series) -> Places:
    found: dict[str, dict[int, list[Place]]] = defaultdict(lambda: defaultdict(list))
    for phase, row in enumerate(series.image.instances):
        for z, one in enumerate(row):
            found[one.sop_instance_uid][one.frame_number].append((phase, z))
    return found


def _named(outline: Outline, places: Places) -> list[list[Place]]:
    """Return where each picture is that an outline names; one without a frame names them all."""
    return [
        where
        for uid, frame in outline.pictures
        if uid in places
        for number, where in places[uid].items()
        if frame in (None, number)
    ]


def _require_frame(outlines: Sequence[Outline], series: Series) -> None:
    """Refuse points in other coordinates than the pictures', where both say which they are."""
    frame = series.frame_of_reference_uid
    other = sorted({one.roi for one in outlines if one.frame_of_reference_uid not in ("", frame)})
    if frame and other:
        raise InputError(
            Reason(
                "OTHER_FRAME",
                f"the frame of reference of ROI {other[0]} is not that of {series.key}",
            )
        )


def _by_place(
    outlines: Sequence[Outline], series: Series, places: Places
) -> Mapping[Place, list[Outline]]:
    found: dict[Place, list[Outline]] = defaultdict(list)
    for outline in outlines:
        for place in _places_of(outline, series, places):
            found[place].append(outline)
    return found


def _regions(outlines: Sequence[Outline], series: Series, z: int) -> Mapping[Region, np.ndarray]:
    """Return the pixels ``(Y, X) bool`` inside each region that is outlined on one picture."""
    parts: dict[Region, list[Outline]] = defaultdict(list)
    for outline in outlines:
        parts[outline.region].append(outline)
    return {region: _together(found, series, z) for region, found in parts.items()}


def _together(outlines: Sequence[Outline], series: Series, z: int) -> np.ndarray:
    """Return the pixels inside an odd number of outlines of one region on one picture.

    Raises
    ------
    GeometryError
        When they are of two ROIs, are too many, cross each other, or nearly coincide.
    """
    rois = sorted({outline.roi for outline in outlines})
    if len(rois) > 1:
        raise _contradiction(f"ROI {rois[0]} and ROI {rois[1]} outline one structure")
    (roi,) = rois
    if len(outlines) > MOST_PARTS:
        raise _contradiction(f"ROI {roi} has {len(outlines)} contours")
    shape = series.image.grid.shape[1:]
    masks = [filled(_in_slice(one, series, z)[:, :2], shape, one.name) for one in outlines]
    if not all(one.may_cross for one in outlines):
        for one, other in combinations(masks, 2):
            beyond = is_outside(one, other), is_outside(other, one)
            if (one & other).any() and all(beyond):
                raise _contradiction(f"two contours of ROI {roi} cross")
            if not any(beyond):
                raise _contradiction(f"two contours of ROI {roi} coincide")
    mask = np.asarray(np.logical_xor.reduce(masks))
    if not mask.any():
        raise _contradiction(f"the contours of ROI {roi} cancel one another")
    return mask


def _contradiction(what: str) -> GeometryError:
    return GeometryError(Reason("CONTOURS_CONTRADICT", f"{what} on one picture"))


def _places_of(outline: Outline, series: Series, places: Places) -> list[Place]:
    """Return phase and slice of the one picture that an outline is of."""
    if not outline.pictures:
        return [_place_by_position(outline, series)]
    named = _named(outline, places)
    faults = [_why_not(outline, series, where[0][1]) for where in named]
    fitting = [where for where, fault in zip(named, faults, strict=True) if fault is None]
    if not fitting:
        raise _off(f"{outline.name} {faults[0]} of the picture that it names")
    if len(fitting) > 1:
        raise _moment(f"{outline.name} names {len(fitting)} pictures of one place")
    return fitting[0]


def _place_by_position(outline: Outline, series: Series) -> Place:
    image = series.image
    if image.phases > 1:
        raise _moment(
            f"{outline.name} names no picture (Contour Image Sequence), and {series.key} has "
            f"{image.phases} pictures at each place"
        )
    faults = [_why_not(outline, series, z) for z in range(image.grid.shape[0])]
    fitting = [z for z, fault in enumerate(faults) if fault is None]
    if not fitting:
        middles = [_in_slice(outline, series, z)[:, 2].mean() for z in range(len(faults))]
        nearest = int(np.argmin(np.abs(middles)))
        raise _off(f"{outline.name} {faults[nearest]} of the nearest slice")
    if len(fitting) > 1:
        raise _off(f"{outline.name} lies on {len(fitting)} slices at once")
    return 0, fitting[0]


def _off(sentence: str) -> GeometryError:
    return GeometryError(Reason("OFF_SLICE", sentence))


def _moment(sentence: str) -> GeometryError:
    return GeometryError(
        Reason("MOMENT_UNSTATED", f"{sentence}: its moment in the heartbeat is unknown")
    )


def _why_not(outline: Outline, series: Series, z: int) -> str | None:
    """Return how an outline lies off a slice, or None where it lies on it."""
    grid = series.image.grid
    points = _in_slice(outline, series, z)
    spacing_mm = np.linalg.norm(grid.affines[z, :3, :2], axis=0)
    across_mm = float(np.linalg.norm(np.ptp(points[:, :2], axis=0) * spacing_mm))
    uneven_mm, off_mm = float(np.ptp(points[:, 2])), abs(float(points[:, 2].mean()))
    if uneven_mm > ROUNDED_MM + np.tan(np.deg2rad(MOST_TILT_DEG)) * across_mm:
        return f"is tilted or bent by {uneven_mm:.2g} mm against the plane"
    if off_mm > _half_gap_mm(series, z):
        return f"lies {off_mm:.2g} mm off the plane"
    return None


def _in_slice(outline: Outline, series: Series, z: int) -> np.ndarray:
    """Return the points ``(N, 3)`` of an outline: row and column in pixels, mm off the plane."""
    to_slice = np.linalg.inv(series.image.grid.affines[z])
    return np.asarray(outline.points_mm @ to_slice[:3, :3].T + to_slice[:3, 3])


def _half_gap_mm(series: Series, z: int) -> float:
    """Return half the way from a slice to its nearest neighbour."""
    gaps = series.image.grid.slice_gaps_mm
    if gaps.size:
        return max(float(gaps[max(z - 1, 0) : z + 1].min()) / 2, ROUNDED_MM)
    thickness_mm = series.header.slice_thickness_mm
    return thickness_mm / 2 if thickness_mm else ALONE_MM


def _require_cavities(held: Held) -> None:
    """Refuse phases of epicardial outlines alone: all that lies in them would count as muscle."""
    outer = {phase for (phase, _), regions in held.items() if EPICARDIUM in regions}
    inner = {phase for (phase, _), regions in held.items() if LV in regions or WALL in regions}
    if outer - inner:
        raise GeometryError(
            Reason(
                "ENDOCARDIUM_MISSING",
                f"{len(outer - inner)} phases have epicardial contours and no cavity at all",
            )
        )


def _missing(held: Held) -> tuple[QualityFlag, ...]:
    """Tell cavities without a wall; weightier beside some of the same phase that have one."""
    walled = {place for place, regions in held.items() if {WALL, EPICARDIUM} & regions}
    alone = {place for place, regions in held.items() if LV in regions} - walled
    if not alone:
        return ()
    is_partial = not {phase for phase, _ in walled}.isdisjoint(phase for phase, _ in alone)
    return (epicardium_missing(_pictures(alone), is_partial=is_partial),)


def _pictures(places: Collection[Place]) -> str:
    """Count pictures and slices.

    >>> _pictures([(0, 3), (7, 3)])
    '2 pictures of 1 slice'
    """
    pictures, slices = len({*places}), len({z for _, z in places})
    return f"{pictures} picture{'s' * (pictures != 1)} of {slices} slice{'s' * (slices != 1)}"
