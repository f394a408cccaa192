"""Motion between the pictures of a series: shifts in the plane that the fitted curve asks for.

Pictures of different times differ in contrast, so that one is no target for another.  What they
share is the curve: shifts are looked for that let one curve in each pixel explain all pictures
best (model-based registration; Xue et al., Magn Reson Med 2012;67:1644).  The start is the
agreement of edges, which lie at the same places in every contrast; Gauss-Newton steps on what the
curve leaves follow, in which the curve's own parameters are eliminated.  Translation alone: two
numbers a picture can invent no wall.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import fft, ndimage

from opencmr.measure.relaxometry.exponential import ExponentialFit, fit_exponential
from opencmr.measure.relaxometry.method import Method

STEPS = 8
"""Gauss-Newton steps at most."""
SETTLED_PX = 0.03
"""A step that moves no picture by more is the last."""
DAMPING = 0.03
"""Levenberg's, as a share of each picture's own curvature: what the misfit hardly determines, a
shift of all pictures alike above all, stays as it was found by the edges."""
EDGE_PX = 1.5
"""Width of the Gaussian whose gradient is an edge."""
LEAST_SHIFT_PX = 0.3
"""Smaller shifts are not applied: they change less than a pixel's partial volume (proposal)."""
PICTURE_FALLS_TO = 0.95
"""Share to which each picture's shift must bring the squared misfit of all, with the others
shifted (proposal)."""
MISFIT_FALLS_TO = 0.85
"""Share to which all shifts together must bring the misfit; shifts that follow a change of the
heart's shape bring it to 0.89 and no better map (proposal)."""
LARGE_MM = 10.0
"""A heart that moved by more in the plane hardly stayed in it: its map is doubtful."""
REACH_MM = 20.0
"""Greatest shift that is looked for, down and right."""
LEAST_SIDE_PX = 24
"""A region of fewer rows or columns holds too little to register."""
EDGES_ALIKE = 0.3
"""Correlation of the edges of two pictures below which they say nothing of each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The motion between the pictures of one slice, as far as it is taken back.

    Attributes
    ----------
    shifts_px : (N, 2)
        Down and right, by which each picture lies off the others; 0 for one that is left as it is.
    misfit : (before, after)
        Root mean square of what the curve leaves in the region, in the unit of the pictures; NaN
        where nothing could be fitted, equal where nothing is moved.
    """

    shifts_px: np.ndarray
    misfit: tuple[float, float]

    @property
    def moved(self) -> bool:
        """Whether any picture is moved."""
        return bool(self.shifts_px.any())


def still(pictures: int, misfit: float = float("nan")) -> Motion:
    """Return that nothing is moved."""
    return Motion(np.zeros((pictures, 2)), (misfit, misfit))


def motion_between(
    values: np.ndarray,
    times_ms: np.ndarray,
    method: Method,
    *,
    magnitude: bool,
    region: np.ndarray,
    reach_px: tuple[float, float],
) -> Motion:
    """Return by how much each picture of a slice lies off the others.

    They count from the place of the picture that lies nearest to all.  None is returned that does
    not lower the misfit by the stated shares; none at all where there are no more pictures than
    parameters, or pixels about the region are not finite.

    Parameters
    ----------
    values : (N, Y, X)
        In any order.
    times_ms : (N,)
    method : Method
    magnitude : bool
    region : (Y, X) bool
        What shall lie still: the heart.
    reach_px : (down, right)
        Greatest shift that is looked for.
    """
    rows, columns = (np.flatnonzero(region.any(axis)) for axis in (1, 0))
    reach = (int(np.ceil(reach_px[0])), int(np.ceil(reach_px[1])))
    too_small = min(rows.size, columns.size) < LEAST_SIDE_PX
    if too_small or len(values) <= method.fitted_parameters:
        return still(len(values))
    box = tuple(
        slice(max(int(at[0]) - far, 0), int(at[-1]) + 1 + far)
        for at, far in zip((rows, columns), reach, strict=True)
    )
    cut = values[:, *box]
    if not np.isfinite(cut).all():
        return still(len(values))
    return _Slice(cut, times_ms, method, magnitude, region[box], reach).motion()


