"""Moments of the heartbeat by name."""

from enum import StrEnum


class SegPhases(StrEnum):
    """Of which cardiac phases labels are written where one file holds one phase."""

    ED_ES = "ed-es"
    """End-diastole and end-systole of each ventricle."""
    ALL = "all"
