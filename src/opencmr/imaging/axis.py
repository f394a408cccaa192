"""What differs between the pictures of one slice: the axis along which an image lies.

It is not always the heartbeat: the pictures of a mapping series differ in their preparation or
echo, those of a perfusion series in their beat.  A cine is what has a heartbeat.
"""

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from opencmr.errors import GeometryError
from opencmr.imaging.brief import brief


class PreparationKind(StrEnum):
    """What is done to the magnetisation before a picture."""

    INVERSION = "inversion"
    SATURATION = "saturation"
    T2_PREPARATION = "T2 preparation"


class _Locked:
    """Times that nobody changes afterwards, arrays of shape ``(N, Z)``.

    Every axis has ``trigger_ms (N, Z)``, the time after the R wave, and ``rr_ms (Z,)``, the
    length of the heartbeat in which each slice was acquired; NaN where the source does not say.
    """

    __slots__ = ()
    __repr__ = brief

    trigger_ms: np.ndarray
    rr_ms: np.ndarray

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

    def require_shape(self, pictures: int, slices: int) -> None:
        """Raise a GeometryError where it is not the axis of such a stack."""
        for one in fields(self):  # type: ignore[arg-type]
            value = getattr(self, one.name)
            expected = (slices,) if one.name == "rr_ms" else (pictures, slices)
            if isinstance(value, np.ndarray) and value.shape != expected:
                raise GeometryError(f"{one.name} must be {expected}, found {value.shape}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Heartbeat(_Locked):
    """Pictures at different moments of the heartbeat.

    Phase ``n`` is the same fraction of the heartbeat in every slice.
    """

    trigger_ms: np.ndarray
    rr_ms: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Single(_Locked):
    """One picture of each slice."""

    trigger_ms: np.ndarray
    rr_ms: np.ndarray

    def require_shape(self, pictures: int, slices: int) -> None:
        """Raise a GeometryError where there are several pictures of a slice, too."""
        if pictures != 1:
            raise GeometryError(f"{pictures} pictures of a slice are no single one")
        _Locked.require_shape(self, pictures, slices)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Preparation(_Locked):
    """Pictures after different preparations.

    Attributes
    ----------
    kind : PreparationKind
    times_ms : (N, Z) float64
        From the preparation to the picture; infinite for a picture without one.
    """

    kind: PreparationKind
    times_ms: np.ndarray
    trigger_ms: np.ndarray
    rr_ms: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Echo(_Locked):
    """Pictures of different echoes of one excitation.

    Attributes
    ----------
    times_ms : (N, Z) float64
        Echo times.
    """

    times_ms: np.ndarray
    trigger_ms: np.ndarray
    rr_ms: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Beats(_Locked):
    """Pictures of heartbeats one after another: perfusion, or a cine in real time.

    Attributes
    ----------
    times_ms : (N, Z) float64
        Since the slice's first picture.
    """

    times_ms: np.ndarray
    trigger_ms: np.ndarray
    rr_ms: np.ndarray


Axis = Heartbeat | Single | Preparation | Echo | Beats


def heartbeat_or_single(trigger_ms: np.ndarray, rr_ms: np.ndarray) -> Heartbeat | Single:
    """Return the axis of pictures that differ in nothing but their moment of the heartbeat."""
    return (Heartbeat if len(trigger_ms) > 1 else Single)(trigger_ms, rr_ms)


def untimed(pictures: int, slices: int) -> Heartbeat | Single:
    """Return a heartbeat of which nothing is known."""
    return heartbeat_or_single(np.full((pictures, slices), np.nan), np.full(slices, np.nan))
