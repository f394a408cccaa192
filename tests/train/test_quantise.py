"""A network for stacks in 8-bit integers: near itself in floats, the same bytes each time."""

import hashlib
import warnings

import numpy as np
import onnx
import pytest
import torch

from opencmr.errors import InputError, ModelError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.models.card import read_card, write_card
from opencmr.models.library import model_titled, read_library
from opencmr.models.precision import Precision
from opencmr.models.session import load_network
from opencmr.networks.stack import StackUNet
from opencmr.train.export import _write_parts
from opencmr.train.quantise import (
    best_range,
    best_scales,
    calibration_stacks,
    fitted,
    quantise,
    rounded_weights,
)

WIDTHS = (8, 8, 16, 16)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network with random weights that is sure of what it says."""
    folder = tmp_path_factory.mktemp("models") / "small" / "1.0"
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    network = StackUNet(3, 4, WIDTHS).eval()
    with torch.no_grad():
        network.head.weight *= 5
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.bias.normal_(0, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about itself
        _write_parts(network, folder / "weights.onnx")
    digest = hashlib.sha256((folder / "weights.onnx").read_bytes()).hexdigest()
    shipped = read_library().choose_segmentation("cine_sax")
    update = {"name": "small", "version": "1.0", "sha256": digest, "int8": None}
    write_card(shipped.model_copy(update=update), folder)
    return read_card(folder)


@pytest.fixture(scope="module")
def stacks():
    random = np.random.default_rng(0)
    rough = random.random((4, 3, 12, 14), dtype=np.float32)
    return list(rough.repeat(4, 2).repeat(4, 3))


def made(model, stacks, folder):
    quantise(model, stacks, folder, version="1.1", calibration="noise", figures={"tried": 1})
    return read_card(folder)


@pytest.fixture(scope="module")
def both(model, stacks, tmp_path_factory):
    return made(model, stacks, tmp_path_factory.mktemp("models") / "small" / "1.1")


def test_integers_give_nearly_the_same_shares(both, stacks):
    floats, integers = (load_network(both.at(p)) for p in (Precision.F32, Precision.INT8))
    new = np.stack(stacks)[:, :, ::-1].copy()
    expected, found = floats(new), integers(new)
    assert np.abs(found - expected).mean() < 0.02
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.96
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_the_floats_stay_as_they_are_and_the_card_tells_of_both(model, both):
    for name in ("weights.onnx",):
        assert (both.folder / name).read_bytes() == (model.folder / name).read_bytes()
    assert (both.version, both.sha256, both.figures["tried"]) == ("1.1", model.sha256, 1)
    weights = (both.folder / "weights_int8.onnx").read_bytes()
    assert both.int8.sha256 == hashlib.sha256(weights).hexdigest()
    assert both.int8.calibration == "noise"


def test_layers_but_the_first_the_head_and_those_along_the_stack_are_bytes(both):
    graph = onnx.load(str(both.folder / "weights_int8.onnx")).graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    bytes_ = [n for n, kind in kinds.items() if kind == onnx.TensorProto.INT8 and "_whole" in n]
    floats = [n for n in kinds if n.endswith("weight") and kinds[n] == onnx.TensorProto.FLOAT]
    levels = len(WIDTHS)
    assert len(bytes_) == 2 * levels - 1 + 3 * (levels - 1)
    along = [n for n in floats if ".along." in n]
    assert sorted(set(floats) - set(along)) == [
        "network.encoder.0.0.weight",
        "network.head.weight",
    ]


def test_the_same_pictures_give_the_same_bytes(model, both, stacks, tmp_path):
    again = made(model, stacks, tmp_path / "small" / "1.1")
    assert again.int8.sha256 == both.int8.sha256


def test_networks_of_another_kind_and_no_pictures_are_refused(model, stacks, tmp_path):
    with pytest.raises(ModelError, match="labels single slices"):
        made(model_titled("cine_sax@0.1.0"), stacks, tmp_path)
    with pytest.raises(InputError, match="no stacks"):
        made(model, [], tmp_path)


def test_pictures_without_a_heart_are_refused():
    network = load_network(read_library().choose_segmentation("cine_sax"))
    nothing = untimed_image(
        np.zeros((1, 3, 64, 64), np.float32), grid_from_spacing((3, 64, 64), (8, 1.4, 1.4))
    )
    with pytest.raises(InputError, match="no heart"):
        calibration_stacks([nothing], network)


def test_rounding_by_columns_loses_less_of_the_output_than_rounding_each():
    random = np.random.default_rng(1)
    inputs = random.normal(size=(4000, 24)) @ random.normal(size=(24, 24))
    weights = random.normal(size=(6, 24))
    scales = best_scales(weights) * 16  # coarse, so that it matters
    columns = rounded_weights(weights, inputs.T @ inputs / len(inputs), scales)
    each = np.round(weights / scales[:, None]).clip(-128, 127)
    lost = [
        np.square(inputs @ (kept * scales[:, None] - weights).T).mean() for kept in (columns, each)
    ]
    assert columns.dtype == np.int8
    assert lost[0] < 0.7 * lost[1]


def test_a_fit_makes_good_what_its_inputs_lack():
    random = np.random.default_rng(2)
    exact = random.random((3000, 9))
    kernel = random.normal(size=(4, 1, 3, 3)).astype(np.float32)
    targets = exact @ kernel.reshape(4, 9).T + 1
    lacking = 0.8 * exact - 0.1
    layer = fitted(kernel, lacking, targets, in_bytes=False)
    found = lacking @ layer.values.reshape(4, 9).T + layer.bias
    assert np.square(found - targets).mean() < 1e-3 * targets.var()


def test_a_range_holds_zero_and_spends_no_bytes_on_what_is_rare():
    values = np.append(np.random.default_rng(3).normal(size=10_000), 20).astype(np.float32)
    found = best_range(values, is_signed=True)
    whole = np.float32(np.ptp(values)) / 255
    assert found.rounded(np.zeros(1, np.float32)) == 0
    assert found.scale < whole
    assert np.square(found.rounded(values) - values).mean() < whole**2 / 12
    positive = best_range(np.abs(values), is_signed=False)
    assert positive.zero == 0
    assert positive.rounded(np.array([-1.0], np.float32)) == 0
