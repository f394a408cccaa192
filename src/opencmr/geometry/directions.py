"""Directions in the patient as the letters that a reader knows."""

import numpy as np

LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
"""Ends of the axes of LPS, positive first (DICOM PS3.3 C.7.6.1.1.1): head and foot, not S and I."""
LEAST_SHARE = float(np.sin(np.deg2rad(20.0)))
"""A direction less than 20 degrees out of a plane is not named after the plane's normal.

Proposal: enough that noise of a few degrees writes no letter."""


def letters(direction: np.ndarray) -> str:
    """Return the letters of a direction, the greatest part first (DICOM Patient Orientation).

    Parameters
    ----------
    direction : (3,) in LPS, of any length but zero

    Examples
    --------
    >>> letters(np.array([1.0, 0.0, 0.0])), letters(np.array([-0.6, 0.1, 0.8]))
    ('L', 'HR')
    """
    unit = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    order = np.argsort(-np.abs(unit), kind="stable")
    return "".join(LETTERS[axis][int(unit[axis] < 0)] for axis in order if _is_named(unit[axis]))


def _is_named(share: float) -> bool:
    return abs(share) >= LEAST_SHARE
