"""``opencmr doctor``: what this installation can do."""

import importlib.metadata
import importlib.util
import platform

from opencmr.cli import console
from opencmr.models.precision import Precision, is_quick_at_int8

_PACKAGES = (
    "numpy", "scipy", "pydantic", "pydicom", "nibabel", "onnxruntime", "typst", "torch",
)  # fmt: skip
_EXTRAS = ("highdicom", "typst", "httpx", "pynetdicom", "sqlalchemy")
_NEEDED_FOR = {
    "torch": "training: pip install 'opencmr[train]'",
    "highdicom": "the DICOM measurement report: pip install 'opencmr[dicom]'",
    "typst": "the PDF: pip install 'opencmr[pdf]'",
    "httpx": "archives behind DICOMweb: pip install 'opencmr[serve]'",
    "pynetdicom": "archives behind DIMSE, and the node: pip install 'opencmr[serve]'",
    "sqlalchemy": "the node: pip install 'opencmr[serve]'",
}
"""Packages without which an analysis goes on, what needs them, and how to install them."""
_CODECS = {
    "JPEG, JPEG 2000, JPEG-LS, RLE (gdcm)": "gdcm",
    "JPEG 2000 (openjpeg)": "openjpeg",
}


def doctor(as_json: console.AsJson = False, verbose: console.Verbose = False) -> None:
    """Say what the installation can do; exit status 1 when it cannot analyse."""
    import typer

    packages = {name: _version(name) for name in _PACKAGES}
    codecs = {name: importlib.util.find_spec(m) is not None for name, m in _CODECS.items()}
    extras = {name: _version(name) for name in _EXTRAS}
    models, broken, quick = _states_of_models()
    has_int8 = is_quick_at_int8()
    missing = [
        name for name, found in packages.items() if found is None and name not in _NEEDED_FOR
    ]
    healthy = not missing and bool(models) and all(state == "ok" for state in models.values())
    if as_json:
        console.print_json(
            {
                "python": platform.python_version(),
                "packages": packages,
                "extras": extras,
                "codecs": codecs,
                "models": models,
                "broken_cards": broken,
                "precision": {
                    "default": Precision.F32.value,
                    "int8_instructions": has_int8,
                    "auto": {title: precision.value for title, precision in quick.items()},
                },
                "telemetry": "off",
                "can_train": packages["torch"] is not None,
                "healthy": healthy,
            }
        )
    else:
        console.print_table(
            ("part", "found", "needed for"),
            [
                ("python", platform.python_version(), ""),
                *(
                    (name, found or "missing", _NEEDED_FOR.get(name, ""))
                    for name, found in (packages | extras).items()
                ),
                *(
                    (f"codec {name}", "yes" if there else "no", "")
                    for name, there in codecs.items()
                ),
                *((f"model {title}", state, "") for title, state in models.items()),
            ],
        )
        for fault in broken:
            typer.echo(f"left out: {fault}")
        fast = ", ".join(title for title, one in quick.items() if one is Precision.INT8)
        processor = "has" if has_int8 else "is not known to have"
        typer.echo(
            f"precision: f32; the processor {processor} instructions for int8, "
            f"--precision auto takes it for {fast or 'no model'}"
        )
        typer.echo("telemetry: off")
        typer.echo("ready to analyse" if healthy else "not able to analyse: see above")
    if not healthy:
        raise typer.Exit(1)


def _states_of_models() -> tuple[dict[str, str], list[str], dict[str, Precision]]:
    """Return "ok" or what is wrong by model, broken cards, and in what `auto` would compute.

    A model with a broken card is never taken, so it does not keep anyone from analysing.
    """
    from opencmr.diagnose.classifier import load_classifier
    from opencmr.errors import ModelError
    from opencmr.models.library import read_library
    from opencmr.models.session import load_network

    library = read_library()
    states: dict[str, str] = {}
    quick: dict[str, Precision] = {}
    # The user's own come first and hide a packaged model of the same title, as in look-up.
    for card in reversed(library.cards):
        try:
            if card.task == "diagnosis":
                load_classifier(card)
            else:
                load_network(card)
                if card.int8 is not None:
                    load_network(card.at(Precision.INT8))
                quick[card.title] = card.at(Precision.AUTO).precision
            states[card.title] = "ok"
        except ModelError as error:
            states[card.title] = str(error)
    return states, list(library.broken), quick


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
