"""Images on a grid: a stack at one phase, or a cine."""

from dataclasses import dataclass

import numpy as np

from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A stack of slices over time.

    Attributes
    ----------
    values : (T, Z, Y, X) float32
        Stored values after rescaling.
    grid : Grid
    trigger_ms : (T, Z) float64
        Time after the R wave; NaN where the source does not say.
    rr_ms : (Z,) float64
        Length of the heartbeat in which each slice was acquired; NaN where unknown.
        Phase ``t`` is the same fraction of the heartbeat in every slice.
    sources : tuple of str
        SOP instance UIDs or the file's hash; never file names.
    """

    values: np.ndarray
    grid: Grid
    trigger_ms: np.ndarray
    rr_ms: np.ndarray
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 4 or self.values.shape[1:] != self.grid.shape:
            raise GeometryError(
                f"values must be (T, {', '.join(map(str, self.grid.shape))}), "
                f"found {self.values.shape}"
            )
        phases, slices = self.values.shape[:2]
        if self.trigger_ms.shape != (phases, slices):
            raise GeometryError(
                f"trigger_ms must be ({phases}, {slices}), found {self.trigger_ms.shape}"
            )
        if self.rr_ms.shape != (slices,):
            raise GeometryError(f"rr_ms must be ({slices},), found {self.rr_ms.shape}")

    @property
    def phases(self) -> int:
        """Number of cardiac phases."""
        return int(self.values.shape[0])

    @property
    def is_cine(self) -> bool:
        """Whether there is more than one phase."""
        return self.phases > 1

    @property
    def mean_rr_ms(self) -> float | None:
        """Mean heartbeat over the slices that state one, or None."""
        known = self.rr_ms[np.isfinite(self.rr_ms)]
        return float(known.mean()) if known.size else None


def untimed_image(values: np.ndarray, grid: Grid, sources: tuple[str, ...] = ()) -> Image:
    """Return an image whose trigger times and heartbeats are unknown."""
    phases, slices = values.shape[:2]
    return Image(values, grid, np.full((phases, slices), np.nan), np.full(slices, np.nan), sources)
