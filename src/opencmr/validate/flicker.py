"""Flicker: how unsteady a cine's labels are from phase to phase, slice by slice.

No reader is needed: a heart moves smoothly, and a slice that shows a structure meets it once a
beat and leaves it once.  True motion bends the curve of an area too, so jitter is compared with
that of true labels, or before and after a change; it has no right value of its own.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Flicker:
    """How unsteady one structure is in each slice of a cine.

    Attributes
    ----------
    jitter : (Z,) float64
        Root mean square of the second differences of the area over the beat, over its mean
        area; NaN in a slice that does not show the structure at every phase.
    extra_entries : (Z,) int64
        How many times more than once the structure comes into the slice over the beat.
    """

    jitter: np.ndarray
    extra_entries: np.ndarray


def flicker(areas: np.ndarray) -> Flicker:
    """Return the flicker of a structure whose areas ``(T, Z)`` cover one heartbeat.

    Parameters
    ----------
    areas : (T, Z)
        Of each phase and slice, in any unit, at equal steps of time; the first phase follows
        the last.

    Raises
    ------
    ValueError
        When there are fewer than three phases, or an area is negative or not finite.

    Examples
    --------
    >>> found = flicker(np.array([[4, 0], [4, 9], [4, 0], [4, 9]]))
    >>> found.jitter.tolist(), found.extra_entries.tolist()
    ([0.0, nan], [0, 1])
    """
    areas = np.asarray(areas, float)
    if areas.ndim != 2 or len(areas) < 3 or not (np.isfinite(areas) & (areas >= 0)).all():
        raise ValueError(
            f"flicker needs areas (T, Z) of three phases or more, none negative: {areas.shape}"
        )
    shown = areas > 0
    bend = np.roll(areas, -1, 0) - 2 * areas + np.roll(areas, 1, 0)
    jitter = np.full(areas.shape[1], np.nan)
    always = shown.all(0)
    jitter[always] = np.sqrt((bend[:, always] ** 2).mean(0)) / areas[:, always].mean(0)
    entries = (shown & ~np.roll(shown, 1, 0)).sum(0)
    return Flicker(jitter, np.maximum(entries - 1, 0))
