"""A series of pictures from which a relaxation time can be fitted, and the map of one."""

from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.map_kinds import MapKind
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Echo, Preparation
from opencmr.imaging.brief import brief
from opencmr.imaging.flag import QualityFlag
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TimeMap:
    """A relaxation time of every pixel of a series, fitted here or made by the scanner.

    Attributes
    ----------
    kind : MapKind
    values_ms : (Z, Y, X) float32
        NaN where there is none; never 0.
    grid : Grid
    made_by : str
        The curve that was fitted, or that it is the scanner's own.
    after_contrast : bool
        The header states a contrast agent.
    wall : Segmentation or None
        The heart on the map's own grid, at one phase; None where nobody says where it lies.

    Raises
    ------
    GeometryError
        When the shapes contradict one another.
    """

    kind: MapKind
    values_ms: np.ndarray
    grid: Grid
    made_by: str
    after_contrast: bool = False
    wall: Segmentation | None = None

    def __post_init__(self) -> None:
        if self.values_ms.shape != self.grid.shape:
            raise GeometryError(f"a map must be {self.grid.shape}, found {self.values_ms.shape}")
        if self.wall is not None and self.wall.labels.shape != (1, *self.grid.shape):
            raise GeometryError(
                f"the wall of a map must be (1, {', '.join(map(str, self.grid.shape))}), found "
                f"{self.wall.labels.shape}"
            )
        locked = self.values_ms.astype(np.float32)
        locked.flags.writeable = False
        object.__setattr__(self, "values_ms", locked)

    __repr__ = brief
