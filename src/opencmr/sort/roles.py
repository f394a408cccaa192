"""Roles: the parts that an analysis needs and that series of a sorted study fill."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from opencmr.anatomy.reasons import Reason
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import VALVE_VIEWS, View
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import Unit
from opencmr.imaging.study import Series, Study
from opencmr.sort.evidence import STACK_SLICES
from opencmr.sort.rules import (
    T1_MAP_TYPES,
    T2_MAP_TYPES,
    T2_STAR_MAP_TYPES,
    VELOCITY_TYPES,
)
from opencmr.sort.sorting import Choice, choose_sax_cine

MAPPING = (Technique.T1_MAPPING, Technique.T2_MAPPING, Technique.T2_STAR_MAPPING)
MAP_TYPES = (*T1_MAP_TYPES, *T2_MAP_TYPES, *T2_STAR_MAP_TYPES)
MAP_NAME = re.compile(r"T[12](\*|_?star)?[ _-]?map(?![a-z])", re.IGNORECASE)
"""A series so described, with one picture of each slice, is a map: raw pictures are several."""


@dataclass(frozen=True, slots=True)
class Role:
    """A part, and the function that finds the series for it or the reason why none fits."""

    name: str
    fill: Callable[[Study], Choice]


SHORT_AXIS_CINE = Role("short-axis cine", choose_sax_cine)


def is_finished_map(one: Series) -> bool:
    """Return whether a series is a map already: by its unit, its image type or its name."""
    typed = any(word.upper() in MAP_TYPES for word in one.header.image_type)
    named = MAP_NAME.search(one.header.series_description) is not None
    return one.image.phases == 1 and (one.image.unit is Unit.MILLISECONDS or typed or named)


def choose_mapping(study: Study) -> Choice:
    """Choose every series of a sorted study that is a map of T1, T2 or T2*, or can become one.

    Phase pictures are none.  A series that calls itself mapping and states no times is chosen
    too: whoever fits it says why it cannot be.
    """
    found = [
        one
        for one in study.series
        if one.sequence in MAPPING
        and (is_finished_map(one) or (one.image.phases > 1 and not _shows_phase(one)))
    ]
    if not found:
        return Choice(None, Reason("NO_MAPPING", "no series is or gives a map of T1, T2 or T2*"))
    return Choice(found[0], others=tuple(found[1:]))


def choose_late_enhancement(study: Study) -> Choice:
    """Choose the short-axis late enhancement of the most slices, and name the others.

    Of as many slices, the one that is surest to be one, then the last acquired.
    """
    found = [
        one
        for one in study.series
        if one.sequence is Technique.LGE
        and one.view is View.SAX
        and one.image.phases == 1
        and one.image.grid.shape[0] >= STACK_SLICES
        and not _shows_phase(one)
    ]
    if not found:
        reason = Reason("NO_LGE", "no series is a short-axis stack of late enhancement")
        return Choice(None, reason)
    ordered = sorted(found, key=_worth, reverse=True)
    if len(ordered) == 1:
        return Choice(ordered[0])
    keys = ", ".join(one.key for one in ordered[1:])
    flag = QualityFlag(
        Severity.REVIEW,
        "SEVERAL_LGE",
        "The study holds several short-axis late enhancements and the one of the most slices was "
        "measured, of as many the last. Check that it is the one meant.",
        f"measured {ordered[0].key}, not {keys}",
    )
    return Choice(ordered[0], flags=(flag,))


def choose_long_axes(study: Study) -> Choice:
    """Choose the two- and the four-chamber cine of a sorted study, or the one that is there.

    Of several of one view, the one that is surest to be it, then the last acquired.
    """
    found = []
    for view in VALVE_VIEWS:
        shown = [
            one
            for one in study.series
            if one.view is view
            and one.sequence is Technique.CINE
            and one.image.phases > 1
            and one.image.grid.shape[0] == 1
            and not _shows_phase(one)
        ]
        if shown:
            found.append(max(shown, key=lambda one: (one.view_confidence, one.header.series_time)))
    if not found:
        reason = "no series is a two- or four-chamber cine"
        return Choice(None, Reason("NO_LONG_AXIS", reason))
    return Choice(found[0], others=tuple(found[1:]))


def _worth(one: Series) -> tuple[int, float, str]:
    return one.image.grid.shape[0], one.sequence_confidence, one.header.series_time


def _shows_phase(one: Series) -> bool:
    return any(word.upper() in VELOCITY_TYPES for word in one.header.image_type)


MAPS = Role("mapping series", choose_mapping)
SHORT_AXIS_LGE = Role("short-axis late enhancement", choose_late_enhancement)
LONG_AXIS_CINES = Role("long-axis cine", choose_long_axes)
