"""Roles: the parts that an analysis needs and that series of a sorted study fill."""

from collections.abc import Callable
from dataclasses import dataclass

from opencmr.imaging.study import Study
from opencmr.sort.sorting import Choice, choose_sax_cine


@dataclass(frozen=True, slots=True)
class Role:
    """A part, and the function that finds the series for it or the reason why none fits."""

    name: str
    fill: Callable[[Study], Choice]


SHORT_AXIS_CINE = Role("short-axis cine", choose_sax_cine)
