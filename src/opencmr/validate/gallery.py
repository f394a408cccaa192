"""The worst comparisons as pictures: both outlines on the slice where they differ most."""

from dataclasses import dataclass

import numpy as np

from opencmr.geometry.contours import outlines_mm
from opencmr.report import palette
from opencmr.report.plain_text import shown
from opencmr.validate.case import Case, Score, phase_names

MARGIN_MM = 10.0
"""Room around the structure in a picture."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """One side's outlines as an SVG path in mm."""

    path: str
    colour: str
    dashed: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """One slice of one comparison, in mm from the corner of what is shown."""

    title: str
    width_mm: float
    height_mm: float
    sides: tuple[Outlines, ...]


def picture(case: Case, score: Score) -> Picture | None:
    """Return the slice of a comparison on which most voxels differ, None where none does.

    Of several phases of one name, the worst is drawn.
    """
    phases = [phase for phase, name in phase_names(case).items() if name == score.phase]
    found, truth = (
        side.scheme.mask(side.labels[phases], score.structure)
        for side in (case.prediction, case.reference)
    )
    wrong = np.count_nonzero(found ^ truth, axis=(2, 3))
    if not wrong.any():
        return None
    worst = np.unravel_index(int(wrong.argmax()), wrong.shape)
    z = int(worst[1])
    grid = case.reference.grid
    spacing_mm = np.array([grid.row_spacing_mm, grid.column_spacing_mm])
    where = np.argwhere(found[worst] | truth[worst]) * spacing_mm
    low, high = where.min(0) - MARGIN_MM, where.max(0) + MARGIN_MM
    side_mm = float((high - low).max())
    corner = (low + high - side_mm) / 2
    sides = tuple(
        Outlines(_path(mask, spacing_mm, corner), colour, dashed)
        for mask, colour, dashed in (
            (truth[worst], palette.PAPER, True),
            (found[worst], palette.ON_DARK["endo"], False),
        )
    )
    about = f"{shown(score.case)}, {score.structure.value} {score.phase}, slice {z + 1}"
    return Picture(f"{about}: {score.dice:.2f}", round(side_mm, 1), round(side_mm, 1), sides)


def _path(mask: np.ndarray, spacing_mm: np.ndarray, corner: np.ndarray) -> str:
    lines = outlines_mm(mask, (float(spacing_mm[0]), float(spacing_mm[1])))
    drawn = ((line - corner)[:, ::-1] for line in lines)
    return "".join(f"M{' '.join(f'{x:.1f} {y:.1f}' for x, y in line)}Z" for line in drawn)
