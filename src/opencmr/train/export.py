"""From a checkpoint to a model folder: ONNX weights, parity check, model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from opencmr.errors import ModelError
from opencmr.models.card import WEIGHTS_FILE, NetworkCard, read_card, write_card
from opencmr.models.session import HEARD, STACK, load_network
from opencmr.networks.stack import StackUNet
from opencmr.storage import sha256_of
from opencmr.train.loop import draw_chances, lessons_of, make_batch
from opencmr.train.runner import Shares, averaged_network, card_of

PARITY_TOLERANCE = 1e-3
"""Greatest difference of a class share between torch and onnxruntime."""


def write_onnx(module: nn.Module, example: tuple[Any, ...], path: Path, **named: Any) -> None:
    """Write a network as ONNX, without the places of source files that torch writes beside it."""
    torch.onnx.export(
        module, example, path, external_data=False, dynamo=True, verbose=False, **named
    )
    model = onnx.load(str(path))
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.save(model, str(path))


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
    if isinstance(network, StackUNet):
        _write_parts(network, folder / WEIGHTS_FILE)
    else:
        write_onnx(
            module,
            (torch.zeros(2, planes, window, window),),
            folder / WEIGHTS_FILE,
            input_names=["image"],
            output_names=["shares"],
            dynamic_shapes={"image": _sizes("image", network.stride_px)},
        )
    digest = sha256_of(folder / WEIGHTS_FILE)
    write_card(card_of(run, averaged, version=version, sha256=digest, figures=figures), folder)
    if data is None:
        images = torch.rand(8, planes, window, window, generator=torch.Generator().manual_seed(0))
    else:
        slices = lessons_of(recipe, data).slices
        images, _ = make_batch(slices, draw_chances(slices, recipe.data), recipe, step=0)
    return parity(module, folder, images)


def parity(module: Shares, folder: Path, images: torch.Tensor) -> float:
    """Return the greatest difference of shares by the model in a folder and by torch.

    Raises
    ------
    ModelError
        When it is more than :data:`PARITY_TOLERANCE`.
    """
    card = read_card(folder)
    assert isinstance(card, NetworkCard), "the card that was written is of a network"
    with torch.no_grad():
        expected = module(images).numpy()
    difference = float(np.abs(load_network(card)(images.numpy()) - expected).max())
    if difference > PARITY_TOLERANCE:
        raise ModelError(f"torch and onnxruntime differ by {difference:.2g}")
    return difference


def _sizes(name: str, stride: int) -> dict[int, Any]:
    """Return which axes of an input are free: the batch, and its sides by whole strides."""
    rows, columns = (
        torch.export.Dim(f"{name}_{side}_blocks", min=2, max=64) for side in ("row", "column")
    )
    return {0: torch.export.Dim(f"{name}_batch"), 2: stride * rows, 3: stride * columns}


class _Parts(nn.Module):
    """The three parts of a network for whole stacks beside each other, each with its own input.

    Who runs it asks for the output of one part: a stack then never needs more memory than the
    features that its slices hand on.
    """

    def __init__(self, network: StackUNet) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, image: Tensor, stack: Sequence[Tensor], levels: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """Return the features of slices, those of a stack once it has heard, and shares.

        ``image (N, 3, H, W)``: slices between their neighbours.  ``stack``: features ``(S, C, h,
        w)`` of the two deepest levels.  ``levels``: features of slices from full resolution down.
        """
        *skips, deepest = levels
        low, lowest = self.network.listen(*(features[None] for features in stack))
        shares = self.network.decode(skips, deepest).softmax(1)
        return (*self.network.encode(image), low[0], lowest[0], shares)


def _write_parts(network: StackUNet, path: Path) -> None:
    # Examples of different sizes: what is equal here is taken for equal ever after.
    image, *others = (
        torch.zeros(slices, 3, rows * network.stride_px, columns * network.stride_px)
        for slices, rows, columns in ((2, 4, 5), (3, 6, 7), (5, 8, 9))
    )
    with torch.no_grad():
        (*_, low, lowest), levels = (network.encode(other) for other in others)
    numbers = range(len(levels))
    write_onnx(
        _Parts(network).eval(),
        (image, [low, lowest], levels),
        path,
        input_names=["image", *STACK, *(f"level_{n}" for n in numbers)],
        output_names=[*(f"encoded_{n}" for n in numbers), *HEARD, "shares"],
        dynamic_shapes={
            "image": _sizes("image", network.stride_px),
            "stack": _level_sizes("stack", 2),
            "levels": _level_sizes("level", len(levels)),
        },
    )


def _level_sizes(name: str, levels: int) -> list[dict[int, Any]]:
    """Return the free axes of the deepest levels, each half as wide as the one above."""
    sizes = _sizes(name, 1)
    return [
        {0: sizes[0], 2: 2**above * sizes[2], 3: 2**above * sizes[3]}
        for above in reversed(range(levels))
    ]