def laid_back(values: np.ndarray, shifts_px: np.ndarray) -> np.ndarray:
    """Return pictures moved back by how much they lie off.

    Between pixels by the Fourier shift of the picture continued as in a mirror.  It keeps the
    noise as it is, where every shorter interpolation smooths it: a smaller misfit is no
    work of smoothing, and standard errors stay true.  What lay outside of the picture, or beside
    a pixel that is not finite, is NaN.  A picture whose shift is 0 is returned to the bit.

    Parameters
    ----------
    values : (N, Y, X)
    shifts_px : (N, 2)
    """
    moved = np.array(values, dtype=np.float64)
    for picture, shift_px in zip(moved, shifts_px, strict=True):
        if not shift_px.any():
            continue
        lost = ~np.isfinite(picture)
        picture[:] = _shifted(np.where(lost, 0, picture), -shift_px)
        if lost.any():
            near = ndimage.shift(lost.astype(float), -shift_px, order=1)
            picture[near > 0] = np.nan
        for axis, size in enumerate(picture.shape):
            source = np.arange(size) + shift_px[axis]
            outside = (source < -0.5) | (source > size - 0.5)
            picture[(slice(None),) * axis + (outside,)] = np.nan
    return moved


def _shifted(picture: np.ndarray, by_px: np.ndarray) -> np.ndarray:
    """Return a picture whose content lies further down and right."""
    rows, columns = picture.shape
    spectrum = fft.rfft2(np.pad(picture, ((0, rows), (0, columns)), mode="symmetric"))
    turns = fft.fftfreq(2 * rows)[:, None] * by_px[0] + fft.rfftfreq(2 * columns) * by_px[1]
    whole = fft.irfft2(spectrum * np.exp(-2j * np.pi * turns), (2 * rows, 2 * columns))
    return np.asarray(whole[:rows, :columns])


class _Slice:
    """A slice's pictures, by growing times, about the region that shall lie still."""

    def __init__(
        self,
        values: np.ndarray,
        times_ms: np.ndarray,
        method: Method,
        magnitude: bool,
        region: np.ndarray,
        reach: tuple[int, int],
    ) -> None:
        self._order = np.argsort(times_ms, kind="stable")
        self._values = np.asarray(values, dtype=np.float64)[self._order]
        self._times_ms = np.asarray(times_ms, dtype=np.float64)[self._order]
        self._method = method
        self._restored = magnitude and method.restores_polarity
        self._region = region
        self._reach = reach

    def motion(self) -> Motion:
        """Return the shifts that hold, and what they do to the misfit."""
        count = len(self._values)
        nothing = np.zeros((count, 2))
        before = self._fit(nothing)
        if not np.isfinite(before.residual_squares).any():
            return still(count)
        by_edges = self._by_edges()
        starts = [nothing, by_edges] if _lengths(by_edges).max() >= LEAST_SHIFT_PX else [nothing]
        shifts_px = min(
            (self._refined(start) for start in starts),
            key=lambda found: _squares(before, self._fit(found))[1],
        )
        shifts_px = shifts_px - shifts_px[_middle(shifts_px)]
        shifts_px[_lengths(shifts_px) < LEAST_SHIFT_PX] = 0
        shifts_px = self._each_proven(shifts_px)
        first, last = np.sqrt(_squares(before, self._fit(shifts_px)))
        if not last <= MISFIT_FALLS_TO * first:
            return still(count, float(first))
        found = np.empty_like(shifts_px)
        found[self._order] = shifts_px
        return Motion(found, (float(first), float(last)))

    def _fit(self, shifts_px: np.ndarray) -> ExponentialFit:
        """Return the curve in every pixel of the region, its pictures laid back."""
        return self._curve(laid_back(self._values, shifts_px))

    def _curve(self, values: np.ndarray) -> ExponentialFit:
        return fit_exponential(
            values[:, self._region],
            self._times_ms,
            self._method.function,
            between_ms=self._method.limits_ms,
            restore_polarity=self._restored,
        )

    def _by_edges(self) -> np.ndarray:
        """Return shifts ``(N, 2)`` that lay the edges of the pictures on one another.

        Every pair has its own, as far as its edges are alike; least squares make one of each
        picture.
        """
        count = len(self._values)
        window = ndimage.gaussian_filter(self._region.astype(float), 2 * EDGE_PX)
        edges = [
            ndimage.gaussian_gradient_magnitude(one, EDGE_PX, mode="nearest")
            for one in self._values
        ]
        edges = [window * (one - np.average(one, weights=window)) for one in edges]
        lengths = [np.sqrt((one**2).sum()) for one in edges]
        shape = [
            fft.next_fast_len(n + far, real=True)
            for n, far in zip(window.shape, self._reach, strict=True)
        ]
        spectra = [fft.rfft2(one, shape) for one in edges]
        # Each picture leans towards where it is as much as a hardly similar pair draws it away.
        normal = EDGES_ALIKE**2 * np.eye(count)
        right = np.zeros((count, 2))
        for one, other in combinations(range(count), 2):
            if min(lengths[one], lengths[other]) <= 0:
                continue
            alike = fft.irfft2(spectra[one] * np.conj(spectra[other]), shape)
            off_px, best = _peak(alike / (lengths[one] * lengths[other]), self._reach)
            if best < EDGES_ALIKE:
                continue
            weight = best**2 / (1 - min(best, 0.99) ** 2)
            normal[[one, other], [one, other]] += weight
            normal[[one, other], [other, one]] -= weight
            right[one] += weight * off_px
            right[other] -= weight * off_px
        return np.linalg.solve(normal, right)

    def _refined(self, shifts_px: np.ndarray) -> np.ndarray:
        """Return shifts of the least misfit near those given.

        In each pixel a change of the pictures counts only as far as no change of the curve's
        parameters follows it.
        """
        shifts_px = shifts_px.copy()
        values = laid_back(self._values, shifts_px)
        fit = self._curve(values)
        damping = DAMPING
        for _ in range(STEPS):
            step_px = self._step(values, fit, damping)
            tried_px = np.clip(shifts_px + step_px, -np.array(self._reach), self._reach)
            moved = laid_back(self._values, tried_px)
            after = self._curve(moved)
            first, last = _squares(fit, after)
            if last < first:
                shifts_px, values, fit = tried_px, moved, after
                damping /= 3
            else:
                damping *= 10
            if np.abs(step_px).max() <= SETTLED_PX:
                break
        return shifts_px

    def _step(self, values: np.ndarray, fit: ExponentialFit, damping: float) -> np.ndarray:
        slopes = np.stack(np.gradient(values, axis=(1, 2)), axis=-1)[:, self._region]
        signals = values[:, self._region]
        known = np.isfinite(fit.constant_ms) & np.isfinite(slopes).all((0, 2))
        signs = np.where(np.arange(len(values))[:, None] < fit.turned, -1.0, 1.0)
        left = (signs * signals - fit.predicted)[:, known].T
        slopes = (signs[..., None] * slopes)[:, known].transpose(1, 0, 2)
        tangent = np.linalg.qr(fit.jacobian[:, :, known].transpose(2, 1, 0))[0]
        free = np.eye(len(values)) - tangent @ tangent.transpose(0, 2, 1)
        size = 2 * len(values)
        normal = np.einsum("pia,pij,pjb->iajb", slopes, free, slopes, optimize=True)
        normal = normal.reshape(size, size)
        right = np.einsum("pia,pi->ia", slopes, left).reshape(size)
        normal += np.diag(damping * np.diag(normal) + np.finfo(float).tiny)
        return np.asarray(-np.linalg.lstsq(normal, right)[0].reshape(-1, 2))

    def _each_proven(self, shifts_px: np.ndarray) -> np.ndarray:
        """Return the shifts of those pictures that the misfit of all misses most clearly."""
        proven = shifts_px.copy()
        fit = self._fit(shifts_px)
        for n in np.flatnonzero(shifts_px.any(1)):
            without = shifts_px.copy()
            without[n] = 0
            left, right = _squares(self._fit(without), fit)
            if not right <= PICTURE_FALLS_TO * left:
                proven[n] = 0
        return proven


