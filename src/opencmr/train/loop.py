"""The training loop: batches, loss, schedule, moving average, checkpoints.

A run is a folder with ``recipe.toml``, ``manifest.json`` (the rows that were trained on),
``log.jsonl`` (one line a step group) and ``checkpoint.pt``.  Every random number follows from
(seed, step, place in the batch), so a resumed run goes on exactly where the killed one stopped.
"""

import dataclasses
import io
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from opencmr.anatomy.structures import scheme_named
from opencmr.errors import ConfigurationError
from opencmr.geometry.resampling import averaging_weights, resample_plane
from opencmr.networks import ARCHITECTURES
from opencmr.networks.network import SegmentationNetwork
from opencmr.segment.context import context_slices, stack_part
from opencmr.segment.intensity import scale_intensity
from opencmr.storage import write_bytes
from opencmr.train import augmentation
from opencmr.train.code_version import code_version
from opencmr.train.label_codes import CODES
from opencmr.train.loss import loss_of
from opencmr.train.manifest import MANIFESTS, ROWS, Manifest, Row, Slice, read_slices
from opencmr.train.recipe import DataRecipe, OptimiserRecipe, Recipe, read_recipe
from opencmr.train.warm_start import start_from_model

CHECKPOINT_FILE = "checkpoint.pt"
RECIPE_FILE = "recipe.toml"
LOG_FILE = "log.jsonl"
MANIFEST_FILE = "manifest.json"
CHECKPOINT_SECONDS = 60.0
LOG_EVERY_STEPS = 50
PREFETCHED_BATCHES = 3
STATISTICS_BATCHES = 8
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""Names, in torch's list of a processor's abilities, of computing with bfloat16 (x86 and Arm)."""

Tensors = tuple[Tensor, ...] | list[Tensor]


Report = Callable[[int, int, float], None]
"""Called with (step, steps, mean loss) after every group of steps."""


def unreported(step: int, steps: int, loss: float) -> None:
    """Say nothing of the steps."""
    del step, steps, loss


class Scheduled(Protocol):
    """A recipe of whatever task: what the loop asks of it."""

    @property
    def optimiser(self) -> OptimiserRecipe:
        """Steps, rates and all else of the optimiser."""
        ...


def build_network(recipe: Recipe) -> SegmentationNetwork:
    """Return the recipe's network with fresh weights.

    Raises
    ------
    ConfigurationError
        When there is no such architecture, or it does not label what the recipe says.
    """
    name = recipe.network.architecture
    if name not in ARCHITECTURES:
        raise ConfigurationError(f"no architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    network = ARCHITECTURES[name](
        recipe.network.planes, recipe.network.classes, recipe.network.widths
    )
    if network.whole_stack != bool(recipe.network.stack_slices):
        raise ConfigurationError(
            f"{name} labels {'whole stacks' if network.whole_stack else 'one slice'}: "
            f"stack_slices {'must' if network.whole_stack else 'cannot'} be given"
        )
    return network


def make_sample(
    source: Slice, recipe: Recipe, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return augmented planes ``(P, H, W)``, resampled and scaled as at inference, and labels.

    Labels ``(H, W)`` of one slice, or ``(P, H, W)`` where the network labels whole stacks.
    """
    parameters = augmentation.draw(recipe.augmentation, random)
    limits = source.limits[random.integers(len(source.limits))]
    seen, labelled = _slices_of_sample(source, recipe, parameters, random)
    planes = scale_intensity(source.stack[seen], limits)
    steps = [recipe.network.spacing_mm / spacing_mm for spacing_mm in source.spacing_mm]
    planes = resample_plane(
        planes,
        *(averaging_weights(n, step) for n, step in zip(planes.shape[1:], steps, strict=True)),
    )
    grid = augmentation.sampling_grid(
        parameters,
        window_px=recipe.network.window_px,
        window_spacing_mm=recipe.network.spacing_mm,
        centre_px=source.heart_px,
        source_shape=(planes.shape[1], planes.shape[2]),
        source_spacing_mm=source.spacing_mm,
    )
    window, labels = augmentation.sample(
        torch.from_numpy(planes),
        torch.from_numpy(source.stack_labels[labelled]),
        grid,
        recipe.network.classes + CODES,
    )
    window = augmentation.degrade(window, parameters).clamp(0, 1)
    return window, labels if recipe.network.stack_slices else labels[0]


