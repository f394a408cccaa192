"""A value beside the normal range whose conditions it meets, or why there is none."""

from dataclasses import replace

from opencmr.anatomy.ranges import NORMAL_RANGES, NormalRange
from opencmr.imaging.measurement import Measurement, ReferenceVerdict
from opencmr.imaging.study import Demographics

NO_RANGE = "NO_RANGE: no normal range was read at its source"


def fitting_range(measurement: Measurement, demographics: Demographics) -> NormalRange | str:
    """Return the normal range that holds for a measurement, or the reason why none does."""
    of_quantity = [r for r in NORMAL_RANGES if r.symbol == measurement.quantity.symbol]
    if not of_quantity or measurement.phase is not None or measurement.segment is not None:
        return NO_RANGE
    sex, age_years = demographics.sex, demographics.age_years
    if sex not in ("M", "F") or age_years is None:
        return "DEMOGRAPHICS_UNKNOWN: sex or age is not given"
    policy = measurement.policy
    of_policy = [r for r in of_quantity if policy is not None and r.papillary is policy.papillary]
    if not of_policy:
        return "POLICY_MISMATCH: no normal range was made under this contour policy"
    for candidate in of_policy:
        # Age is in completed years: 74.9 is 74.
        if candidate.sex == sex and candidate.age_low <= age_years < candidate.age_high + 1:
            return candidate
    ages = sorted({(r.age_low, r.age_high) for r in of_policy if r.sex == sex})
    spans = ", ".join(f"{low} to {high}" for low, high in ages)
    return f"AGE_OUTSIDE_RANGE: the normal range holds for {spans} years"


def verdict(measurement: Measurement, demographics: Demographics) -> ReferenceVerdict | str:
    """Return how a value lies in the normal range that fits it, or why none is shown."""
    if measurement.value is None:
        return measurement.reason
    found = fitting_range(measurement, demographics)
    if isinstance(found, str):
        return found
    side = "within"
    if measurement.value < found.low:
        side = "below"
    elif measurement.value > found.high:
        side = "above"
    return ReferenceVerdict(
        low=found.low,
        high=found.high,
        z_score=(measurement.value - found.mean) / found.sd,
        verdict=side,
        population=found.population,
        citation=found.citation,
    )


def with_reference(measurement: Measurement, demographics: Demographics) -> Measurement:
    """Return the measurement with its verdict, or with the reason why there is none."""
    found = verdict(measurement, demographics)
    if isinstance(found, str):
        return replace(measurement, reference_reason=found)
    return replace(measurement, reference=found)
