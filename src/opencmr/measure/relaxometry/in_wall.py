"""T1, T2 and T2* of the myocardium: a map read inside a wall that was carried over to it.

The wall's outermost pixels on either side are left out, because they hold blood or fat beside
muscle (Messroghli et al., JCMR 2017; 19:75).  A pixel that could not be
fitted counts nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion

from opencmr.anatomy.aha import AHA_SEGMENTS, Level
from opencmr.anatomy.map_kinds import MapKind
from opencmr.anatomy.quantities import Code, Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.relaxation import TimeMap
from opencmr.imaging.segmentation import Segmentation
from opencmr.measure.reference import NO_RANGE
from opencmr.measure.scalars import private
from opencmr.measure.ventricles import Unmeasurable
from opencmr.measure.wall.carried import Carried
from opencmr.measure.wall.profile import WallProfile, segment_of

ERODED_PX = 1
"""Pixels of the map taken off the wall at either border: those that partial volume reaches."""
LEAST_PIXELS = 20
"""Fewest pixels of a mean and a standard deviation over the wall or the septum (proposal)."""
LEAST_IN_SEGMENT = 5
"""Fewest pixels of a segment's mean (proposal)."""
LEAST_FITTED = 0.5
"""Share of the wall's pixels that must have a value (proposal)."""
IRON_MARKS_MS = (20.0, 10.0)
"""T2* of the septum at 1.5 T below which iron is found, and heart failure is near (Anderson et
al., EHJ 2001; 22:2171; Kirk et al., Circulation 2009; 120:1961)."""
IRON_FIELD_T = (1.4, 1.6)
"""The marks were made at 1.5 T."""


BLOOD_ERODED_PX = 3
"""Pixels of the map taken off the cavity: those near the wall hold trabeculae (proposal)."""
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)[None]


@dataclass(frozen=True, slots=True)
class WallQuantities:
    """What is measured of one kind of map: over the whole wall (or a segment), and the septum."""

    mean: Quantity
    sd: Quantity
    septum: Quantity

    @property
    def all(self) -> tuple[Quantity, ...]:
        """In the order of a report."""
        return self.mean, self.septum, self.sd


def _quantities(symbol: str, text: str, when: str, code: Code) -> WallQuantities:
    inside = f"{text} of the left ventricular wall{when}, its borders left out"
    return WallQuantities(
        Quantity(symbol, f"Myocardial {text}{when}", "ms", 0, code, f"Mean {inside}."),
        Quantity(
            f"{symbol}_SD",
            f"Spread of myocardial {text}{when}",
            "ms",
            0,
            private(f"{symbol}_SD", f"Standard deviation of myocardial {text}{when}"),
            f"Standard deviation over the pixels of {inside}.",
        ),
        Quantity(
            f"{symbol}_SEPTUM",
            f"Septal {text}{when}",
            "ms",
            0,
            private(f"{symbol}_SEPTUM", f"Mid-ventricular septal {text}{when}"),
            f"Mean {text} of the mid-ventricular septum between the RV insertions{when}, its "
            "borders left out.",
        ),
    )


_T1, _T2 = Code("113063", "DCM", "T1"), Code("113065", "DCM", "T2")
_T2_STAR = Code("113064", "DCM", "T2*")
OF_MAPS: Mapping[tuple[MapKind, bool], WallQuantities] = {
    (MapKind.T1, False): _quantities("T1", "T1", "", _T1),
    (MapKind.T1, True): _quantities("T1_POST", "T1", " after contrast", _T1),
    (MapKind.T2, False): _quantities("T2", "T2", "", _T2),
    (MapKind.T2_STAR, False): _quantities("T2S", "T2*", "", _T2_STAR),
}
"""By the kind of map, and whether its header states a contrast agent (which only T1 minds)."""
MAP_QUANTITIES = tuple(quantity for one in OF_MAPS.values() for quantity in one.all)


def quantities_of(kind: MapKind, *, after_contrast: bool) -> WallQuantities:
    """Return what is measured of such a map."""
    return OF_MAPS[kind, after_contrast and kind is MapKind.T1]


def inner_wall(segmentation: Segmentation) -> np.ndarray:
    """Return the wall ``(Z, Y, X) bool`` of the one phase without its outermost pixels."""
    wall = segmentation.mask(Structure.MYOCARDIUM)[0]
    return np.asarray(binary_erosion(wall, _CROSS, iterations=ERODED_PX))


def blood_time_ms(found: TimeMap, carried: Carried) -> float:
    """Return the relaxation time of the left ventricle's blood: the median, as muscles lie in it.

    Raises
    ------
    Unmeasurable
        When too few pixels of the cavity have a value.
    """
    cavity = carried.segmentation.mask(Structure.LV)[0]
    inside = binary_erosion(cavity, _CROSS, iterations=BLOOD_ERODED_PX)
    inside &= np.isfinite(found.values_ms)
    if inside.sum() < LEAST_PIXELS:
        raise Unmeasurable(
            "THIN_WALL",
            f"{inside.sum()} pixels with a value lie inside the cavity; expected {LEAST_PIXELS} "
            "or more",
        )
    return float(np.median(found.values_ms[inside].astype(np.float64)))


