"""How uneven the wall is and thickens, from its thickness by segment.

The segments may be those of the AHA, or the same sectors counted from the middle of the septum
where the patient's axes are unknown: septal and lateral are told apart, nothing here depends on
the side.
"""

from collections.abc import Mapping

import numpy as np

SEPTAL = (2, 3, 8, 9)
LATERAL = (5, 6, 11, 12)
"""Basal and mid segments of the two walls (Cerqueira et al., Circulation 2002; 105:539)."""
FEWEST_SEGMENTS = 8
"""Half of the sixteen: with fewer no spread is told (proposal)."""
POOR_THICKENING_PERCENT = 20.0
"""A segment that thickens by less is poor (proposal: half of the usual 40 %)."""


def wall_values(ed_mm: Mapping[int, float], es_mm: Mapping[int, float]) -> dict[str, float]:
    """Return the spread of thickness and thickening; empty where too little of the wall is known.

    Parameters
    ----------
    ed_mm, es_mm : mapping from the segment 1 to 16, mm
        Mean thickness at end-diastole and end-systole.

    Examples
    --------
    >>> even = dict.fromkeys(range(1, 17), 8.0)
    >>> found = wall_values(even | {2: 16.0}, dict.fromkeys(range(1, 17), 12.0))
    >>> found["wth_poor"], found["wt_septum_lateral"], found["wt_es_sd"]
    (6.25, 1.25, 0.0)
    """
    both = sorted(n for n in set(ed_mm) & set(es_mm) if ed_mm[n] > 0)
    walls = [[ed_mm[n] for n in numbers if n in both] for numbers in (SEPTAL, LATERAL)]
    if len(both) < FEWEST_SEGMENTS or not all(walls):
        return {}
    thin, thick = (np.array([one[n] for n in both]) for one in (ed_mm, es_mm))
    thickening = 100 * (thick / thin - 1)
    return {
        "wt_septum_lateral": float(np.mean(walls[0]) / np.mean(walls[1])),
        "wt_es_sd": float(thick.std()),
        "wth_sd": float(thickening.std()),
        "wth_poor": 100 * float((thickening < POOR_THICKENING_PERCENT).mean()),
    }
