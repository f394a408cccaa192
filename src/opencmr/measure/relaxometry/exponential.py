"""Least squares of one exponential in every pixel at once, by variable projection.

Every curve of relaxometry is linear in its amplitudes and non-linear in one time constant ``T``
alone.  The amplitudes are eliminated (Golub and Pereyra, SIAM J Numer Anal 1973;10:413), so that
each pixel is a search along one line: the best point of a grid of ``log T`` brackets the minimum,
Gauss-Newton steps that may not leave the bracket find it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

import numpy as np
from threadpoolctl import threadpool_limits

GRID_RATIO = 1.2
"""Ratio of neighbouring time constants of the grid; the residual has one minimum between them."""
POLARITIES_KEPT = 3
"""So many of the best polarities on the grid are looked at more closely."""
TIE = 1e-3
"""Share of a pixel's energy by which a polarity may look worse than the best before the minimum
is found, and still be tried: a sample near zero hardly tells two apart."""
LOG_TOLERANCE = 1e-6
"""Greatest last step of ``log T``; what is left of it afterwards is smaller: 3e-3 ms of 3000."""
STEPS = 40
"""A bracket halved so often is far below the tolerance."""
CHUNK_PIXELS = 4096
"""Pixels fitted together: their working arrays stay in a processor's cache."""
WORKERS = 2
"""Threads; numpy computes outside the interpreter's lock."""
FLAT = 1e-12
"""Share of a pixel's energy below which its change over time is rounding."""


