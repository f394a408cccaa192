"""The ventricles of one short-axis stack: what every measurement is computed from.

Rules of volume (Schulz-Menger et al., JCMR 2020; 22:19: full stack, one phase for all slices):

- *Summation of discs.* A voxel stands for its in-plane area times its slice's extent from
  :attr:`Grid.slice_extents_mm`: half the way to each neighbour, so the gap between slices is
  counted and the nominal slice thickness is never used.  An end slice reaches as far outwards
  as inwards.
- *Partial volume.* A voxel belongs wholly to the structure that its label names; the labels
  are the reader's or the network's decision about the voxels on an edge, and no share of a
  voxel is added or taken away afterwards.
- *End-diastole and end-systole* are the phases of the largest and the smallest blood pool of
  the whole stack, the same phase in all slices, for each ventricle by its own curve.  No phase
  is assumed to be end-diastole by its place in the file.  Values are never smoothed.
- *Phases that cannot be trusted* are never chosen while others are left: a phase in which the
  ventricle, or a slice between two that show it, is empty though it is labelled at other
  phases; and, from :data:`RATE_PHASES` phases on, one that stands out from both neighbours by
  more than :data:`CURVE_JUMP_PERCENT` of the largest volume.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeGuard, TypeVar

import numpy as np

from opencmr.anatomy.plausible import HEART_RATE_LIMITS_BPM, MS_PER_MINUTE
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics

MM3_PER_ML = 1000.0
CURVE_JUMP_PERCENT = 15.0
"""Largest believable step of a volume curve between frames, of EDV (reliability row N04)."""
RATE_PHASES = 12
"""Fewest phases from which a rate, or a phase that stands out, can be told (proposal)."""

Found = TypeVar("Found")


class Unmeasurable(Exception):  # noqa: N818 - no error: the reason of a null measurement
    """Why a quantity has no value here; becomes the reason of a null measurement."""

    def __init__(self, code: str, sentence: str) -> None:
        self.reason = Reason(code, sentence)
        super().__init__(self.reason)


@dataclass(frozen=True, eq=False)
class Chamber:
    """One ventricle's blood pool over the heartbeat.

    Attributes
    ----------
    structure : Structure
    slices_ml : (T, Z) float64
        Volume that each slice stands for, at each phase.
    complete : (T,) bool
        Phases at which no slice between two filled ones is empty (see the module).
    """

    structure: Structure
    slices_ml: np.ndarray
    complete: np.ndarray

    @cached_property
    def curve_ml(self) -> np.ndarray:
        """Volume ``(T,)`` of the whole stack at each phase."""
        return np.asarray(self.slices_ml.sum(1))

    @cached_property
    def eligible(self) -> np.ndarray:
        """Phases ``(T,)`` among which end-diastole and end-systole are looked for."""
        filled = self.curve_ml > 0
        steady = filled & self.complete & ~stands_out(np.where(filled, self.curve_ml, np.nan))
        return steady if steady.any() else filled

    @property
    def phases(self) -> int:
        """Number of cardiac phases."""
        return int(self.curve_ml.size)

    @cached_property
    def ed_phase(self) -> int:
        """Phase of the largest volume of the whole stack, 0-based."""
        self._require_cycle()
        return int(np.argmax(np.where(self.eligible, self.curve_ml, -np.inf)))

    @cached_property
    def es_phase(self) -> int:
        """Phase of the smallest volume of the whole stack, 0-based."""
        self._require_cycle()
        return int(np.argmin(np.where(self.eligible, self.curve_ml, np.inf)))

    def require_pool(self) -> None:
        """Raise where no phase holds any blood pool."""
        if not (self.curve_ml > 0).any():
            raise Unmeasurable(
                "NO_HEART_FOUND", f"the segmentation holds no {self.structure.value} blood pool"
            )

    def _require_cycle(self) -> None:
        self.require_pool()
        if self.phases < 2:
            raise Unmeasurable(
                "SINGLE_PHASE",
                "one cardiac phase alone is neither end-diastole nor end-systole",
            )

    @property
    def edv_ml(self) -> float:
        """End-diastolic volume."""
        return float(self.curve_ml[self.ed_phase])

    @property
    def esv_ml(self) -> float:
        """End-systolic volume."""
        return float(self.curve_ml[self.es_phase])

    @property
    def sv_ml(self) -> float:
        """Stroke volume: end-diastolic less end-systolic volume."""
        return self.edv_ml - self.esv_ml

    @property
    def ef_percent(self) -> float:
        """Ejection fraction: stroke volume over end-diastolic volume."""
        return 100.0 * self.sv_ml / self.edv_ml


@dataclass(frozen=True, eq=False)
class Ventricles:
    """Both ventricles of one segmented short-axis stack or cine.

    Attributes
    ----------
    segmentation : Segmentation
    image : Image
        The image that was segmented: its trigger times and heartbeats are used.
    demographics : Demographics
    series : str
        Short key of the series.
    given_heart_rate_bpm : float or None
        Heart rate that the caller states; goes before that of the cine and of the headers.
    valve_heights_mm : (2, Z) float64 or None
        How far apical of the mitral valve each slice lies at end-diastole and end-systole, where
        long axes show the valve.

    Raises
    ------
    GeometryError
        When image and segmentation differ in their number of phases or slices.
    """

    segmentation: Segmentation
    image: Image
    demographics: Demographics
    series: str
    given_heart_rate_bpm: float | None = None
    valve_heights_mm: np.ndarray | None = None
    _found: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.segmentation.labels.shape[:2] != self.image.values.shape[:2]:
            raise GeometryError(
                f"the segmentation has {self.segmentation.labels.shape[:2]} phases and slices, "
                f"its image {self.image.values.shape[:2]}"
            )

    @property
    def phases(self) -> int:
        """Number of cardiac phases."""
        return int(self.segmentation.labels.shape[0])

    @cached_property
    def lv_voxels(self) -> np.ndarray:
        """Voxels ``(T, Z)`` of the left ventricular cavity."""
        return self._count(Structure.LV)

    @cached_property
    def myocardium_voxels(self) -> np.ndarray:
        """Voxels ``(T, Z)`` of the left ventricular myocardium."""
        return self._count(Structure.MYOCARDIUM)

    @cached_property
    def rv_voxels(self) -> np.ndarray:
        """Voxels ``(T, Z)`` of the right ventricular cavity."""
        return self._count(Structure.RV)

    @cached_property
    def lv(self) -> Chamber:
        """The left ventricular blood pool."""
        shown = self.lv_voxels + self.myocardium_voxels > 0
        return Chamber(Structure.LV, self._to_ml(self.lv_voxels), _without_holes(shown))

    @cached_property
    def rv(self) -> Chamber:
        """The right ventricular blood pool."""
        return Chamber(
            Structure.RV, self._to_ml(self.rv_voxels), _without_holes(self.rv_voxels > 0)
        )

    @cached_property
    def myocardium_slices_ml(self) -> np.ndarray:
        """Volume ``(T, Z)`` of the left ventricular myocardium on each slice."""
        return self._to_ml(self.myocardium_voxels)

    @property
    def myocardium_ml(self) -> np.ndarray:
        """Volume ``(T,)`` of the left ventricular myocardium at each phase."""
        return np.asarray(self.myocardium_slices_ml.sum(1))

    @cached_property
    def heart_rate_bpm(self) -> float:
        """Heart rate: the caller's, else of the cine's own heartbeats, else of the headers."""
        return self._heart_rate[0]

    @property
    def heart_rate_source(self) -> str:
        """Where :attr:`heart_rate_bpm` comes from."""
        return self._heart_rate[1]

    @cached_property
    def _heart_rate(self) -> tuple[float, str]:
        if self.given_heart_rate_bpm is not None:
            if not plausible_heart_rate(self.given_heart_rate_bpm):
                raise Unmeasurable("HEART_RATE_UNKNOWN", "the heart rate given cannot be one")
            return float(self.given_heart_rate_bpm), "heart rate given by the caller"
        own_ms = self.image.mean_rr_ms
        for bpm, source in (
            (MS_PER_MINUTE / own_ms if own_ms else None, "mean R-R of the cine's slices"),
            (self.demographics.heart_rate_bpm, "heart rate stated for the study"),
        ):
            if plausible_heart_rate(bpm):
                return float(bpm), source
        raise Unmeasurable(
            "HEART_RATE_UNKNOWN", "neither the cine nor the study states a heart rate"
        )

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Row and column spacing of the slices."""
        return self.segmentation.grid.row_spacing_mm, self.segmentation.grid.column_spacing_mm

    def plane(self, structure: Structure, phase: int, z: int) -> np.ndarray:
        """Return where a structure is on one slice ``(Y, X) bool``; nowhere if not labelled."""
        scheme, labels = self.segmentation.scheme, self.segmentation.labels
        return scheme.mask(labels[phase, z], structure)

    @cached_property
    def heart_box(self) -> tuple[slice, slice]:
        """Rows and columns that hold every label of every phase, with a margin of 2 pixels."""
        anywhere = np.asarray(self.segmentation.labels.any(axis=(0, 1)))
        sides = []
        for axis in (1, 0):
            held = np.flatnonzero(anywhere.any(axis=axis))
            first, last = (held[0], held[-1]) if held.size else (0, 0)
            sides.append(slice(max(int(first) - 2, 0), int(last) + 3))
        return sides[0], sides[1]

    def near_heart(self, structure: Structure, phase: int, z: int) -> np.ndarray:
        """Return :meth:`plane` within :attr:`heart_box`, where shapes are judged faster."""
        return self.plane(structure, phase, z)[self.heart_box]

    def at_phase(self, find: Callable[["Ventricles", int], Found], phase: int) -> Found:
        """Return ``find(self, phase)``, found once for all who ask."""
        key = (find, phase)
        if key not in self._found:
            self._found[key] = find(self, phase)
        found: Found = self._found[key]
        return found

    def _count(self, structure: Structure) -> np.ndarray:
        phases, slices = self.segmentation.labels.shape[:2]
        return np.array(
            [
                [np.count_nonzero(self.plane(structure, t, z)) for z in range(slices)]
                for t in range(phases)
            ],
            dtype=np.int64,
        )

    def _to_ml(self, voxels: np.ndarray) -> np.ndarray:
        try:
            voxel_mm3 = self.segmentation.grid.voxel_mm3
        except GeometryError as fault:
            raise Unmeasurable("NO_GEOMETRY", str(fault)) from fault
        return np.asarray(voxels * voxel_mm3 / MM3_PER_ML)


