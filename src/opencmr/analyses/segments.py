"""Segments become labels on the grid of the series whose pictures they were drawn on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from opencmr.analyses.analysis import Analysis
from opencmr.analyses.contours import require_pictures_as_drawn
from opencmr.analyses.placing import drawn_on
from opencmr.analyses.several_series import part_of_one_series
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure, with_inside
from opencmr.errors import GeometryError
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.given_labels import GivenLabels
from opencmr.imaging.given_segments import GivenSegments, SegmentFrame
from opencmr.imaging.study import Series, Study

MOST_APART_PX = 0.25
"""A frame whose pixels lie farther from those of its picture lies on other pixels (proposal)."""

Places = Mapping[tuple[str, int], list[tuple[int, int]]]
"""Phase and slice of each picture, by SOP instance UID and frame number."""


def labels_of_segments(
    given: GivenSegments, study: Study, analyses: Sequence[Analysis]
) -> tuple[GivenLabels, tuple[QualityFlag, ...]]:
    """Return segments as labels of the series that is measured from them, and remarks.

    Where segments overlap, the cavity is kept before the wall, and what lies inside a structure
    before that.

    Parameters
    ----------
    given : GivenSegments
    study : Study
        Sorted.
    analyses : sequence of Analysis

    Raises
    ------
    InputError
        When they mark pictures that no measured series holds, or several do.
    GeometryError
        When a frame lies on other pixels than its picture, or marks several, or two draw one
        structure on one picture in two ways.
    ConfigurationError
        When the caller names a series that is not there.
    """
    series, given, remarks = part_of_one_series(given, study, analyses, "segment frames")
    places = _places(series)
    require_pictures_as_drawn(series)
    scheme = given.scheme
    labels = np.zeros(series.image.values.shape, dtype=np.uint8)
    drawn: dict[tuple[Structure, int, int], np.ndarray] = {}
    for frame in sorted(given.drawn, key=lambda one: -len(with_inside(one.structure))):
        for phase, z in _marked(frame, places, series):
            where = frame.structure, phase, z
            drawn[where] = _together(frame, drawn.get(where))
            labels[phase, z][frame.mask] = scheme.label_of(frame.structure)
    return drawn_on(series, labels, given, "the segmentation"), remarks


def _together(frame: SegmentFrame, before: np.ndarray | None) -> np.ndarray:
    """Return all that is drawn of a structure on a picture, parts beside one another.

    Two that overlap and differ are two opinions, an object and its correction for instance.
    """
    if before is None or np.array_equal(before, frame.mask):
        return frame.mask
    if (before & frame.mask).any():
        raise GeometryError(
            Reason(
                "CONTOURS_CONTRADICT",
                f"two segments draw {frame.structure.value} on one picture, and differ; give one",
            )
        )
    return np.asarray(before | frame.mask)


def _places(series: Series) -> Places:
    found: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for phase, row in enumerate(series.image.instances):
        for z, one in enumerate(row):
            found[one.sop_instance_uid, one.frame_number].append((phase, z))
    return found


def _marked(frame: SegmentFrame, places: Places, series: Series) -> list[tuple[int, int]]:
    """Return phase and slice of the one picture that a frame lies on."""
    rows, columns = series.image.grid.shape[1:]
    if frame.mask.shape != (rows, columns):
        raise GeometryError(
            f"segments have frames of {frame.mask.shape[0]} x {frame.mask.shape[1]} pixels, and "
            f"the pictures of {series.key} {rows} x {columns}"
        )
    pictures = [one for one in frame.pictures if one in places]
    fitting = [
        one for one in pictures if _apart_px(frame, series, places[one][0][1]) <= MOST_APART_PX
    ]
    if not fitting:
        z = places[pictures[0]][0][1]
        raise GeometryError(
            f"a segment frame lies {_apart_px(frame, series, z):.2g} pixels from the picture that "
            "it names: it was shifted, turned or mirrored"
        )
    if len(fitting) > 1:
        raise GeometryError(
            f"a segment frame names {len(fitting)} pictures of one place: which moment of the "
            "heartbeat is meant is not said"
        )
    return places[fitting[0]]


def _apart_px(frame: SegmentFrame, series: Series, z: int) -> float:
    """Return how far the corners of a frame lie from those of a slice, in its pixels."""
    grid = series.image.grid
    rows, columns = (side - 1 for side in grid.shape[1:])
    corners = np.array([[0, 0, rows, rows], [0, columns, 0, columns], [0] * 4, [1] * 4])
    apart_mm = np.linalg.norm(((frame.affine - grid.affines[z]) @ corners)[:3], axis=0).max()
    return float(apart_mm / min(grid.row_spacing_mm, grid.column_spacing_mm))
