"""The model card: what a network is for, what it expects, where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencmr.anatomy.policy import BasalRule, ContourPolicy, PapillaryRule
from opencmr.anatomy.structures import LabelScheme, scheme_named
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.errors import ConfigurationError, ModelError

CARD_FILE = "model.json"
WEIGHTS_FILE = "weights.onnx"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model folder's ``model.json``.

    Attributes
    ----------
    folder : Path
        Where the card and ``weights.onnx`` lie.
    task : str
        ``segmentation``.
    spacing_mm : float
        In-plane spacing of the network's grid, rows and columns alike.
    window_px : int
        Side of the windows that it was trained on.
    stride_px : int
        Height and width of an input must be multiples of this.
    context_slices : int
        Neighbouring slices on each side that it sees beside the one that it labels.
    intensity_percentiles : (low, high)
        Percentiles of the window that are scaled to 0 and 1; values outside are clipped.
    figures : mapping
        Measured accuracy with its data set, as in ``benchmarks/``.
    """

    folder: Path
    name: str
    version: str
    task: str
    view: View
    sequence: Technique
    scheme: LabelScheme
    policy: ContourPolicy
    spacing_mm: float
    window_px: int
    stride_px: int
    context_slices: int
    intensity_percentiles: tuple[float, float]
    sha256: str
    training_data: str
    terms: str
    intended_use: str
    limitations: str
    figures: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model folder.

    Raises
    ------
    ModelError
        When the card is missing, no JSON, or lacks a field.
    """
    path = folder / CARD_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the model card of {folder.name}: {error}") from error
    try:
        low, high = raw["intensity_percentiles"]
        return ModelCard(
            folder=folder,
            name=str(raw["name"]),
            version=str(raw["version"]),
            task=str(raw["task"]),
            view=View(raw["view"]),
            sequence=Technique(raw["sequence"]),
            scheme=scheme_named(raw["label_scheme"]),
            policy=ContourPolicy(
                PapillaryRule[raw["papillary_rule"]], BasalRule[raw["basal_rule"]]
            ),
            spacing_mm=float(raw["spacing_mm"]),
            window_px=int(raw["window_px"]),
            stride_px=int(raw["stride_px"]),
            context_slices=int(raw["context_slices"]),
            intensity_percentiles=(float(low), float(high)),
            sha256=str(raw["sha256"]),
            training_data=str(raw["training_data"]),
            terms=str(raw["terms"]),
            intended_use=str(raw["intended_use"]),
            limitations=str(raw["limitations"]),
            figures=dict(raw["figures"]),
        )
    except (KeyError, TypeError, ValueError, ConfigurationError) as error:
        raise ModelError(
            f"the model card of {folder.name} is incomplete or wrong at {error}"
        ) from error
