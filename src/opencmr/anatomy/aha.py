"""The 17-segment model of the left ventricle (Cerqueira et al., Circulation 2002; 105:539)."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """A third of the left ventricle along its long axis."""

    BASAL = "basal"
    MID = "mid"
    APICAL = "apical"
    APEX = "apex"


@dataclass(frozen=True, slots=True)
class AhaSegment:
    """One segment: its number, level and wall."""

    number: int
    level: Level
    wall: str

    @property
    def name(self) -> str:
        """The segment's name, as in the source."""
        return "apex" if self.level is Level.APEX else f"{self.level.value} {self.wall}"


_SIX = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
_FOUR = ("anterior", "septal", "inferior", "lateral")

AHA_SEGMENTS: tuple[AhaSegment, ...] = (
    *(AhaSegment(1 + i, Level.BASAL, wall) for i, wall in enumerate(_SIX)),
    *(AhaSegment(7 + i, Level.MID, wall) for i, wall in enumerate(_SIX)),
    *(AhaSegment(13 + i, Level.APICAL, wall) for i, wall in enumerate(_FOUR)),
    AhaSegment(17, Level.APEX, "apex"),
)
