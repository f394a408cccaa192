"""A network for whole stacks in 8-bit integers: its layers fitted one after another, then rounded.

Weights are bytes with a scale a channel, features unsigned bytes with a scale a tensor (ONNX's
QuantizeLinear and DequantizeLinear round each layer, which onnxruntime fuses).  Rounded as it is, a
network of few channels loses more than its readers differ by, so each layer, in the order in which
they compute, is made to give what it gave:

1. Its input is computed by all layers before it as they are now, its target by the network in
   floats.  Weights and bias are moved to the target by least squares, drawn towards what they were
   (ridge), which makes good what layers before it lost on average (bias correction: Nagel et al.,
   ICCV 2019) and what its own inputs lack (reconstruction a layer: Hubara et al., ICML 2021).
2. The weights are rounded column by column, the error of each made good by those not rounded yet
   (GPTQ: Frantar et al., ICLR 2023).  Scales are those of least squared error.

Two changes of form make the graph quick: LeakyReLU becomes ReLU, which an unsigned byte does for
nothing, and whose missing slope the next layer's fit makes good; an up-convolution of stride two
becomes a 1 x 1 convolution and DepthToSpace, which is the same.  In floats stay the first layer,
which sees pictures, the head, which is fitted alone, and the small part that looks along the stack.

Everything is deterministic: the same network and pictures give the same bytes on the same machine.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy.ndimage import maximum_filter, minimum_filter

from opencmr.errors import InputError, ModelError
from opencmr.imaging.image import Image, untimed_image
from opencmr.models.card import (
    INT8_FILE,
    WEIGHTS_FILE,
    Int8Weights,
    SegmentationCard,
    write_card,
)
from opencmr.models.precision import Precision
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import HEARD, STACK, checked_weights, load_network, usable_cores
from opencmr.progress import Progress, silent
from opencmr.segment.short_axis import segment_short_axis
from opencmr.storage import sha256_of

POINTS = 36000
"""Pixels to which a layer is fitted: its widest has 2304 weights a channel."""
EDGE_PX = 5
"""Half of them lie within windows of this side about an outline, where labels are decided."""
RIDGE = 0.003
"""Pull towards the weights as they were, of the mean square of the inputs."""
DAMPING = 0.01
"""Of the mean diagonal, added to it before a layer is rounded (Frantar et al.)."""
COLUMNS = 128
"""Columns that are rounded before the others hear of their errors (Frantar et al.)."""
TOP = 127
LEVELS = 255
RANGE_SAMPLES = 40_000
"""Features of a stack by which the range of a tensor is chosen."""
LEAST_ALIKE = 0.98
"""Share of the calibration's voxels that must keep their label; the shipped network keeps .998."""
SEED = 1

Stacks = list[np.ndarray]


class _Listener:
    """A network that remembers what it was shown."""

    def __init__(self, network: SegmentationRunner) -> None:
        self.card = network.card
        self._network = network
        self.shown: list[np.ndarray] = []

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.shown.append(windows.astype(np.float32))
        return self._network(windows)


def calibration_stacks(images: Iterable[Image], network: SegmentationRunner) -> Stacks:
    """Return the stacks ``(S, H, W)`` that a network is shown when it segments pictures.

    Of every image the window of the heart at its first phase, of every other one too what is
    searched for the heart.  Two of three are made darker, brighter or of another contrast.

    Raises
    ------
    InputError
        When no heart is seen in any.
    """
    stacks: Stacks = []
    for number, image in enumerate(images):
        listener = _Listener(network)
        if segment_short_axis(untimed_image(image.values[:1], image.grid), listener) is None:
            continue
        stacks.append(listener.shown[-1][0])
        if number % 2 == 0:
            stacks.append(listener.shown[0][0])
    if not stacks:
        raise InputError("the network sees no heart in any of the pictures; give short-axis stacks")
    random = np.random.default_rng(SEED)
    for number, stack in enumerate(stacks):
        if number % 3 == 1:
            stacks[number] = stack.clip(0, 1) ** np.float32(np.exp(random.uniform(-0.4, 0.4)))
        elif number % 3 == 2:
            slope, shift = random.uniform(0.8, 1.2), random.uniform(-0.1, 0.1)
            stacks[number] = (stack * slope + shift).clip(0, 1).astype(np.float32)
    return stacks


