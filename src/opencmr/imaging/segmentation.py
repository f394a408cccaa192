"""Labels on a grid, with who made them."""

from dataclasses import dataclass

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """A segmentation of an image.

    Attributes
    ----------
    labels : (T, Z, Y, X) uint8
    scheme : LabelScheme
    grid : Grid
    policy : ContourPolicy
        The rules under which the outlines were drawn or learnt.
    author : str
        A model with its version, a reader, an import.
    probabilities : (C, T, Z, Y, X) float16 or None
        Share of each class, background first.
    derived_from : str or None
        The version that this one corrects.
    """

    labels: np.ndarray
    scheme: LabelScheme
    grid: Grid
    policy: ContourPolicy
    author: str
    probabilities: np.ndarray | None = None
    derived_from: str | None = None

    def __post_init__(self) -> None:
        if self.labels.ndim != 4 or self.labels.shape[1:] != self.grid.shape:
            raise GeometryError(
                f"labels must be (T, {', '.join(map(str, self.grid.shape))}), "
                f"found {self.labels.shape}"
            )
        if self.labels.dtype != np.uint8:
            raise GeometryError(f"labels must be uint8, found {self.labels.dtype}")
        if self.probabilities is not None and self.probabilities.shape[1:] != self.labels.shape:
            raise GeometryError(
                f"probabilities must be (C, {', '.join(map(str, self.labels.shape))}), "
                f"found {self.probabilities.shape}"
            )

    def mask(self, structure: Structure) -> np.ndarray:
        """Return where ``structure`` is, ``(T, Z, Y, X)`` bool."""
        return np.asarray(self.labels == self.scheme.label_of(structure))

    def to_scheme(self, scheme: LabelScheme) -> np.ndarray:
        """Return the labels ``(T, Z, Y, X) uint8`` in another convention.

        Raises
        ------
        ConfigurationError
            When the other convention lacks a structure that is labelled here.
        """
        table = np.zeros(256, dtype=np.uint8)
        for label, structure in self.scheme.structures.items():
            table[label] = scheme.label_of(structure)
        return np.asarray(table[self.labels])
