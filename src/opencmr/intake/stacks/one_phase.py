"""Cines that were exported one phase a series: joined where geometry and times agree.

Pure, on passes: each of the series pictures every slice once, all at the same places.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from opencmr.anatomy.plausible import CINE_PHASES
from opencmr.imaging.axis import Single
from opencmr.intake.stacks.passes import Pass, pass_of

PLACE_MM = 1.0
"""Slices whose first pixels lie in one cube of this side lie at one place (a pixel)."""

Places = tuple[tuple[float, ...], ...]


def join_phases(passes: Sequence[Pass]) -> list[Pass]:
    """Return the passes of one kind, those of single phases joined into cines.

    Series are joined when so many that they show a heartbeat picture the same places once each,
    and trigger times put them into one order, the same on every slice.
    """
    by_series: dict[str, list[Pass]] = defaultdict(list)
    for one in passes:
        by_series[one.frames[0].series_instance_uid].append(one)
    alike: dict[Places, list[list[Pass]]] = defaultdict(list)
    for part in by_series.values():
        places = tuple(_place(one) for one in part)
        if all(one.along is Single for one in part) and len(set(places)) == len(places):
            alike[places].append(part)
    cines = [series for series in alike.values() if _are_phases(series)]
    joined = [
        pass_of([one.frames[0] for one in slice_], slice_[0].position_mm)
        for series in cines
        for slice_ in zip(*series, strict=True)
    ]
    taken = {id(one) for series in cines for part in series for one in part}
    kept = [one for one in passes if id(one) not in taken]
    return sorted([*kept, *joined], key=lambda one: (one.position_mm, one.made_at))


def _place(one: Pass) -> tuple[float, ...]:
    # No whole numbers: a hostile file's corner may lie beyond them.
    corner = np.asarray(one.frames[0].image_position_mm, dtype=np.float64)
    return tuple(np.round(corner / PLACE_MM).tolist())


def _are_phases(series: Sequence[Sequence[Pass]]) -> bool:
    if len(series) < CINE_PHASES:
        return False
    times_ms = np.array([[one.frames[0].trigger_time_ms for one in part] for part in series], float)
    if not np.isfinite(times_ms).all():
        return False
    order = np.argsort(times_ms, axis=0)
    steps_ms = np.diff(np.sort(times_ms, axis=0), axis=0)
    return bool((steps_ms > 0).all() and (order == order[:, :1]).all())
