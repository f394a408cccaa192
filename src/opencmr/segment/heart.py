"""Where the heart is, and how large: the same network on the whole image, at a few phases."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from opencmr.anatomy.structures import Structure
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.models.card import SegmentationInput
from opencmr.models.runner import SegmentationRunner
from opencmr.segment.context import shares_by_slice
from opencmr.segment.enclosure import enclosed_shares
from opencmr.segment.window import Window, read_window, side_px, whole_window

LOCATING_SLICES = 3
"""Slices of a whole image that a network for whole stacks sees at once: they are many pixels."""
LOCATING_PHASES = 3
"""Phases that are looked at when the heart is sought; more adds time, not certainty."""
LEAST_RIVAL = 0.2
"""Of the weight of what looks most like a heart in one phase: less is not looked at in others
(proposal)."""
MARGIN_MM = 28.0
"""What the network sees around the heart: its training windows had at least this much."""
LEAST_SIDE_MM = 160.0
LEAST_HEART_ML = 5.0
"""A smaller foreground in a stack of :data:`STACK_SLICES` or more slices is no heart."""
LEAST_SHARE = 1 / 3
"""What has a greater share of the heart is counted to it."""
STACK_SLICES = 5
"""Fewer slices show less of a heart: the least volume shrinks with their number."""
SINGLE_SLICE_MM = 8.0
"""Usual thickness of a slice, for the least volume where there is one slice and no spacing."""
LEAST_AREA_CM2 = 45.0
"""A heart of smaller largest slice, both ventricles and wall, is smaller than any of the training.

Percentile 0 of the 80 ACDC reference masks is 47.7 at ED (median 78.7); what is found at any of
the phases looked at is about what is there at ED.
"""
LEAST_AREA_OF_A_PHASE_CM2 = 31.0
"""The same where there is one phase, which may be ES: percentile 0 of those masks is 33.4."""
USUAL_AREA_CM2 = 78.7
"""A small heart is shown to the network at this size: the median of those masks at ED."""
USUAL_AREA_OF_A_PHASE_CM2 = 70.0
"""The same where there is one phase: the median of those masks at ED and ES together."""
LEAST_LENGTH = 0.65
"""Least length of a heart over the root of its largest slice's area, where its size is judged.

In those masks at least 0.69.  What is shorter is a part of a heart, and small for that reason.
"""
LEAST_SCALE = 0.5
"""Finest grid over the network's own (proposal): it brings an LVEDV of 20 mL, below which nothing
is reported, to the usual size.  On it a heart is sought where none is seen otherwise."""


@dataclass(frozen=True, slots=True)
class HeartBox:
    """Pixel box ``(row_min, row_max, column_min, column_max)`` that holds the heart.

    ``scale`` is the spacing of the grid that suits it over the network's own: 1, or less for a
    heart smaller than any that the network learnt from.
    """

    rows: tuple[float, float]
    columns: tuple[float, float]
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A heart as it was seen on one grid."""

    box: HeartBox
    area_cm2: float
    length_mm: float

    @property
    def whole(self) -> bool:
        """Whether it is long enough to be more than a few slices of a heart."""
        return self.length_mm / 10 >= LEAST_LENGTH * math.sqrt(self.area_cm2)


def find_heart(image: Image, network: SegmentationRunner) -> HeartBox | None:
    """Return the box of the heart in source pixels, or None where none is seen.

    The heart is the heaviest of what the network takes for it.  One that does not name the right
    ventricle learnt from pictures cropped to the heart, and takes arms and liver for hearts: of
    what it takes for one, the wall must enclose the cavity.

    Where it is small, or none is seen, it is sought again on a finer grid.  That it is small is
    believed only where both grids say so and it is whole: a part of a heart, or a stray spot, is
    no reason to look closer.  The sizes are those of both ventricles and the wall: where the
    network does not name the right one, the heart is what is found at once.
    """
    found = _seek(image, network, 1.0)
    if not _names_right_ventricle(network):
        return None if found is None else found.box
    if found is not None and (found.area_cm2 >= _least_area_cm2(image) or not found.whole):
        return found.box
    finer = _seek(image, network, LEAST_SCALE if found is None else _scale(found, image))
    if finer is not None and finer.area_cm2 < _least_area_cm2(image) and finer.whole:
        return replace(finer.box, scale=_scale(finer, image))
    return None if found is None else found.box


def _least_area_cm2(image: Image) -> float:
    return LEAST_AREA_CM2 if image.phases > 1 else LEAST_AREA_OF_A_PHASE_CM2


def _scale(found: _Found, image: Image) -> float:
    usual_cm2 = USUAL_AREA_CM2 if image.phases > 1 else USUAL_AREA_OF_A_PHASE_CM2
    return min(max(math.sqrt(found.area_cm2 / usual_cm2), LEAST_SCALE), 1.0)


def _seek(image: Image, network: SegmentationRunner, scale: float) -> _Found | None:
    """Return the heart as it is seen on a grid of ``scale`` times the network's own spacing."""
    window = whole_window(image, network.card.input, scale)
    shares, scheme = _shares(image, network, window), network.card.output.scheme
    parts, weights = _parts(shares[0])
    if not weights.size:
        return None
    if not _names_right_ventricle(network):
        labels = np.concatenate([1 - shares[:1], shares[1:]]).argmax(0)
        # Of the hearts of EMIDEC fold 0 and MS-CMRSeg 0.92 to 1.00, of what else two networks took
        # for one 0.85 and less where it was of any size.
        weights *= np.nan_to_num(enclosed_shares(labels, scheme, parts, len(weights))) ** 2
    heart = parts == 1 + int(np.argmax(weights))
    return _found(heart, image, window, LEAST_HEART_ML * scale**3)


