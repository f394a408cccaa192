"""Stacks of one phase each that may be the phases of one cine."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from opencmr.anatomy.plausible import CINE_PHASES
from opencmr.imaging.flag import About, QualityFlag, Severity
from opencmr.imaging.likeness import LIKE_ONE_HEART, likeness, phases_apart, thumbnail
from opencmr.imaging.study import Series


def joined_flags(series: Series) -> Iterator[QualityFlag]:
    """Say that a cine was joined from series of one phase each."""
    if series.facts is not None and series.facts.series_a_slice >= CINE_PHASES:
        yield QualityFlag(
            Severity.INFO,
            "SERIES_PER_PHASE",
            "Every cardiac phase came as a series of its own; they were joined by their trigger "
            "times.",
            f"{series.facts.series_a_slice} series",
        )


def lone_phase_flags(series: Sequence[Series]) -> Iterator[QualityFlag]:
    """Name stacks of one phase that look like the phases of one heart and could not be joined."""
    alike: dict[tuple[object, ...], list[Series]] = defaultdict(list)
    for one in series:
        if one.image.phases == 1:
            alike[one.image.grid.shape, one.image.grid.affines.round(1).tobytes()].append(one)
    for stacks in alike.values():
        if len(stacks) < CINE_PHASES:
            continue
        seen = [thumbnail(one.image.values[0]) for one in stacks]
        if np.median([likeness(a, b) for a, b in pairwise(seen)]) >= LIKE_ONE_HEART:
            yield replace(phases_apart(len(stacks), "series"), about=About(stacks[0].key))
