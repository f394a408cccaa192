"""The remote myocardium: the stretch of wall that is darkest and most even.

The n-SD rules need a region without scar, which a reader draws by hand.  Here every slice's
wall is cut into overlapping arcs as wide as a basal AHA segment, and the one of least mean plus
standard deviation in the stack is taken (proposal).  In the 37 infarcts of the EMIDEC folds
1 to 4 that arc holds no pixel of the readers' scar.
"""

from dataclasses import dataclass

import numpy as np

from opencmr.measure.ventricles import Unmeasurable

ARC_DEG = 60.0
"""Width of an arc: that of a basal or mid-ventricular AHA segment on an even wall."""
ARC_STEP_DEG = 15.0
"""Turn from one arc to the next (proposal)."""
LEAST_PIXELS = 20
"""Fewest pixels from which a standard deviation is taken (proposal)."""


@dataclass(frozen=True, slots=True, eq=False)
class Remote:
    """The remote region and its intensities.

    Attributes
    ----------
    mask : (Z, Y, X) bool
    mean, sd : float, arbitrary units
    """

    mask: np.ndarray
    mean: float
    sd: float


def remote_region(intensities: np.ndarray, wall: np.ndarray, cavity: np.ndarray) -> Remote:
    """Return the arc of ``wall`` of least mean plus standard deviation.

    Parameters
    ----------
    intensities : (Z, Y, X), arbitrary units
    wall, cavity : (Z, Y, X) bool
        The myocardium, scar included; the cavity about whose centre the arcs are cut.

    Raises
    ------
    Unmeasurable
        When no arc holds :data:`LEAST_PIXELS` pixels.
    """
    best: tuple[float, int, np.ndarray] | None = None
    for z in np.flatnonzero(wall.any((1, 2)) & cavity.any((1, 2))):
        where = np.argwhere(wall[z])
        rows, columns = (where - np.argwhere(cavity[z]).mean(0)).T
        angles_deg = np.rad2deg(np.arctan2(rows, columns))
        values = intensities[z][wall[z]]
        for start_deg in np.arange(0, 360, ARC_STEP_DEG):
            inside = np.mod(angles_deg - start_deg, 360) < ARC_DEG
            if inside.sum() >= LEAST_PIXELS:
                score = float(values[inside].mean() + values[inside].std())
                if best is None or score < best[0]:
                    best = score, int(z), where[inside]
    if best is None:
        raise Unmeasurable(
            "TOO_FEW_RINGS",
            f"no stretch of the wall has the {LEAST_PIXELS} pixels of a remote region",
        )
    mask = np.zeros(wall.shape, dtype=bool)
    mask[best[1], best[2][:, 0], best[2][:, 1]] = True
    remote = intensities[mask]
    return Remote(mask, float(remote.mean()), float(remote.std()))
