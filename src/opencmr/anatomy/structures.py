"""Structures of the heart, what lies inside what, and the label conventions of public data sets."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from opencmr.errors import ConfigurationError, InputError


class Structure(StrEnum):
    """A structure that a segmentation may name."""

    LV = "LV"
    """Left ventricular cavity."""
    MYOCARDIUM = "MYO"
    """Left ventricular myocardium."""
    RV = "RV"
    """Right ventricular cavity."""
    SCAR = "SCAR"
    """Infarcted myocardium, no-reflow included."""
    NO_REFLOW = "NO_REFLOW"
    """Microvascular obstruction inside an infarct."""


INSIDE: tuple[tuple[Structure, Structure], ...] = (
    (Structure.MYOCARDIUM, Structure.SCAR),
    (Structure.SCAR, Structure.NO_REFLOW),
)
"""The structure that includes, and the one that lies inside it."""


def with_inside(structure: Structure) -> tuple[Structure, ...]:
    """Return ``structure`` and everything that lies inside it.

    Examples
    --------
    >>> [one.value for one in with_inside(Structure.MYOCARDIUM)]
    ['MYO', 'SCAR', 'NO_REFLOW']
    """
    inner = (one for outer, one in INSIDE if outer is structure)
    return (structure, *(deeper for one in inner for deeper in with_inside(one)))


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """Which integer stands for which structure; 0 is always background.

    A label names the innermost structure of its voxel: a scar's voxel bears the scar's label
    alone, and is myocardium all the same.

    Attributes
    ----------
    name : str
    pairs : tuple of (int, Structure)
        Each label from 1 to 255 and each structure at most once.
    source : str
        Where the convention is described.

    Raises
    ------
    ConfigurationError
        When a label is no such integer, or a label or a structure stands twice.
    """

    name: str
    pairs: tuple[tuple[int, Structure], ...]
    source: str

    def __post_init__(self) -> None:
        labels, structures = [p[0] for p in self.pairs], [p[1] for p in self.pairs]
        if len({*labels}) < len(labels) or len({*structures}) < len(structures):
            raise ConfigurationError(f"the label scheme {self.name!r} names something twice")
        if not all(1 <= label <= 255 for label in labels):
            raise ConfigurationError(
                f"the label scheme {self.name!r} has labels {labels}; expected 1 to 255"
            )

    @property
    def structures(self) -> Mapping[int, Structure]:
        """The structure of each label."""
        return dict(self.pairs)

    def label_of(self, structure: Structure) -> int:
        """Return the integer that is written for ``structure``.

        Raises
        ------
        ConfigurationError
            When the scheme does not hold it.
        """
        for label, known in self.pairs:
            if known is structure:
                return label
        raise ConfigurationError(f"the label scheme {self.name!r} has no {structure.value}")

    def label_holding(self, structure: Structure) -> int:
        """Return the integer of ``structure``, else of the innermost one here that holds it.

        Raises
        ------
        ConfigurationError
            When no structure of the scheme holds it.

        Examples
        --------
        >>> ACDC.label_holding(Structure.NO_REFLOW), EMIDEC.label_holding(Structure.NO_REFLOW)
        (2, 4)
        """
        holding = [pair for pair in self.pairs if structure in with_inside(pair[1])]
        if not holding:
            return self.label_of(structure)
        return min(holding, key=lambda pair: len(with_inside(pair[1])))[0]

    def labels_of(self, structure: Structure) -> tuple[int, ...]:
        """Return the integers of ``structure`` and of all that lies inside it; none, if unknown.

        Examples
        --------
        >>> EMIDEC.labels_of(Structure.MYOCARDIUM), EMIDEC.labels_of(Structure.RV)
        ((2, 3, 4), ())
        """
        sought = with_inside(structure)
        return tuple(label for label, known in self.pairs if known in sought)

    def mask(self, labels: np.ndarray, structure: Structure) -> np.ndarray:
        """Return where ``labels`` are ``structure`` or lie inside it, of the same shape, bool."""
        found = np.zeros(labels.shape, dtype=bool)
        for label in self.labels_of(structure):
            found |= labels == label
        return found


ACDC = LabelScheme(
    "acdc",
    ((1, Structure.RV), (2, Structure.MYOCARDIUM), (3, Structure.LV)),
    "Bernard et al., IEEE TMI 2018",
)
MNMS = LabelScheme(
    "mnms",
    ((1, Structure.LV), (2, Structure.MYOCARDIUM), (3, Structure.RV)),
    "Campello et al., IEEE TMI 2021",
)
EMIDEC = LabelScheme(
    "emidec",
    ((1, Structure.LV), (2, Structure.MYOCARDIUM), (3, Structure.SCAR), (4, Structure.NO_REFLOW)),
    "Lalande et al., Data 2020",
)

SCHEMES: Mapping[str, LabelScheme] = MappingProxyType({s.name: s for s in (ACDC, MNMS, EMIDEC)})


def scheme_holding(found: Set[Structure]) -> LabelScheme:
    """Return the convention of the one series that has all the structures.

    Raises
    ------
    InputError
        When no series has them all.

    Examples
    --------
    >>> scheme_holding({Structure.LV, Structure.RV}).name, scheme_holding({Structure.SCAR}).name
    ('acdc', 'emidec')
    """
    for scheme in (ACDC, EMIDEC):
        if found <= set(scheme.structures.values()):
            return scheme
    raise InputError(
        "the labels hold scar and the right ventricle: no series is measured from both; keep "
        "those of late enhancement or of the cine"
    )


def scheme_named(name: str) -> LabelScheme:
    """Return the scheme called ``name``.

    Raises
    ------
    ConfigurationError
        When there is none.
    """
    try:
        return SCHEMES[name]
    except KeyError:
        raise ConfigurationError(
            f"unknown label scheme {name!r}; known: {', '.join(SCHEMES)}"
        ) from None
