"""What every relaxometry gives for each pixel: the time, its standard error, what is left over."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class RelaxationMap:
    """A relaxation time of every pixel; NaN where none could be fitted, never 0.

    Attributes
    ----------
    values_ms : (P,) or (Y, X)
    standard_error_ms : same shape
        From the residual and the Jacobian at the minimum; NaN where no picture is to spare.
    residual : same shape
        Root mean square of what the curve leaves, in the unit of the pictures.
    pictures : same shape, int
        How many pictures the fit used.
    """

    values_ms: np.ndarray
    standard_error_ms: np.ndarray
    residual: np.ndarray
    pictures: np.ndarray

    def __post_init__(self) -> None:
        shapes = {getattr(self, name).shape for name in self.__slots__}
        if len(shapes) != 1:
            raise ValueError(f"the parts of a map must have one shape, found {shapes}")

    def reshaped(self, shape: tuple[int, ...]) -> "RelaxationMap":
        """Return the map in another shape of as many pixels."""
        return RelaxationMap(*(getattr(self, name).reshape(shape) for name in self.__slots__))

    def replaced(self, pixels: np.ndarray, part: "RelaxationMap") -> "RelaxationMap":
        """Return the map ``(P,)`` with the pixels of these numbers exchanged for a part's."""
        parts = {name: getattr(self, name).copy() for name in self.__slots__}
        for name, values in parts.items():
            values[pixels] = getattr(part, name)
        return RelaxationMap(**parts)

    def where(self, chosen: np.ndarray, other: "RelaxationMap") -> "RelaxationMap":
        """Return the pixels of this map where ``chosen``, and those of another elsewhere."""
        return RelaxationMap(
            *(np.where(chosen, getattr(self, n), getattr(other, n)) for n in self.__slots__)
        )


def fitted(
    values_ms: np.ndarray,
    standard_error_ms: np.ndarray,
    residual: np.ndarray,
    pictures: int,
    limits_ms: tuple[float, float],
) -> RelaxationMap:
    """Return a map whose pixels outside the limits are NaN throughout."""
    low_ms, high_ms = limits_ms
    with np.errstate(invalid="ignore"):
        outside = ~((values_ms >= low_ms) & (values_ms <= high_ms))
    values_ms, standard_error_ms, residual = (
        np.where(outside, np.nan, part) for part in (values_ms, standard_error_ms, residual)
    )
    return RelaxationMap(values_ms, standard_error_ms, residual, np.where(outside, 0, pictures))