def plausible_heart_rate(bpm: float | None) -> TypeGuard[float]:
    """Return whether a heart rate is stated and can be one."""
    return bpm is not None and HEART_RATE_LIMITS_BPM[0] <= bpm <= HEART_RATE_LIMITS_BPM[1]


def stands_out(curve_ml: np.ndarray) -> np.ndarray:
    """Return the phases ``(T,)`` that lie off both neighbours by more than a believable step.

    Parameters
    ----------
    curve_ml : (T,) mL, periodic
        Fewer than :data:`RATE_PHASES` phases are too far apart to tell: none stands out.  NaN
        where nothing is labelled: that tells nothing of its neighbours.

    Examples
    --------
    >>> curve_ml = 100 + 40 * np.cos(np.arange(20) / 20 * 2 * np.pi)
    >>> curve_ml[7] += 60
    >>> np.flatnonzero(stands_out(curve_ml)).tolist()
    [7]
    """
    if curve_ml.size < RATE_PHASES:
        return np.zeros(curve_ml.size, dtype=bool)
    # The second largest volume: a phase that stands out must not set its own scale.
    limit_ml = CURVE_JUMP_PERCENT / 100 * np.sort(np.nan_to_num(curve_ml))[-2]
    before, after = curve_ml - np.roll(curve_ml, 1), curve_ml - np.roll(curve_ml, -1)
    above = np.minimum(before, after) > limit_ml
    below = np.maximum(before, after) < -limit_ml
    return np.asarray(above | below)


def _without_holes(shown: np.ndarray) -> np.ndarray:
    """Return the phases ``(T,)`` at which no inner slice is empty that is shown elsewhere.

    ``shown (T, Z) bool``: slices in which the structure is labelled.  A slice counts as inner
    when slices on both of its sides are labelled at the same phase.
    """
    ever = shown.any(0)
    below = np.maximum.accumulate(shown, axis=1)
    above = np.maximum.accumulate(shown[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(~(ever & below & above & ~shown).any(1))