def quantise(
    card: SegmentationCard,
    stacks: Sequence[np.ndarray],
    folder: Path,
    *,
    version: str,
    calibration: str,
    figures: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> float:
    """Write a model with both weights, those of ``card`` and the same in bytes, into ``folder``.

    Parameters
    ----------
    card : SegmentationCard
        Of a network for whole stacks.
    stacks : sequence of (S, H, W) float32
        Windows as the network is shown them, of different hearts.
    folder : Path
    version : str
        Of the new card.
    calibration : str
        What the card says of the pictures.
    figures : mapping or None
        Measured figures that are added to the card.
    progress : callable

    Returns
    -------
    float
        Share of the stacks' voxels that keep their label.

    Raises
    ------
    ModelError
        When the network is not of this kind, or too many labels change.
    """
    if not card.input.whole_stack:
        raise ModelError(f"{card.title} labels single slices; only networks for stacks can be")
    if not stacks:
        raise InputError("there are no stacks to fit the layers to")
    weights = checked_weights(card)
    network = load_network(card)
    labels = [network(stack[None])[0].argmax(0) for stack in stacks]
    model = _with_plain_upsampling(_with_biases(onnx.load_from_string(weights)))
    fit = _Fit(model, [_edges(one) for one in labels])
    fit.walk(list(stacks), progress)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(card.folder / WEIGHTS_FILE, folder / WEIGHTS_FILE)
    onnx.save(_written(fit), str(folder / INT8_FILE))
    new = card.model_copy(
        update={
            "version": version,
            "int8": Int8Weights(sha256=sha256_of(folder / INT8_FILE), calibration=calibration),
            "figures": {**card.figures, **(figures or {})},
        }
    )
    new._folder = folder
    write_card(new, folder)
    small = load_network(new.at(Precision.INT8))
    kept = [
        float((small(stack[None])[0].argmax(0) == label).mean())
        for stack, label in zip(stacks, labels, strict=True)
    ]
    alike = float(np.mean(kept))
    if alike < LEAST_ALIKE:
        raise ModelError(
            f"in int8 only {alike:.1%} of the voxels keep their label, at least {LEAST_ALIKE:.0%} "
            "are expected; give pictures of more hearts"
        )
    return alike


def _edges(labels: np.ndarray) -> np.ndarray:
    """Return which pixels of ``labels (S, H, W)`` lie about an outline."""
    size = (1, EDGE_PX, EDGE_PX)
    apart: np.ndarray = maximum_filter(labels, size) != minimum_filter(labels, size)
    return apart


def _with_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with a bias for each convolution that had none."""
    shapes = {one.name: one.dims for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose") and len(node.input) == 2:
            kernel = node.input[1]
            count = shapes[kernel][0 if node.op_type == "Conv" else 1]
            nothing = numpy_helper.from_array(np.zeros(count, np.float32), f"{kernel}_no_bias")
            model.graph.initializer.append(nothing)
            node.input.append(nothing.name)
    return model


def _with_plain_upsampling(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with 1 x 1 convolutions and DepthToSpace for its up-convolutions.

    Raises
    ------
    ModelError
        When one is not 2 x 2 of stride 2.
    """
    weights = {one.name: one for one in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "ConvTranspose":
            nodes.append(node)
            continue
        kernel, bias = (numpy_helper.to_array(weights[name]) for name in node.input[1:])
        strides = next(list(one.ints) for one in node.attribute if one.name == "strides")
        if kernel.shape[2:] != (2, 2) or strides != [2, 2]:
            raise ModelError("the network has an up-convolution that is not 2 x 2 of stride 2")
        flat = kernel.transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0], 1, 1)
        _set(weights[node.input[1]], flat)
        _set(weights[node.input[2]], np.tile(bias, 4))
        (out,) = node.output
        nodes += [
            helper.make_node("Conv", node.input, [f"{out}_deep"], kernel_shape=[1, 1]),
            helper.make_node("DepthToSpace", [f"{out}_deep"], [out], blocksize=2, mode="DCR"),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _set(tensor: TensorProto, value: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), tensor.name))


