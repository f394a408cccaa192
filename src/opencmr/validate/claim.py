"""The items of CLAIM, and what a validation knows of each by itself.

Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update (Tejani et al.,
Radiology: Artificial Intelligence 2024; 6(4):e240300).  Numbers are theirs; the topics are in
our own short words, so the published checklist is to be read beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = (
    "CLAIM 2024 update, Tejani et al., Radiology: Artificial Intelligence 2024; 6(4):e240300; "
    "topics in our own words"
)
FOR_THE_AUTHOR = "for the author to fill"


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number, what it asks for, and what is known of it; empty where nothing is."""

    number: int
    topic: str
    known: str = ""

    @property
    def text(self) -> str:
        """What is known, or that the author is to fill it."""
        return self.known or FOR_THE_AUTHOR


TOPICS: tuple[str, ...] = (
    "Title: artificial intelligence and its kind",
    "Abstract",
    "Background, intended use and role",
    "Aims, objectives, hypotheses",
    "Prospective or retrospective",
    "Goal of the study",
    "Data sources",
    "Inclusion and exclusion criteria",
    "Preprocessing",
    "Selection of subsets",
    "De-identification",
    "Missing data",
    "Image acquisition",
    "Reference standard: definition",
    "Reference standard: why this one",
    "Reference standard: annotators",
    "Annotation of the test set",
    "Variability between and within annotators",
    "Assignment to partitions",
    "Level at which partitions are disjoint",
    "Intended sample size",
    "Model",
    "Software",
    "Initialisation of the parameters",
    "Training",
    "Selection of the final model",
    "Ensembles",
    "Metrics of performance",
    "Significance and uncertainty",
    "Robustness or sensitivity",
    "Explainability",
    "Testing on internal data",
    "Testing on external data",
    "Trial registration",
    "Numbers included and excluded",
    "Demographic and clinical characteristics",
    "Performance with its uncertainty",
    "Diagnostic performance with its precision",
    "Analysis of failures",
    "Limitations",
    "Implications for practice",
    "Full protocol",
    "Availability of software, model and data",
    "Funding",
)
"""Of the items 1 to 44, in their order."""


def claim_items(known: Mapping[int, str]) -> tuple[Item, ...]:
    """Return all items in order, with what is known by number.

    Raises
    ------
    ValueError
        When a number is no item's.

    Examples
    --------
    >>> claim_items({23: "opencmr 0.1.0"})[22]
    Item(number=23, topic='Software', known='opencmr 0.1.0')
    """
    strange = set(known) - set(range(1, len(TOPICS) + 1))
    if strange:
        raise ValueError(f"CLAIM has no items {sorted(strange)}; they are 1 to {len(TOPICS)}")
    return tuple(Item(n, topic, known.get(n, "")) for n, topic in enumerate(TOPICS, 1))
