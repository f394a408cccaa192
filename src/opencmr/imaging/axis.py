"""What differs between the pictures of one slice: the axis along which an image lies.

It is not always the heartbeat: the pictures of a mapping series differ in their preparation,
all at one moment of the beat.  A cine is what has a heartbeat.
"""

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from opencmr.errors import GeometryError


class PreparationKind(StrEnum):
    """What is done to the magnetisation before a picture."""

    INVERSION = "inversion"
    SATURATION = "saturation"
    T2_PREPARATION = "T2 preparation"


class _Locked:
    """Times that nobody changes afterwards, each array of shape ``(N, Z)`` but for ``rr_ms``."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            if isinstance(value, np.ndarray):
                copy = value.astype(np.float64)
                copy.flags.writeable = False
                object.__setattr__(self, one.name, copy)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as the call that makes it, so that a copy is locked too."""
        return type(self), tuple(getattr(self, one.name) for one in fields(self))  # type: ignore[arg-type]

    def _require(self, name: str, shape: tuple[int, ...]) -> None:
        found = getattr(self, name).shape
        if found != shape:
            raise GeometryError(f"{name} must be {shape}, found {found}")


@dataclass(frozen=True, slots=True, eq=False)
class Heartbeat(_Locked):
    """Pictures at different moments of the heartbeat, or a single picture of it.

    Attributes
    ----------
    trigger_ms : (N, Z) float64
        Time after the R wave; NaN where the source does not say.
    rr_ms : (Z,) float64
        Length of the heartbeat in which each slice was acquired; NaN where unknown.
        Phase ``n`` is the same fraction of the heartbeat in every slice.
    """

    trigger_ms: np.ndarray
    rr_ms: np.ndarray

    def require_shape(self, pictures: int, slices: int) -> None:
        """Raise a GeometryError where it is not the axis of such a stack."""
        self._require("trigger_ms", (pictures, slices))
        self._require("rr_ms", (slices,))


@dataclass(frozen=True, slots=True, eq=False)
class Preparation(_Locked):
    """Pictures after different preparations, at one moment of the heartbeat.

    Attributes
    ----------
    kind : PreparationKind
    times_ms : (N, Z) float64
        From the preparation to the picture; infinite for a picture without one.
    trigger_ms : (N, Z) float64
        Time after the R wave; NaN where the source does not say.
    rr_ms : (Z,) float64
        NaN where unknown.
    """

    kind: PreparationKind
    times_ms: np.ndarray
    trigger_ms: np.ndarray
    rr_ms: np.ndarray

    def require_shape(self, pictures: int, slices: int) -> None:
        """Raise a GeometryError where it is not the axis of such a stack."""
        self._require("times_ms", (pictures, slices))
        self._require("trigger_ms", (pictures, slices))
        self._require("rr_ms", (slices,))


Axis = Heartbeat | Preparation


def untimed(pictures: int, slices: int) -> Heartbeat:
    """Return a heartbeat of which nothing is known."""
    return Heartbeat(np.full((pictures, slices), np.nan), np.full(slices, np.nan))