class Curve(Enum):
    """A curve of time: amplitudes times functions of ``exp(-t / T)``."""

    DECAY = "M exp(-t/T)"
    SATURATION = "M (1 - exp(-t/T))"
    OFFSET = "C + M exp(-t/T)"

    @property
    def parameters(self) -> int:
        """Number of its parameters, the time constant among them."""
        return 3 if self is Curve.OFFSET else 2

    def columns(self, exponential: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return what its amplitudes multiply, given ``exp(-t / T)``; that of ``T`` last."""
        if self is Curve.OFFSET:
            return np.ones_like(exponential), exponential
        return (exponential if self is Curve.DECAY else 1 - exponential,)


@dataclass(frozen=True, slots=True, eq=False)
class ExponentialFit:
    """The curve of least squares in each of ``P`` pixels; NaN where there is none.

    Attributes
    ----------
    curve : Curve
    times_ms : (N,)
    constant_ms : (P,)
        The time constant ``T``.
    amplitude : (P,)
        ``M``, in the unit of the signals.
    offset : (P,)
        ``C``; 0 for the curves without.
    residual_squares : (P,)
        Sum of the squared differences between signals and curve.
    turned : (P,) int
        Pictures, from the shortest time on, whose sign was turned.
    """

    curve: Curve
    times_ms: np.ndarray
    constant_ms: np.ndarray
    amplitude: np.ndarray
    offset: np.ndarray
    residual_squares: np.ndarray
    turned: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        """Root mean square ``(P,)`` of what the curve leaves, in the unit of the signals."""
        return np.sqrt(self.residual_squares / len(self.times_ms))

    @property
    def noise(self) -> np.ndarray:
        """Standard deviation ``(P,)`` of one signal about the curve; NaN without a spare one."""
        spare = len(self.times_ms) - self.curve.parameters
        if spare < 1:
            return np.full_like(self.residual_squares, np.nan)
        return np.asarray(np.sqrt(self.residual_squares / spare))

    @property
    def predicted(self) -> np.ndarray:
        """The curve ``(N, P)`` at the times of the pictures, with its sign."""
        exponential = np.exp(-self.times_ms[:, None] / self.constant_ms)
        shape = self.curve.columns(exponential)[-1]
        return np.asarray(self.offset + self.amplitude * shape)

    @property
    def jacobian(self) -> np.ndarray:
        """Derivatives ``(Q, N, P)`` of the curve by (offset,) amplitude and logarithm of ``T``."""
        finite_ms = np.where(np.isfinite(self.times_ms), self.times_ms, 0)[:, None]
        exponential = np.exp(-self.times_ms[:, None] / self.constant_ms)
        slope = exponential * finite_ms / self.constant_ms * self.amplitude
        if self.curve is Curve.SATURATION:
            slope = -slope
        return np.stack([*self.curve.columns(exponential), slope])

    def standard_error(self, gradient: np.ndarray) -> np.ndarray:
        """Return the standard error ``(P,)`` of a quantity that depends on the parameters.

        The covariance is noise² (J'J)⁻¹ with the Jacobian J at the minimum.

        Parameters
        ----------
        gradient : (Q, P)
            Derivatives of the quantity by (offset,) amplitude and the logarithm of ``T``.
        """
        jacobian = self.jacobian
        lengths = np.sqrt((jacobian**2).sum(1))
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = jacobian / lengths[:, None]
            scaled = (gradient / lengths).T
            normal = np.einsum("qnp,rnp->pqr", unit, unit)
            usable = np.linalg.det(normal) > FLAT
        usable &= np.isfinite(scaled).all(1)
        share = np.full(len(scaled), np.nan)
        solved = np.linalg.solve(normal[usable], scaled[usable, :, None])[..., 0]
        share[usable] = (solved * scaled[usable]).sum(1)
        return np.asarray(self.noise * np.sqrt(share))


def fit_exponential(
    signals: np.ndarray,
    times_ms: np.ndarray,
    curve: Curve,
    *,
    between_ms: tuple[float, float],
    restore_polarity: bool = False,
) -> ExponentialFit:
    """Return the curve of least squares in every pixel.

    Parameters
    ----------
    signals : (N, P)
        In the order of growing times.
    times_ms : (N,)
        Infinite for a picture of full recovery.
    curve : Curve
    between_ms : (least, greatest)
        Time constants that are looked for; a pixel whose best one lies outside is NaN.
    restore_polarity : bool
        The signals are magnitudes: the first ones, as many as fit best, are turned.

    Raises
    ------
    ValueError
        When times are fewer than parameters, do not grow or are not one for each picture.

    Examples
    --------
    >>> times_ms = np.array([10.0, 30, 50, 70])
    >>> fit = fit_exponential(
    ...     90 * np.exp(-times_ms / 45)[:, None], times_ms, Curve.DECAY, between_ms=(1, 1000)
    ... )
    >>> round(float(fit.constant_ms[0]), 6), round(float(fit.amplitude[0]), 6)
    (45.0, 90.0)
    """
    signals = np.asarray(signals, dtype=np.float64)
    times_ms = np.asarray(times_ms, dtype=np.float64)
    if signals.ndim != 2 or times_ms.shape != signals.shape[:1]:
        raise ValueError(f"signals {signals.shape} need as many times, found {times_ms.shape}")
    if len(times_ms) < curve.parameters + restore_polarity or (times_ms[1:] < times_ms[:-1]).any():
        raise ValueError(f"{len(times_ms)} times are too few for the curve, or do not grow")
    search = _Search(times_ms, curve, between_ms, restore_polarity)
    starts = range(0, max(signals.shape[1], 1), CHUNK_PIXELS)
    # A linear algebra library's own threads wait, busily, for the cores that the workers hold:
    # without them the fit takes a fifth of the time.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(WORKERS) as pool:
        parts = list(pool.map(lambda at: search.fit(signals[:, at : at + CHUNK_PIXELS]), starts))
    constant_ms, amplitude, offset, squares, turned = np.concatenate(parts, axis=1)
    return ExponentialFit(
        curve, times_ms, constant_ms, amplitude, offset, squares, turned.astype(np.int64)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """The best curves ``(P,)`` with a given time constant, and where better ones lie.

    Attributes
    ----------
    amplitude, offset, squares : (P,)
        As of the fit.
    rises : (P,) bool
        The squares grow with the time constant.
    step : (P,)
        Gauss-Newton step of ``log T``.
    gain : (P,)
        What the squares would lose by that step.
    """

    amplitude: np.ndarray
    offset: np.ndarray
    squares: np.ndarray
    rises: np.ndarray
    step: np.ndarray
    gain: np.ndarray


class _Search:
    """The grid of one series of pictures, made once for all its pixels."""

    def __init__(
        self,
        times_ms: np.ndarray,
        curve: Curve,
        between_ms: tuple[float, float],
        restore_polarity: bool,
    ) -> None:
        self._times_ms = times_ms[:, None]
        self._finite_ms = np.where(np.isfinite(times_ms), times_ms, 0)[:, None]
        self._curve = curve
        low, high = np.log(between_ms)
        self._grid = np.linspace(low, high, 2 + int(np.ceil((high - low) / np.log(GRID_RATIO))))
        columns = curve.columns(np.exp(-times_ms / np.exp(self._grid)[:, None]))
        axes = np.linalg.qr(np.stack(columns, axis=-1))[0]
        self._axes = axes.transpose(0, 2, 1).astype(np.float32)  # (G, columns, N)
        count = len(times_ms) if restore_polarity else 1
        # Turning every picture is turning none, with the other sign of the amplitudes.
        self._signs = np.where(np.arange(len(times_ms)) < np.arange(count)[:, None], -1.0, 1.0)

    def fit(self, signals: np.ndarray) -> np.ndarray:
        """Return time constant, amplitude, offset, residual squares and turned ``(5, P)``."""
        energy = (signals**2).sum(0)
        usable = np.isfinite(energy) & (energy > 0)
        # Each pixel in its own unit: a fit in another unit is the same fit.
        unit = np.sqrt(np.where(usable, energy, 1))
        signals = np.where(usable, signals, 1) / unit
        found = np.full((5, len(unit)), np.nan)
        least = np.full(len(unit), np.inf)
        polarities, places = self._starts(signals)
        for turned, place, tried in zip(
            polarities, places, self._promising(signals, polarities, places), strict=True
        ):
            own = np.flatnonzero(tried & usable)
            one = signals[:, own] * self._signs[turned[own]].T
            at_edge = (place[own] == 0) | (place[own] == len(self._grid) - 1)
            log_t = self._refined(one, place[own], at_edge)
            point = self._at(log_t, one)
            fits = np.stack(
                [
                    np.exp(log_t),
                    point.amplitude * unit[own],
                    point.offset * unit[own],
                    point.squares * unit[own] ** 2,
                    turned[own],
                ]
            )
            fits[:4, at_edge | (((one - one.mean(0)) ** 2).sum(0) <= FLAT)] = np.nan
            better = point.squares < least[own]
            found[:, own[better]] = fits[:, better]
            least[own[better]] = point.squares[better]
        found[4] = np.nan_to_num(found[4])
        return found

    def _starts(self, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the best polarities ``(K, P)``, best first, and the grid place of each.

        Single precision: these are no results.
        """
        signals = signals.astype(np.float32)
        explained = np.empty((len(self._signs), signals.shape[1]), dtype=np.float32)
        places = np.empty(explained.shape, dtype=np.int64)
        for row, signs in enumerate(self._signs.astype(np.float32)):
            shares = (self._axes * signs).reshape(-1, len(signals)) @ signals
            np.square(shares, out=shares)
            on_grid = shares.reshape(*self._axes.shape[:2], -1).sum(1)
            places[row] = on_grid.argmax(0)
            explained[row] = np.take_along_axis(on_grid, places[row][None], axis=0)
        polarities = np.argsort(-explained, axis=0, kind="stable")[:POLARITIES_KEPT]
        return polarities, np.take_along_axis(places, polarities, axis=0)

    def _promising(
        self, signals: np.ndarray, polarities: np.ndarray, places: np.ndarray
    ) -> np.ndarray:
        """Return which polarities ``(K, P)`` may prove the best at their minimum."""
        if len(polarities) == 1:
            return np.ones(polarities.shape, dtype=bool)
        expected = np.empty(polarities.shape)
        for row, (turned, place) in enumerate(zip(polarities, places, strict=True)):
            point = self._at(self._grid[place], signals * self._signs[turned].T)
            expected[row] = point.squares - point.gain
        return np.asarray(expected <= np.nanmin(expected, axis=0) + TIE)

    def _refined(self, signals: np.ndarray, places: np.ndarray, at_edge: np.ndarray) -> np.ndarray:
        """Return ``log T`` of the least residual between the neighbours on the grid."""
        log_t = self._grid[places]
        inner = np.clip(places, 1, len(self._grid) - 2)
        low, high = self._grid[inner - 1], self._grid[inner + 1]
        active = np.flatnonzero(~at_edge)
        for _ in range(STEPS):
            if not active.size:
                break
            here = log_t[active]
            point = self._at(here, signals[:, active])
            high[active] = np.where(point.rises, here, high[active])
            low[active] = np.where(point.rises, low[active], here)
            new = here + point.step
            inside = (new > low[active]) & (new < high[active])
            new = np.where(inside, new, (low[active] + high[active]) / 2)
            log_t[active] = new
            active = active[np.abs(new - here) > LOG_TOLERANCE]
        return np.asarray(log_t)

    def _at(self, log_t: np.ndarray, signals: np.ndarray) -> _Point:
        """Return the best curves with these time constants.

        Kaufman's Jacobian (BIT 1975;15:49): the curve's slope in ``log T``, less what the
        amplitudes can make of it.  The gradient itself is exact.
        """
        constant_ms = np.exp(log_t)
        column = np.exp(-self._times_ms / constant_ms)
        slope = column * (self._finite_ms / constant_ms)
        level = signal_level = np.zeros_like(log_t)
        if self._curve is Curve.OFFSET:
            level, signal_level = column.mean(0), signals.mean(0)
            column = column - level
            signals = signals - signal_level
            slope = slope - slope.mean(0)
        elif self._curve is Curve.SATURATION:
            column, slope = 1 - column, -slope
        length = _product(column, column)
        with np.errstate(divide="ignore", invalid="ignore"):
            amplitude = _product(column, signals) / length
            left = signals - amplitude * column
            along = _product(left, slope)
            own = _product(slope, slope) - _product(column, slope) ** 2 / length
            return _Point(
                amplitude,
                signal_level - amplitude * level,
                _product(left, left),
                amplitude * along < 0,
                along / (amplitude * own),
                along**2 / own,
            )


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("np,np->p", one, other))