def _reached(model: onnx.ModelProto, inputs: Iterable[str]) -> list[onnx.NodeProto]:
    """Return the nodes that depend on any of these inputs, in their order."""
    known, nodes = set(inputs), []
    for node in model.graph.node:
        if known.intersection(node.input):
            known.update(node.output)
            nodes.append(node)
    return nodes


@dataclass(frozen=True, slots=True)
class _Range:
    """What an unsigned byte of a tensor means."""

    scale: np.float32
    zero: np.uint8

    def rounded(self, values: np.ndarray) -> np.ndarray:
        zero = np.float32(self.zero)
        bytes_ = np.clip(np.round(values / self.scale) + zero, 0, LEVELS)
        kept: np.ndarray = (bytes_ - zero) * self.scale
        return kept


def best_range(values: np.ndarray, *, is_signed: bool) -> _Range:
    """Return the range of a byte that loses least of these values, by squared error."""
    lowest, highest = min(float(values.min()), 0.0), max(float(values.max()), 1e-6)
    shares_below = np.linspace(0.4, 1, 7) if is_signed and lowest < 0 else np.zeros(1)
    found: tuple[float, _Range] | None = None
    for above in np.linspace(0.3, 1, 30):
        for below in shares_below:
            scale = np.float32((above * highest - below * lowest) / LEVELS)
            tried = _Range(scale, np.uint8(np.clip(np.round(-below * lowest / scale), 0, LEVELS)))
            error = float(np.square(tried.rounded(values) - values).mean())
            if found is None or error < found[0]:
                found = error, tried
    assert found is not None
    return found[1]


def best_scales(weights: np.ndarray) -> np.ndarray:
    """Return the scale of each row of ``weights (O, K)`` that loses least, by squared error."""
    full = np.maximum(np.abs(weights).max(1), 1e-8) / TOP
    best: np.ndarray = full.copy()
    least = np.full(len(weights), np.inf)
    for share in np.linspace(0.7, 1, 13):
        scales = full * share
        kept = np.clip(np.round(weights / scales[:, None]), -TOP - 1, TOP) * scales[:, None]
        error = np.square(kept - weights).sum(1)
        best, least = np.where(error < least, scales, best), np.minimum(error, least)
    return best


