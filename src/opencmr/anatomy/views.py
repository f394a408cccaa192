"""Views: the plane that a series shows (SCMR terms)."""

from enum import StrEnum


class View(StrEnum):
    """The plane of a series."""

    SAX = "SAX"
    TWO_CHAMBER = "2CH"
    THREE_CHAMBER = "3CH"
    FOUR_CHAMBER = "4CH"
    RVOT = "RVOT"
    OTHER = "other"
