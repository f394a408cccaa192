"""Agreement of one quantity as two methods measure it on the same patients."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEAST_CASES = 3
"""Fewest patients for which limits of agreement mean anything (proposal)."""
CONFIDENCE = 0.95

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval; None where it cannot be told."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How measurements agree with a reference.

    Attributes
    ----------
    cases : int
    bias : Estimate
        Mean of measurement less reference.
    sd : float
        Standard deviation of these differences.
    lower, upper : Estimate
        Limits of agreement.
    mean_absolute : float
        Mean of the differences' sizes.
    icc : Estimate or None
        ICC(2,1); None where nothing varies.
    cv_percent : float or None
        ``sd`` over the mean of all values of both; None where that is not positive.
    pearson : float or None
    slope, intercept : Estimate or None
        Passing and Bablok's line, measurement over reference.
    """

    cases: int
    bias: Estimate
    sd: float
    lower: Estimate
    upper: Estimate
    mean_absolute: float
    icc: Estimate | None
    cv_percent: float | None
    pearson: float | None
    slope: Estimate | None
    intercept: Estimate | None


def agreement(reference: np.ndarray, measured: np.ndarray) -> Agreement:
    """Return how ``measured (N,)`` agrees with ``reference (N,)``, in their own unit.

    Raises
    ------
    ValueError
        When there are fewer than :data:`LEAST_CASES`, or values that are not finite.
    """
    reference, measured = np.asarray(reference, float), np.asarray(measured, float)
    count = reference.size
    both = np.column_stack([reference, measured])
    if count < LEAST_CASES or not np.isfinite(both).all():
        raise ValueError(f"agreement needs {LEAST_CASES} finite pairs or more, found {count}")
    difference = measured - reference
    bias, lower, upper = bland_altman(difference)
    sd, mean = float(difference.std(ddof=1)), float(both.mean())
    varies = bool((np.ptp(both, axis=0) > 0).all())
    line = passing_bablok(reference, measured)
    return Agreement(
        count,
        bias,
        sd,
        lower,
        upper,
        float(np.abs(difference).mean()),
        icc_2_1(both),
        100 * sd / mean if mean > 0 else None,
        float(stats.pearsonr(reference, measured).statistic) if varies else None,
        *(line or (None, None)),
    )


def bland_altman(difference: np.ndarray) -> tuple[Estimate, Estimate, Estimate]:
    """Return bias, lower and upper limit of agreement of differences ``(N,)``, with intervals.

    Limits are the bias plus and minus 1.96 standard deviations; the standard error of the bias
    is s / sqrt(n), that of a limit s sqrt(1 / n + 1.96² / (2 (n - 1))), each times Student's t
    (Bland and Altman, Stat Methods Med Res 1999; 8:135).
    """
    count, centre = difference.size, float(difference.mean())
    sd = float(difference.std(ddof=1))
    z = _normal_quantile()
    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    of_bias = t * sd / np.sqrt(count)
    of_limit = t * sd * np.sqrt(1 / count + z**2 / (2 * (count - 1)))
    return (
        _around(centre, of_bias),
        _around(centre - z * sd, of_limit),
        _around(centre + z * sd, of_limit),
    )


def icc_2_1(ratings: np.ndarray) -> Estimate | None:
    """Return ICC(2,1): two-way random effects, absolute agreement, single rater.

    Parameters
    ----------
    ratings : (N, K)
        Row a patient, column a rater.

    Returns
    -------
    Estimate or None
        None where nothing varies.  Interval by McGraw and Wong, Psychol Methods 1996; 1:30,
        table 7; the coefficient by Shrout and Fleiss, Psychol Bull 1979; 86:420.
    """
    n, k = ratings.shape
    mean = ratings.mean()
    rows = k * float(((ratings.mean(1) - mean) ** 2).sum()) / (n - 1)
    columns = n * float(((ratings.mean(0) - mean) ** 2).sum()) / (k - 1)
    residual = ratings - ratings.mean(1, keepdims=True) - ratings.mean(0) + mean
    error = float((residual**2).sum()) / ((n - 1) * (k - 1))
    total = rows + (k - 1) * error + k * (columns - error) / n
    if total <= 0:
        return None
    icc = (rows - error) / total
    if icc >= 1 - 1e-12:
        return Estimate(icc, (icc, icc))
    a, b = k * icc / (n * (1 - icc)), 1 + k * icc * (n - 1) / (n * (1 - icc))
    spread = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if spread <= 0:
        return Estimate(icc, None)
    freedom = (a * columns + b * error) ** 2 / spread
    share = (1 + CONFIDENCE) / 2
    low_f, high_f = stats.f.ppf(share, n - 1, freedom), stats.f.ppf(share, freedom, n - 1)
    rest = k * columns + (k * n - k - n) * error
    low = n * (rows - low_f * error) / (low_f * rest + n * rows)
    high = n * (high_f * rows - error) / (rest + n * high_f * rows)
    return Estimate(icc, (float(low), float(high)))


def passing_bablok(x: np.ndarray, y: np.ndarray) -> tuple[Estimate, Estimate] | None:
    """Return slope and intercept of Passing and Bablok's line, or None where it has none.

    The shifted median of the slopes between all pairs of patients: outliers hardly move it,
    and the two methods may change places, as neither is free of error (Passing and Bablok,
    J Clin Chem Clin Biochem 1983; 21:709).
    """
    first, second = np.triu_indices(x.size, 1)
    run, rise = x[second] - x[first], y[second] - y[first]
    apart = (run != 0) | (rise != 0)
    run, rise = run[apart], rise[apart]
    slopes = np.full(run.size, np.inf)
    np.divide(rise, run, out=slopes, where=run != 0)
    slopes = np.sort(slopes[slopes != -1])
    count, shift = slopes.size, int((slopes < -1).sum())
    if count == 0 or shift + count // 2 >= count:
        return None
    slope = float(slopes[[(count - 1) // 2 + shift, count // 2 + shift]].mean())
    if not np.isfinite(slope):
        return None
    n = x.size
    spread = _normal_quantile() * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    first_rank = round((count - spread) / 2)
    ranks = [first_rank + shift - 1, count - first_rank + shift]
    found = Estimate(_intercept(x, y, slope), None)
    if ranks[0] < 0 or ranks[1] >= count or not np.isfinite(slopes[ranks]).all():
        return Estimate(slope, None), found
    low, high = (float(one) for one in slopes[ranks])
    of_intercept = (_intercept(x, y, high), _intercept(x, y, low))
    return Estimate(slope, (low, high)), Estimate(found.value, of_intercept)


def _intercept(x: np.ndarray, y: np.ndarray, slope: float) -> float:
    return float(np.median(y - slope * x))


def _normal_quantile() -> float:
    return float(stats.norm.ppf((1 + CONFIDENCE) / 2))


def _around(value: float, margin: float) -> Estimate:
    return Estimate(value, (float(value - margin), float(value + margin)))
