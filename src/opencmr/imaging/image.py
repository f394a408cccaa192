"""Images on a grid: the pictures of each slice along an axis."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Axis, Heartbeat, untimed
from opencmr.imaging.brief import brief


class Unit(StrEnum):
    """What the values of an image mean."""

    ARBITRARY = "arbitrary"
    MILLISECONDS = "ms"
    CM_PER_S = "cm/s"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Instance:
    """Which picture of which DICOM instance it is: what SEG and SR point at.

    Series and study are those that the instance itself states: a stack may have come as several.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int
    series_instance_uid: str = ""
    study_instance_uid: str = ""
    instance_number: int | None = None
    """The image's number in its series, by which contour files name it; None where unstated."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Image:
    """A stack of slices, each with the same number of pictures along an axis.

    The maker hands ``values`` over: a locked view is kept, not a copy.

    Attributes
    ----------
    values : (N, Z, Y, X) float32
        Stored values after rescaling.
    grid : Grid
    along : Heartbeat, Single, Preparation, Echo or Beats
    unit : Unit
    sources : tuple of str
        SOP instance UIDs or the file's hash; never file names.
    instances : tuple (N) of tuple (Z) of Instance
        The picture behind each slice; of a slice that was resampled in time, the nearest one.
        Empty for an image that does not come from DICOM.
    venc_cm_s : float or None
        Greatest velocity that a phase-contrast acquisition encodes; None where it is none, or
        the header does not say.

    Raises
    ------
    GeometryError
        When shapes contradict one another, or the values are no float32.
    """

    values: np.ndarray
    grid: Grid
    along: Axis
    unit: Unit = Unit.ARBITRARY
    sources: tuple[str, ...] = field(default=(), repr=False)
    instances: tuple[tuple[Instance, ...], ...] = field(default=(), repr=False)
    venc_cm_s: float | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 4 or self.values.shape[1:] != self.grid.shape:
            raise GeometryError(
                f"values must be (N, {', '.join(map(str, self.grid.shape))}), "
                f"found {self.values.shape}"
            )
        if self.values.dtype != np.float32:
            raise GeometryError(f"values must be float32, found {self.values.dtype}")
        pictures, slices = self.values.shape[:2]
        self.along.require_shape(pictures, slices)
        shape = {len(row) for row in self.instances} | {slices}
        if self.instances and (len(self.instances) != pictures or len(shape) != 1):
            raise GeometryError(f"instances must be ({pictures}, {slices})")
        locked = self.values.view()
        locked.flags.writeable = False
        object.__setattr__(self, "values", locked)

    __repr__ = brief

    def __reduce__(self) -> tuple[object, ...]:
        return Image, tuple(getattr(self, name) for name in self.__slots__)

    @property
    def phases(self) -> int:
        """Number of pictures of a slice."""
        return int(self.values.shape[0])

    @property
    def is_cine(self) -> bool:
        """Whether its pictures differ in their moment of the heartbeat."""
        return isinstance(self.along, Heartbeat) and self.phases > 1

    @property
    def trigger_ms(self) -> np.ndarray:
        """Time ``(N, Z)`` after the R wave; NaN where unknown."""
        return self.along.trigger_ms

    @property
    def rr_ms(self) -> np.ndarray:
        """Heartbeat ``(Z,)`` of each slice; NaN where unknown."""
        return self.along.rr_ms

    @property
    def mean_rr_ms(self) -> float | None:
        """Mean heartbeat over the slices that state one, or None."""
        known = self.rr_ms[np.isfinite(self.rr_ms)]
        return float(known.mean()) if known.size else None


def untimed_image(values: np.ndarray, grid: Grid, sources: tuple[str, ...] = ()) -> Image:
    """Return an image whose trigger times and heartbeats are unknown."""
    phases, slices = values.shape[:2]
    return Image(values, grid, untimed(phases, slices), sources=sources)
