"""``opencmr models``: what is installed, with card and terms."""

from typing import TYPE_CHECKING, Any

from opencmr.cli import console

if TYPE_CHECKING:
    from opencmr.models.card import AnyCard


def models(as_json: console.AsJson = False, verbose: console.Verbose = False) -> None:
    """List the models with card and terms; a card that cannot be read is named."""
    import typer

    from opencmr.models.library import read_library

    library = read_library()
    for fault in library.broken:
        console.say(f"left out: {fault}")
    if as_json:
        console.print_json([_row(card) for card in library.cards])
        return
    if not library.cards:
        typer.echo("no models installed")
    for card in library.cards:
        does, facts = _described(card)
        typer.echo(f"{card.title}  {does}")
        for name, value in (
            *facts,
            ("trained on", card.training_data),
            ("trained by", card.trained_by),
            ("terms", card.terms),
            ("use", card.intended_use),
            ("limits", card.limitations),
            *((name, str(figure)) for name, figure in card.figures.items()),
            ("sha256", card.sha256),
            ("card's sha256", card.file_sha256),
        ):
            typer.echo(f"  {name}: {value}")


def _described(card: "AnyCard") -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what the model does, and the facts that only its task has."""
    if card.task != "segmentation":
        return card.task, (("classes", ", ".join(card.output.classes)),)
    scheme = card.output.scheme
    labels = ", ".join(f"{k} {v.value}" for k, v in scheme.structures.items())
    return (
        f"{card.input.view.value} {card.input.technique.value} {card.task}",
        (("labels", f"{labels} ({scheme.name})"), ("policy", card.output.policy.text)),
    )


def _row(card: "AnyCard") -> dict[str, Any]:
    """Return the card for programs."""
    row: dict[str, Any] = {"name": card.name, "version": card.version, "task": card.task}
    if card.task == "segmentation":
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
    else:
        row["spacing_mm"] = card.input.spacing_mm
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