def measure_in_wall(
    found: TimeMap, carried: Carried, profile: WallProfile, series: str
) -> tuple[Measurement, ...]:
    """Return mean, spread and septal mean of a map, and its mean on the AHA segments.

    Parameters
    ----------
    found : TimeMap
    carried : Carried
        The cine's labels on the map's grid.
    profile : WallProfile
        Of the cine at the phase that was carried: gives levels, centres and RV insertions.
    series : str
        Key of the map's series.

    Raises
    ------
    Unmeasurable
        When too little of the wall is left to measure anything.
    """
    quantities = quantities_of(found.kind, after_contrast=found.after_contrast)
    region = inner_wall(carried.segmentation)
    inside = region & np.isfinite(found.values_ms)
    if inside.sum() < LEAST_PIXELS:
        raise Unmeasurable(
            "THIN_WALL",
            f"{inside.sum()} pixels with a value lie inside the wall's borders; expected "
            f"{LEAST_PIXELS} or more",
        )
    if inside.sum() < LEAST_FITTED * region.sum():
        raise Unmeasurable(
            "NOT_MAPPED", f"only {inside.sum()} of {region.sum()} pixels of the wall have a value"
        )
    values_ms = found.values_ms.astype(np.float64)
    slices = int(inside.any((1, 2)).sum())
    evidence = (
        f"{inside.sum()} pixels on {slices} slice{'s' * (slices != 1)}, wall of the cine's phase "
        f"{carried.phase + 1}, not registered"
    )

    def one(quantity: Quantity, value_ms: float, told: str = evidence) -> Measurement:
        return Measurement(
            quantity,
            value_ms,
            structure=Structure.MYOCARDIUM,
            series=series,
            policy=carried.segmentation.policy,
            reference_reason=NO_RANGE,
            evidence=told,
        )

    mean = one(quantities.mean, float(values_ms[inside].mean()))
    sd = one(quantities.sd, float(values_ms[inside].std(ddof=1)))
    try:
        septum = _mid_septum(profile, carried) & inside
        if septum.sum() < LEAST_PIXELS:
            raise Unmeasurable(
                "THIN_WALL", f"{septum.sum()} pixels with a value lie inside the mid septum"
            )
        told = f"{septum.sum()} pixels; {evidence}"
        in_septum = one(quantities.septum, float(values_ms[septum].mean()), told)
    except Unmeasurable as unfit:
        in_septum = null(quantities.septum, series, unfit.reason)
    return mean, in_septum, sd, *_by_segment(quantities.mean, values_ms, inside, profile, carried,
                                             series)  # fmt: skip


def null(
    quantity: Quantity, series: str, reason: Reason, segment: int | None = None
) -> Measurement:
    """Return the measurement of a map's quantity that has no value."""
    return Measurement(
        quantity,
        None,
        reason,
        structure=Structure.MYOCARDIUM,
        segment=segment,
        series=series,
        reference_reason=reason,
    )


def iron_mark_ms(septum: Measurement, field_strength_t: float | None) -> float | None:
    """Return the lowest of :data:`IRON_MARKS_MS` that a septal T2* at 1.5 T lies below, or None."""
    if field_strength_t is None or not IRON_FIELD_T[0] <= field_strength_t <= IRON_FIELD_T[1]:
        return None
    below = [mark for mark in IRON_MARKS_MS if septum.value is not None and septum.value < mark]
    return min(below, default=None)


def _mid_septum(profile: WallProfile, carried: Carried) -> np.ndarray:
    """Return the mid-ventricular septum ``(Z, Y, X) bool``, wherever anterior may be."""
    septum = np.zeros(carried.segmentation.grid.shape, dtype=bool)
    for z, source in enumerate(carried.source_slices):
        if source is not None and profile.levels.get(source) is Level.MID:
            half_width = profile.anchors[Level.MID].half_width
            septum[z] = np.abs(_from_septum(profile, carried, z, source)) < half_width
    if not septum.any():
        raise Unmeasurable("OUT_OF_PLANE", "no slice of the map is mid-ventricular")
    return septum


def _by_segment(
    quantity: Quantity,
    values_ms: np.ndarray,
    inside: np.ndarray,
    profile: WallProfile,
    carried: Carried,
    series: str,
) -> tuple[Measurement, ...]:
    """Return the mean of each AHA segment; nothing where no segment can be named."""
    try:
        numbers = _segments(profile, carried)
    except Unmeasurable:
        return ()
    measured = []
    for segment in AHA_SEGMENTS:
        mine = values_ms[inside & (numbers == segment.number)]
        if mine.size >= LEAST_IN_SEGMENT:
            measured.append(
                Measurement(
                    quantity,
                    float(mine.mean()),
                    structure=Structure.MYOCARDIUM,
                    segment=segment.number,
                    series=series,
                    policy=carried.segmentation.policy,
                    reference_reason=NO_RANGE,
                    evidence=f"{segment.name}, {mine.size} pixels, SD {mine.std(ddof=1):.0f} ms",
                )
            )
        else:
            reason = Reason("OUT_OF_PLANE", "no slice of the map shows enough of this segment")
            measured.append(null(quantity, series, reason, segment.number))
    return tuple(measured)


def _segments(profile: WallProfile, carried: Carried) -> np.ndarray:
    """Return the AHA segment of every pixel ``(Z, Y, X)``, in the wall and out of it; 0: none."""
    turn, anchors = profile.turn, profile.anchors
    numbers = np.zeros(carried.segmentation.grid.shape, dtype=np.uint8)
    for z, source in enumerate(carried.source_slices):
        if source is None or source not in profile.levels:
            continue
        level = profile.levels[source]
        angles = _from_septum(profile, carried, z, source)
        numbers[z] = segment_of(angles * turn, level, anchors[level].half_width)
    return numbers


def _from_septum(profile: WallProfile, carried: Carried, z: int, source: int) -> np.ndarray:
    """Return the angle of every pixel ``(Y, X)`` from the septum's middle, -pi to pi."""
    down, right = np.moveaxis(carried.points_mm(z) - profile.rings[source].centre, -1, 0)
    middle = profile.anchors[profile.levels[source]].middle
    return np.asarray(np.angle(np.exp(1j * (np.arctan2(right, down) - middle))))
