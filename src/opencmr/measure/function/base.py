"""The base of a ventricle: every admissible way to read which basal slice counts.

Between end-diastole and end-systole the valve plane descends towards the apex by about one slice,
so labels may lose their most basal slice at end-systole, and may lose it wrongly.  No more than
one slice is read differently at a time:

- a slice that is labelled at one phase alone counts at both, or at neither;
- a slice that keeps much less of its area than the next one is half lost: it counts whole at
  end-systole, not at all there, or at neither phase;
- a basal slice that stands at both phases counts at neither, or the slice beyond it, where the
  stack holds one, counts at both.

Where long axes show the valve's plane, a reading that counts a slice on its atrial side is not
admissible, nor one that leaves out a slice on the ventricle's side.

An end-systole that takes away a slice which the labels show whole is not admissible, nor is one
that shows more slices than end-diastole.  Where the labels lose more slices than a valve plane can
pass, as many are read differently as it takes to be believable.

Where a slice counts that the labels lack, it takes the area that it has at the other phase, changed
as much as the next slice changes between the two; where it has none at either, that of the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.anatomy.structures import Structure
from opencmr.errors import GeometryError
from opencmr.measure.long_axis import slices_from_base
from opencmr.measure.ventricles import Chamber, Unmeasurable, Ventricles

DESCENT_MM = {Structure.LV: 18.0, Structure.RV: 30.0}
"""Furthest believable descent of mitral and tricuspid plane (proposal): in reference masks 10 mm
apart the LV loses at most 2 slices, the RV 3 in one of 80."""
STANDS_SHARE = 0.65
"""A basal slice that keeps less of its area than this share of what the next one keeps is half
lost (proposal): in reference masks that do not lose it the share is at least 0.71."""

NEAR_VALVE_MM = 5.0
"""So near to the valve's plane a slice may lie on either side: long axes and stack stem from
different breath-holds, and a slice is 8 mm thick (proposal)."""

CONFIRMED = "the valve on the long axes leaves the base one reading"
AT_BOTH = "at both phases"
_MOMENTS = {
    AT_BOTH: (0, 1),
    "at end-diastole too": (0,),
    "at end-systole too": (1,),
    "whole at end-systole": (1,),
    "at end-systole": (1,),
}
"""At which of end-diastole and end-systole a reading differs, by its words."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which slices a reading counts otherwise than the labels.

    Attributes
    ----------
    counts : bool
        Whether they count.
    slices : tuple of int
        0-based.
    when : str
        At which phases, in words.
    """

    counts: bool
    slices: tuple[int, ...]
    when: str

    def fits(self, heights_mm: np.ndarray) -> bool:
        """Return whether slices ``heights_mm (2, Z)`` apical of the valve leave it admissible."""
        heights = heights_mm[np.ix_(_MOMENTS[self.when], self.slices)]
        side = heights >= -NEAR_VALVE_MM if self.counts else heights <= NEAR_VALVE_MM
        return bool(side.all())

    @property
    def text(self) -> str:
        """The choice as a reader says it: ``without slice 10 at both phases``."""
        return f"{'with' if self.counts else 'without'} {_named(self.slices)} {self.when}"


@dataclass(frozen=True, slots=True)
class BaseReading:
    """What a ventricle holds when its base is read in one way.

    Attributes
    ----------
    edv_ml, esv_ml : float
        Blood pool at end-diastole and end-systole.
    wall_ml : float
        Myocardium at end-diastole.
    choice : Choice or None
        In what it differs from the labels; None: as labelled.
    """

    edv_ml: float
    esv_ml: float
    wall_ml: float = 0.0
    choice: "Choice | None" = None

    @property
    def sv_ml(self) -> float:
        """Stroke volume."""
        return self.edv_ml - self.esv_ml

    @property
    def ef_percent(self) -> float:
        """Ejection fraction."""
        return 100.0 * self.sv_ml / self.edv_ml

    @property
    def mass_g(self) -> float:
        """Mass of the myocardium."""
        return MYOCARDIUM_G_PER_ML * self.wall_ml


@dataclass(frozen=True, slots=True)
class Base:
    """Every admissible reading of a ventricle's base.

    Attributes
    ----------
    readings : tuple of BaseReading
        As labelled first.
    slices : tuple of int
        Those on which the readings differ, 0-based; none where the valve leaves one reading alone.
    """

    readings: tuple[BaseReading, ...]
    slices: tuple[int, ...]

    def interval(self, of: Callable[[BaseReading], float]) -> Interval:
        """Return the smallest and the largest value of a quantity among the readings."""
        values = [of(reading) for reading in self.readings]
        return min(values), max(values)

    @property
    def text(self) -> str:
        """The slices as a reader counts them: ``slice 10``, ``slices 9 and 10``."""
        return _named(self.slices)


@dataclass(frozen=True, slots=True, eq=False)
class BasalSlices:
    """One ventricle's slices at end-diastole and end-systole, base first.

    Attributes
    ----------
    pool_ml : (2, Z) float64
        Blood pool that each slice stands for, at end-diastole and at end-systole.
    wall_ml : (Z,) float64
        Myocardium at end-diastole.
    extents_mm : (Z,) float64
    descent_mm : float
        Furthest that the valve plane can move.
    heights_mm : (2, Z) float64 or None
        How far apical of the valve each slice lies at both phases, where that is known.
    """

    pool_ml: np.ndarray
    wall_ml: np.ndarray
    extents_mm: np.ndarray
    descent_mm: float = DESCENT_MM[Structure.LV]
    heights_mm: np.ndarray | None = None

    def read(self) -> Base:
        """Return every admissible reading of the base; ``slices`` count from the base.

        Raises
        ------
        Unmeasurable
            When no slice shows the ventricle at both phases.

        Examples
        --------
        >>> pool_ml = np.array([[20.0, 20.0, 15.0], [0.0, 10.0, 5.0]])
        >>> base = BasalSlices(pool_ml, np.zeros(3), np.full(3, 10.0)).read()
        >>> [round(reading.ef_percent) for reading in base.readings], base.text
        ([73, 55, 57], 'slice 1')
        """
        both = np.flatnonzero((self.pool_ml > 0).all(0))
        if not both.size:
            raise Unmeasurable("NO_HEART_FOUND", "no slice shows the ventricle at ED and at ES")
        ed, es = (int(np.flatnonzero(pool)[0]) for pool in self.pool_ml)
        if es > ed:
            changes, slices = self._lost(ed, es)
        elif es < ed:
            changes, slices = self._gained(ed, es)
        elif both.size > 1 and self._kept(ed) < STANDS_SHARE * self._kept(int(both[1])):
            changes, slices = self._half_lost(ed, int(both[1]))
        else:
            changes, slices = self._stands(ed)
        edv_ml, esv_ml = map(float, self.pool_ml.sum(1))
        wall_ml = float(self.wall_ml.sum())
        readings = [BaseReading(edv_ml, esv_ml, wall_ml)]
        for choice, of_ed, of_es, of_wall in changes:
            fits = self.heights_mm is None or choice.fits(self.heights_mm)
            if fits and edv_ml + of_ed > 0:
                readings.append(
                    BaseReading(edv_ml + of_ed, esv_ml + of_es, wall_ml + of_wall, choice)
                )
        return Base(tuple(readings), slices if len(readings) > 1 else ())

    def _kept(self, z: int) -> float:
        """Return the share of a slice's end-diastolic area that is left at end-systole."""
        return float(self.pool_ml[1, z] / self.pool_ml[0, z])

    def _next_kept(self, start: int) -> float:
        both = np.flatnonzero((self.pool_ml > 0).all(0))
        return self._kept(int(both[both >= start][0]))

    def _lost(self, ed: int, es: int) -> "_Changes":
        believable = int(np.ceil(self.descent_mm / float(np.median(self.extents_mm))))
        moved = max(1, es - ed - believable)
        stay, never = slice(es - moved, es), slice(ed, ed + moved)
        kept, dropped = tuple(range(es - moved, es)), tuple(range(ed, ed + moved))
        return (
            (
                Choice(True, kept, "at end-systole too"),
                0.0,
                self._sum(0, stay) * self._next_kept(es),
                0.0,
            ),
            (
                Choice(False, dropped, AT_BOTH),
                -self._sum(0, never),
                0.0,
                -self._wall_to(never.stop),
            ),
        ), tuple(sorted({*range(ed, ed + moved), *range(es - moved, es)}))

    def _gained(self, ed: int, es: int) -> "_Changes":
        came = slice(es, ed)
        share = self.extents_mm[came].sum() / self.extents_mm[ed]
        grown_wall = max(float(self.wall_ml[ed] * share) - float(self.wall_ml[came].sum()), 0.0)
        slices = tuple(range(es, ed))
        return (
            (
                Choice(True, slices, "at end-diastole too"),
                self._sum(1, came) / self._next_kept(ed),
                0.0,
                grown_wall,
            ),
            (Choice(False, slices, AT_BOTH), 0.0, -self._sum(1, came), 0.0),
        ), tuple(range(es, ed))

    def _half_lost(self, z: int, beside: int) -> "_Changes":
        diastole, systole = self._sum(0, slice(z, z + 1)), self._sum(1, slice(z, z + 1))
        return (
            (
                Choice(True, (z,), "whole at end-systole"),
                0.0,
                diastole * self._kept(beside) - systole,
                0.0,
            ),
            (Choice(False, (z,), "at end-systole"), 0.0, -systole, 0.0),
            (Choice(False, (z,), AT_BOTH), -diastole, -systole, -self._wall_to(z + 1)),
        ), (z,)

    def _stands(self, z: int) -> "_Changes":
        diastole, systole = self._sum(0, slice(z, z + 1)), self._sum(1, slice(z, z + 1))
        out = (Choice(False, (z,), AT_BOTH), -diastole, -systole, -self._wall_to(z + 1))
        if z == 0:
            return (out,), (z,)
        share = float(self.extents_mm[z - 1] / self.extents_mm[z])
        wall = max(float(self.wall_ml[z]) * share - self._wall_to(z), 0.0)
        beyond = Choice(True, (z - 1,), AT_BOTH)
        return (out, (beyond, diastole * share, systole * share, wall)), (z - 1, z)

    def _sum(self, phase: int, slices: slice) -> float:
        return float(self.pool_ml[phase, slices].sum())

    def _wall_to(self, stop: int) -> float:
        """Return the wall of every slice before ``stop``: it goes with the pool inside it."""
        return float(self.wall_ml[:stop].sum())


