"""Structures of the heart and the label conventions of public data sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from opencmr.errors import ConfigurationError


class Structure(StrEnum):
    """A structure that a segmentation may name."""

    LV = "LV"
    """Left ventricular cavity."""
    MYOCARDIUM = "MYO"
    """Left ventricular myocardium."""
    RV = "RV"
    """Right ventricular cavity."""
    SCAR = "SCAR"
    """Infarcted myocardium, no-reflow not counted."""
    NO_REFLOW = "NO_REFLOW"
    """Microvascular obstruction inside an infarct."""


@dataclass(frozen=True, slots=True)
class LabelScheme:
    """Which integer stands for which structure; 0 is always background."""

    name: str
    structures: Mapping[int, Structure]
    source: str

    def label_of(self, structure: Structure) -> int:
        """Return the integer of ``structure``.

        Raises
        ------
        ConfigurationError
            When the scheme does not hold it.
        """
        for label, known in self.structures.items():
            if known is structure:
                return label
        raise ConfigurationError(f"the label scheme {self.name!r} has no {structure.value}")


ACDC = LabelScheme(
    "acdc",
    MappingProxyType({1: Structure.RV, 2: Structure.MYOCARDIUM, 3: Structure.LV}),
    "Bernard et al., IEEE TMI 2018",
)
MNMS = LabelScheme(
    "mnms",
    MappingProxyType({1: Structure.LV, 2: Structure.MYOCARDIUM, 3: Structure.RV}),
    "Campello et al., IEEE TMI 2021",
)
EMIDEC = LabelScheme(
    "emidec",
    MappingProxyType(
        {
            1: Structure.LV,
            2: Structure.MYOCARDIUM,
            3: Structure.SCAR,
            4: Structure.NO_REFLOW,
        }
    ),
    "Lalande et al., Data 2020",
)

SCHEMES: Mapping[str, LabelScheme] = MappingProxyType({s.name: s for s in (ACDC, MNMS, EMIDEC)})


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
