"""A series of pictures from which a relaxation time can be fitted."""

from dataclasses import dataclass
from enum import StrEnum

from opencmr.errors import GeometryError
from opencmr.imaging.axis import Echo, Preparation
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.image import Image


class MapKind(StrEnum):
    """The relaxation time that is mapped."""

    T1 = "t1"
    T2 = "t2"
    T2_STAR = "t2star"


@dataclass(frozen=True, slots=True, eq=False)
class RelaxationSeries:
    """Pictures of the same slices at several times, all of which are known.

    Attributes
    ----------
    image : Image
        Along a preparation or echoes; pixels that are not finite were so in the source.
    has_geometry : bool
        False where the source states none: the grid is then mere rows and columns.
    scheme : str
        As the source names it; empty where it names none.
    parameters : int or None
        Of the curve, where the source chooses.
    remarks : tuple of str
        What a reader should know of how it was read; no identifiers.
    flags : tuple of QualityFlag
    """

    image: Image
    has_geometry: bool = True
    scheme: str = ""
    parameters: int | None = None
    remarks: tuple[str, ...] = ()
    flags: tuple[QualityFlag, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.image.along, Preparation | Echo):
            raise GeometryError("a series for a map lies along a preparation or along echoes")

    @property
    def along(self) -> Preparation | Echo:
        """The axis, whose ``times_ms (N, Z)`` are fitted."""
        assert isinstance(self.image.along, Preparation | Echo)
        return self.image.along
