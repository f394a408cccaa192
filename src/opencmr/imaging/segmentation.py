"""Labels on a grid, with who made them."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from opencmr.anatomy.policy import ContourPolicy
from opencmr.anatomy.structures import LabelScheme, Structure
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid
from opencmr.imaging.brief import brief


class AuthorKind(StrEnum):
    """What made a segmentation."""

    MODEL = "model"
    READER = "reader"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a segmentation: a model, a reader, or whatever made an imported file."""

    kind: AuthorKind
    name: str
    version: str = ""

    @property
    def text(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Segmentation:
    """A segmentation of an image.

    Its arrays are locked views: whoever makes one hands the arrays over and writes no more.

    Attributes
    ----------
    labels : (T, Z, Y, X) uint8
    scheme : LabelScheme
    grid : Grid
    policy : ContourPolicy
        The rules under which the outlines were drawn or learnt.
    author : Author
    probabilities : (C, T, Z, Y, X) float16 or None
        Share of each class, background first.
    derived_from : str or None
        The version that this one corrects.
    grid_scale : float
        Spacing of the grid on which a model saw the heart over the one it was trained on: below 1
        where the heart is smaller than any that it learnt from.

    Raises
    ------
    GeometryError
        When an array has not the grid's shape, or a label is not in the scheme.
    """

    labels: np.ndarray
    scheme: LabelScheme
    grid: Grid
    policy: ContourPolicy
    author: Author
    probabilities: np.ndarray | None = None
    derived_from: str | None = None
    grid_scale: float = 1.0

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
        self._require_known_labels()
        for name in ("labels", "probabilities"):
            array = getattr(self, name)
            if array is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def _require_known_labels(self) -> None:
        known = np.zeros(256, dtype=bool)
        known[[0, *self.scheme.structures]] = True
        # Phase by phase: indexing takes eight times the memory of what it indexes.
        if not all(known[stack].all() for stack in self.labels):
            strange = sorted({*np.unique(self.labels).tolist()} - {0, *self.scheme.structures})
            raise GeometryError(
                f"labels {strange} are not in the scheme {self.scheme.name!r}, which has "
                f"{sorted(self.scheme.structures)}"
            )

    __repr__ = brief

    @property
    def drawn_by(self) -> str:
        """Who drew the labels; of a model that looked again at another's, both."""
        if self.author.kind is AuthorKind.MODEL and self.derived_from is not None:
            return f"{self.derived_from}, looked at again by {self.author.text}"
        return self.author.text

    def __reduce__(self) -> tuple[type["Segmentation"], tuple[Any, ...]]:
        """Pickle as the call that makes it, so that a copy is checked and locked too."""
        return Segmentation, tuple(getattr(self, field.name) for field in fields(self))

    def mask(self, structure: Structure) -> np.ndarray:
        """Return where ``structure`` is, with all inside it: ``(T, Z, Y, X)`` bool."""
        return self.scheme.mask(self.labels, structure)

    def to_scheme(self, scheme: LabelScheme) -> np.ndarray:
        """Return the labels ``(T, Z, Y, X) uint8`` in another convention.

        A structure that the other lacks becomes what it lies in: scar becomes myocardium.

        Raises
        ------
        ConfigurationError
            When the other convention has nothing that holds a structure labelled here.
        """
        table = np.zeros(256, dtype=np.uint8)
        for label, structure in self.scheme.structures.items():
            table[label] = scheme.label_holding(structure)
        return np.asarray(table[self.labels])
