"""From a checkpoint to a model folder: ONNX weights, parity check, model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opencmr.errors import ModelError
from opencmr.models.card import WEIGHTS_FILE, NetworkCard, read_card, write_card
from opencmr.models.session import Network
from opencmr.storage import sha256_of
from opencmr.train.loop import draw_chances, make_batch, training_slices
from opencmr.train.runner import Shares, averaged_network, card_of

PARITY_TOLERANCE = 1e-3
"""Greatest difference of a class share between torch and onnxruntime."""


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
    averaged = averaged_network(run)
    network, recipe, _ = averaged
    module = Shares(network).eval()
    folder.mkdir(parents=True, exist_ok=True)
    window = recipe.network.window_px
    planes = recipe.network.planes
    batch, side = torch.export.Dim("batch"), torch.export.Dim("row_blocks", min=2, max=64)
    column_side = torch.export.Dim("column_blocks", min=2, max=64)
    stride = network.stride_px
    sizes = {0: batch, 2: stride * side, 3: stride * column_side}
    if network.whole_stack:
        sizes[1] = torch.export.Dim("slices")
    torch.onnx.export(
        module,
        (torch.zeros(2, planes, window, window),),
        folder / WEIGHTS_FILE,
        input_names=["image"],
        output_names=["shares"],
        dynamic_shapes={"image": sizes},
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    digest = sha256_of(folder / WEIGHTS_FILE)
    write_card(card_of(run, averaged, version=version, sha256=digest, figures=figures), folder)
    if data is None:
        images = torch.rand(8, planes, window, window, generator=torch.Generator().manual_seed(0))
    else:
        slices = training_slices(recipe, data)
        images, _ = make_batch(slices, draw_chances(slices, recipe.data), recipe, step=0)
    with torch.no_grad():
        expected = module(images).numpy()
    card = read_card(folder)
    assert isinstance(card, NetworkCard), "the card that was written is a network's"
    difference = float(np.abs(Network(card)(images.numpy()) - expected).max())
    if difference > PARITY_TOLERANCE:
        raise ModelError(f"torch and onnxruntime differ by {difference:.2g}")
    return difference
