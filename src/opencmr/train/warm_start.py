"""Start from a shipped model: its ONNX weights back in a trainable network."""

import itertools
from collections.abc import Iterator

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from opencmr.anatomy.structures import LabelScheme
from opencmr.errors import ModelError
from opencmr.models.card import WEIGHTS_FILE, SegmentationCard
from opencmr.models.library import model_titled
from opencmr.networks.network import SegmentationNetwork


def start_from_model(
    network: SegmentationNetwork, title: str, images: Tensor, scheme: LabelScheme
) -> None:
    """Give ``network`` the weights of the model ``title`` (``name@version``).

    The export folds each batch normalisation into its convolution.  Here it is unfolded again:
    its mean and spread are those of the features of ``images (N, P, H, W)``, which training
    would keep there.  Planes that the model did not see get weights of zero; layers that it does
    not have change nothing at first where the network can silence them.  The classes of the
    network are those of ``scheme``: a structure starts as that of the model, and one that the
    model does not know as the structure that holds it.

    Raises
    ------
    ModelError
        When there is no such model, or its network is not of this kind and these widths.
    ConfigurationError
        When the model knows nothing that holds a structure of ``scheme``.
    """
    card = model_titled(title)
    if not isinstance(card, SegmentationCard):
        raise ModelError(f"{title} labels no structures; expected a segmentation model")
    graph = onnx.load(str(card.folder / WEIGHTS_FILE)).graph
    stored = {
        i.name.removeprefix("network."): torch.tensor(numpy_helper.to_array(i))
        for i in graph.initializer
        if i.name.startswith("network.")  # the others are constants of the graph
    }
    classes = _classes_to_start_from(scheme, card.output.scheme)
    for part in ("head.weight", "head.bias"):
        if part in stored:
            stored[part] = stored[part][classes]
    network.eval()
    network.change_nothing_yet()
    parameters = dict(network.named_parameters())
    try:
        with torch.no_grad():
            for name in stored.keys() - _folded_biases(network):
                parameters[name].copy_(_widened(stored[name], parameters[name].shape))
        _unfold(network, stored, images)
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"the network of {title} does not fit the recipe: {error}") from error
    network.train()


def _classes_to_start_from(wanted: LabelScheme, known: LabelScheme) -> list[int]:
    """Return the class of ``known`` that each class of ``wanted`` starts from, background first.

    >>> from opencmr.anatomy.structures import ACDC, EMIDEC
    >>> _classes_to_start_from(EMIDEC, ACDC)
    [0, 3, 2, 2, 2]
    """
    return [0, *(known.label_holding(structure) for _, structure in sorted(wanted.pairs))]


def _widened(weights: Tensor, shape: torch.Size) -> Tensor:
    """Return a kernel ``(A, B, ...)`` with its input planes in the middle of ``shape``'s."""
    missing = shape[1] - weights.shape[1] if weights.ndim > 1 else 0
    if missing == 0 or missing % 2:
        return weights
    wide = torch.zeros(shape)
    wide[:, missing // 2 : shape[1] - missing // 2] = weights
    return wide


def _normalised_convolutions(
    network: SegmentationNetwork,
) -> Iterator[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    for name, block in network.named_modules():
        if isinstance(block, nn.Sequential):
            layers = list(block)
            for place, (one, after) in enumerate(itertools.pairwise(layers)):
                if isinstance(one, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    yield f"{name}.{place}", one, after


def _folded_biases(network: SegmentationNetwork) -> set[str]:
    return {f"{name}.weight_bias" for name, _, _ in _normalised_convolutions(network)}


@torch.no_grad()
def _unfold(network: SegmentationNetwork, stored: dict[str, Tensor], images: Tensor) -> None:
    """Set each normalisation so that, with the folded kernel before it, it changes nothing.

    In evaluation a normalisation maps x to (x - mean) / sd * weight + bias.  With the features'
    own mean and sd, a weight of sd and a bias of mean + the folded bias make that x + bias,
    whatever the mean and sd are: one pass suffices for all layers.
    """
    hooks = []
    for name, convolution, norm in _normalised_convolutions(network):
        folded_bias = stored[f"{name}.weight_bias"]

        def measure(
            _: nn.Module,
            __: object,
            features: Tensor,
            norm: nn.BatchNorm2d = norm,
            folded_bias: Tensor = folded_bias,
        ) -> None:
            mean, variance = features.mean((0, 2, 3)), features.var((0, 2, 3))
            norm.load_state_dict(
                {
                    "running_mean": mean,
                    "running_var": variance,
                    "bias": mean + folded_bias,
                    "weight": (variance + norm.eps).sqrt(),
                    "num_batches_tracked": torch.tensor(1),
                }
            )

        hooks.append(convolution.register_forward_hook(measure))
    network(images)
    for hook in hooks:
        hook.remove()
