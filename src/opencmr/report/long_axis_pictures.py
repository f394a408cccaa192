"""Long-axis pictures at end-diastole with the line of each measured short-axis slice on them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import LONG_AXIS_VIEWS
from opencmr.geometry.planes import cut_of_slice_mm, in_slice_mm, plane_of_slice
from opencmr.imaging.image import Image
from opencmr.imaging.phase_times import phase_shares
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series, Study
from opencmr.report.heart_pictures import JPEG_QUALITY, TILE_PIXEL_MM, encoded, windowed

MARGIN_MM = 30.0
"""Surroundings shown about the heart: the atria lie beyond the short-axis labels."""
INSET_MM = 1.5
"""From the edge of the picture to a slice's number."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The line of one slice, in mm from the upper left corner of the picture, x before y."""

    slice_number: int
    start: tuple[float, float]
    end: tuple[float, float]
    place: tuple[float, float]
    """Of the slice's number."""


@dataclass(frozen=True, slots=True)
class LongAxis:
    """One long-axis picture with its cuts."""

    name: str
    series: str
    phase: int
    jpeg: bytes
    width_mm: float
    height_mm: float
    cuts: tuple[Cut, ...]


def long_axes(
    study: Study, series: Series, masks: Segmentation, ed_phase: int
) -> tuple[LongAxis, ...]:
    """Return the study's long-axis cines that share the frame of reference of a measured stack."""
    frame = series.frame_of_reference_uid
    if not frame or not masks.grid.orientation_known:
        return ()
    drawn = (
        _drawn(one, series, masks, ed_phase)
        for view in LONG_AXIS_VIEWS
        for one in study.series
        if one.view is view
        and one.sequence is Technique.CINE
        and one.frame_of_reference_uid == frame
        and one.image.grid.orientation_known
        and one.image.grid.shape[0] == 1
    )
    return tuple(one for one in drawn if one is not None)


def same_moment(image: Image, other: Image, phase: int) -> int:
    """Return the phase of ``image`` that lies nearest in the heartbeat to one of ``other``."""
    apart = np.abs(phase_shares(image) - phase_shares(other)[phase])
    return int(np.argmin(np.minimum(apart, 1 - apart)))


def _drawn(one: Series, series: Series, masks: Segmentation, ed_phase: int) -> LongAxis | None:
    image, grid = one.image, one.image.grid
    heart = _heart_mm(masks, ed_phase)
    if not heart.size:
        return None
    spacing_mm = np.array([grid.row_spacing_mm, grid.column_spacing_mm])
    at = in_slice_mm(grid, 0, heart) / spacing_mm
    size = np.array(grid.shape[1:])
    low = np.clip(np.floor(at.min(0) - MARGIN_MM / spacing_mm), 0, size).astype(int)
    high = np.clip(np.ceil(at.max(0) + MARGIN_MM / spacing_mm) + 1, 0, size).astype(int)
    if (high - low < 2).any():
        return None
    height_mm, width_mm = map(float, (high - low) * spacing_mm)
    phase = same_moment(image, series.image, ed_phase)
    values = image.values[:, :, low[0] : high[0], low[1] : high[1]]
    grey = Picture.fromarray(windowed(values, np.zeros(values.shape, dtype=bool))[phase, 0])
    pixels = (round(width_mm / TILE_PIXEL_MM), round(height_mm / TILE_PIXEL_MM))
    corner_mm = (low - 0.5) * spacing_mm
    plane = plane_of_slice(grid)
    cuts = []
    for z in np.flatnonzero(masks.labels[ed_phase].any((1, 2))):
        ends = cut_of_slice_mm(masks.grid, int(z), plane)
        if ends is not None:
            start, end = (in_slice_mm(grid, 0, ends) - corner_mm)[:, ::-1]
            cuts.append(_cut(int(z) + 1, start, end, np.array([width_mm, height_mm])))
    return LongAxis(
        one.view.value,
        one.key,
        phase,
        encoded(grey.resize(pixels, Picture.Resampling.BICUBIC), "JPEG", quality=JPEG_QUALITY),
        round(width_mm, 2),
        round(height_mm, 2),
        tuple(cut for cut in cuts if cut is not None),
    )


def _cut(number: int, start: np.ndarray, end: np.ndarray, size: np.ndarray) -> Cut | None:
    """Return a line within the picture, its number at the right or lower end; None outside."""
    step = end - start
    with np.errstate(divide="ignore", invalid="ignore"):
        crossings = np.sort(np.array([-start / step, (size - start) / step]), axis=0)
    moving = step != 0
    if ((~moving) & ((start < 0) | (start > size))).any() or not moving.any():
        return None
    enters = max(0.0, *crossings[0][moving])
    leaves = min(1.0, *crossings[1][moving])
    if enters >= leaves:
        return None
    ends = sorted(tuple(map(float, np.round(start + t * step, 2))) for t in (enters, leaves))
    (x0, y0), (x1, y1) = ends
    place = (min(x1, float(size[0]) - 4 * INSET_MM), max(y1 - INSET_MM / 2, 4.0))
    return Cut(number, (x0, y0), (x1, y1), (round(place[0], 2), round(place[1], 2)))


def _heart_mm(masks: Segmentation, phase: int) -> np.ndarray:
    """Return the LPS positions ``(N, 3)`` of the labelled voxels of a phase."""
    z, rows, columns = np.nonzero(masks.labels[phase])
    voxels = np.stack([rows, columns, np.zeros_like(rows), np.ones_like(rows)], axis=1)
    return np.asarray(np.einsum("nij,nj->ni", masks.grid.affines[z], voxels)[:, :3])
