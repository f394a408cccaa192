"""Pictures of a map of relaxation times: every slice in colour, with the wall that was measured."""

import io

import numpy as np
from PIL import Image as Picture

from opencmr.anatomy.map_kinds import MapKind
from opencmr.imaging.relaxation import TimeMap
from opencmr.report import palette
from opencmr.report.heart_pictures import TILE_PIXEL_MM, TILE_PIXELS, Crop, Tile, crop_to_heart
from opencmr.report.outlines import outlines

ENDS_MS = {MapKind.T1: (0.0, 2000.0), MapKind.T2: (0.0, 120.0), MapKind.T2_STAR: (0.0, 60.0)}
"""Fixed ends of the colour scale, so that two studies compare."""
AFTER_CONTRAST_MS = (0.0, 1000.0)
"""Ends for T1 after contrast."""
JPEG_QUALITY = 92


def ends_ms(found: TimeMap) -> tuple[float, float]:
    """Return the ends of a map's colour scale."""
    after = found.after_contrast and found.kind is MapKind.T1
    return AFTER_CONTRAST_MS if after else ENDS_MS[found.kind]


def tiles_of(found: TimeMap) -> tuple[Tile, ...]:
    """Return every slice of a map in stack order; about the wall, or whole where there is none."""
    grid = found.grid
    crop = (
        Crop(
            slice(0, grid.shape[1]),
            slice(0, grid.shape[2]),
            grid.shape[1] * grid.row_spacing_mm,
            grid.shape[2] * grid.column_spacing_mm,
        )
        if found.wall is None
        else crop_to_heart(found.wall)
    )
    return tuple(_tile(found, z, crop) for z in range(grid.shape[0]))


def _tile(found: TimeMap, z: int, crop: Crop) -> Tile:
    pixel_mm = max(TILE_PIXEL_MM, max(crop.width_mm, crop.height_mm) / TILE_PIXELS)
    size = (round(crop.width_mm / pixel_mm), round(crop.height_mm / pixel_mm))
    coloured = Picture.fromarray(
        colours(found.values_ms[z, crop.rows, crop.columns], ends_ms(found))
    )
    stream = io.BytesIO()
    # Nearest: between two pixels there is no value, and what could not be fitted stays apart.
    coloured.resize(size, Picture.Resampling.NEAREST).save(stream, "JPEG", quality=JPEG_QUALITY)
    drawn = (
        ()
        if found.wall is None
        else outlines(found.wall, found.wall.labels[0, z, crop.rows, crop.columns])
    )
    return Tile(z + 1, stream.getvalue(), round(crop.width_mm, 2), round(crop.height_mm, 2), drawn)


def colours(values_ms: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Return the colours ``(Y, X, 3) uint8`` of values; what is NaN is as dark as the ground.

    Examples
    --------
    >>> colours(np.array([[0.0, 100.0, np.nan]]), (0.0, 100.0)).tolist()
    [[[68, 1, 84], [253, 231, 37], [12, 16, 20]]]
    """
    stops = np.array([palette.rgb(stop) for stop in palette.PERCEPTUAL], dtype=np.float64)
    low, high = ends
    known = np.isfinite(values_ms)
    share = np.clip((np.where(known, values_ms, low) - low) / (high - low), 0, 1)
    places = share * (len(stops) - 1)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    coloured = np.stack(channels, axis=-1).round().astype(np.uint8)
    coloured[~known] = palette.rgb(palette.DARK)
    return coloured
