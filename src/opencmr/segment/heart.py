"""Where the heart is: the same network on the whole image, at a few phases."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from opencmr.imaging.image import Image
from opencmr.models.card import SegmentationInput
from opencmr.models.runner import SegmentationRunner
from opencmr.segment.context import context_slices
from opencmr.segment.window import Window, read_window, side_px, whole_window

LOCATING_PHASES = 3
"""Phases that are looked at when the heart is sought; more adds time, not certainty."""
MARGIN_MM = 28.0
"""What the network sees around the heart: its training windows had at least this much."""
LEAST_SIDE_MM = 160.0
LEAST_HEART_ML = 5.0
"""A smaller foreground in a stack of :data:`STACK_SLICES` or more slices is no heart."""
STACK_SLICES = 5
"""Fewer slices show less of a heart: the least volume shrinks with their number."""
SINGLE_SLICE_MM = 8.0
"""Usual thickness of a slice, for the least volume where there is one slice and no spacing."""


@dataclass(frozen=True, slots=True)
class HeartBox:
    """Pixel box ``(row_min, row_max, column_min, column_max)`` that holds the heart."""

    rows: tuple[float, float]
    columns: tuple[float, float]


def find_heart(image: Image, network: SegmentationRunner) -> HeartBox | None:
    """Return the box of the heart in source pixels, or None where none is seen.

    The foreground of a few phases is summed over phases; of its connected parts through the
    stack the heaviest is the heart, so that a stray spot in the liver moves nothing.
    """
    wanted = network.card.input
    window = whole_window(image, wanted)
    phases = np.unique(np.linspace(0, image.phases, LOCATING_PHASES, endpoint=False).astype(int))
    foreground = np.zeros((image.grid.shape[0], window.rows_px, window.columns_px), np.float32)
    for phase in phases:
        pixels = read_window(image.values[phase], window, wanted)
        for z in range(pixels.shape[0]):
            seen = context_slices(z, len(pixels), wanted.context_slices)
            foreground[z] += 1 - network(pixels[None, seen])[0, 0]
    foreground /= len(phases)
    parts, count = ndimage.label(foreground > 1 / 3, structure=np.ones((3, 3, 3)))
    if count == 0:
        return None
    weights = ndimage.sum_labels(foreground, parts, np.arange(1, count + 1))
    heart = parts == 1 + int(np.argmax(weights))
    spacing_mm = image.grid.slice_spacing_mm or SINGLE_SLICE_MM
    least_ml = LEAST_HEART_ML * min(image.grid.shape[0] / STACK_SLICES, 1)
    if heart.sum() * wanted.spacing_mm**2 * spacing_mm / 1000 < least_ml:
        return None
    rows = np.flatnonzero(heart.any((0, 2)))
    columns = np.flatnonzero(heart.any((0, 1)))
    return HeartBox(
        window.source_rows(rows[[0, -1]]),
        window.source_columns(columns[[0, -1]]),
    )


def heart_window(image: Image, box: HeartBox, wanted: SegmentationInput) -> Window:
    """Return the window on the network's grid that holds the heart and a margin."""
    sides_px: list[int] = []
    for (low, high), spacing_mm in (
        (box.rows, image.grid.row_spacing_mm),
        (box.columns, image.grid.column_spacing_mm),
    ):
        side_mm = max((high - low) * spacing_mm + 2 * MARGIN_MM, LEAST_SIDE_MM)
        sides_px.append(side_px(side_mm, wanted))
    return Window(
        centre=(sum(box.rows) / 2, sum(box.columns) / 2),
        rows_px=sides_px[0],
        columns_px=sides_px[1],
        row_step=wanted.spacing_mm / image.grid.row_spacing_mm,
        column_step=wanted.spacing_mm / image.grid.column_spacing_mm,
        source_shape=(image.grid.shape[1], image.grid.shape[2]),
    )