_Changes = tuple[tuple[tuple[Choice, float, float, float], ...], tuple[int, ...]]
"""Choices with their changes of EDV, ESV and wall for each reading, and the slices concerned."""


def find_base(ventricles: Ventricles, structure: Structure) -> Base:
    """Return every admissible reading of the base of a ventricle, at its own phases.

    Raises
    ------
    Unmeasurable
        With a single phase, no such ventricle, or where base and apex cannot be told.
    """
    chamber = ventricles.lv if structure is Structure.LV else ventricles.rv
    phases = [chamber.ed_phase, chamber.es_phase]
    order = _from_base(ventricles, chamber)
    wall_ml = ventricles.myocardium_slices_ml[chamber.ed_phase]
    heights_mm = ventricles.valve_heights_mm if structure is Structure.LV else None
    base = BasalSlices(
        chamber.slices_ml[phases][:, order],
        wall_ml[order] if structure is Structure.LV else np.zeros(order.size),
        ventricles.segmentation.grid.slice_extents_mm[order],
        DESCENT_MM[structure],
        None if heights_mm is None else heights_mm[:, order],
    ).read()
    return Base(
        tuple(_restacked(reading, order) for reading in base.readings),
        tuple(int(order[z]) for z in base.slices),
    )


def vanishing_slices(ventricles: Ventricles) -> frozenset[int]:
    """Return the basal slices that the LV leaves, or half leaves, at a phase that counts.

    An apical slice whose cavity closes is none: muscle fills it, no valve plane passes it.
    """
    chamber = ventricles.lv
    order = _from_base(ventricles, chamber)
    always = np.flatnonzero(chamber.slices_ml[chamber.eligible].min(0)[order])
    if not always.size:
        return frozenset()
    first = int(always[0])
    if always.size > 1:
        stay = order[always[:2]]
        kept = chamber.slices_ml[chamber.es_phase, stay] / chamber.slices_ml[chamber.ed_phase, stay]
        first += int(kept[0] < STANDS_SHARE * kept[1])
    ever = np.flatnonzero(chamber.slices_ml.any(0))
    return frozenset(map(int, order[:first])) & frozenset(map(int, ever))


