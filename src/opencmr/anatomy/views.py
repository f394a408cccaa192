"""Views: the plane that a series shows (SCMR terms)."""

from enum import StrEnum


class View(StrEnum):
    """The plane of a series."""

    SAX = "SAX"
    TWO_CHAMBER = "2CH"
    THREE_CHAMBER = "3CH"
    FOUR_CHAMBER = "4CH"
    RVOT = "RVOT"
    LONG_AXIS = "LAX"
    """Any of the three long-axis planes: what a network that labels them all is made for."""
    OTHER = "other"


LONG_AXIS_VIEWS = (View.TWO_CHAMBER, View.THREE_CHAMBER, View.FOUR_CHAMBER)
"""The planes along the left ventricle's axis."""
VALVE_VIEWS = (View.TWO_CHAMBER, View.FOUR_CHAMBER)
"""Those on which both ends of the cavity are hinge points of the mitral valve."""


class ViewName(StrEnum):
    """What `opencmr sort` calls a series' plane: a view, told as finely as can be."""

    SAX = "SAX"
    TWO_CHAMBER = "2CH"
    THREE_CHAMBER = "3CH"
    FOUR_CHAMBER = "4CH"
    RVOT = "RVOT"
    LVOT = "LVOT"
    RV_TWO_CHAMBER = "RV 2CH"
    TRANSAXIAL = "transaxial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    AORTA = "aorta"
    SEVERAL = "several"
    """One scanner's series of several orientations."""
    OTHER = "other"

    @property
    def slug(self) -> str:
        """The word as a part of a folder's name."""
        return self.value.lower().replace(" ", "-")
