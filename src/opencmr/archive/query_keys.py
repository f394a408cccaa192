"""What can be asked of the node's index: the keys of the study root (PS3.4 C.6.2.1), as a table.

The tables of the data base are made from it, so that a key is added here alone.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """QueryRetrieveLevel (PS3.4 C.6.2)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


LEVELS = tuple(Level)
"""From the top; a level lies below those before it."""
UNIQUE_KEYS = {
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
"""What names one thing of a level (PS3.4 tables C.6-5, C.6-3 and C.6-4)."""


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that is kept of what came.

    Attributes
    ----------
    keyword, vr : str
        Of PS3.6.
    level : Level
        To which it belongs.
    tag : int
    length : int
        Of characters, at most; more is cut off.
    """

    keyword: str
    vr: str
    level: Level
    tag: int
    length: int


KEYS = (
    Key("StudyInstanceUID", "UI", Level.STUDY, 0x0020000D, 64),
    Key("StudyDate", "DA", Level.STUDY, 0x00080020, 8),
    Key("StudyTime", "TM", Level.STUDY, 0x00080030, 16),
    Key("AccessionNumber", "SH", Level.STUDY, 0x00080050, 16),
    Key("ReferringPhysicianName", "PN", Level.STUDY, 0x00080090, 194),
    Key("StudyDescription", "LO", Level.STUDY, 0x00081030, 64),
    Key("PatientName", "PN", Level.STUDY, 0x00100010, 194),
    Key("PatientID", "LO", Level.STUDY, 0x00100020, 64),
    Key("PatientBirthDate", "DA", Level.STUDY, 0x00100030, 8),
    Key("PatientSex", "CS", Level.STUDY, 0x00100040, 16),
    Key("StudyID", "SH", Level.STUDY, 0x00200010, 16),
    Key("SeriesInstanceUID", "UI", Level.SERIES, 0x0020000E, 64),
    Key("Modality", "CS", Level.SERIES, 0x00080060, 16),
    Key("SeriesDescription", "LO", Level.SERIES, 0x0008103E, 64),
    Key("SeriesNumber", "IS", Level.SERIES, 0x00200011, 12),
    Key("SOPInstanceUID", "UI", Level.IMAGE, 0x00080018, 64),
    Key("SOPClassUID", "UI", Level.IMAGE, 0x00080016, 64),
    Key("InstanceNumber", "IS", Level.IMAGE, 0x00200013, 12),
)
"""Every required and unique key, and the optional ones that lists of studies show (PS3.4 tables
C.6-5, C.6-3, C.6-4; the patient's are keys of the study in this root).  Lengths: PS3.5 section
6.2; a name has three groups."""
LAST_TAG = max(key.tag for key in KEYS)
"""What lies behind it in a data set need not be read."""
MODALITIES_IN_STUDY = "ModalitiesInStudy"
"""Like the numbers of related series and instances made when it is asked for (PS3.4 C.3.4)."""
COUNTS = (
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
)
"""Nothing is matched against them."""


def keys_of(*levels: Level) -> list[Key]:
    """Return the keys of some levels."""
    return [key for key in KEYS if key.level in levels]


def down_to(level: Level) -> tuple[Level, ...]:
    """Return a level and those above it.

    >>> down_to(Level.SERIES)
    (<Level.STUDY: 'STUDY'>, <Level.SERIES: 'SERIES'>)
    """
    return LEVELS[: LEVELS.index(level) + 1]
