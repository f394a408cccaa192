"""How a DICOM Segmentation holds its labels."""

from enum import StrEnum


class SegType(StrEnum):
    """What a pixel of a DICOM Segmentation says (PS3.3 C.8.20.2.3)."""

    BINARY = "binary"
    """Whether a structure is there; one frame a structure and slice."""
    LABELMAP = "labelmap"
    """Which structure is there; one frame a slice."""
