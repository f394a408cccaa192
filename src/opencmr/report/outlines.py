"""The contours that are drawn: those on which wall and insertions were measured.

Volumes come from the labels themselves.
"""

from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.geometry.contours import outlines_mm
from opencmr.imaging.segmentation import Segmentation

OUTLINES: tuple[tuple[str, tuple[Structure, ...]], ...] = (
    ("rv", (Structure.RV,)),
    ("epi", (Structure.LV, Structure.MYOCARDIUM)),
    ("endo", (Structure.LV,)),
    ("scar", (Structure.SCAR,)),
)
"""What is drawn, bottom first: the name of its colour and the structures inside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One closed line.

    Attributes
    ----------
    kind : str
        ``endo``, ``epi``, ``rv`` or ``scar``.
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
    spacing_mm = (grid.row_spacing_mm, grid.column_spacing_mm)
    from_corner_mm = np.array(spacing_mm) / 2
    found = []
    for kind, structures in OUTLINES:
        mask = np.any([segmentation.scheme.mask(labels, one) for one in structures], axis=0)
        for line in outlines_mm(mask, spacing_mm):
            found.append(Outline(kind, (line + from_corner_mm)[:, ::-1]))
    return tuple(found)