def interval(
    structure: Structure, of: Callable[[BaseReading], float]
) -> Callable[[Ventricles], Interval | None]:
    """Return what finds the interval of a quantity; it finds None where the base is not told."""

    def find(ventricles: Ventricles) -> Interval | None:
        try:
            base = find_base(ventricles, structure)
        except (Unmeasurable, GeometryError):
            return None
        return base.interval(of) if base.slices else None

    return find


def depending(structure: Structure) -> Callable[[Ventricles], str]:
    """Return what says on which slices an interval depends; empty where there is none."""

    def say(ventricles: Ventricles) -> str:
        try:
            base = find_base(ventricles, structure)
        except (Unmeasurable, GeometryError):
            return ""
        return f"depending on {base.text}" if base.slices else CONFIRMED

    return say


def _restacked(reading: BaseReading, order: np.ndarray) -> BaseReading:
    """Return a reading whose choice numbers its slices as stacked, not from the base."""
    choice = reading.choice
    if choice is None:
        return reading
    slices = tuple(int(order[z]) for z in choice.slices)
    return replace(reading, choice=replace(choice, slices=slices))


def _named(slices: tuple[int, ...]) -> str:
    names = [str(z + 1) for z in sorted(slices)]
    last = names.pop()
    return f"slices {', '.join(names)} and {last}" if names else f"slice {last}"


def _from_base(ventricles: Ventricles, chamber: Chamber) -> np.ndarray:
    return np.array(slices_from_base(ventricles, chamber.ed_phase))
