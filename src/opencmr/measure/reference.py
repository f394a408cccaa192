"""A value beside the normal range whose conditions it meets, or why there is none."""

from dataclasses import replace

from opencmr.anatomy.ranges import NORMAL_RANGES, NormalRange
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.measurement import Curve, Measurement, ReferenceVerdict
from opencmr.imaging.measurements import Measured
from opencmr.imaging.study import Demographics

NO_RANGE = Reason("NO_RANGE", "no normal range was read at its source")


def fitting_range(measurement: Measurement, demographics: Demographics) -> NormalRange | Reason:
    """Return the normal range that holds for a measurement, or the reason why none does."""
    of_quantity = [r for r in NORMAL_RANGES if r.symbol == measurement.quantity.symbol]
    if not of_quantity or measurement.segment is not None:
        return NO_RANGE
    sex, age_years = demographics.sex, demographics.age_years
    if sex not in ("M", "F") or age_years is None:
        return Reason("DEMOGRAPHICS_UNKNOWN", "sex or age is not given")
    policy = measurement.policy
    of_policy = [r for r in of_quantity if policy is not None and r.papillary is policy.papillary]
    if not of_policy:
        return Reason("POLICY_MISMATCH", "no normal range was made under this contour policy")
    for candidate in of_policy:
        # Age is in completed years: 74.9 is 74.
        if candidate.sex == sex and candidate.age_low <= age_years < candidate.age_high + 1:
            return candidate
    ages = sorted({(r.age_low, r.age_high) for r in of_policy if r.sex == sex})
    spans = ", ".join(f"{low} to {high}" for low, high in ages)
    return Reason("AGE_OUTSIDE_RANGE", f"the normal range holds for {spans} years")


def verdict(measurement: Measurement, demographics: Demographics) -> ReferenceVerdict | Reason:
    """Return how a value lies in the normal range that fits it, or why none is shown."""
    if measurement.reason is not None:
        return measurement.reason
    value = measurement.value
    assert value is not None, "a measurement without a reason has a value"
    found = fitting_range(measurement, demographics)
    if isinstance(found, Reason):
        return found
    side = "within"
    if value < found.low:
        side = "below"
    elif value > found.high:
        side = "above"
    return ReferenceVerdict(
        low=found.low,
        high=found.high,
        z_score=(value - found.mean) / found.sd,
        verdict=side,
        population=found.population,
        citation=found.citation,
    )


def with_reference(measured: Measured, demographics: Demographics) -> Measured:
    """Return what was measured with its verdict, or with the reason why there is none."""
    if isinstance(measured, Curve):
        return replace(measured, reference_reason=measured.reason or NO_RANGE)
    found = verdict(measured, demographics)
    if isinstance(found, Reason):
        return replace(measured, reference_reason=found)
    return replace(measured, reference=found)
