"""Series that one acquisition gave together: magnitude and velocity, magnitude and phase."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from opencmr.imaging.study import Series

MAGNITUDE = frozenset({"M", "MAGNITUDE", "M_FFE", "M_PCA", "M_IR", "FFE", "MAG"})
PHASE = frozenset({"P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP", "PSIR", "R", "REAL"})
"""Words of image types (DICOM PS3.3 C.8.3.1.1.1 and C.8.13.1, and vendors' own)."""
SAME_PLACE_MM = 0.1
SAME_TIME_MS = 1.0


def with_partners(series: Sequence[Series]) -> tuple[Series, ...]:
    """Return the series of a study, each with the key of the other half of its acquisition.

    A pair has one geometry and one timing, lies in one scanner's series or was acquired at the
    same time, and is magnitude on one side and phase (velocity, phase-sensitive) on the other.
    Where more than one could be the other half, none is.
    """
    found = [[other.key for other in series if _are_halves(one, other)] for one in series]
    keys = {one.key: halves for one, halves in zip(series, found, strict=True)}
    return tuple(
        replace(one, partner=halves[0]) if len(halves) == 1 and len(keys[halves[0]]) == 1 else one
        for one, halves in zip(series, found, strict=True)
    )


def shows_phase(one: Series) -> bool:
    """Whether its values are phases (velocities, phase-sensitive pictures), not magnitudes."""
    return bool(PHASE & _types(one))


def _types(one: Series) -> set[str]:
    return {part.upper() for part in one.header.image_type}


def _are_halves(one: Series, other: Series) -> bool:
    first, second = one.image, other.image
    kinds = [(bool(MAGNITUDE & _types(half)), shows_phase(half)) for half in (one, other)]
    started = one.header.acquisition_time
    return (
        one is not other
        and sorted(kinds) == [(False, True), (True, False)]
        and (
            bool(set(one.uids) & set(other.uids))
            or bool(started and started == other.header.acquisition_time)
        )
        and first.values.shape == second.values.shape
        and type(first.along) is type(second.along)
        and bool(np.abs(first.grid.affines - second.grid.affines).max() < SAME_PLACE_MM)
        and np.allclose(first.trigger_ms, second.trigger_ms, atol=SAME_TIME_MS, equal_nan=True)
    )
