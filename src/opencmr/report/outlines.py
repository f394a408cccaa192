"""Outlines of a segmentation for the eye: smooth, sub-pixel, in millimetres.

For display alone; every number comes from the labels themselves.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import find_contours

from opencmr.anatomy.structures import Structure
from opencmr.imaging.segmentation import Segmentation

SMOOTHING_PIXELS = 1.0
"""Standard deviation of the blur that rounds the staircase of a mask's edge."""
_PAD = 4

OUTLINES: tuple[tuple[str, tuple[Structure, ...]], ...] = (
    ("rv", (Structure.RV,)),
    ("epi", (Structure.LV, Structure.MYOCARDIUM, Structure.SCAR, Structure.NO_REFLOW)),
    ("endo", (Structure.LV,)),
)
"""What is drawn, bottom first: the name of its colour and the structures inside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One closed line.

    Attributes
    ----------
    kind : str
        ``endo``, ``epi`` or ``rv``.
    points_mm : (N, 2) float
        x to the right and y down from the upper left corner of the crop.
    """

    kind: str
    points_mm: np.ndarray

    @property
    def path(self) -> str:
        """The outline as an SVG path in millimetres."""
        pairs = " ".join(f"{x:.1f} {y:.1f}" for x, y in self.points_mm)
        return f"M{pairs}Z"


def outlines(segmentation: Segmentation, labels: np.ndarray) -> tuple[Outline, ...]:
    """Return the outlines of one slice.

    Parameters
    ----------
    segmentation : Segmentation
        Gives scheme and spacing.
    labels : (Y, X) uint8
        One slice, or a crop of it.
    """
    grid = segmentation.grid
    spacing_mm = np.array([grid.column_spacing_mm, grid.row_spacing_mm])
    integers = {s: label for label, s in segmentation.scheme.structures.items()}
    found = []
    for kind, structures in OUTLINES:
        known = [integers[s] for s in structures if s in integers]
        mask = np.isin(labels, known)
        found += [
            Outline(kind, (ring[:, ::-1] + 0.5) * spacing_mm) for ring in _rings(mask) if len(ring)
        ]
    return tuple(found)


def _rings(mask: np.ndarray) -> list[np.ndarray]:
    """Return the edges of a mask as lists of (row, column), in pixels."""
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return []
    corner = np.array([rows.min(), columns.min()])
    tight = mask[corner[0] : rows.max() + 1, corner[1] : columns.max() + 1]
    padded = np.pad(tight.astype(np.float32), _PAD)
    smooth = gaussian_filter(padded, SMOOTHING_PIXELS)
    found = find_contours(smooth, 0.5)  # type: ignore[no-untyped-call]
    return [np.asarray(ring) + corner - _PAD for ring in found]
