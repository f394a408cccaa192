"""Extracellular volume of the myocardium, from T1 before and after contrast and the haematocrit.

The agent spreads through plasma and the space between cells alone, and raises 1/T1 in proportion
to its concentration: ``ECV = (1 - Hct) (1/T1post - 1/T1native of muscle) / (the same of blood)``
(Arheden et al., Radiology 1999; 211:698; Haaf et al., JCMR 2016; 18:89).  It is taken of regions,
not of pixels: the two maps are not registered to each other, and each has its own outlines.

A synthetic haematocrit is a regression on T1 of blood, ``866 ms / T1 - 0.1232`` (Treibel et al.,
JACC Cardiovasc Imaging 2016; 9:54), made with MOLLI at 1.5 T.  At 3 T it reads low (0.37 for 0.42,
and ECV high by two points), in children it hardly follows the measured one (Raucci et al., JCMR
2017): it is used on request, at 1.5 T, and is labelled.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from opencmr.anatomy.plausible import HAEMATOCRIT_LIMITS
from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import Structure
from opencmr.imaging.measurement import Measurement
from opencmr.measure.reference import NO_RANGE
from opencmr.measure.scalars import private

SYNTHETIC_SLOPE_MS, SYNTHETIC_OFFSET = 866.0, -0.1232
"""Of the haematocrit against 1/T1 of blood."""
SYNTHETIC_FIELD_T = (1.4, 1.6)
"""Field strengths at which the regression was made."""
PLAUSIBLE_PERCENT = (5.0, 100.0)
"""Outside it lies no tissue: the maps, or blood and muscle, were mistaken (proposal)."""


def _quantity(symbol: str, name: str, where: str) -> Quantity:
    definition = (
        f"(1 - haematocrit) times the change of 1/T1 by the contrast agent in {where}, its borders "
        "left out, over that in the left ventricle's blood."
    )
    return Quantity(symbol, name, "%", 1, private(symbol, name), definition)


ECV = _quantity("ECV", "Extracellular volume", "the wall")
ECV_SEPTUM = _quantity("ECV_SEPTUM", "Septal extracellular volume", "the mid-ventricular septum")
ECV_QUANTITIES = (ECV, ECV_SEPTUM)


@dataclass(frozen=True, slots=True)
class T1OfRegions:
    """What was measured on one T1 map.

    Attributes
    ----------
    series : str
        Key of the map's series.
    blood_ms : float
    wall_ms, septum_ms : float or None
    segments_ms : mapping from AHA segment
        Of those that have a value.
    """

    series: str
    blood_ms: float
    wall_ms: float | None
    septum_ms: float | None
    segments_ms: Mapping[int, float]


def ecv_percent(
    muscle_ms: tuple[float, float], blood_ms: tuple[float, float], haematocrit: float
) -> float | None:
    """Return the extracellular volume in percent; None where contrast shortened no T1 of blood.

    ``muscle_ms`` and ``blood_ms`` are T1 before and after contrast, ``haematocrit`` a fraction.

    Examples
    --------
    >>> round(ecv_percent((1000.0, 450.0), (1600.0, 300.0), 0.42), 1)
    26.2
    """
    of_muscle, of_blood = (1 / after - 1 / before for before, after in (muscle_ms, blood_ms))
    if of_blood <= 0:
        return None
    return 100 * (1 - haematocrit) * of_muscle / of_blood


def synthetic_haematocrit(blood_ms: float) -> float | None:
    """Return the haematocrit that T1 of blood before contrast goes with; None where none can be.

    Examples
    --------
    >>> round(synthetic_haematocrit(1594.0), 2)
    0.42
    """
    found = SYNTHETIC_SLOPE_MS / blood_ms + SYNTHETIC_OFFSET
    low, high = HAEMATOCRIT_LIMITS
    return found if low <= found <= high else None


def measure_ecv(
    native: T1OfRegions, post: T1OfRegions, haematocrit: float, *, is_synthetic: bool = False
) -> tuple[Measurement, ...]:
    """Return the extracellular volume of wall, septum and each AHA segment that both maps have."""
    blood_ms = native.blood_ms, post.blood_ms
    evidence = (
        f"{'synthetic ' * is_synthetic}haematocrit {haematocrit:.3g}; T1 of blood "
        f"{blood_ms[0]:.0f} ms in {native.series}, {blood_ms[1]:.0f} ms after contrast; regions, "
        "not registered"
    )

    def one(
        quantity: Quantity, before: float | None, after: float | None, segment: int | None = None
    ) -> Measurement:
        value, reason = None, None
        if before is None or after is None:
            reason = Reason("OUT_OF_PLANE", "not both maps have a value there")
        else:
            value = ecv_percent((before, after), blood_ms, haematocrit)
            low, high = PLAUSIBLE_PERCENT
            if value is None or not low <= value <= high:
                value = None
                reason = Reason(
                    "NO_TISSUE",
                    f"T1 of muscle went from {before:.0f} to {after:.0f} ms and of blood from "
                    f"{blood_ms[0]:.0f} to {blood_ms[1]:.0f} ms",
                )
        return Measurement(
            quantity,
            value,
            reason,
            structure=Structure.MYOCARDIUM,
            segment=segment,
            series=post.series,
            reference_reason=reason or NO_RANGE,
            evidence="" if segment else evidence,
        )

    both = sorted(native.segments_ms.keys() & post.segments_ms.keys())
    return (
        one(ECV, native.wall_ms, post.wall_ms),
        one(ECV_SEPTUM, native.septum_ms, post.septum_ms),
        *(one(ECV, native.segments_ms[n], post.segments_ms[n], n) for n in both),
    )