def _lengths(shifts: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(shifts[..., 0], shifts[..., 1]))


def _squares(one: ExponentialFit, other: ExponentialFit) -> tuple[float, float]:
    """Return the mean square that two fits leave, over the pixels that both could fit."""
    both = np.isfinite(one.residual_squares) & np.isfinite(other.residual_squares)
    if not both.any():
        return float("nan"), float("nan")
    pictures = len(one.times_ms)
    return (
        float(one.residual_squares[both].mean() / pictures),
        float(other.residual_squares[both].mean() / pictures),
    )


def _middle(shifts_px: np.ndarray) -> int:
    """Return which picture lies nearest to all others: its place is that of the slice."""
    apart = np.linalg.norm(shifts_px[:, None] - shifts_px, axis=-1)
    return int(apart.sum(0).argmin())


def _peak(alike: np.ndarray, reach: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Return where ``(2,)`` a correlation about ``[0, 0]`` is greatest, and how great it is.

    Between pixels by a parabola in either direction; the edge of the reach is no peak.
    """
    near = np.roll(alike, reach, axis=(0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]
    row, column = np.unravel_index(near.argmax(), near.shape)
    best = float(near[row, column])
    if row in (0, 2 * reach[0]) or column in (0, 2 * reach[1]):
        return np.zeros(2), 0.0
    between = [
        (below - above) / (2 * (below - 2 * best + above))
        for below, above in (
            (near[row - 1, column], near[row + 1, column]),
            (near[row, column - 1], near[row, column + 1]),
        )
    ]
    return np.array([row - reach[0], column - reach[1]]) + between, best
