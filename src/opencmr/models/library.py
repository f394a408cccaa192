"""Which models there are, looked up by what they can do."""

import os
from dataclasses import dataclass
from pathlib import Path

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.models.card import (
    CARD_FILE,
    AnyCard,
    DiagnosisCard,
    SegmentationCard,
    WallCard,
    read_card,
)

MODELS_VARIABLE = "OPENCMR_MODELS"
"""Environment variable: a folder of the user's own models, ``<name>/<version>/``."""

_PACKAGED = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Library:
    """What the model folders hold, the user's own before the package's.

    Attributes
    ----------
    cards : tuple of cards
    broken : tuple of str
        What is wrong with each card that cannot be read; its model is as good as absent.
    """

    cards: tuple[AnyCard, ...]
    broken: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is installed and what is broken, for an error."""
        installed = ", ".join(card.reference for card in self.cards) or "none"
        return "; ".join([f"installed: {installed}", *self.broken])

    def fitting(
        self, view: View, technique: Technique, *, name: str | None = None
    ) -> list[SegmentationCard]:
        """Return the models that segment such series, of any name or of that one."""
        return [
            card
            for card in self.cards
            if isinstance(card, SegmentationCard)
            and (card.input.view, card.input.technique) == (view, technique)
            and (name is None or name in (card.name, card.reference))
        ]

    def choose(self, view: View, technique: Technique, *, name: str | None = None) -> "Choice":
        """Choose the segmentation model called ``name``, else the newest that fits.

        Raises
        ------
        ModelError
            When none fits; the message lists what is there.
        """
        fitting = self.fitting(view, technique, name=name)
        if not fitting:
            wanted = f" called {name!r}" if name else ""
            raise ModelError(
                f"no segmentation model{wanted} for {view.value} {technique.value}; {self.text}"
            )
        taken = _newest(fitting)
        packaged = [card for card in fitting if _is_packaged(card)]
        if _is_packaged(taken) or not packaged:
            return Choice(taken)
        return Choice(taken, preferred_to=_newest(packaged))

    def choose_segmentation(self, name: str) -> SegmentationCard:
        """Choose the newest segmentation model called ``name``, whatever series it segments.

        Raises
        ------
        ModelError
            When there is none; the message lists what is there.
        """
        named = [
            card
            for card in self.cards
            if isinstance(card, SegmentationCard) and name in (card.name, card.reference)
        ]
        if not named:
            raise ModelError(f"no segmentation model called {name!r}; {self.text}")
        return _newest(named)

    def second_look(self, card: SegmentationCard) -> WallCard | None:
        """Return the newest model that looks again at the labels of that one; None: there is none.

        The user's own go before the package's of the same version.
        """
        fitting = [one for one in self.cards if isinstance(one, WallCard) and _follows(one, card)]
        return max(fitting, key=lambda one: _version_key(one.version), default=None)

    @property
    def defaults(self) -> tuple[AnyCard, ...]:
        """The models that are taken where none is named: one for each kind of series, and task."""
        kinds = dict.fromkeys(
            (card.input.view, card.input.technique)
            for card in self.cards
            if isinstance(card, SegmentationCard)
        )
        chosen: list[AnyCard] = []
        for kind in kinds:
            card = self.choose(*kind).card
            again = self.second_look(card)
            chosen += [card] if again is None else [card, again]
        if any(isinstance(card, DiagnosisCard) for card in self.cards):
            chosen.append(self.choose_diagnosis())
        return tuple(chosen)

    def choose_diagnosis(self, *, name: str | None = None) -> DiagnosisCard:
        """Choose the classifier of diagnosis called ``name``, else the newest.

        Raises
        ------
        ModelError
            When there is none; the message lists what is there.
        """
        fitting = [
            card
            for card in self.cards
            if isinstance(card, DiagnosisCard) and name in (None, card.name, card.reference)
        ]
        if not fitting:
            wanted = f" called {name!r}" if name else ""
            raise ModelError(f"no classifier of diagnosis{wanted}; {self.text}")
        return max(fitting, key=lambda card: _version_key(card.version))


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that was taken, and the packaged one that it was preferred to, if any."""

    card: SegmentationCard
    preferred_to: SegmentationCard | None = None

    @property
    def remark(self) -> str:
        """What the user should know of the choice; empty when nothing."""
        if self.preferred_to is None:
            return ""
        return (
            f"{self.card.title} of {MODELS_VARIABLE} is used instead of the packaged "
            f"{self.preferred_to.title}"
        )


def read_library() -> Library:
    """Read every card; one that is broken does not stop the others."""
    roots = [_PACKAGED]
    if named := os.environ.get(MODELS_VARIABLE):
        roots.insert(0, Path(named))
    cards: list[AnyCard] = []
    broken: list[str] = []
    for file in (file for root in roots for file in sorted(root.glob(f"*/*/{CARD_FILE}"))):
        try:
            cards.append(read_card(file.parent))
        except ModelError as error:
            broken.append(str(error))
    return Library(tuple(cards), tuple(broken))


def model_titled(reference: str) -> AnyCard:
    """Return the card of the model ``name@version``.

    Raises
    ------
    ModelError
        When there is none.
    """
    library = read_library()
    for card in library.cards:
        if card.reference == reference:
            return card
    raise ModelError(f"no model {reference!r}; {library.text}")


def _follows(second: WallCard, first: SegmentationCard) -> bool:
    return (
        second.input.follows == first.name
        and (second.input.view, second.input.technique) == (first.input.view, first.input.technique)
        and second.output.label_scheme == first.output.label_scheme
    )


def _is_packaged(card: SegmentationCard) -> bool:
    return _PACKAGED in card.folder.parents


def _newest(cards: list[SegmentationCard]) -> SegmentationCard:
    """Return the first of the cards with the highest version."""
    return max(cards, key=lambda card: _version_key(card.version))


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in version.split("."))
