"""A value beside the normal range whose conditions it meets, or why there is none."""

from collections.abc import Sequence
from dataclasses import replace

from opencmr.anatomy.ranges import Acquisition, NormalRange, normal_ranges
from opencmr.anatomy.reasons import Reason
from opencmr.imaging.measurement import Curve, Measurement, ReferenceVerdict
from opencmr.imaging.measurements import Measured
from opencmr.imaging.study import Demographics

NO_RANGE = Reason("NO_RANGE", "no normal range was read at its source")
UNKNOWN = Acquisition()


def fitting_range(
    measurement: Measurement,
    demographics: Demographics,
    ranges: Sequence[NormalRange],
    made: Acquisition = UNKNOWN,
) -> NormalRange | Reason:
    """Return the first of ``ranges`` that holds for a measurement, or why none does."""
    of_quantity = [r for r in ranges if r.symbol == measurement.quantity.symbol]
    if not of_quantity or measurement.segment is not None:
        return NO_RANGE
    policy = measurement.policy
    of_policy = [
        r
        for r in of_quantity
        if r.papillary is None or (policy is not None and r.papillary is policy.papillary)
    ]
    if not of_policy:
        return Reason("POLICY_MISMATCH", "no normal range was made under this contour policy")
    of_scanner = [r for r in of_policy if r.holds_on(made)]
    if not of_scanner:
        return _other_scanner(of_policy, made)
    sex, age_years = demographics.sex, demographics.age_years
    for candidate in of_scanner:
        if candidate.holds_for(sex, age_years):
            return candidate
    if sex not in ("M", "F") or age_years is None:
        return Reason("DEMOGRAPHICS_UNKNOWN", "sex or age is not given")
    ages = dict.fromkeys(r.ages for r in of_scanner if r.sex in (sex, None))
    return Reason("AGE_OUTSIDE_RANGE", f"the normal ranges hold for {', '.join(ages)}")


def _other_scanner(ranges: Sequence[NormalRange], made: Acquisition) -> Reason:
    """Say what the ranges hold for, and no word of a header, which may name a person."""
    wanted = ", ".join(dict.fromkeys(r.made_on for r in ranges))
    if any(r.holds_at(made.field_strength_t) for r in ranges):
        own = "the headers name another vendor or sequence, or none"
    elif made.field_strength_t is None:
        own = "the field strength is not known"
    else:
        own = f"this was made at {made.field_strength_t:g} T"
    return Reason("OTHER_SCANNER", f"the normal ranges hold for {wanted}; {own}")


def verdict(
    measurement: Measurement,
    demographics: Demographics,
    ranges: Sequence[NormalRange] | None = None,
    made: Acquisition = UNKNOWN,
) -> ReferenceVerdict | Reason:
    """Return how a value lies in the normal range that fits it, or why none is shown.

    ``ranges``: by default the packaged ones.  ``made``: how the value's series was made.
    """
    if measurement.reason is not None:
        return measurement.reason
    value = measurement.value
    assert value is not None, "a measurement without a reason has a value"
    ranges = normal_ranges() if ranges is None else ranges
    found = fitting_range(measurement, demographics, ranges, made)
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
        z_score=found.z_score(value),
        verdict=side,
        population=found.population,
        citation=found.source.citation,
    )


def with_reference(
    measured: Measured,
    demographics: Demographics,
    ranges: Sequence[NormalRange] | None = None,
    made: Acquisition = UNKNOWN,
) -> Measured:
    """Return what was measured with its verdict, or with the reason why there is none.

    ``ranges``: by default the packaged ones.  ``made``: how the value's series was made.
    """
    if isinstance(measured, Curve):
        return replace(measured, reference_reason=measured.reason or NO_RANGE)
    found = verdict(measured, demographics, ranges, made)
    if isinstance(found, Reason):
        return replace(measured, reference=None, reference_reason=found)
    return replace(measured, reference=found, reference_reason=None)
