"""From a checkpoint to a model folder: ONNX weights, parity check, model card."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from opencmr.errors import ModelError
from opencmr.models.card import CARD_FILE, WEIGHTS_FILE, read_card
from opencmr.models.session import Network
from opencmr.networks.unet import UNet
from opencmr.train.loop import (
    CHECKPOINT_FILE,
    RECIPE_FILE,
    build_network,
    make_batch,
    training_slices,
)
from opencmr.train.recipe import Recipe, read_recipe

PARITY_TOLERANCE = 1e-3
"""Greatest difference of a class share between torch and onnxruntime."""


class _Shares(nn.Module):
    """The network with its softmax, so that a user of the weights meets probabilities."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        shares: Tensor = self.network(image).softmax(1)
        return shares


def averaged_network(run: Path) -> tuple[UNet, Recipe, int]:
    """Return a run's averaged network in evaluation mode, its recipe and its step.

    Raises
    ------
    ModelError
        When the run holds no checkpoint.
    """
    recipe = read_recipe(run / RECIPE_FILE)
    checkpoint = run / CHECKPOINT_FILE
    if not checkpoint.is_file():
        raise ModelError(f"no checkpoint in the run {run.name}")
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    network = build_network(recipe)
    network.load_state_dict(state["average"])
    return network.eval(), recipe, int(state["step"])


def export(
    run: Path,
    folder: Path,
    *,
    version: str,
    data: Path | None = None,
    figures: Mapping[str, Any] | None = None,
) -> float:
    """Write ``weights.onnx`` and ``model.json`` of a run into ``folder``.

    Returns the greatest difference of a class share between torch and onnxruntime: on
    augmented real slices of the training folds when ``data`` is given, else on noise.

    Raises
    ------
    ModelError
        When the two differ by more than :data:`PARITY_TOLERANCE`.
    """
    network, recipe, step = averaged_network(run)
    module = _Shares(network).eval()
    folder.mkdir(parents=True, exist_ok=True)
    window = recipe.network.window_px
    planes = 2 * recipe.network.context_slices + 1
    batch, side = torch.export.Dim("batch"), torch.export.Dim("row_blocks", min=2, max=64)
    column_side = torch.export.Dim("column_blocks", min=2, max=64)
    stride = 2 ** (len(recipe.network.widths) - 1)
    torch.onnx.export(
        module,
        (torch.zeros(2, planes, window, window),),
        folder / WEIGHTS_FILE,
        input_names=["image"],
        output_names=["shares"],
        dynamic_shapes={"image": {0: batch, 2: stride * side, 3: stride * column_side}},
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    _write_card(folder, recipe, step, stride, version, figures or {})
    if data is None:
        images = torch.rand(8, planes, window, window, generator=torch.Generator().manual_seed(0))
    else:
        images, _ = make_batch(training_slices(recipe, data), recipe, step=0)
    with torch.no_grad():
        expected = module(images).numpy()
    difference = float(np.abs(Network(read_card(folder))(images.numpy()) - expected).max())
    if difference > PARITY_TOLERANCE:
        raise ModelError(f"torch and onnxruntime differ by {difference:.2g}")
    return difference


def _write_card(
    folder: Path,
    recipe: Recipe,
    step: int,
    stride: int,
    version: str,
    figures: Mapping[str, Any],
) -> None:
    folds = ", ".join(map(str, recipe.data.folds))
    card = {
        "name": recipe.name,
        "version": version,
        "task": "segmentation",
        "view": "SAX",
        "sequence": "cine",
        "label_scheme": "acdc",
        "papillary_rule": "IN_CAVITY",
        "basal_rule": "AS_SEGMENTED",
        "spacing_mm": recipe.network.spacing_mm,
        "window_px": recipe.network.window_px,
        "stride_px": stride,
        "context_slices": recipe.network.context_slices,
        "intensity_percentiles": list(recipe.network.intensity_percentiles),
        "sha256": hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest(),
        "training_data": (
            f"ACDC training set (Bernard et al., IEEE TMI 2018), folds {folds} of the project's "
            f"five-fold split, {step} steps of recipe {recipe.name}"
        ),
        "terms": "CC BY-NC-SA 4.0, research only (terms of the ACDC data)",
        "intended_use": (
            "Segmentation of the right ventricle, left ventricular myocardium and left "
            "ventricular cavity on short-axis cine CMR, for research. Not for diagnosis."
        ),
        "limitations": (
            "Learnt from one centre's adult 1.5 T and 3 T scans at end-diastole and "
            "end-systole. Weakest at the base and the apex, in hypertrophic hearts at "
            "end-systole and in the right ventricle."
        ),
        "figures": dict(figures),
    }
    (folder / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
