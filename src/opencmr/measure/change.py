"""What changed since an earlier result, and whether that is more than the measurement's own play.

Values made under different contour policies or by different authors stand side by side without a
difference: it would be the rule's or the author's, not the heart's (Schulz-Menger et al., JCMR
2020; 22:19).
"""

from collections.abc import Mapping

from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.repeatability import MODEL, REPEATABILITY
from opencmr.imaging.change import Change, EarlierResult, EarlierValue, Interval, Verdict
from opencmr.imaging.measurement import Measurement
from opencmr.imaging.measurements import Measurements

COUNT = "1"
"""Unit of what is counted: the number of a phase."""


def changes_since(
    earlier: EarlierResult, found: Measurements, authors: Mapping[str, str]
) -> tuple[Change, ...]:
    """Return every whole-heart value of a structure, then and now; numbers of phases are none.

    Parameters
    ----------
    earlier : EarlierResult
    found : Measurements
        Of one analysis.
    authors : mapping from a series' key to who outlined it, with version
    """
    return tuple(
        change_of(earlier.values.get(one.quantity.symbol), one, authors.get(one.series, ""))
        for one in found.whole_heart
        if one.structure is not None and one.quantity.unit != COUNT
    )


def change_of(then: EarlierValue | None, now: Measurement, author: str) -> Change:
    """Return one value then and now; ``author`` outlined what is measured now.

    The interval of the change goes from the least to the greatest difference that both
    intervals allow.
    """
    quantity = now.quantity
    if then is None or then.value is None:
        return Change(quantity, None, now.value, reason=Reason("NO_EARLIER_VALUE"))
    if now.value is None:
        return Change(quantity, then.value, None, reason=now.reason)
    if then.unit != quantity.unit:
        reason = Reason("NO_EARLIER_VALUE", "the earlier value is in another unit")
        return Change(quantity, None, now.value, reason=reason)
    if why := _why_not_comparable(then, now, author):
        return Change(quantity, then.value, now.value, reason=why)
    change = now.value - then.value
    interval = _difference(now.interval, then.interval)
    known = REPEATABILITY.get(quantity.symbol)
    if known is None or author != MODEL:
        sentence = f"no repeatability was measured of {quantity.symbol} as outlined by {author}"
        reason = Reason("NO_REPEATABILITY", sentence)
        return Change(quantity, then.value, now.value, change, interval, reason=reason)
    limit = known.limit(then.value, now.value)
    verdict = _verdict(change, interval, limit)
    return Change(quantity, then.value, now.value, change, interval, limit, verdict)


def _why_not_comparable(then: EarlierValue, now: Measurement, author: str) -> Reason | None:
    policy = now.policy.text if now.policy else ""
    if then.policy != policy:
        return Reason(
            "OTHER_POLICY", f"measured under “{then.policy or 'no policy told'}”, now “{policy}”"
        )
    if not author or then.author != author:
        return Reason(
            "OTHER_AUTHOR",
            f"outlined by {then.author or 'nobody told'}, now by {author or 'nobody told'}",
        )
    return None


def _difference(now: Interval | None, then: Interval | None) -> Interval | None:
    if now is None or then is None:
        return None
    return now[0] - then[1], now[1] - then[0]


def _verdict(change: float, interval: Interval | None, limit: float) -> Verdict:
    if abs(change) <= limit:
        return Verdict.WITHIN
    low, high = interval or (change, change)
    return Verdict.UNDECIDED if low <= limit and high >= -limit else Verdict.BEYOND
