"""Contours become labels on the grid of the series whose images they name by number."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.placing import drawn_on, series_taking
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError, InputError
from opencmr.geometry.contours import mask_of_polygon
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.given_contours import GivenContours, Surface
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.study import Series, Study

MOST_OUTSIDE = 0.05
"""Share of the cavity outside the epicardium from which the two contours cross (proposal)."""
MOST_NUMBERS = 12
"""More numbers are not listed in a message."""

Places = Mapping[int, list[tuple[int, int]]]
"""Phase and slice of the pictures of each image number."""


def labels_from(
    given: GivenContours, study: Study, analyses: Sequence[Analysis]
) -> tuple[GivenLabels, tuple[QualityFlag, ...]]:
    """Return contours as labels of the cavity and the wall of the left ventricle, and remarks.

    A pixel belongs to a structure when its centre lies within the outline.  Where an image has no
    contour, it has no label; an epicardium without endocardium is an apex of muscle alone.

    Parameters
    ----------
    given : GivenContours
    study : Study
        Sorted.
    analyses : sequence of Analysis

    Raises
    ------
    InputError
        When a number is of no image of the series, or the images have no numbers.
    GeometryError
        When the numbers fit several series or several pictures, a contour leaves its image, or
        the images are not those that were drawn on.
    ConfigurationError
        When the caller names a series that is not there.
    """
    series, places = _series_of(given, study, analyses)
    require_pictures_as_drawn(series)
    image, label_of = series.image, given.scheme.label_of
    labels = np.zeros(image.values.shape, dtype=np.uint8)
    inside: dict[tuple[int, Surface], np.ndarray] = {}
    for contour in given.contours:
        mask = filled(contour.points, image.grid.shape[1:], contour.name)
        inside[contour.image_number, contour.surface] = mask
    # The endocardium last: what lies inside it is cavity.
    for surface, structure in (
        (Surface.EPICARDIUM, Structure.MYOCARDIUM),
        (Surface.ENDOCARDIUM, Structure.LV),
    ):
        for (number, of), mask in inside.items():
            if of is surface:
                for phase, z in places[number]:
                    labels[phase, z][mask] = label_of(structure)
    remarks = (*given.remarks, *_missing(inside, places), *_crossing(inside))
    about = About(series=series.key)
    return (
        drawn_on(series, labels, given, "the folder of contours"),
        tuple(replace(flag, about=about) for flag in remarks),
    )


def _series_of(
    given: GivenContours, study: Study, analyses: Sequence[Analysis]
) -> tuple[Series, Places]:
    """Return the cine whose images the contours name, and where its numbers are."""
    cines = series_taking(given, study, analyses)
    if not cines:
        where = f"series {given.series}" if given.series else "the input"
        raise InputError(f"{where} has no short-axis cine that contours could belong to")
    numbered = [(one, found) for one in cines if (found := _places(one))]
    if not numbered:
        raise InputError(
            "contours name images by InstanceNumber, and the images of the input have none; "
            "expected the DICOM study"
        )
    wanted = {contour.image_number for contour in given.contours}
    fitting = [(one, places) for one, places in numbered if wanted <= places.keys()]
    if not fitting:
        one, places = min(numbered, key=lambda pair: len(wanted - pair[1].keys()))
        raise InputError(
            f"contours are of {_images(wanted - places.keys())}, which {one.key} does not use; its "
            f"images have numbers from {min(places)} to {max(places)}"
        )
    if len(fitting) > 1:
        keys = ", ".join(one.key for one, _ in fitting)
        raise GeometryError(
            f"the numbers of the contours are images of several series: {keys}. Say which with "
            "--series."
        )
    ((series, places),) = fitting
    _require_one_picture(series, places, wanted)
    return series, places


def _places(series: Series) -> Places:
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for phase, row in enumerate(series.image.instances):
        for z, one in enumerate(row):
            if one.instance_number is not None:
                found[one.instance_number].append((phase, z))
    return found


def _require_one_picture(series: Series, places: Places, wanted: Iterable[int]) -> None:
    """Refuse numbers that count anew in each part of a stack, or stand for many frames."""
    instances = series.image.instances
    several = {number for number in wanted if len({instances[t][z] for t, z in places[number]}) > 1}
    if several:
        raise GeometryError(
            f"several pictures of {series.key} have the numbers of {_images(several)}: the "
            "contours do not say which is meant"
        )


def require_pictures_as_drawn(series: Series) -> None:
    """Refuse slices that intake resampled in plane: pixels of the contours are not theirs."""
    if series.facts is not None and series.facts.realigned_slices:
        raise GeometryError(
            f"{series.facts.realigned_slices} slices of {series.key} were resampled to the pixels "
            "of the others, so the pixels that were drawn on are not theirs; give labels as NIfTI"
        )


def filled(points: np.ndarray, shape: tuple[int, int], name: str) -> np.ndarray:
    """Return the pixels ``(Y, X) bool`` inside a contour of ``(N, 2)`` points in pixels.

    Raises
    ------
    GeometryError
        When it leaves its image or encloses nothing, by the name of the contour.
    """
    rows, columns = shape
    low, high = points.min(0), points.max(0)
    if (low < -0.5).any() or high[0] > rows - 0.5 or high[1] > columns - 0.5:
        raise GeometryError(
            f"{name} leaves its image of {rows} rows and {columns} columns: rows "
            f"{low[0] + 1:.1f} to {high[0] + 1:.1f}, columns {low[1] + 1:.1f} to {high[1] + 1:.1f}"
        )
    mask = mask_of_polygon(points, shape)
    if not mask.any():
        raise GeometryError(f"{name} encloses no pixel's centre")
    return mask


def _missing(
    inside: Mapping[tuple[int, Surface], np.ndarray], places: Places
) -> tuple[QualityFlag, ...]:
    """Tell endocardial contours without an epicardial one; weightier beside some that have one."""
    inner = {number for number, surface in inside if surface is Surface.ENDOCARDIUM}
    outer = {number for number, surface in inside if surface is Surface.EPICARDIUM}
    alone = inner - outer
    if not alone:
        return ()
    walled = {phase for number in outer for phase, _ in places[number]}
    is_partial = any(phase in walled for number in alone for phase, _ in places[number])
    return (epicardium_missing(_images(alone), is_partial=is_partial),)


def epicardium_missing(where: str, *, is_partial: bool) -> QualityFlag:
    """Return the remark on cavities without a wall; partial where slices beside have one."""
    return QualityFlag(
        Severity.REVIEW if is_partial else Severity.INFO,
        "EPICARDIUM_MISSING",
        "Endocardial contours without an epicardial one give the cavity and no wall: the mass "
        "of a phase in which some slices have a wall and others none is too small."
        if is_partial
        else "Phases have endocardial contours and no epicardial one: they have a volume and "
        "no mass.",
        where,
    )


def _crossing(inside: Mapping[tuple[int, Surface], np.ndarray]) -> tuple[QualityFlag, ...]:
    crossing = {
        number
        for (number, surface), mask in inside.items()
        if surface is Surface.ENDOCARDIUM
        and (outer := inside.get((number, Surface.EPICARDIUM))) is not None
        and is_outside(mask, outer)
    }
    return (contours_cross(_images(crossing)),) if crossing else ()


def is_outside(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Return whether more than :data:`MOST_OUTSIDE` of one mask lies outside another."""
    return bool((inner & ~outer).sum() > MOST_OUTSIDE * inner.sum())


def contours_cross(where: str) -> QualityFlag:
    """Return the remark on cavities that leave the epicardium."""
    return QualityFlag(
        Severity.REVIEW,
        "CONTOURS_CROSS",
        f"More than {MOST_OUTSIDE:.0%} of the cavity lies outside the epicardial contour of "
        "the same image: mass and wall thickness are not to be trusted. Check the contours.",
        where,
    )


def _images(numbers: Iterable[int]) -> str:
    """Name images by number, the first few of them.

    >>> _images({3, 1}), _images({7})
    ('images 1, 3', 'image 7')
    """
    ordered = sorted(numbers)
    told = ", ".join(map(str, ordered[:MOST_NUMBERS]))
    further = len(ordered) - MOST_NUMBERS
    more = f" and {further} more" if further > 0 else ""
    return f"image{'s' * (len(ordered) != 1)} {told}{more}"
