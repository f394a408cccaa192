"""Scar of one late enhancement: mass, share, no-reflow, and its reach by AHA segment.

The network's labels give the numbers.  Two classical rules inside the network's own wall stand
beside them: where the three differ widely, no one knows how much scar there is.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from opencmr.anatomy.aha import AHA_SEGMENTS
from opencmr.anatomy.quantities import Quantity
from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.imaging.image import Image
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure.reference import NO_RANGE
from opencmr.measure.scalars import private
from opencmr.measure.scar.amount import scar_amount
from opencmr.measure.scar.extent import (
    ring_scars,
    scar_pattern,
    scar_percent_by_segment,
    transmurality_class,
)
from opencmr.measure.scar.remote import remote_region
from opencmr.measure.scar.rules import SCAR_RULES, scar_by_rule
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.measure.wall.carried import Carried
from opencmr.measure.wall.profile import WallProfile

SPREAD_LIMIT_POINTS = 20.0
"""Points of percent of the myocardium by which methods may differ before a reader must look
(proposal: 5-SD and FWHM lie 17 and 15 points off readers on average; see
benchmarks/scar_rules.json)."""


def _quantity(symbol: str, name: str, unit: str, meaning: str) -> Quantity:
    return Quantity(symbol, name, unit, 1, private(symbol, name), meaning)


SCAR_MASS = _quantity(
    "SCAR_MASS", "Scar mass", "g", "Mass of what the network labels as scar, no-reflow included."
)
SCAR_PERCENT = _quantity(
    "SCAR_PERCENT",
    "Scar",
    "%",
    "Scar of the left ventricular myocardium, no-reflow included; its interval is the spread "
    "between the network and the rules 5-SD and FWHM.",
)
NO_REFLOW_MASS = _quantity(
    "NO_REFLOW_MASS", "No-reflow mass", "g", "Mass of what the network labels as no-reflow."
)
SCAR_5SD = _quantity(
    "SCAR_5SD",
    "Scar by 5 SD",
    "%",
    "Of the myocardium, brighter than the remote region by 5 standard deviations (Bondarenko et "
    "al., JCMR 2005; 7:481), what scar encloses included.",
)
SCAR_FWHM = _quantity(
    "SCAR_FWHM",
    "Scar by FWHM",
    "%",
    "Of the myocardium, brighter than half way from the remote region to the brightest wall (after "
    "Amado et al., JACC 2004; 44:2383), what scar encloses included.",
)
SCAR_REACH = _quantity(
    "SCAR_REACH",
    "Transmurality of scar",
    "%",
    "Scar of the wall's area of an AHA segment.",
)
RULED = {"5-SD": SCAR_5SD, "FWHM": SCAR_FWHM}
SCAR_QUANTITIES = (
    SCAR_MASS,
    SCAR_PERCENT,
    SCAR_5SD,
    SCAR_FWHM,
    NO_REFLOW_MASS,
    SCAR_REACH,
)


def measure_scar(
    image: Image, segmentation: Segmentation, series: str, carried: Carried | Reason
) -> tuple[Measurement, ...]:
    """Return every measurement of a segmented late enhancement.

    Parameters
    ----------
    image : Image
        One picture a slice.
    segmentation : Segmentation
        Of it, with scar.
    series : str
    carried : Carried or Reason
        A cine's labels on the same grid, for the right ventricle that names the segments; or
        why there are none.
    """
    wall, scar, no_reflow, cavity = (
        segmentation.mask(one)[0]
        for one in (
            Structure.MYOCARDIUM,
            Structure.SCAR,
            Structure.NO_REFLOW,
            Structure.LV,
        )
    )
    make = partial(
        Measurement,
        structure=Structure.SCAR,
        series=series,
        policy=segmentation.policy,
        reference_reason=NO_RANGE,
    )
    try:
        amount = scar_amount(wall, scar, no_reflow, segmentation.grid)
    except Unmeasurable as unfit:
        reason = unfit.reason
        return tuple(
            make(one, None, reason, reference_reason=reason)
            for one in SCAR_QUANTITIES
            if one is not SCAR_REACH
        )
    ruled = _by_rules(image.values[0], wall, cavity, has_scar=bool(scar.any()))
    percents = [amount.scar_percent, *(one for one in ruled.values() if isinstance(one, float))]
    profile = _profile(image, segmentation, carried, series)
    return (
        make(
            SCAR_MASS,
            amount.scar_g,
            evidence=f"of {amount.myocardium_g:.0f} g of myocardium on late enhancement",
        ),
        make(
            SCAR_PERCENT,
            amount.scar_percent,
            interval=(min(percents), max(percents)),
            evidence=f"pattern: {_pattern(profile, scar)}; interval: between methods",
        ),
        *(
            make(RULED[name], found)
            if isinstance(found, float)
            else make(RULED[name], None, found, reference_reason=found)
            for name, found in ruled.items()
        ),
        make(NO_REFLOW_MASS, amount.no_reflow_g, structure=Structure.NO_REFLOW),
        *_by_segment(make, profile, scar, carried),
    )


def _by_rules(
    intensities: np.ndarray, wall: np.ndarray, cavity: np.ndarray, *, has_scar: bool
) -> Mapping[str, float | Reason]:
    """Return the percent of the wall that each rule calls scar, or why it cannot be asked."""
    found: dict[str, float | Reason] = {}
    for rule in SCAR_RULES:
        if rule.name not in RULED:
            continue
        if rule.name == "FWHM" and not has_scar:
            found[rule.name] = Reason(
                "NOT_ASSESSABLE", "FWHM presumes a scar, and the network labels none"
            )
            continue
        try:
            remote = remote_region(intensities, wall, cavity)
        except Unmeasurable as unfit:
            found[rule.name] = unfit.reason
            continue
        ruled = scar_by_rule(rule, intensities, wall, cavity, remote)
        found[rule.name] = float(100 * ruled.scar.sum() / wall.sum())
    return found


def _profile(
    image: Image, segmentation: Segmentation, carried: Carried | Reason, series: str
) -> WallProfile:
    """Return the wall of the late enhancement itself, beside the cine's right ventricle."""
    labels = segmentation.to_scheme(ACDC)
    if isinstance(carried, Carried):
        right = carried.segmentation.mask(Structure.RV) & ~labels.astype(bool)
        labels = np.where(right, np.uint8(ACDC.label_of(Structure.RV)), labels)
    both = Segmentation(labels, ACDC, segmentation.grid, segmentation.policy, segmentation.author)
    return WallProfile(Ventricles(both, image, Demographics(), series), 0)


