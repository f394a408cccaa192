"""The training loop: batches, loss, schedule, moving average, checkpoints.

A run is a folder with ``recipe.toml``, ``log.jsonl`` (one line a step group) and
``checkpoint.pt``.  Every random number follows from (seed, step, place in the batch), so a
resumed run goes on exactly where the killed one stopped.
"""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from opencmr.networks.unet import UNet
from opencmr.train import augmentation
from opencmr.train.manifest import MANIFESTS, Slice
from opencmr.train.recipe import Recipe, read_recipe

CHECKPOINT_SECONDS = 60.0
LOG_EVERY_STEPS = 50
PREFETCHED_BATCHES = 3


def build_network(recipe: Recipe) -> UNet:
    """Return the recipe's network with fresh weights."""
    return UNet(1, recipe.network.classes, recipe.network.widths)


def make_sample(
    source: Slice, recipe: Recipe, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return one augmented window ``(H, W)``, scaled as at inference, and its labels."""
    parameters = augmentation.draw(recipe.augmentation, random)
    low, high = source.windows[random.integers(len(source.windows))]
    image = (torch.from_numpy(source.image) - float(low)) / max(float(high - low), 1e-6)
    grid = augmentation.sampling_grid(
        parameters,
        window_px=recipe.network.window_px,
        window_spacing_mm=recipe.network.spacing_mm,
        centre_px=source.heart_px,
        source_shape=(source.image.shape[0], source.image.shape[1]),
        source_spacing_mm=source.spacing_mm,
    )
    window, labels = augmentation.sample(
        image, torch.from_numpy(source.labels), grid, recipe.network.classes
    )
    return augmentation.degrade(window, parameters).clamp(0, 1), labels


def make_batch(slices: tuple[Slice, ...], recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
    """Return the batch of ``step``: images ``(N, 1, H, W)`` and labels ``(N, H, W)``."""
    images, labels = [], []
    for place in range(recipe.optimiser.batch_size):
        random = np.random.default_rng([recipe.optimiser.seed, step, place])
        image, label = make_sample(slices[random.integers(len(slices))], recipe, random)
        images.append(image)
        labels.append(label)
    return torch.stack(images)[:, None], torch.stack(labels)


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus (1 - soft Dice), the Dice pooled over the batch for each structure."""
    logits = logits.float()
    classes = logits.shape[1]
    entropy = functional.cross_entropy(logits, labels)
    shares = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(labels, classes).permute(0, 3, 1, 2)[:, 1:].float()
    overlap = (shares * truth).sum((0, 2, 3))
    total = shares.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    dice = (2 * overlap + 1) / (total + 1)
    return entropy + 1 - dice.mean()


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate at ``step``: linear warm-up, then half a cosine down to zero."""
    settings = recipe.optimiser
    if step < settings.warmup_steps:
        return settings.peak_learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
    return settings.peak_learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _prefetch(
    slices: tuple[Slice, ...], recipe: Recipe, start: int
) -> Iterator[tuple[Tensor, Tensor]]:
    with ThreadPoolExecutor(1) as pool:
        steps = range(start, recipe.optimiser.steps)
        waiting = [pool.submit(make_batch, slices, recipe, s) for s in steps[:PREFETCHED_BATCHES]]
        for step in steps:
            batch = waiting.pop(0).result()
            if step + PREFETCHED_BATCHES < recipe.optimiser.steps:
                waiting.append(pool.submit(make_batch, slices, recipe, step + PREFETCHED_BATCHES))
            yield batch


@torch.no_grad()
def _follow(average: UNet, network: UNet, decay: float) -> None:
    for mean, value in zip(
        average.state_dict().values(), network.state_dict().values(), strict=True
    ):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def train(
    recipe_path: Path,
    data: Path,
    run: Path,
    *,
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> Path:
    """Train by a recipe and return the path of the final checkpoint.

    ``run`` that already holds a checkpoint is resumed.  ``report`` is called with (step,
    steps, mean loss) after every group of steps.
    """
    recipe = read_recipe(recipe_path)
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "recipe.toml").exists():
        shutil.copyfile(recipe_path, run / "recipe.toml")
    slices = MANIFESTS[recipe.data.manifest](data, recipe.data.folds)
    torch.manual_seed(recipe.optimiser.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build_network(recipe).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = build_network(recipe).to(device)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(
        network.parameters(),
        weight_decay=recipe.optimiser.weight_decay,
        betas=(0.9, 0.99),
    )
    checkpoint = run / "checkpoint.pt"
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        start = int(state["step"])

    def save(step: int) -> None:
        partial = checkpoint.with_suffix(".partial")
        torch.save(
            {
                "step": step,
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
            },
            partial,
        )
        partial.replace(checkpoint)

    network.train()
    losses: list[float] = []
    last_save = last_log = time.monotonic()
    for step, (windows, labels) in enumerate(_prefetch(slices, recipe, start), start):
        rate = learning_rate(recipe, step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images = windows.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(images)
        loss = segmentation_loss(logits, labels.to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.optimiser.gradient_clip)
        optimiser.step()
        # A young average would remember the random start for thousands of steps.
        _follow(average, network, min(recipe.optimiser.ema_decay, (1 + step) / (10 + step)))
        losses.append(float(loss.detach()))
        if (step + 1) % LOG_EVERY_STEPS == 0 or step + 1 == recipe.optimiser.steps:
            now = time.monotonic()
            line = {
                "step": step + 1,
                "loss": round(float(np.mean(losses)), 5),
                "learning_rate": round(rate, 8),
                "seconds": round(now - last_log, 2),
            }
            with (run / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            report(step + 1, recipe.optimiser.steps, line["loss"])
            losses, last_log = [], now
        if time.monotonic() - last_save > CHECKPOINT_SECONDS:
            save(step + 1)
            last_save = time.monotonic()
    save(recipe.optimiser.steps)
    return checkpoint
