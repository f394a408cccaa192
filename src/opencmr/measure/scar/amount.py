"""How much scar there is: grams, and percent of the left ventricular myocardium."""

from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.geometry.grid import Grid
from opencmr.measure.ventricles import MM3_PER_ML, Unmeasurable


@dataclass(frozen=True, slots=True)
class ScarAmount:
    """Masses of one stack; the infarct includes its no-reflow.

    Attributes
    ----------
    myocardium_g, scar_g, no_reflow_g : float
    """

    myocardium_g: float
    scar_g: float
    no_reflow_g: float

    @property
    def scar_percent(self) -> float:
        """Scar of the left ventricular myocardium."""
        return 100 * self.scar_g / self.myocardium_g


def scar_amount(
    wall: np.ndarray, scar: np.ndarray, no_reflow: np.ndarray, grid: Grid
) -> ScarAmount:
    """Return the masses by summation of discs, the gap between slices counted.

    Parameters
    ----------
    wall, scar, no_reflow : (Z, Y, X) bool
        Each holds the next.
    grid : Grid

    Raises
    ------
    Unmeasurable
        When there is no myocardium.
    """
    if not wall.any():
        raise Unmeasurable("NO_HEART_FOUND", "the segmentation holds no myocardium")
    grams = (
        float((mask.sum((1, 2)) * grid.voxel_mm3).sum()) / MM3_PER_ML * MYOCARDIUM_G_PER_ML
        for mask in (wall, scar, no_reflow)
    )
    return ScarAmount(*grams)
