"""A long-axis cine segmented: find the heart, segment the window, keep one left ventricle."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.models.runner import SegmentationRunner
from opencmr.segment.authored import segmentation_by
from opencmr.segment.components import largest_part
from opencmr.segment.context import shares_by_slice
from opencmr.segment.heart import find_heart, heart_window
from opencmr.segment.intensity import intensity_limits
from opencmr.segment.window import read_window

NEAR_PHASES = 20
"""From so many phases on, neighbours are near enough in time to speak for each other (proposal)."""


def segment_long_axis(
    image: Image,
    network: SegmentationRunner,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Segmentation | None:
    """Segment the left ventricle on every picture of a long-axis cine.

    Parameters
    ----------
    image : Image
        Any spacing, field of view and in-plane rotation.
    network : Runner
        A ``segmentation`` model for long-axis cines.
    progress : callable
        Called with (pictures done, pictures in all).

    Returns
    -------
    Segmentation or None
        On the image's own grid; None when no heart is seen.
    """
    box = find_heart(image, network)
    if box is None:
        return None
    card = network.card
    window = heart_window(image, box, card.input)
    limits = intensity_limits(window.cut(image.values), card.input.intensity_percentiles)
    rows, columns = window.reached
    labels = np.zeros(image.values.shape, dtype=np.uint8)
    slices = image.grid.shape[0]
    seen = []
    for t in range(image.phases):
        pixels = read_window(image.values[t], window, card.input, limits)
        seen.append(np.stack(list(shares_by_slice(pixels, network))))
        progress((t + 1) * slices, image.phases * slices)
    for t, shares in enumerate(steadied(np.stack(seen))):
        for z in range(slices):
            found = window.paste_shares(shares[z]).argmax(0)
            labels[t, z, rows, columns] = one_left_ventricle(found, card.output.scheme)
    return segmentation_by(network, image, labels)


def steadied(shares: np.ndarray) -> np.ndarray:
    """Return ``shares (T, ...)`` of a cine, each picture heard with those before and after it.

    Where the valve is open a single picture does not tell ventricle from atrium; between pictures
    so near in time the heart hardly moves.  The first and the last picture stand for their missing
    neighbour themselves.

    Examples
    --------
    >>> float(steadied(np.eye(20)[9]).max())
    0.5
    """
    if len(shares) < NEAR_PHASES:
        return shares
    before = np.concatenate([shares[:1], shares[:-1]])
    after = np.concatenate([shares[1:], shares[-1:]])
    return np.asarray((before + 2 * shares + after) / 4)


def one_left_ventricle(labels: np.ndarray, scheme: LabelScheme) -> np.ndarray:
    """Return ``labels (Y, X)`` as uint8 with one left ventricle of one cavity, and nothing else.

    The largest part stays, its holes filled with what encloses them.  The right ventricle goes:
    nothing is measured on it, and real ones are told worse than simulated ones.
    """
    kept = np.zeros(labels.shape, dtype=np.uint8)
    cavity = scheme.mask(labels, Structure.LV)
    body = largest_part(cavity | scheme.mask(labels, Structure.MYOCARDIUM))
    kept[ndimage.binary_fill_holes(body)] = scheme.label_of(Structure.MYOCARDIUM)
    cavity = ndimage.binary_fill_holes(largest_part(cavity & body))
    kept[cavity] = scheme.label_of(Structure.LV)
    return kept
