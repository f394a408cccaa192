"""What values say of themselves: a picture, a label map, or clipped beyond use (D24)."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from opencmr.imaging.flag import QualityFlag, Severity

LABELS_AT_MOST = 16
"""Distinct values of a label map, background included; a heart scheme has 3 to 10, a noisy
picture of some thousand pixels never so few."""
CLIPPED_SHARE = 0.10
"""From this share of pixels at their picture's greatest value on, tissue and not only the
brightest fat is clipped: 1 % where data were cut at their 99th percentile (ACDC), blood and
fat together cover 10 % of a chest."""
LOST_SHARE = 0.50
"""From this share on a picture is as good as constant."""
_SAMPLE = 50_000
"""Values looked at at once; a first sample with many values spares sorting the rest."""


def has_signal(values: np.ndarray) -> bool:
    """Return whether values hold a picture: more than two levels, and less than half clipped.

    Examples
    --------
    >>> has_signal(np.arange(12.0)), has_signal(np.eye(3)), has_signal(np.ones(3))
    (True, False, False)
    """
    finite = np.isfinite(values)
    count = np.count_nonzero(finite)
    least, greatest = (
        values.min(where=finite, initial=np.inf),
        values.max(where=finite, initial=-np.inf),
    )
    at_top = np.count_nonzero(values == greatest)
    return bool(
        least < greatest
        and at_top < LOST_SHARE * count
        and at_top + np.count_nonzero(values == least) < count
    )


def share_at_maximum(pictures: Sequence[np.ndarray]) -> float:
    """Return the share of all pixels that sit at their own picture's greatest value.

    A picture that is constant at the smallest value of all is padding and not clipped.
    """
    smallest = min(float(np.fmin.reduce(one, axis=None)) for one in pictures)
    count = 0
    for one in pictures:
        greatest = np.fmax.reduce(one, axis=None)
        if greatest > smallest:
            count += int(np.count_nonzero(one == greatest))
    return count / sum(one.size for one in pictures)


def saturation_flags(share: float) -> tuple[QualityFlag, ...]:
    """Flag pictures of which too large a share is clipped."""
    if share < CLIPPED_SHARE:
        return ()
    flag = QualityFlag(
        Severity.REVIEW,
        "SATURATED",
        "Much of the picture sits at its greatest value: borders inside the clipped part are "
        "lost. Export it without windowing.",
        f"{share:.0%} of the pixels",
    )
    return (flag,)


def is_label_map(values: np.ndarray) -> bool:
    """Return whether values are few distinct whole numbers from 0 up.

    Their size is not judged: schemes with 200, 500 and 600 exist (MS-CMRSeg).

    Examples
    --------
    >>> is_label_map(np.array([0, 1, 2, 4])), is_label_map(np.array([0.0, 0.5]))
    (True, False)
    """
    flat = values.ravel()
    sample = flat[:: max(1, flat.size // _SAMPLE)]
    parts = (flat[at : at + _SAMPLE] for at in range(0, flat.size, _SAMPLE))
    found = flat[:0]
    for part in chain((sample,), parts):
        found = np.union1d(found, part)
        if len(found) > LABELS_AT_MOST or found[0] < 0 or (found != np.round(found)).any():
            return False
    return True
