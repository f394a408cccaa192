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


class SequenceName(StrEnum):
    """What `opencmr sort` calls a series' sequence: a technique, told as finely as can be."""

    CINE_BSSFP = "cine bSSFP"
    CINE_GRE = "cine GRE"
    REAL_TIME_CINE = "real-time cine"
    LGE_MAGNITUDE = "LGE magnitude"
    LGE_PSIR = "LGE PSIR"
    T1_RAW = "T1 raw"
    T1_MAP = "T1 map"
    T2_RAW = "T2 raw"
    T2_MAP = "T2 map"
    T2_STAR = "T2*"
    PERFUSION = "perfusion"
    FLOW_MAGNITUDE = "phase-contrast magnitude"
    FLOW_PHASE = "phase-contrast phase"
    TAGGING = "tagging"
    DENSE = "DENSE"
    BLACK_BLOOD = "black blood"
    SCOUT = "scout"
    TI_SCOUT = "TI scout"
    LOCALISER_STACK = "localiser stack"
    DERIVED = "derived"
    NOT_CARDIAC = "not cardiac"
    UNKNOWN = "unknown"

    @property
    def slug(self) -> str:
        """The word as a part of a folder's name.

        >>> SequenceName.T2_STAR.slug, SequenceName.LGE_PSIR.slug
        ('t2star', 'lge-psir')
        """
        return self.value.lower().replace("*", "star").replace(" ", "-")
