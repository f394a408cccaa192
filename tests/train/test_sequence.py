"""A small network learns sequences from frames, whatever the order of the slices."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from opencmr.train.frames import CHANNELS, HEIGHTS, SIDE_PX
from opencmr.train.sequence import (
    Examples,
    SequenceNetwork,
    SequenceShares,
    altered,
    logits_of,
    temperature_of,
    train,
    write_weights,
)


def frames_with(random: np.random.Generator, count: int, *, moving: bool) -> np.ndarray:
    """Noise about a grey level; where it moves, the change is bright in the middle."""
    shape = count, len(HEIGHTS), len(CHANNELS), SIDE_PX, SIDE_PX
    frames = random.integers(60, 200, shape, dtype=np.uint8)
    frames[:, :, CHANNELS.index("change")] = 0
    if moving:
        frames[:, :, CHANNELS.index("change"), 20:40, 20:40] = 120
    return frames


def test_it_has_few_weights_and_minds_no_order_of_slices() -> None:
    network = SequenceNetwork(5).eval()
    assert sum(weights.numel() for weights in network.parameters()) < 150_000
    frames = torch.rand(4, 3, 4, SIDE_PX, SIDE_PX)
    with torch.no_grad():
        torch.testing.assert_close(network(frames), network(frames.flip(1)))


def test_what_moves_is_told_from_what_does_not_on_examples_never_seen() -> None:
    random = np.random.default_rng(4)
    # Two domains of the first class, one of them rare: both must be learnt.
    parts = [(12, False, 0, 0), (1, False, 0, 1), (12, True, 1, 0)]
    examples = Examples(
        np.concatenate([frames_with(random, n, moving=moving) for n, moving, _, _ in parts]),
        np.concatenate([np.full(n, label) for n, _, label, _ in parts]),
        np.concatenate([np.full(n, domain) for n, _, _, domain in parts]),
    )
    network = train(examples, 2, steps=60)
    for moving in (False, True):
        told = logits_of(network, frames_with(random, 6, moving=moving)).argmax(1)
        assert (told == int(moving)).all()


def test_the_same_seed_learns_the_same() -> None:
    frames = frames_with(np.random.default_rng(5), 4, moving=True)
    examples = Examples(frames, np.array([0, 0, 1, 1]), np.zeros(4, int))
    first, again = (logits_of(train(examples, 2, seed=9, steps=2), frames) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_altering_keeps_shape_and_leaves_a_still_picture_without_much_change() -> None:
    torch.manual_seed(0)
    frames = torch.rand(6, 3, 4, SIDE_PX, SIDE_PX)
    frames[:, :, 1] = 0
    found = altered(frames)
    assert found.shape == frames.shape
    assert torch.isfinite(found).all()
    assert found[:, :, 1].abs().mean() < 0.06


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_drawn_answers_is_found(true_temperature: float) -> None:
    random = np.random.default_rng(6)
    logits = random.normal(0, 3, (4000, 4))
    shares = np.exp(logits / true_temperature)
    shares /= shares.sum(1, keepdims=True)
    classes = np.array([random.choice(4, p=share) for share in shares])
    found = temperature_of(logits, classes, np.ones(len(classes)))
    assert found == pytest.approx(true_temperature, rel=0.15)


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns about itself
def test_onnx_gives_the_shares_of_torch_for_any_number_of_stacks(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = SequenceNetwork(5).eval()
    write_weights(network, 2.0, tmp_path / "weights.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "weights.onnx")
    for stacks in (1, 5):
        planes = torch.rand(stacks, 12, SIDE_PX, SIDE_PX)
        (shares,) = session.run(None, {"planes": planes.numpy()})
        with torch.no_grad():
            expected = SequenceShares(network, 2.0)(planes).numpy()
        np.testing.assert_allclose(shares, expected, atol=1e-5)
        np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-5)
