"""Every architecture: what it must be to be trained, exported and run like any other."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from opencmr.networks import ARCHITECTURES  # noqa: E402
from opencmr.networks.network import SegmentationNetwork  # noqa: E402
from opencmr.networks.transformer import TransformerUNet  # noqa: E402
from opencmr.networks.volumetric import VolumetricUNet  # noqa: E402

WIDTHS = (8, 16, 24)
ONE_SLICE = sorted(name for name in ARCHITECTURES if name != "stack_unet")


@pytest.fixture(autouse=True)
def one_thread():
    """Small layers: a second thread would wait more than it works."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(name: str, planes: int = 3) -> SegmentationNetwork:
    torch.manual_seed(1)
    return ARCHITECTURES[name](planes, 4, WIDTHS)


@pytest.mark.parametrize("name", ONE_SLICE)
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("shape", [(32, 32), (48, 64)])
@torch.no_grad()
def test_windows_of_any_size_are_labelled(name, planes, shape):
    logits = made(name, planes).eval()(torch.rand(2, planes, *shape))
    assert logits.shape == (2, 4, *shape)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@torch.no_grad()
def test_a_window_is_labelled_alike_whatever_stands_beside_it_in_the_batch(name):
    network = made(name).eval()
    windows = torch.rand(3, 3, 32, 32)
    together = network(windows)
    alone = torch.cat([network(window[None]) for window in windows])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_slice_that_it_sees_has_a_say(name):
    """A memory that ran one way only would not hear one end of the stack."""
    window = torch.rand(1, 5, 32, 32, requires_grad=True)
    made(name, planes=5).eval()(window).square().sum().backward()
    assert (window.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_disc_is_learnt(name):
    """A few steps on bright discs of any place: the network finds them where it never saw one."""
    network = made(name, planes=1).train()
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    random = np.random.default_rng(1)
    for _ in range(40):
        images, labels = discs(random, 8)
        logits = network(images)
        loss = torch.nn.functional.cross_entropy(logits, labels.reshape(8, *logits.shape[2:]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    images, labels = discs(random, 8)
    with torch.no_grad():
        found = network.eval()(images).argmax(1).reshape(labels.shape) == 1
    truth = labels == 1
    overlap = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert overlap > 0.8


def discs(random: np.random.Generator, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    row, column = np.mgrid[:32, :32]
    centres = random.uniform(8, 24, size=(number, 2, 1, 1))
    inside = np.hypot(row - centres[:, 0], column - centres[:, 1]) < 6
    images = 0.7 * inside + 0.1 * random.normal(size=inside.shape)
    return torch.from_numpy(images[:, None]).float(), torch.from_numpy(inside.astype(np.int64))


@pytest.mark.parametrize("slices", [1, 2, 9])
@pytest.mark.parametrize("shape", [(32, 32), (48, 64)])
@torch.no_grad()
def test_every_slice_of_a_stack_of_any_size_is_labelled(slices, shape):
    logits = made("stack_unet").eval()(torch.rand(2, slices, *shape))
    assert logits.shape == (2, 4, slices, *shape)
    assert torch.isfinite(logits).all()


@torch.no_grad()
def test_a_stack_network_that_hears_nothing_yet_sees_a_slice_between_its_neighbours():
    network = made("stack_unet").eval()
    network.change_nothing_yet()
    stack = torch.rand(1, 6, 32, 32)
    whole = network(stack)
    for z in range(6):
        part = stack[:, max(z - 1, 0) : z + 2]
        assert torch.allclose(network(part)[:, :, min(z, 1)], whole[:, :, z], atol=1e-5)


@torch.no_grad()
def test_a_stack_network_hears_of_slices_farther_away():
    network = made("stack_unet").eval()
    stack = torch.rand(1, 9, 32, 32)
    other = stack.clone()
    other[:, 8] = 0
    changed = (network(stack) - network(other)).abs().amax(dim=(0, 1, 3, 4))
    assert changed[4] > 0
    assert changed[3:].min() > 0


@torch.no_grad()
def test_the_first_levels_of_the_volume_look_in_plane():
    first = VolumetricUNet(3, 4, WIDTHS).encoder[0].eval()
    volume = torch.rand(1, 1, 3, 16, 16)
    other = volume.clone()
    other[:, :, 0] = 0
    assert torch.allclose(first(volume)[:, :, 1:], first(other)[:, :, 1:])


def test_attention_needs_whole_heads():
    with pytest.raises(ValueError, match="multiple of 24"):
        TransformerUNet(1, 4, (8, 16))
