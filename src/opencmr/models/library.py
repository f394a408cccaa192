"""Which models there are, looked up by what they can do."""

import os
from pathlib import Path

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ModelError
from opencmr.models.card import CARD_FILE, ModelCard, read_card

MODELS_VARIABLE = "OPENCMR_MODELS"
"""Environment variable: a folder of the user's own models, ``<name>/<version>/``."""

_PACKAGED = Path(__file__).parent


def model_folders() -> tuple[Path, ...]:
    """Return every model folder, the user's own before the package's."""
    roots = [_PACKAGED]
    if named := os.environ.get(MODELS_VARIABLE):
        roots.insert(0, Path(named))
    return tuple(card.parent for root in roots for card in sorted(root.glob(f"*/*/{CARD_FILE}")))


def list_models() -> tuple[ModelCard, ...]:
    """Return the cards of every model found."""
    return tuple(read_card(folder) for folder in model_folders())


def find_model(task: str, view: View, sequence: Technique, *, name: str | None = None) -> ModelCard:
    """Return the model for a task: the one called ``name``, else the newest that fits.

    Raises
    ------
    ModelError
        When none fits; the message lists what is there.
    """
    cards = list_models()
    fitting = [
        card
        for card in cards
        if (card.task, card.view, card.sequence) == (task, view, sequence)
        and (name is None or name in (card.name, card.title.replace(" ", "@")))
    ]
    if not fitting:
        known = ", ".join(card.title.replace(" ", "@") for card in cards) or "none"
        wanted = f" called {name!r}" if name else ""
        raise ModelError(
            f"no {task} model{wanted} for {view.value} {sequence.value}; installed: {known}"
        )
    newest = max(_version_key(card.version) for card in fitting)
    return next(card for card in fitting if _version_key(card.version) == newest)


def model_titled(title: str) -> ModelCard:
    """Return the model ``name@version``.

    Raises
    ------
    ModelError
        When there is none.
    """
    cards = {f"{card.name}@{card.version}": card for card in list_models()}
    if title not in cards:
        raise ModelError(f"no model {title!r}; installed: {', '.join(cards) or 'none'}")
    return cards[title]


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in version.split("."))
