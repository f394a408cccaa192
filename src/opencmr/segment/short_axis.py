"""A short-axis stack segmented: find the heart, segment the window, keep what is possible."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.models.runner import SegmentationRunner
from opencmr.segment.authored import segmentation_by
from opencmr.segment.components import keep_possible
from opencmr.segment.context import shares_by_slice
from opencmr.segment.enclosure import keep_enclosed
from opencmr.segment.heart import (
    SINGLE_SLICE_MM,
    HeartBox,
    find_heart,
    heart_window,
)
from opencmr.segment.intensity import intensity_limits
from opencmr.segment.presence import steady_presence
from opencmr.segment.scar import keep_possible_scar
from opencmr.segment.waist import keep_below_waist
from opencmr.segment.window import read_window


def segment_short_axis(
    image: Image,
    network: SegmentationRunner,
    *,
    box: HeartBox | None = None,
    keep_probabilities: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Segmentation | None:
    """Segment every slice of every phase of a SAX stack or cine.

    Parameters
    ----------
    image : Image
        Any spacing, field of view, in-plane rotation and slice order.
    network : Runner
        A ``segmentation`` model for SAX stacks of the image's technique.
    box : HeartBox or None
        Where the heart lies, when that is known: it is not sought.
    keep_probabilities : bool
        Keep the class shares too (C, T, Z, Y, X) float16.
    progress : callable
        Called with (slices done, slices in all).

    Returns
    -------
    Segmentation or None
        On the image's own grid; None when no heart is seen.  A heart smaller than any that the
        network learnt from is segmented on a finer grid, which ``grid_scale`` tells.
    """
    box = box or find_heart(image, network)
    if box is None:
        return None
    wanted, given = network.card.input, network.card.output
    window = heart_window(image, box, wanted)
    rows, columns = window.reached
    limits = intensity_limits(
        window.cut(image.values[:: max(image.phases // 5, 1)]), wanted.intensity_percentiles
    )
    labels = np.zeros(image.values.shape, dtype=np.uint8)
    shares = None
    if keep_probabilities:
        shares = _background(image, given.channels)
    total = image.phases * image.grid.shape[0]
    for t in range(image.phases):
        pixels = read_window(image.values[t], window, wanted, limits)
        for z, seen in enumerate(shares_by_slice(pixels, network)):
            pasted = window.paste_shares(seen)
            labels[t, z, rows, columns] = pasted.argmax(0)
            if shares is not None:
                shares[:, t, z, rows, columns] = pasted
            progress(t * pixels.shape[0] + z + 1, total)
        shows_scar = Structure.SCAR in given.scheme.structures.values()
        if shows_scar:
            labels[t] = keep_enclosed(labels[t], given.scheme)
        labels[t] = keep_possible(labels[t], given.scheme)
        if shows_scar:
            labels[t] = keep_below_waist(labels[t], given.scheme)
            labels[t] = keep_possible_scar(labels[t], given.scheme, voxel_ml(image))
    labels = steady_presence(labels, given.scheme)
    return replace(segmentation_by(network, image, labels, shares), grid_scale=box.scale)


def voxel_ml(image: Image) -> float:
    """Return the volume of a voxel; a single slice counts as thick as slices usually are."""
    grid = image.grid
    thickness_mm = grid.slice_spacing_mm or SINGLE_SLICE_MM
    return grid.row_spacing_mm * grid.column_spacing_mm * thickness_mm / 1000


def empty_segmentation(
    image: Image, network: SegmentationRunner, *, keep_probabilities: bool = False
) -> Segmentation:
    """Return the segmentation of an image in which no heart is seen: background everywhere."""
    shares = _background(image, network.card.output.channels) if keep_probabilities else None
    return segmentation_by(network, image, np.zeros(image.values.shape, dtype=np.uint8), shares)


def _background(image: Image, channels: int) -> np.ndarray:
    """Return the class shares ``(C, T, Z, Y, X)`` float16 of nothing but background."""
    shares = np.zeros((channels, *image.values.shape), dtype=np.float16)
    shares[0] = 1
    return shares
