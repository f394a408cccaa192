"""What the page's viewer shows: every slice and phase of a measured cine, base first.

One picture a slice holds all its phases, side by side; contours are polygons; areas come from
the labels.  ``templates/viewer.js`` reads it.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image as Picture

from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.geometry.contours import thinned
from opencmr.geometry.directions import letters
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import Image
from opencmr.imaging.landmarks import Landmarks
from opencmr.imaging.phase_times import phase_times_ms
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series
from opencmr.report import palette
from opencmr.report.charts import drawn_curves
from opencmr.report.contents import Report
from opencmr.report.heart_pictures import (
    ASSUMED_BEAT_MS,
    HeartPictures,
    encoded,
    greyed,
)
from opencmr.report.outlines import Outline
from opencmr.report.phases import FEWEST_PHASES
from opencmr.report.templating import data_uri

STORED_HEADROOM = 2.0
"""Brightest value that is kept, in widths of the first window: there is room to open it."""
BLOCK_PIXELS = 8
"""A phase fills whole blocks of the JPEG, so that none bleeds into the next."""
QUALITIES = (88, 78, 66, 50, 35, 20, 10)
"""Of the JPEG: the first with which all pictures fit :data:`PICTURE_BYTES`, or the last."""
PICTURE_BYTES = 4_000_000
"""Of all slices together, before base64 adds a third: the page stays below 8 MB."""
TOLERANCE_MM = 0.1
"""Farthest that a drawn contour lies from the measured one, less than a tenth of a pixel."""
STEPS_A_MM = 10
"""Contours are kept in tenths of a millimetre."""
CHAMBERS = {"LV": Structure.LV, "RV": Structure.RV}
CHAMBER_CONTOURS = {"LV": "endo", "RV": "rv"}
"""The contour whose colour a chamber's curve has."""


def cine_of(report: Report, series: Series, pictures: HeartPictures) -> dict[str, object] | None:
    """Return a measured series as the viewer reads it, as plain values; None for few phases.

    Areas in mm², lengths in mm, times in ms; ``outlines`` in tenths of a millimetre from the
    upper left corner of the crop, x before y.  Areas are those of ventricles whose volume curve
    may be shown: what is withheld there is withheld here.

    Parameters
    ----------
    report : Report
    series : Series
    pictures : HeartPictures
        Of this series: crop, window and outlines are theirs.
    """
    image = series.image
    if image.phases < FEWEST_PHASES:
        return None
    segmentation, landmarks = report.segmentations[series.key], report.landmarks[series.key]
    crop, values = pictures.crop, pictures.values
    black, white = pictures.window
    brightest = black + STORED_HEADROOM * (white - black)
    order = landmarks.base_first
    sheets = sheets_of(greyed(values[:, list(order)], black, brightest))
    beat_ms = image.mean_rr_ms
    rows, columns = values.shape[2:]
    chambers = tuple(drawn_curves(report, series))
    return {
        "widthMm": round(crop.width_mm, 3),
        "heightMm": round(crop.height_mm, 3),
        "widthPx": columns,
        "heightPx": rows,
        "cellPx": [_blocks(columns), _blocks(rows)],
        "across": _across(image.phases),
        "window": {"low": black, "high": brightest, "black": black, "white": white},
        "beatMs": round(beat_ms or ASSUMED_BEAT_MS, 3),
        "beatKnown": beat_ms is not None,
        "timesMs": _times_ms(image),
        "firstPhase": landmarks.lv.ed_phase if landmarks.lv else 0,
        "baseKnown": landmarks.base_to_apex is not None,
        "chambers": {name: palette.ON_DARK[CHAMBER_CONTOURS[name]] for name in chambers},
        "slices": [
            {
                "number": z + 1,
                "picture": data_uri(sheet, "image/jpeg"),
                "letters": edge_letters(image.grid, z),
                "extentMm": extent_mm,
                "areasMm2": areas_mm2(segmentation, z, chambers),
                "outlines": [_polygons(pictures.outlines(t, z)) for t in range(image.phases)],
            }
            for z, sheet, extent_mm in zip(
                order, sheets, _extents_mm(image.grid, landmarks), strict=True
            )
        ],
    }


def sheets_of(grey: np.ndarray) -> tuple[bytes, ...]:
    """Return one JPEG a slice: all its phases row by row, each in a cell of whole blocks.

    Parameters
    ----------
    grey : (T, Z, Y, X) uint8
    """
    phases, slices, rows, columns = grey.shape
    across, height, width = _across(phases), _blocks(rows), _blocks(columns)
    down = math.ceil(phases / across)
    margins = ((0, across * down - phases), (0, 0), (0, height - rows), (0, width - columns))
    cells = np.pad(grey, margins, mode="edge").reshape(down, across, slices, height, width)
    sheets = cells.transpose(2, 0, 3, 1, 4).reshape(slices, down * height, across * width)
    for quality in QUALITIES:
        found = tuple(encoded(Picture.fromarray(one), "JPEG", quality=quality) for one in sheets)
        if sum(map(len, found)) <= PICTURE_BYTES:
            break
    return found


def edge_letters(grid: Grid, z: int) -> dict[str, str]:
    """Return where in the patient each edge of a slice's picture points; empty if not known."""
    if not grid.orientation_known:
        return {}
    down, right = grid.affines[z, :3, 0], grid.affines[z, :3, 1]
    edges = {"top": -down, "right": right, "bottom": down, "left": -right}
    return {edge: letters(direction) for edge, direction in edges.items()}


def areas_mm2(
    segmentation: Segmentation, z: int, chambers: tuple[str, ...]
) -> dict[str, list[float]]:
    """Return the area of each chamber on one slice at every phase, of its labels."""
    pixel_mm2 = segmentation.grid.pixel_mm2
    masks = {
        name: segmentation.scheme.mask(segmentation.labels[:, z], CHAMBERS[name])
        for name in chambers
    }
    return {
        name: [round(float(area), 1) for area in mask.sum((1, 2)) * pixel_mm2]
        for name, mask in masks.items()
    }


def flat(points_mm: np.ndarray) -> list[int]:
    """Return a closed line ``(N, 2)`` thinned, without its last point, in tenths of a mm."""
    kept = thinned(points_mm, TOLERANCE_MM)[:-1]
    return [int(one) for one in np.rint(kept * STEPS_A_MM).ravel()]


def _polygons(outlines: Iterable[Outline]) -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = {}
    for outline in outlines:
        found.setdefault(outline.kind, []).append(flat(outline.points_mm))
    return found


def _times_ms(image: Image) -> list[float] | None:
    times_ms = phase_times_ms(image)
    return None if times_ms is None else [round(float(one), 1) for one in times_ms]


def _extents_mm(grid: Grid, landmarks: Landmarks) -> Iterator[float | None]:
    """Yield what each slice stands for along the normal, base first; None without a volume."""
    try:
        extents = grid.slice_extents_mm
    except GeometryError:
        return iter([None] * grid.shape[0])
    return (round(float(extents[z]), 4) for z in landmarks.base_first)


def _blocks(pixels: int) -> int:
    return math.ceil(pixels / BLOCK_PIXELS) * BLOCK_PIXELS


def _across(phases: int) -> int:
    return math.ceil(math.sqrt(phases))
