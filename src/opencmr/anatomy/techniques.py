"""Techniques: how a series was made (SCMR terms); DICOM's word "sequence" means a list there."""

from enum import StrEnum


class Technique(StrEnum):
    """The kind of acquisition."""

    CINE = "cine"
    LGE = "LGE"
    T1_MAPPING = "T1 mapping"
    T2_MAPPING = "T2 mapping"
    T2_STAR_MAPPING = "T2* mapping"
    FLOW = "flow"
    SCOUT = "scout"
    OTHER = "other"