def _parts(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts ``(Z, Y, X)``, from 1, of what may be a heart, and their weights."""
    parts, count = ndimage.label(shares > LEAST_SHARE, structure=np.ones((3, 3, 3)))
    return parts, np.asarray(ndimage.sum_labels(shares, parts, np.arange(1, count + 1)))


def _names_right_ventricle(network: SegmentationRunner) -> bool:
    return Structure.RV in network.card.output.scheme.structures.values()


def _shares(image: Image, network: SegmentationRunner, window: Window) -> np.ndarray:
    """Return how much of a window's pixels ``(C, Z, Y, X)`` is of each class, mean of a few phases.

    The first holds, in place of the background, what is of any structure.  The first phase is
    looked at as a whole, the others about what may be a heart there.
    """
    wanted = network.card.input
    first, *others = np.unique(
        np.linspace(0, image.phases, LOCATING_PHASES, endpoint=False).astype(int)
    )
    shares = _seen(read_window(image.values[first], window, wanted), network)
    step_mm = window.row_step * image.grid.row_spacing_mm
    about = _about_hearts(shares[0], wanted.stride_px, MARGIN_MM / step_mm)
    for phase in others:
        pixels = read_window(image.values[phase], window, wanted)
        shares[:, :, *about] += _seen(pixels[:, *about], network)
    shares[:, :, *about] /= 1 + len(others)
    return shares


def _seen(pixels: np.ndarray, network: SegmentationRunner) -> np.ndarray:
    """Return the shares ``(C, Z, Y, X)`` of one phase ``(Z, Y, X)``, the first of any structure."""
    slices = shares_by_slice(pixels, network, at_once=LOCATING_SLICES)
    shares = np.stack(list(slices), axis=1)
    shares[0] = 1 - shares[0]
    return shares


def _about_hearts(shares: np.ndarray, stride_px: int, margin_px: float) -> tuple[slice, slice]:
    """Return the rows and columns, whole strides, about all that may be a heart in one phase.

    Where the phase shows none, all of them.
    """
    parts, weights = _parts(shares)
    if not weights.size:
        return slice(None), slice(None)
    may_be = np.isin(parts, 1 + np.flatnonzero(weights >= LEAST_RIVAL * weights.max()))
    _, rows, columns = np.nonzero(may_be)
    return (
        _strides_about(rows, shares.shape[1] // stride_px, stride_px, margin_px),
        _strides_about(columns, shares.shape[2] // stride_px, stride_px, margin_px),
    )


def _strides_about(places: np.ndarray, strides: int, stride_px: int, margin_px: float) -> slice:
    start = max(math.floor((places.min() - margin_px) / stride_px), 0)
    stop = min(math.ceil((places.max() + 1 + margin_px) / stride_px), strides)
    return slice(start * stride_px, stop * stride_px)


def _found(heart: np.ndarray, image: Image, window: Window, least_ml: float) -> _Found | None:
    """Return where the pixels ``heart (Z, Y, X)`` of a window lie.

    None where a stack of :data:`STACK_SLICES` shows less than ``least_ml`` of it.
    """
    grid = image.grid
    spacing_mm = grid.slice_spacing_mm or SINGLE_SLICE_MM
    pixel_cm2 = (
        window.row_step * grid.row_spacing_mm * window.column_step * grid.column_spacing_mm / 100
    )
    areas_cm2 = heart.sum((1, 2)) * pixel_cm2
    if areas_cm2.sum() * spacing_mm / 10 < least_ml * min(grid.shape[0] / STACK_SLICES, 1):
        return None
    rows = np.flatnonzero(heart.any((0, 2)))
    columns = np.flatnonzero(heart.any((0, 1)))
    return _Found(
        HeartBox(window.source_rows(rows[[0, -1]]), window.source_columns(columns[[0, -1]])),
        float(areas_cm2.max()),
        np.count_nonzero(areas_cm2) * (grid.slice_spacing_mm or 0.0),
    )


def box_of(segmentation: Segmentation) -> HeartBox | None:
    """Return the box of what is labelled in any slice and phase; None where nothing is."""
    labelled = np.asarray(segmentation.labels.any((0, 1)))
    if not labelled.any():
        return None
    rows, columns = np.flatnonzero(labelled.any(1)), np.flatnonzero(labelled.any(0))
    return HeartBox(
        (float(rows[0]), float(rows[-1])),
        (float(columns[0]), float(columns[-1])),
        segmentation.grid_scale,
    )


def heart_window(image: Image, box: HeartBox, wanted: SegmentationInput) -> Window:
    """Return the window that holds the heart and a margin, on the grid that suits it.

    Its pixels are those of :func:`opencmr.segment.window.whole_window`: where exactly the heart was
    seen moves the window by whole ones, so that the labels stand.
    """
    whole = whole_window(image, wanted, box.scale)
    sides_px: list[int] = []
    centre: list[float] = []
    for (low, high), step, middle in (
        (box.rows, whole.row_step, whole.centre[0]),
        (box.columns, whole.column_step, whole.centre[1]),
    ):
        heart_mm = (high - low) / step * wanted.spacing_mm
        sides_px.append(side_px(max(heart_mm + 2 * MARGIN_MM, LEAST_SIDE_MM), wanted))
        centre.append(middle + step * round(((low + high) / 2 - middle) / step))
    return replace(
        whole, centre=(centre[0], centre[1]), rows_px=sides_px[0], columns_px=sides_px[1]
    )
