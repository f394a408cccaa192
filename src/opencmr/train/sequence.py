"""Learning to tell sequences from pictures: a small network over the frames of a stack.

Frames are what :func:`opencmr.train.frames.frames_of` gives, in training as in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional

from opencmr.train.frames import CHANNELS, HEIGHTS, SIDE_PX

WIDTHS = (12, 24, 48, 96)
"""Feature channels of the layers, each of which halves the resolution."""
STEPS, BATCH = 1500, 32
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-2
LABEL_SMOOTHING = 0.05
TEMPERATURES = (0.2, 10.0)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Frames with what they show.

    Attributes
    ----------
    frames : (N, 3, 4, H, W) uint8
        Values 0 to 1 as 0 to 255.
    classes : (N,) int
    domains : (N,) int
        Each class is drawn from its domains (simulated, each real source) alike.
    """

    frames: np.ndarray
    classes: np.ndarray
    domains: np.ndarray


class SequenceNetwork(nn.Module):
    """Frames ``(N, 3, 4, H, W)`` to logits ``(N, C)``: each slice is encoded, then all are joined.

    The features of the slices are joined by their mean, so which way a stack was numbered does
    not matter, and one slice is as good a lesson as three.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = len(CHANNELS)
        for width, stride, size in zip(WIDTHS, (2, 2, 2, 2), (5, 3, 3, 3), strict=True):
            layers += [
                nn.Conv2d(before, width, size, stride, padding=size // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.encoder = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(before, classes)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits."""
        features = self.encoder(frames.flatten(0, 1)).mean((2, 3))
        joined = features.view(-1, frames.shape[1], features.shape[1]).mean(1)
        logits: Tensor = self.head(self.dropout(joined))
        return logits


def train(examples: Examples, classes: int, *, seed: int = 0, steps: int = STEPS) -> nn.Module:
    """Return a network that learnt the examples, one slice at a time.

    Classes are drawn alike, and the domains within each.
    """
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = SequenceNetwork(classes).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=LEARNING_RATE, total_steps=steps
    )
    places = _places(examples)
    for _ in range(steps):
        drawn = [_draw(places, random) for _ in range(BATCH)]
        slices = random.integers(examples.frames.shape[1], size=BATCH)
        shown = examples.frames[drawn, slices][:, None]
        frames = torch.from_numpy(shown.astype(np.float32) / 255.0)
        wanted = torch.from_numpy(examples.classes[drawn])
        loss = functional.cross_entropy(
            network(altered(frames)), wanted, label_smoothing=LABEL_SMOOTHING
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network.eval()


def _places(examples: Examples) -> list[list[np.ndarray]]:
    """Return where the examples of each class lie, by domain."""
    places = []
    for one in np.unique(examples.classes):
        mine = examples.classes == one
        places.append(
            [
                np.flatnonzero(mine & (examples.domains == d))
                for d in np.unique(examples.domains[mine])
            ]
        )
    return places


def _draw(places: Sequence[Sequence[np.ndarray]], random: np.random.Generator) -> int:
    domains = places[int(random.integers(len(places)))]
    return int(random.choice(domains[int(random.integers(len(domains)))]))


def altered(frames: Tensor) -> Tensor:
    """Return frames ``(N, 3, 4, H, W)`` turned, mirrored, shaded, blurred and noisy.

    All are turned alike, the rest is drawn for each; channels of a slice are altered alike, so
    that the change over time stays what it was.
    """
    count, _, _, rows, columns = frames.shape
    turned = torch.rot90(frames, int(torch.randint(4, ())), (-2, -1))
    if torch.rand(()) < 0.5:
        turned = turned.flip(-1)
    y = torch.linspace(-1, 1, rows).view(1, 1, 1, rows, 1)
    x = torch.linspace(-1, 1, columns).view(1, 1, 1, 1, columns)
    slope = _chances(count, -0.5, 0.5) * y + _chances(count, -0.5, 0.5) * x
    shaded = (turned * (1 + slope)).clamp(0, 1) ** torch.exp(_chances(count, -0.5, 0.5))
    if torch.rand(()) < 0.5:
        blurred = functional.avg_pool2d(shaded.flatten(0, 1), 3, 1, 1)
        shaded = torch.lerp(shaded, blurred.view_as(shaded), _chances(count))
    return shaded + _chances(count, 0.0, 0.06) * torch.randn_like(shaded)


def _chances(count: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(count, 1, 1, 1, 1)


def logits_of(network: nn.Module, frames: np.ndarray) -> np.ndarray:
    """Return the logits ``(N, C)`` of frames ``(N, 3, 4, H, W)`` uint8."""
    with torch.no_grad():
        given = torch.from_numpy(frames.astype(np.float32) / 255.0)
        return np.concatenate([network(part).numpy() for part in torch.split(given, 64)])


def temperature_of(logits: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> float:
    """Return the temperature under which held-out answers ``(N,)`` are likeliest.

    Guo et al., On calibration of modern neural networks, ICML 2017.  ``weights`` (N,) make each
    class count alike.
    """

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled = scaled - scaled.max(1, keepdims=True)
        told = scaled[np.arange(len(classes)), classes] - np.log(np.exp(scaled).sum(1))
        return float(-(weights * told).sum())

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


class SequenceShares(nn.Module):
    """A network with its temperature: planes ``(N, 12, H, W)`` to calibrated shares ``(N, C)``.

    The planes are the channels of the first slice, then those of the second and the third.
    """

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, planes: Tensor) -> Tensor:
        """Return the shares."""
        frames = planes.view(-1, len(HEIGHTS), len(CHANNELS), *planes.shape[2:])
        return functional.softmax(self.network(frames) / self.temperature, 1)


def write_weights(network: nn.Module, temperature: float, path: Path) -> None:
    """Write the network with its temperature as ONNX: one input, one output, any batch."""
    planes = len(HEIGHTS) * len(CHANNELS)
    torch.onnx.export(
        SequenceShares(network, temperature).eval(),
        (torch.zeros(2, planes, SIDE_PX, SIDE_PX),),
        path,
        input_names=["planes"],
        output_names=["shares"],
        dynamic_shapes={"planes": {0: torch.export.Dim("batch")}},
        external_data=False,
        dynamo=True,
        verbose=False,
    )