def _slices_of_sample(
    source: Slice, recipe: Recipe, parameters: augmentation.Draw, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return which slices of the stack the network sees, and which of them it is to label."""
    step, count = parameters.slice_step, len(source.stack)
    if recipe.network.stack_slices:
        part = stack_part(
            source.z, count, recipe.network.stack_slices, step=step, place=random.random()
        )
        return part, part
    context = recipe.network.context_slices
    seen = context_slices(source.z, count, context, step=step)
    below, above = parameters.drop_neighbour
    if below:
        seen[:context] = source.z
    if above:
        seen[context + 1 :] = source.z
    return seen, np.array([source.z])


def manifest_of(recipe: Recipe) -> Manifest:
    """Return the manifest that the recipe names.

    Raises
    ------
    ConfigurationError
        When there is none, or its labels are not as many as the recipe's classes.
    """
    name = recipe.data.manifest
    if name not in MANIFESTS:
        raise ConfigurationError(f"no manifest {name!r}; known: {', '.join(MANIFESTS)}")
    data_set = MANIFESTS[name].data_set
    if recipe.network.classes != data_set.classes:
        raise ConfigurationError(
            f"the recipe has {recipe.network.classes} classes, the labels {data_set.label_scheme} "
            f"{data_set.classes}, background included"
        )
    return MANIFESTS[name]


def draw_chances(slices: tuple[Slice, ...], recipe: DataRecipe) -> np.ndarray:
    """Return how probably each slice is drawn ``(N,)``: hard ones and rare ones more often."""
    hard = [
        (source.phase == "es") + (source.from_stack_end < recipe.end_slices) for source in slices
    ]
    scheme = scheme_named(MANIFESTS[recipe.manifest].data_set.label_scheme)
    rare = [
        any(scheme.mask(source.labels, structure).any() for structure in recipe.rare_structures)
        for source in slices
    ]
    weights = np.power(recipe.hard_weight, hard) * np.where(rare, recipe.rare_weight, 1.0)
    return np.asarray(weights / weights.sum())


def make_batch(
    slices: tuple[Slice, ...], chances: np.ndarray, recipe: Recipe, step: int
) -> tuple[Tensor, Tensor]:
    """Return the batch of ``step``: images ``(N, P, H, W)`` and labels ``(N, [P,] H, W)``.

    ``chances``: of :func:`draw_chances`.
    """
    images, labels = [], []
    recipe = _sometimes_alone(recipe, step)
    for place in range(recipe.optimiser.batch_size):
        random = np.random.default_rng([recipe.optimiser.seed, step, place])
        image, label = make_sample(slices[random.choice(len(slices), p=chances)], recipe, random)
        images.append(image)
        labels.append(label)
    return torch.stack(images), torch.stack(labels)


def _sometimes_alone(recipe: Recipe, step: int) -> Recipe:
    """Return the recipe of a batch: of a network for whole stacks, now and then single slices.

    As many of them as the stacks together have, so that a slice without a stack is no surprise.
    """
    random = np.random.default_rng([recipe.optimiser.seed, step])
    slices = recipe.network.stack_slices
    if not slices or random.random() >= recipe.augmentation.drop_neighbour_probability:
        return recipe
    return dataclasses.replace(
        recipe,
        network=dataclasses.replace(recipe.network, stack_slices=1),
        optimiser=dataclasses.replace(
            recipe.optimiser, batch_size=slices * recipe.optimiser.batch_size
        ),
    )


def computes_bfloat16(device: torch.device) -> bool:
    """Whether half as many bits save time: a processor that must emulate them is many times slower.

    Float32 gives the same training but for rounding.
    """
    if device.type != "cpu":
        return True
    abilities = torch.cpu.get_capabilities()
    return any(abilities.get(name, False) for name in BFLOAT16_INSTRUCTIONS)


def learning_rate(recipe: Scheduled, step: int) -> float:
    """Return the rate at ``step``: linear warm-up, then half a cosine down to zero."""
    settings = recipe.optimiser
    if step < settings.warmup_steps:
        return settings.peak_learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
    return settings.peak_learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _many_images(slices: tuple[Slice, ...], recipe: Recipe) -> Tensor:
    """Return a few batches' images, all of one shape, for statistics of features."""
    never = dataclasses.replace(recipe.augmentation, drop_neighbour_probability=0.0)
    recipe = dataclasses.replace(recipe, augmentation=never)
    chances = draw_chances(slices, recipe.data)
    batches = (make_batch(slices, chances, recipe, step) for step in range(STATISTICS_BATCHES))
    return torch.cat([images for images, _ in batches])


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is learnt: the batch of each step, images and targets, and the loss of the answers."""

    batch_of: Callable[[int], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]


def segmentation_task(slices: tuple[Slice, ...], recipe: Recipe) -> Task:
    """Return the task of labelling the slices."""
    batch_of = partial(make_batch, slices, draw_chances(slices, recipe.data), recipe)
    return Task(batch_of, loss_of(manifest_of(recipe).data_set))


@dataclasses.dataclass(frozen=True, slots=True)
class Lessons:
    """What a run learns from.

    Attributes
    ----------
    slices : tuple of Slice
    rows : tuple of Row
        Those of the data sets among them, for the record and the model card.
    task : callable
        What is learnt from them.
    """

    slices: tuple[Slice, ...]
    rows: tuple[Row, ...]
    task: Callable[[tuple[Slice, ...], Recipe], Task] = segmentation_task


def lessons_of(recipe: Recipe, data: Path) -> Lessons:
    """Return the recipe's own lessons: its manifest's, from the folder of the data sets.

    Raises
    ------
    ConfigurationError
        When the recipe names no manifest of its classes, or the data set is not there.
    """
    rows = manifest_of(recipe).rows(data, recipe.data.folds)
    return Lessons(read_slices(rows, data, recipe.network.intensity_percentiles), rows)


def _prefetch(task: Task, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(task.batch_of, step) for step in steps[:PREFETCHED_BATCHES]]
        for step in steps:
            batch = waiting.pop(0).result()
            if step + PREFETCHED_BATCHES in steps:
                waiting.append(pool.submit(task.batch_of, step + PREFETCHED_BATCHES))
            yield batch


def _channels_last(network: SegmentationNetwork) -> SegmentationNetwork:
    """Lay out kernels with their channels innermost: on a CPU half again as fast."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        elif isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network


class _State:
    """What a checkpoint holds: the network, its moving average and the optimiser."""

    def __init__(
        self,
        recipe: Scheduled,
        build: Callable[[], SegmentationNetwork],
        device: torch.device,
        loss: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        torch.manual_seed(recipe.optimiser.seed)
        self.recipe, self.device, self.step, self.loss = recipe, device, 0, loss
        self.network = _channels_last(build().to(device))
        self.average = AveragedModel(self.network, multi_avg_fn=self._follow, use_buffers=True)
        self.start_average()
        self.trained_by = (code_version(),)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            weight_decay=recipe.optimiser.weight_decay,
            betas=(0.9, 0.99),
        )

    def start_average(self) -> None:
        """Let the average begin where the network is."""
        self._set_average(self.network.state_dict(), steps=0)

    def start_from(self, checkpoint: Path) -> None:
        """Take the averaged weights of another run."""
        weights = torch.load(checkpoint, weights_only=True, map_location=self.device)["average"]
        self.network.load_state_dict(weights)
        self._set_average(weights, steps=0)

    def resume(self, checkpoint: Path) -> None:
        """Go on from this run's own checkpoint."""
        state = torch.load(checkpoint, weights_only=True, map_location=self.device)
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        self._set_average(state["average"], steps=self.step)
        earlier = tuple(state.get("trained_by", ()))
        self.trained_by = tuple(dict.fromkeys(earlier + self.trained_by))

    def save(self, checkpoint: Path) -> None:
        """Write the checkpoint whole or not at all."""
        stream = io.BytesIO()
        torch.save(
            {
                "step": self.step,
                "network": self.network.state_dict(),
                "average": self.average.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "trained_by": list(self.trained_by),
            },
            stream,
        )
        write_bytes(checkpoint, stream.getvalue())

    def learn(self, windows: Tensor, labels: Tensor) -> float:
        """Take one step on a batch and return its loss."""
        # What is dropped follows from the step too, so that a resumed run drops the same.
        torch.manual_seed(self.recipe.optimiser.seed + self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        images = windows.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=computes_bfloat16(self.device)
        ):
            logits = self.network(images)
        loss = self.loss(logits, labels.to(self.device))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        settings = self.recipe.optimiser
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.gradient_clip)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return float(loss.detach())

    def _set_average(self, weights: dict[str, Tensor], *, steps: int) -> None:
        self.average.module.load_state_dict(weights)
        # The library takes the first network whole; the average already holds the start.
        self.average.n_averaged.fill_(steps + 1)

    @torch.no_grad()
    def _follow(self, means: Tensors, values: Tensors, averaged: Tensor | int) -> None:
        """Move the mean towards the network; a young mean would remember the random start."""
        step = int(averaged) - 1
        decay = min(self.recipe.optimiser.ema_decay, (1 + step) / (10 + step))
        for mean, value in zip(means, values, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


def train(
    recipe_path: Path,
    lessons: Lessons,
    run: Path,
    *,
    start_from: Path | None = None,
    report: Report = unreported,
) -> Path:
    """Train on the lessons by all else of a recipe and return the path of the final checkpoint.

    A ``run`` that already holds a checkpoint is resumed; a new one starts from the averaged
    weights of the run ``start_from``, where one is named.  ``report`` is called with (step,
    steps, mean loss) after every group of steps.

    Raises
    ------
    ConfigurationError
        When the recipe is wrong.
    """
    recipe = read_recipe(recipe_path)

    def start(state: _State) -> None:
        if start_from is not None:
            state.start_from(start_from / CHECKPOINT_FILE)
        elif recipe.network.start_model:
            start_from_model(
                state.network,
                recipe.network.start_model,
                _many_images(lessons.slices, recipe),
                scheme_named(manifest_of(recipe).data_set.label_scheme),
            )
            state.start_average()

    task = lessons.task(lessons.slices, recipe)
    given = Given(recipe_path, recipe, partial(build_network, recipe), task, lessons.rows)
    return learn(given, run, start=start, report=report)


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """What a run is given: its recipe and its file, who builds the network, the task, its rows."""

    recipe_path: Path
    recipe: Scheduled
    build: Callable[[], SegmentationNetwork]
    task: Task
    rows: tuple[Row, ...]


def learn(
    given: Given,
    run: Path,
    *,
    start: Callable[[_State], None] = lambda state: None,
    report: Report = unreported,
) -> Path:
    """Learn the task and return the path of the final checkpoint, as :func:`train` does.

    ``start`` is called with the state of a run that is new.
    """
    recipe, task = given.recipe, given.task
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / CHECKPOINT_FILE
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = _State(recipe, given.build, device, task.loss)
    if checkpoint.exists():
        state.resume(checkpoint)
    else:
        start(state)
    shutil.copyfile(given.recipe_path, run / RECIPE_FILE)
    (run / MANIFEST_FILE).write_bytes(ROWS.dump_json(given.rows, indent=1))
    state.network.train()
    losses: list[float] = []
    last_save = last_log = time.monotonic()
    for windows, labels in _prefetch(task, range(state.step, recipe.optimiser.steps)):
        losses.append(state.learn(windows, labels))
        now = time.monotonic()
        if state.step % LOG_EVERY_STEPS == 0 or state.step == recipe.optimiser.steps:
            loss = float(np.mean(losses))
            _log(run, recipe, state.step, loss, now - last_log)
            report(state.step, recipe.optimiser.steps, loss)
            losses, last_log = [], now
        if now - last_save > CHECKPOINT_SECONDS:
            state.save(checkpoint)
            last_save = now
    state.save(checkpoint)
    return checkpoint


def _log(run: Path, recipe: Scheduled, step: int, loss: float, seconds: float) -> None:
    line = {
        "step": step,
        "loss": round(loss, 5),
        "learning_rate": round(learning_rate(recipe, step - 1), 8),
        "seconds": round(seconds, 2),
    }
    with (run / LOG_FILE).open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