def _pattern(profile: WallProfile, scar: np.ndarray) -> str:
    try:
        return scar_pattern(tuple(ring_scars(profile, scar).values())).value
    except Unmeasurable as unfit:
        return f"not told, {unfit.reason.sentence}"


def _by_segment(
    make: "partial[Measurement]",
    profile: WallProfile,
    scar: np.ndarray,
    carried: Carried | Reason,
) -> tuple[Measurement, ...]:
    try:
        if isinstance(carried, Reason):
            raise Unmeasurable(carried.code, carried.sentence)
        found = scar_percent_by_segment(profile, scar)
    except Unmeasurable as unfit:
        found, otherwise = {}, unfit.reason
    else:
        otherwise = Reason("TOO_FEW_RINGS", "no slice with a closed ring in this segment")
    apex = Reason("NOT_ASSESSABLE", "the short axis does not show the apex")
    return tuple(
        make(
            SCAR_REACH,
            found[one.number],
            segment=one.number,
            evidence=f"{one.name}, class {transmurality_class(found[one.number]).value}",
        )
        if one.number in found
        else make(
            SCAR_REACH,
            None,
            apex if one.number == len(AHA_SEGMENTS) else otherwise,
            segment=one.number,
            reference_reason=otherwise,
        )
        for one in AHA_SEGMENTS
    )
