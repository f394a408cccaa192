"""``opencmr models``: what is installed, with card and terms."""

from opencmr.cli import console


def models(as_json: console.AsJson = False, verbose: console.Verbose = False) -> None:
    """List the models with card and terms."""
    from opencmr.models.library import list_models

    cards = list_models()
    if as_json:
        console.print_json(
            [
                {
                    "name": card.name,
                    "version": card.version,
                    "task": card.task,
                    "view": card.view.value,
                    "sequence": card.sequence.value,
                    "labels": {str(k): v.value for k, v in card.scheme.structures.items()},
                    "policy": card.policy.text,
                    "spacing_mm": card.spacing_mm,
                    "sha256": card.sha256,
                    "training_data": card.training_data,
                    "terms": card.terms,
                    "intended_use": card.intended_use,
                    "limitations": card.limitations,
                    "figures": dict(card.figures),
                }
                for card in cards
            ]
        )
        return
    import typer

    if not cards:
        typer.echo("no models installed")
    for card in cards:
        labels = ", ".join(f"{k} {v.value}" for k, v in card.scheme.structures.items())
        typer.echo(f"{card.title}  {card.view.value} {card.sequence.value} {card.task}")
        for name, value in (
            ("labels", f"{labels} ({card.scheme.name})"),
            ("policy", card.policy.text),
            ("trained on", card.training_data),
            ("terms", card.terms),
            ("use", card.intended_use),
            ("limits", card.limitations),
            *((name, str(figure)) for name, figure in card.figures.items()),
            ("sha256", card.sha256),
        ):
            typer.echo(f"  {name}: {value}")
