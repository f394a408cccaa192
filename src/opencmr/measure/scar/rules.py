"""The classical rules: a threshold of brightness inside the myocardium.

- *n-SD*: the mean of the remote region plus 2, 3, 5 or 6 of its standard deviations (2 SD: Kim et
  al., Circulation 1999; 100:1992; 2 to 6 SD: Bondarenko et al., JCMR 2005; 7:481).
- *FWHM*, full width at half maximum: half way from the remote region's mean to the greatest
  brightness of the myocardium.  As published it is half of the greatest brightness (Amado et al.,
  JACC 2004; 44:2383), in pictures whose remote myocardium is nulled; in phase-sensitive or rescaled
  ones zero means nothing, so it is counted from the remote region.
- *Otsu*: the greatest variance between what is below and what is above (IEEE TSMC 1979; 9:62).
- *mixture*: where the brighter of two Gaussians becomes the likelier (EM: Dempster et al., JRSS B
  1977; 39:1; a mixture on late enhancement: Hennemuth et al., IEEE TMI 2008; 27:1592).

Pixels above it are scar.  Each rule is as published: none cleans up islands, and FWHM, Otsu and
the mixture find "scar" in a wall that has none, because they presume two tissues.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from opencmr.measure.scar.remote import Remote

BRIGHTEST_PERCENTILE = 99.0
"""Stands for the greatest brightness in FWHM: the single brightest pixel is noise (proposal)."""
OTSU_BINS = 256
MIXTURE_STEPS = 200
MIXTURE_TOLERANCE = 1e-6
"""Of the means, in standard deviations of the wall: where the mixture has settled."""


@dataclass(frozen=True, slots=True)
class ScarRule:
    """One rule.

    Attributes
    ----------
    name : str
    threshold : callable
        From the wall's intensities ``(N,)`` and the remote region to the least brightness of scar.
    """

    name: str
    threshold: Callable[[np.ndarray, Remote], float]


@dataclass(frozen=True, slots=True, eq=False)
class RuledScar:
    """What a rule finds.

    Attributes
    ----------
    threshold : float, arbitrary units
    scar : (Z, Y, X) bool
        No-reflow included.
    no_reflow : (Z, Y, X) bool
    """

    threshold: float
    scar: np.ndarray
    no_reflow: np.ndarray


def scar_by_rule(
    rule: ScarRule, intensities: np.ndarray, wall: np.ndarray, cavity: np.ndarray, remote: Remote
) -> RuledScar:
    """Return the scar of ``wall (Z, Y, X)`` by a rule, with the no-reflow that it encloses."""
    threshold = rule.threshold(intensities[wall], remote)
    bright = wall & (intensities > threshold)
    no_reflow = enclosed_by_scar(bright, wall, cavity)
    return RuledScar(threshold, bright | no_reflow, no_reflow)


def enclosed_by_scar(bright: np.ndarray, wall: np.ndarray, cavity: np.ndarray) -> np.ndarray:
    """Return the dark wall ``(Z, Y, X)`` that scar encloses, or scar and the cavity together.

    Contrast agent does not reach the core of an infarct without reflow, which stays dark inside
    the bright scar, often against the endocardium; it counts as infarct (Schulz-Menger et al.,
    JCMR 2020; 22:19).  A slice without scar has none.
    """
    found = np.zeros_like(bright)
    for z in np.flatnonzero(bright.any((1, 2))):
        filled = ndimage.binary_fill_holes(bright[z] | cavity[z])
        found[z] = filled & wall[z] & ~bright[z]
    return found


def above_remote(values: np.ndarray, remote: Remote, *, sds: float) -> float:
    """Return the mean of the remote region plus ``sds`` standard deviations."""
    return remote.mean + sds * remote.sd


def half_maximum(values: np.ndarray, remote: Remote) -> float:
    """Return the brightness half way from the remote region to the brightest wall."""
    return (remote.mean + float(np.percentile(values, BRIGHTEST_PERCENTILE))) / 2


def otsu(values: np.ndarray, remote: Remote) -> float:
    """Return the threshold of the greatest variance between the two classes.

    The middle of one of :data:`OTSU_BINS` bins from the least to the greatest brightness.
    """
    if np.ptp(values) == 0:
        return float(values[0])
    counts, edges = np.histogram(values, OTSU_BINS)
    weights = counts.astype(np.float32)  # which of two equal variances is first, as scikit-image
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(weights), np.cumsum(weights[::-1])[::-1]
    mean_below = np.cumsum(weights * centres) / below
    mean_above = (np.cumsum((weights * centres)[::-1]) / above[::-1])[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[np.argmax(between)])


def mixture(values: np.ndarray, remote: Remote) -> float:
    """Return where the brighter of two Gaussians becomes the likelier, by EM from Otsu's classes.

    scikit-learn is a dependency of training alone, and two Gaussians on a line are short.
    """
    spread = float(values.std())
    if spread == 0:
        return float(values[0])
    bright = values > otsu(values, remote)
    belongs = np.stack([~bright, bright]).astype(float)
    means = np.zeros(2)
    for _ in range(MIXTURE_STEPS):
        weights = belongs.sum(1)
        before, means = means, (belongs * values).sum(1) / weights
        variances = (belongs * (values - means[:, None]) ** 2).sum(1) / weights
        variances = np.maximum(variances, (1e-3 * spread) ** 2)
        likely = np.exp(_log_density(values, weights / len(values), means, variances))
        belongs = likely / np.maximum(likely.sum(0), np.finfo(float).tiny)
        if np.abs(means - before).max() < MIXTURE_TOLERANCE * spread:
            break
    between = np.linspace(means[0], means[1], 1001)
    dark, light = _log_density(between, weights / len(values), means, variances)
    return float(between[np.argmax(light > dark)])


def _log_density(
    values: np.ndarray, shares: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """Return the log of the weighted densities ``(2, N)``, without the common constant."""
    scaled = (values - means[:, None]) ** 2 / variances[:, None]
    return np.asarray(np.log(shares / np.sqrt(variances))[:, None] - scaled / 2)


SCAR_RULES: tuple[ScarRule, ...] = (
    *(ScarRule(f"{sds}-SD", partial(above_remote, sds=float(sds))) for sds in (2, 3, 5, 6)),
    ScarRule("FWHM", half_maximum),
    ScarRule("Otsu", otsu),
    ScarRule("mixture", mixture),
)