def rounded_weights(weights: np.ndarray, products: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Round weights to bytes, the error of each made good by those that are still to be rounded.

    Parameters
    ----------
    weights : (O, K)
    products : (K, K)
        Mean products of the inputs.
    scales : (O,)
        What a byte of each row is worth.

    Returns
    -------
    (O, K) int8
        After Frantar et al., ICLR 2023, algorithm 1, columns of larger inputs first.
    """
    count = len(products)
    damped = products + np.eye(count) * DAMPING * np.trace(products) / count
    order = np.argsort(-np.diag(damped), kind="stable")
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    left, found = weights[:, order].astype(np.float64), np.zeros(weights.shape)
    for first in range(0, count, COLUMNS):
        last = min(first + COLUMNS, count)
        errors = np.zeros((len(left), last - first))
        for column in range(first, last):
            found[:, column] = np.clip(np.round(left[:, column] / scales), -TOP - 1, TOP)
            error = (left[:, column] - found[:, column] * scales) / upper[column, column]
            left[:, column + 1 : last] -= error[:, None] * upper[column, column + 1 : last]
            errors[:, column - first] = error
        left[:, last:] -= errors @ upper[first:last, last:]
    rounded = np.zeros(found.shape, np.int8)
    rounded[:, order] = found
    return rounded


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution as it was fitted; ``scales`` is None where it stays in floats."""

    kernel: np.ndarray
    bias: np.ndarray
    scales: np.ndarray | None = None

    @property
    def values(self) -> np.ndarray:
        """Its kernel in floats."""
        if self.scales is None:
            return self.kernel
        worth: np.ndarray = self.kernel * self.scales[:, None, None, None]
        return worth.astype(np.float32)


@dataclass(slots=True)
class _Fit:
    """A walk through a network by two paths: as it was, and as it is made."""

    model: onnx.ModelProto
    edges: Stacks
    layers: dict[str, _Layer] = field(default_factory=dict)
    ranges: dict[str, _Range] = field(default_factory=dict)
    _was: dict[str, Stacks] = field(default_factory=dict)
    _now: dict[str, Stacks] = field(default_factory=dict)
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def walk(self, stacks: Stacks, progress: Progress) -> None:
        """Fit every layer of encoder and decoder to these stacks."""
        levels = sorted(o.name for o in self.model.graph.input if o.name.startswith("level_"))
        encoder, decoder = _reached(self.model, ["image"]), _reached(self.model, levels)
        uses = Counter(name for node in (*encoder, *decoder) for name in node.input)
        outputs = {one.name for one in self.model.graph.output}
        listen = _reached(self.model, STACK)

        def go_through(nodes: Sequence[onnx.NodeProto], done: int) -> None:
            for number, node in enumerate(nodes):
                self._step(node)
                for name in node.input:
                    uses[name] -= 1
                    if not uses[name] and name not in outputs:
                        self._was.pop(name, None)
                        self._now.pop(name, None)
                progress("fitting layers", done + number + 1, len(encoder) + len(decoder))

        seen = [_between_neighbours(stack) for stack in stacks]
        self._was["image"] = self._now["image"] = seen
        go_through(encoder, 0)
        names = [f"encoded_{number}" for number in range(len(levels))]
        for path in (self._was, self._now):
            heard = [
                self._run(listen, dict(zip(STACK, deepest, strict=True)), HEARD)
                for deepest in zip(path[names[-2]], path[names[-1]], strict=True)
            ]
            for level, name in zip(levels[:-2], names[:-2], strict=True):
                path[level] = path.pop(name)
            for level, *features in zip(levels[-2:], *heard, strict=True):
                path[level] = features
        for level, name in zip(levels[:-2], names[:-2], strict=True):
            self.ranges[level] = self.ranges[name]
        for level in levels[-2:]:
            self._round(level, is_signed=True)
        go_through(decoder, len(encoder))

    def _step(self, node: onnx.NodeProto) -> None:
        """Compute a node on both paths."""
        (out,) = node.output
        if node.op_type == "Conv":
            self._fit(node)
            if self._follower(node) not in ("LeakyRelu", "Softmax"):
                self._round(out, is_signed=True)
            return
        made = node
        if node.op_type == "LeakyRelu":
            made = helper.make_node("Relu", node.input, node.output)
        for path, one in ((self._was, node), (self._now, made)):
            given = zip(*(path[name] for name in node.input), strict=True)
            path[out] = [
                self._run([one], dict(zip(node.input, values, strict=True)), [out])[0]
                for values in given
            ]
        if node.op_type in ("MaxPool", "DepthToSpace"):
            self.ranges[out] = self.ranges[node.input[0]]
        elif node.op_type in ("LeakyRelu", "Concat"):
            self._round(out, is_signed=node.op_type == "Concat")
        elif node.op_type != "Softmax":
            raise ModelError(f"the network has a layer {node.op_type}, which cannot be in int8")

    def _follower(self, node: onnx.NodeProto) -> str:
        users = [one for one in self.model.graph.node if node.output[0] in one.input]
        return users[0].op_type if len(users) == 1 else ""

    def _round(self, name: str, *, is_signed: bool) -> None:
        """Choose the range of a tensor, and round it."""
        flat = (one.reshape(-1) for one in self._now[name])
        values = np.concatenate([one[:: max(1, one.size // RANGE_SAMPLES)] for one in flat])
        self.ranges[name] = best_range(values, is_signed=is_signed)
        self._now[name] = [self.ranges[name].rounded(one) for one in self._now[name]]

    def _fit(self, node: onnx.NodeProto) -> None:
        """Fit a convolution to what it gave, and round it where it is to be in bytes."""
        source, kernel_name, bias_name = node.input
        (out,) = node.output
        stored = {one.name: one for one in self.model.graph.initializer}
        kernel, bias = (numpy_helper.to_array(stored[n]) for n in (kernel_name, bias_name))
        was = _Layer(kernel, bias)
        self._was[out] = [self._convolved(node, one, was) for one in self._was[source]]
        if source == "image":
            self._now[out] = [self._convolved(node, one, was) for one in self._now[source]]
            return
        places = [
            self._places(edges, one.shape)
            for edges, one in zip(self.edges, self._was[out], strict=True)
        ]
        pairs = list(zip(self._now[source], self._was[out], places, strict=True))
        inputs = np.concatenate([_patches(one, p, kernel.shape[-1]) for one, _, p in pairs])
        targets = np.concatenate([_patches(one, p, 1) for _, one, p in pairs])
        layer = fitted(kernel, inputs, targets, in_bytes=self._follower(node) != "Softmax")
        self.layers[out] = layer
        self._now[out] = [self._convolved(node, one, layer) for one in self._now[source]]

    def _places(self, edges: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return which pixels of features ``(S, C, h, w)`` are looked at, half about outlines."""
        slices, _, rows, columns = shape
        step = edges.shape[-1] // columns
        blocks = edges.reshape(slices, rows, step, columns, step).any((2, 4))
        near = np.flatnonzero(blocks)
        count = min(max(POINTS // len(self.edges), 1), blocks.size)
        chosen = self._random.choice(near, min(count // 2, len(near)), replace=False)
        others = self._random.choice(blocks.size, count - len(chosen), replace=False)
        return np.stack(np.unravel_index(np.concatenate([chosen, others]), blocks.shape))

    def _convolved(self, node: onnx.NodeProto, values: np.ndarray, layer: _Layer) -> np.ndarray:
        weights = (layer.values, layer.bias)
        given = dict(zip(node.input[1:], weights, strict=True)) | {node.input[0]: values}
        (out,) = self._run([node], given, node.output)
        return out

    def _run(
        self,
        nodes: Sequence[onnx.NodeProto],
        given: Mapping[str, np.ndarray],
        wanted: Sequence[str],
    ) -> Stacks:
        """Compute some nodes of the graph."""
        os.environ.update(ORT_DISABLE_TELEMETRY="1")
        import onnxruntime

        used = {name for node in nodes for name in node.input} - given.keys()
        graph = helper.make_graph(
            nodes,
            "part",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in given],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in wanted],
            [one for one in self.model.graph.initializer if one.name in used],
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            _model_of(graph, self.model).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        floats = {name: value.astype(np.float32, copy=False) for name, value in given.items()}
        return [np.asarray(one) for one in session.run(list(wanted), floats)]


def _between_neighbours(stack: np.ndarray) -> np.ndarray:
    """Return each slice of a stack between those before and after it ``(S, 3, H, W)``."""
    before, after = np.concatenate([stack[:1], stack[:-1]]), np.concatenate([stack[1:], stack[-1:]])
    return np.stack([before, stack, after], 1).astype(np.float32)


def _patches(features: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Return what a kernel of this size sees at places ``(3, n)`` of features, ``(n, C s s)``."""
    slices, rows, columns = places
    reach = size // 2
    padded = np.pad(features, [(0, 0), (0, 0), (reach, reach), (reach, reach)])
    seen = [padded[slices, :, rows + i, columns + j] for i in range(size) for j in range(size)]
    return np.stack(seen, 2).reshape(len(slices), -1).astype(np.float64)


def fitted(
    kernel: np.ndarray, inputs: np.ndarray, targets: np.ndarray, *, in_bytes: bool
) -> _Layer:
    """Return a convolution that comes nearest to what it should give.

    Parameters
    ----------
    kernel : (O, C, s, s)
        As it was.
    inputs : (n, C s s)
    targets : (n, O)
    in_bytes : bool
        Round its weights too.
    """
    mean_in, mean_out = inputs.mean(0), targets.mean(0)
    centred = inputs - mean_in
    products = centred.T @ centred
    flat = kernel.reshape(len(kernel), -1).astype(np.float64)
    missing = targets - mean_out - centred @ flat.T
    pull = max(RIDGE * np.trace(products) / len(products), 1e-12)
    change = np.linalg.solve(products + pull * np.eye(len(products)), centred.T @ missing)
    best = flat + change.T
    if not in_bytes:
        bias = mean_out - best @ mean_in
        return _Layer(best.reshape(kernel.shape).astype(np.float32), bias.astype(np.float32))
    scales = best_scales(best).astype(np.float32)
    rounded = rounded_weights(best, products / len(inputs), scales)
    bias = mean_out - (rounded * scales[:, None].astype(np.float64)) @ mean_in
    return _Layer(rounded.reshape(kernel.shape), bias.astype(np.float32), scales)


def _model_of(graph: onnx.GraphProto, like: onnx.ModelProto) -> onnx.ModelProto:
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=like.opset_import, ir_version=like.ir_version, producer_name="opencmr"
    )
    return made


def _written(fit: _Fit) -> onnx.ModelProto:
    """Return the model as it was fitted, each tensor in bytes between two of its layers."""
    graph, writer = fit.model.graph, _Writer(fit)
    for one in graph.input:
        if one.name in fit.ranges:
            writer.round(one.name, one.name, f"{one.name}_rounded")
    for node in graph.node:
        writer.write(node)
    stored = {one.name: one for one in graph.initializer} | writer.stored
    used = dict.fromkeys(name for node in writer.nodes for name in node.input if name in stored)
    made = helper.make_graph(
        writer.nodes, "network", graph.input, graph.output, [stored[name] for name in used]
    )
    model = _model_of(made, fit.model)
    onnx.checker.check_model(model)
    return model


class _Writer:
    """Writes the nodes of a fitted network."""

    def __init__(self, fit: _Fit) -> None:
        self._fit = fit
        self._inputs = {one.name for one in fit.model.graph.input}
        self._joined: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.stored: dict[str, TensorProto] = {}

    def write(self, node: onnx.NodeProto) -> None:
        """Write a node: a convolution with the rectifier behind it as one."""
        (out, *_) = node.output
        if node.op_type == "LeakyRelu" and out in self._fit.ranges:
            if node.input[0] in self._fit.layers:
                return  # the least that an unsigned byte tells is zero
            node = helper.make_node("Relu", node.input, node.output)
        new = onnx.NodeProto()
        new.CopyFrom(node)
        for place, name in enumerate(node.input):
            if name in self._inputs and name in self._fit.ranges:
                new.input[place] = f"{name}_rounded"
        if layer := self._fit.layers.get(out):
            self._give(new, node.input[0], layer)
            out = self._name_behind(out)
        if out in self._fit.ranges:
            new.output[0] = f"{out}_exact"
            self.nodes.append(new)
            self.round(out, f"{out}_exact", out)
        else:
            self.nodes.append(new)

    def _name_behind(self, out: str) -> str:
        """Return the tensor that a convolution gives once its rectifier is left out."""
        users = [one for one in self._fit.model.graph.node if out in one.input]
        (user,) = users
        return str(user.output[0]) if user.op_type == "LeakyRelu" else out

    def _give(self, node: onnx.NodeProto, source: str, layer: _Layer) -> None:
        """Give a convolution its fitted weights."""
        kernel, bias = node.input[1], node.input[2]
        if layer.scales is None:
            self._store(kernel, layer.kernel)
            self._store(bias, layer.bias)
            return
        self._store_bytes(kernel, layer.kernel, layer.scales)
        worth = (layer.scales * self._fit.ranges[source].scale).astype(np.float32)
        whole = np.round(layer.bias.astype(np.float64) / worth).astype(np.int32)
        self._store_bytes(bias, whole, worth)
        node.input[1], node.input[2] = f"{kernel}_exact", f"{bias}_exact"

    def _store_bytes(self, name: str, value: np.ndarray, scales: np.ndarray) -> None:
        """Store whole numbers with their scales, and tell what they are worth."""
        self._store(f"{name}_whole", value)
        self._store(f"{name}_scale", scales)
        self._store(f"{name}_zero", np.zeros(len(scales), value.dtype))
        given = [f"{name}_whole", f"{name}_scale", f"{name}_zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", given, [f"{name}_exact"], axis=0))

    def round(self, name: str, source: str, out: str) -> None:
        """Round the tensor ``source`` to the bytes of ``name``, and give ``out``."""
        found = self._fit.ranges[name]
        self._store(f"{name}_scale", np.asarray(found.scale))
        self._store(f"{name}_zero", np.asarray(found.zero))
        how = [f"{name}_scale", f"{name}_zero"]
        self.nodes += [
            helper.make_node("QuantizeLinear", [source, *how], [f"{name}_bytes"]),
            helper.make_node("DequantizeLinear", [f"{name}_bytes", *how], [out]),
        ]

    def _store(self, name: str, value: np.ndarray) -> None:
        self.stored[name] = numpy_helper.from_array(np.array(value, order="C"), name)
