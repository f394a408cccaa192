"""``opencmr models``: what is installed, with card and terms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencmr.cli import console
from opencmr.errors import ModelError

if TYPE_CHECKING:
    from opencmr.models.card import AnyCard

BYTES_A_MB = 1e6


def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One model, name or name@version: its whole card."),
    ] = None,
    as_json: console.AsJson = False,
    verbose: console.Verbose = False,
) -> None:
    """List the models, or show one's card: data, terms, figures, limits.

    A card that cannot be read is named.
    """
    from opencmr.models.library import read_library

    library = read_library()
    for fault in library.broken:
        console.say(f"left out: {fault}")
    cards = [card for card in library.cards if name in (None, card.name, card.reference)]
    if name is not None and not cards:
        raise ModelError(f"no model called {name!r}; {library.text}")
    defaults = {card.reference for card in library.defaults}
    if as_json:
        console.print_json([_row(card, card.reference in defaults) for card in cards])
    elif name is not None or verbose:
        for card in cards:
            _tell(card)
    elif cards:
        console.print_table(
            ("model", "for", "labels or classes", "default", "MB", "terms"),
            [_line(card, card.reference in defaults) for card in cards],
        )
        typer.echo("opencmr models NAME shows a model's whole card.")
    else:
        typer.echo("no models installed")


def _line(card: "AnyCard", is_default: bool) -> tuple[str, ...]:
    """Return the model's line of the table."""
    from opencmr.models.card import SegmentationCard, WallCard

    made_for: str = card.task
    if isinstance(card, SegmentationCard | WallCard):
        made_for = f"{card.input.view.value} {card.input.technique.value}"
        if card.task == "wall":
            made_for += f", after {card.input.follows}"
        named = " ".join(one.value for one in card.output.scheme.structures.values())
    else:
        named = " ".join(card.output.classes)
    size = sum(file.stat().st_size for file in card.folder.iterdir()) / BYTES_A_MB
    return (
        card.reference,
        made_for,
        named,
        "yes" if is_default else "",
        f"{size:.1f}",
        card.terms.partition(" (")[0],
    )


def _tell(card: "AnyCard") -> None:
    """Write the whole card."""
    does, facts = _described(card)
    typer.echo(f"{card.title}  {does}")
    for name, value in (
        *facts,
        ("trained on", card.training_data),
        ("trained by", card.trained_by),
        ("terms", card.terms),
        ("use", card.intended_use),
        ("limits", card.limitations),
        *((name, _figures(figure)) for name, figure in card.figures.items()),
        ("sha256", card.sha256),
        *_int8(card),
        ("card's sha256", card.file_sha256),
    ):
        typer.echo(f"  {name}: {value}")


def _int8(card: "AnyCard") -> tuple[tuple[str, str], ...]:
    """Return what the card says of weights in 8-bit integers."""
    if card.task == "diagnosis" or card.int8 is None:
        return ()
    return (("int8, sha256", card.int8.sha256), ("int8, fitted to", card.int8.calibration))


def _figures(figure: Any) -> str:
    """Return a card's figures in words.

    >>> _figures({"mean Dice": 0.907, "accuracy": [0.94, 0.88, 0.99]})
    'mean Dice 0.907, accuracy 0.94 (0.88 to 0.99)'
    """
    if isinstance(figure, Mapping):
        return ", ".join(f"{name} {_figures(value)}" for name, value in figure.items())
    if isinstance(figure, list) and len(figure) == 3:
        value, low, high = figure
        return f"{value} ({low} to {high})"
    return str(figure)


def _described(card: "AnyCard") -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what the model does, and the facts that only its task has."""
    from opencmr.models.card import SegmentationCard, WallCard

    if not isinstance(card, SegmentationCard | WallCard):
        return card.task, (("classes", ", ".join(card.output.classes)),)
    scheme = card.output.scheme
    labels = ", ".join(f"{k} {v.value}" for k, v in scheme.structures.items())
    return (
        f"{card.input.view.value} {card.input.technique.value} "
        f"{f'second look after {card.input.follows}' if card.task == 'wall' else card.task}",
        (("labels", f"{labels} ({scheme.name})"), ("policy", card.output.policy.text)),
    )


def _row(card: "AnyCard", is_default: bool) -> dict[str, Any]:
    """Return the card for programs."""
    from opencmr.models.card import SegmentationCard, WallCard

    row: dict[str, Any] = {"name": card.name, "version": card.version, "task": card.task}
    row["default"] = is_default
    if isinstance(card, SegmentationCard | WallCard):
        row |= {
            "view": card.input.view.value,
            "sequence": card.input.technique.value,
            "labels": {str(k): v.value for k, v in card.output.scheme.structures.items()},
            "policy": card.output.policy.text,
        }
    else:
        row["classes"] = list(card.output.classes)
    if card.task == "diagnosis":
        row["symbols"] = list(card.input.symbols)
    elif card.task == "wall":
        row["follows"] = card.input.follows
    else:
        row["spacing_mm"] = card.input.spacing_mm
        row["int8"] = None if card.int8 is None else card.int8.model_dump()
    return row | {
        "sha256": card.sha256,
        "card_sha256": card.file_sha256,
        "trained_by": card.trained_by,
        "training_data": card.training_data,
        "terms": card.terms,
        "intended_use": card.intended_use,
        "limitations": card.limitations,
        "figures": dict(card.figures),
    }
