"""One segmented long-axis cine: its own end-diastole and end-systole, and the cavity at both."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from opencmr.anatomy.structures import Structure
from opencmr.imaging.landmarks import Cycle, Landmarks
from opencmr.imaging.segmentation import Segmentation
from opencmr.measure.function.area_length import LongAxisCavity, long_axis_cavity
from opencmr.measure.ventricles import Unmeasurable


@dataclass(frozen=True, eq=False)
class LongAxisView:
    """One segmented long-axis cine.

    Attributes
    ----------
    name : str
        ``2CH`` or ``4CH``.
    series : str
        Short key.
    segmentation : Segmentation
        Of one slice.
    """

    name: str
    series: str
    segmentation: Segmentation

    @cached_property
    def ed_phase(self) -> int:
        """Phase of the largest cavity, 0-based.

        Raises
        ------
        Unmeasurable
            Where there is one phase, or no cavity.
        """
        return int(self._areas.argmax())

    @cached_property
    def es_phase(self) -> int:
        """Phase of the smallest cavity, 0-based; phases that show none do not count."""
        areas = self._areas
        return int(np.where(areas > 0, areas, areas.max() + 1).argmin())

    @cached_property
    def diastole(self) -> LongAxisCavity:
        """The cavity at end-diastole."""
        return self._cavity(self.ed_phase)

    @cached_property
    def systole(self) -> LongAxisCavity:
        """The cavity at end-systole."""
        return self._cavity(self.es_phase)

    @property
    def landmarks(self) -> Landmarks:
        """End-diastole and end-systole, where they can be told."""
        try:
            cycle = Cycle(self.ed_phase, self.es_phase)
        except Unmeasurable:
            cycle = None
        return Landmarks(cycle, None, None, (0,))

    @property
    def excursions_mm(self) -> np.ndarray:
        """How far each hinge point ``(2,)`` moves towards the apex in systole."""
        early, late = self.diastole, self.systole
        axis = (early.apex_mm - early.hinges_mm.mean(0)) / early.length_mm
        return np.asarray((_paired(late.hinges_mm, early.hinges_mm) - early.hinges_mm) @ axis)

    @cached_property
    def _areas(self) -> np.ndarray:
        """Pixels of the cavity at each phase ``(T,)``."""
        areas = np.asarray(self.segmentation.mask(Structure.LV)[:, 0].sum((1, 2)))
        if len(areas) < 2:
            raise Unmeasurable(
                "SINGLE_PHASE",
                "one cardiac phase alone is neither end-diastole nor end-systole",
            )
        if not areas.any():
            raise Unmeasurable("NO_HEART_FOUND", f"the {self.name} view shows no left ventricle")
        return areas

    def _cavity(self, phase: int) -> LongAxisCavity:
        grid, labels = self.segmentation.grid, self.segmentation.labels[phase, 0]
        cavity, wall = (
            self.segmentation.scheme.mask(labels, structure)
            for structure in (Structure.LV, Structure.MYOCARDIUM)
        )
        return long_axis_cavity(cavity, wall, (grid.row_spacing_mm, grid.column_spacing_mm))


def _paired(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return two points in the order in which they lie nearest to two others."""
    straight, crossed = (
        np.linalg.norm(order - others, axis=1).sum() for order in (points, points[::-1])
    )
    return points if straight <= crossed else points[::-1]
