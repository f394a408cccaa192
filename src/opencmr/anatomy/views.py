"""Views and sequences: what a series shows and how it was made (SCMR terms)."""

from enum import StrEnum


class View(StrEnum):
    """The plane of a series."""

    SAX = "SAX"
    TWO_CHAMBER = "2CH"
    THREE_CHAMBER = "3CH"
    FOUR_CHAMBER = "4CH"
    RVOT = "RVOT"
    OTHER = "other"


class Sequence(StrEnum):
    """The kind of acquisition."""

    CINE = "cine"
    LGE = "LGE"
    T1_MAPPING = "T1 mapping"
    T2_MAPPING = "T2 mapping"
    FLOW = "flow"
    SCOUT = "scout"
    OTHER = "other"
