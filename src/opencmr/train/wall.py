"""Learning the second look at late enhancement: what lies where in the unwrapped wall.

The network learns from readers' outlines that are pushed out of place as a network's may be: by
smooth waves along the angle, and through bright scar that was taken for cavity.  What it sees is
what :mod:`opencmr.segment.wall_strip` makes, in training as in use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass
from scipy import ndimage
from torch import Tensor

from opencmr.anatomy.structures import EMIDEC, LabelScheme, Structure
from opencmr.models.card import (
    WEIGHTS_FILE,
    SegmentationOutput,
    WallCard,
    WallInput,
    write_card,
)
from opencmr.models.library import read_library
from opencmr.networks.wall import WallUNet
from opencmr.segment.wall_strip import (
    ANGLES_RAD,
    CHANNELS,
    COLUMNS,
    GREY_PERCENTILES,
    ROWS,
    STRIP_VERSION,
    Ring,
    along_rays,
    channels,
    ray_index,
    rings_of,
    scaled_greys,
    smoothed,
    trio,
    unwrapped,
)
from opencmr.storage import sha256_of
from opencmr.train import loop
from opencmr.train.export import parity, write_onnx
from opencmr.train.manifest import MANIFESTS, Row, Slice, read_slices
from opencmr.train.manifest import ROWS as MANIFEST_ROWS
from opencmr.train.recipe import (
    Count,
    Index,
    OptimiserRecipe,
    Probability,
    Strength,
    read_table_of,
)
from opencmr.train.runner import Shares, run_state, training_data

TASK = "wall"
"""As recipes name it."""
SCHEME = EMIDEC
CLASSES = len(SCHEME.structures) + 1
CLASS_WEIGHTS = (1.0, 1.0, 1.0, 1.5, 2.0)
"""Of outside, cavity, wall, infarct and no-reflow in the cross-entropy."""
SHARE_FACTORS = {Structure.SCAR: round(1 / 1.5, 2), Structure.NO_REFLOW: 0.5}
"""What makes shares of those that these weights made too large."""
DICE_WEIGHTS = (0.3, 0.3, 0.3, 1.0)
"""Of wall, infarct, no-reflow, and infarct with its no-reflow in the Dice."""
WAVES, WAVE_FALL = 6, 3.0
"""Waves about the ring of which an error of an outline is made, and how fast they get smaller."""
LEAST_RIM_MM = 1.5
"""What is left of the wall beside swallowed scar."""
LIMITATIONS = (
    "It tells what is scar in the wall that the first network found, and mends no outline. "
    "Measured on one fold of 15 patients: an infarct of 6 % was lost, a healthy heart given 3.5 %."
)
PATCHES = COLUMNS // 8
"""Arcs of which each is swallowed or not where scar was taken for cavity."""

_TABLE = ConfigDict(extra="forbid")


@pydantic_dataclass(frozen=True, slots=True, config=_TABLE)
class WallData:
    """The manifest, the folds trained on, and the share of slices with scar in a batch."""

    manifest: Literal["emidec"]
    folds: tuple[Index, ...]
    scar_share: Probability


@pydantic_dataclass(frozen=True, slots=True, config=_TABLE)
class WallNetwork:
    """Feature widths of the three levels."""

    widths: tuple[Count, Count, Count]


@pydantic_dataclass(frozen=True, slots=True, config=_TABLE)
class WallAugmentation:
    """Strength of each change; probabilities are per sample.

    ``endo_mm`` and ``epi_mm`` are standard deviations of the outlines' errors; all else that is no
    probability is one of a normal law, on the greys from 0 to 1 or on the logarithm (``*_log``),
    but ``noise``, the most of its standard deviation.
    """

    endo_mm: Strength
    epi_mm: Strength
    swallow_probability: Probability
    scale_log: Strength
    scar_probability: Probability
    scar: Strength
    blood_probability: Probability
    blood: Strength
    gamma_log: Strength
    gain_log: Strength
    offset: Strength
    bias_probability: Probability
    bias: Strength
    blur_probability: Probability
    noise_probability: Probability
    noise: Strength


@pydantic_dataclass(frozen=True, slots=True, config=_TABLE)
class WallRecipe:
    """Everything that decides what a training run makes."""

    task: Literal["wall"]
    name: str
    intended_use: str
    follows: str
    """Name of the model whose labels it looks at again."""
    data: WallData
    network: WallNetwork
    optimiser: OptimiserRecipe
    augmentation: WallAugmentation


_RECIPE: TypeAdapter[WallRecipe] = TypeAdapter(WallRecipe)


def read_wall_recipe(path: Path) -> WallRecipe:
    """Read a recipe of the task ``wall``.

    Raises
    ------
    ConfigurationError
        As :func:`opencmr.train.recipe.read_recipe`.
    """
    return read_table_of(_RECIPE, path)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One stack with readers' labels, as lessons are cut from it.

    Attributes
    ----------
    greys : (Z, Y, X) float32
        Of :func:`opencmr.segment.wall_strip.scaled_greys`.
    labels : (Z, Y, X) uint8
    spacing_mm : (row, column)
    slices : tuple of int
        Those with a ring, from the wider end.
    rings : tuple of Ring
        Of the readers.
    swallowed_mm : tuple of (COLUMNS,)
        The outer border of scar that begins at the cavity; elsewhere the inner outline.
    has_scar : tuple of bool
    """

    greys: np.ndarray
    labels: np.ndarray
    spacing_mm: tuple[float, float]
    slices: tuple[int, ...]
    rings: tuple[Ring, ...]
    swallowed_mm: tuple[np.ndarray, ...]
    has_scar: tuple[bool, ...]


def lesson_of(source: Slice, scheme: LabelScheme = SCHEME) -> Lesson | None:
    """Return the lesson of a stack, named by one of its slices; None where none has a ring."""
    rings = rings_of(source.stack_labels, scheme, source.spacing_mm)
    if not rings:
        return None
    scar = scheme.mask(source.stack_labels, Structure.SCAR)
    return Lesson(
        scaled_greys(source.stack, rings, source.spacing_mm),
        source.stack_labels,
        source.spacing_mm,
        tuple(rings),
        tuple(rings.values()),
        tuple(_swallowed(scar[z], ring, source.spacing_mm) for z, ring in rings.items()),
        tuple(bool(scar[z].any()) for z in rings),
    )


def _swallowed(scar: np.ndarray, ring: Ring, spacing_mm: tuple[float, float]) -> np.ndarray:
    border = ring.endo_mm.copy()
    rays = along_rays(scar.astype(np.uint8), ring.centre_px, spacing_mm)
    for column, ray in enumerate(rays):
        start = ray_index(border[column])
        if ray[start : start + 3].any():
            last_mm = np.flatnonzero(ray)[-1] / ray_index(1.0)
            border[column] = max(border[column], last_mm)
    return border


def pushed(
    lesson: Lesson, place: int, strength: WallAugmentation, random: np.random.Generator
) -> Ring:
    """Return a slice's ring as a network might have drawn it."""
    ring, swallowed_mm = lesson.rings[place], lesson.swallowed_mm[place]
    endo_mm, epi_mm = ring.endo_mm, ring.epi_mm
    if random.random() < strength.swallow_probability:
        arcs = (random.random(PATCHES) < 0.7).repeat(COLUMNS // PATCHES).astype(float)
        depth_mm = smoothed(np.minimum(swallowed_mm, epi_mm - LEAST_RIM_MM) - endo_mm, 1.0)
        endo_mm = endo_mm + random.uniform(0.3, 1.0) * depth_mm.clip(0) * smoothed(arcs, 2.0)
    epi_mm = epi_mm + strength.epi_mm * wave(random)
    if ring.has_cavity:
        endo_mm = endo_mm + strength.endo_mm * wave(random)
    return ring.redrawn(endo_mm, epi_mm)


def wave(random: np.random.Generator) -> np.ndarray:
    """Return a smooth error along the angles ``(COLUMNS,)`` of standard deviation 1."""
    orders = np.arange(WAVES + 1)
    weights = np.exp(-0.5 * (orders / WAVE_FALL) ** 2)
    weights = random.normal(size=WAVES + 1) * weights / np.sqrt((weights**2).sum())
    phases = random.uniform(0, 2 * np.pi, WAVES + 1)
    waves = np.sqrt(2) * np.cos(orders[:, None] * ANGLES_RAD + phases[:, None])
    waves[0] = 1.0
    return np.asarray(weights @ waves)


def sample(
    lesson: Lesson, place: int, strength: WallAugmentation, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the network sees of a slice, and what it is to learn of it.

    The target ``(CLASSES + 1, ROWS, COLUMNS)`` holds the share of each class, then the weight of
    each pixel: its radius, since rows near the centre show the same tissue many times over.
    """
    beside = trio(place, len(lesson.slices))
    # A heart of another size is a picture of another spacing.
    scale = np.exp(strength.scale_log * random.normal())
    spacing_mm = (lesson.spacing_mm[0] / scale, lesson.spacing_mm[1] / scale)
    rings = []
    for other in beside:
        ring = pushed(lesson, other, strength, random)
        rings.append(replace(ring, endo_mm=ring.endo_mm / scale, epi_mm=ring.epi_mm / scale))
    strips = np.stack(
        [
            unwrapped(lesson.greys[lesson.slices[other]], ring, spacing_mm)
            for other, ring in zip(beside, rings, strict=True)
        ]
    )
    plane = lesson.labels[lesson.slices[place]]
    truth = np.stack(
        [
            unwrapped((plane == label).astype(np.float32), rings[1], spacing_mm)
            for label in range(CLASSES)
        ]
    )
    strips = shaded(strips, truth, strength, random)
    seen = channels(strips, rings, place / max(len(lesson.slices) - 1, 1))
    weight = np.maximum(rings[1].radii_mm, 0.0)[None] / 25.0
    target = np.concatenate([truth, weight]).astype(np.float32)
    turn, mirrored = int(random.integers(COLUMNS)), random.random() < 0.5
    seen, target = (np.roll(one, turn, -1) for one in (seen, target))
    if mirrored:
        seen, target = seen[..., ::-1], target[..., ::-1]
    return seen.copy(), target.copy()


def shaded(
    strips: np.ndarray,
    truth: np.ndarray,
    strength: WallAugmentation,
    random: np.random.Generator,
) -> np.ndarray:
    """Return strips ``(3, ROWS, COLUMNS)`` of another contrast, shading, sharpness and noise.

    Infarct and blood of the slice in the middle, by their ``truth``, get brighter or darker.
    """
    strips = strips.copy()
    for structure, chance, sd in (
        (Structure.SCAR, strength.scar_probability, strength.scar),
        (Structure.LV, strength.blood_probability, strength.blood),
    ):
        if random.random() < chance:
            strips[1] += sd * random.normal() * truth[SCHEME.label_of(structure)]
    strips = np.clip(strips, 0.0, 1.5) ** np.exp(strength.gamma_log * random.normal())
    strips = strips * np.exp(strength.gain_log * random.normal())
    strips = strips + strength.offset * random.normal()
    if random.random() < strength.bias_probability:
        phase = random.uniform(0, 2 * np.pi)
        strips = strips * (1 + strength.bias * random.normal() * np.cos(ANGLES_RAD - phase))
    if random.random() < strength.blur_probability:
        strips = ndimage.uniform_filter1d(strips, 3, axis=-1, mode="wrap")
        strips = ndimage.uniform_filter1d(strips, 3, axis=-2, mode="nearest")
    if random.random() < strength.noise_probability:
        grain = random.normal(size=(3, ROWS // 2, COLUMNS)).repeat(2, axis=1)
        strips = strips + random.uniform(0, strength.noise) * grain
    return strips


def make_batch(lessons: Sequence[Lesson], recipe: WallRecipe, step: int) -> tuple[Tensor, Tensor]:
    """Return the batch of ``step``: what is seen ``(N, CHANNELS, ...)``, and targets."""
    places = [(lesson, n) for lesson in lessons for n in range(len(lesson.slices))]
    scar = [one for one in places if one[0].has_scar[one[1]]]
    clear = [one for one in places if not one[0].has_scar[one[1]]]
    size = recipe.optimiser.batch_size
    with_scar = round(size * recipe.data.scar_share)
    seen, targets = [], []
    for number in range(size):
        random = np.random.default_rng([recipe.optimiser.seed, step, number])
        pool = (scar if number < with_scar else clear) or places
        lesson, place = pool[random.integers(len(pool))]
        shown, target = sample(lesson, place, recipe.augmentation, random)
        seen.append(shown)
        targets.append(target)
    return torch.from_numpy(np.stack(seen)), torch.from_numpy(np.stack(targets))


def wall_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return weighted cross-entropy plus weighted (1 - soft Dice), pooled over the batch.

    Parameters
    ----------
    logits : (N, CLASSES, ROWS, COLUMNS)
    target : (N, CLASSES + 1, ROWS, COLUMNS)
        Of :func:`sample`.
    """
    truth, weight = target[:, :CLASSES], target[:, CLASSES:]
    log_shares = logits.float().log_softmax(1)
    by_class = logits.new_tensor(CLASS_WEIGHTS, dtype=torch.float32)[None, :, None, None]
    entropy = -(log_shares * truth * by_class * weight).sum() / weight.sum()

    def measured(shares: Tensor) -> Tensor:
        """Wall, infarct, no-reflow, and infarct with its no-reflow."""
        return torch.cat([shares[:, 2:], shares[:, 3:].sum(1, keepdim=True)], 1)

    found, true = measured(log_shares.exp()), measured(truth)
    overlap = (found * true * weight).sum((0, 2, 3))
    dice = (2 * overlap + 1) / (((found + true) * weight).sum((0, 2, 3)) + 1)
    importance = dice.new_tensor(DICE_WEIGHTS)
    return entropy + ((1 - dice) * importance).sum() / importance.sum()


def rows_of(recipe: WallRecipe, data: Path) -> tuple[Row, ...]:
    """Return the rows of the recipe's folds, from the folder of the data sets.

    Raises
    ------
    ConfigurationError
        When the data set is not there.
    """
    return MANIFESTS[recipe.data.manifest].rows(data, recipe.data.folds)


def lessons_of(recipe: WallRecipe, data: Path) -> tuple[Lesson, ...]:
    """Return the lessons of the recipe's folds, one a stack.

    Raises
    ------
    ConfigurationError
        When the data set is not there.
    """
    stacks = read_slices(rows_of(recipe, data), data, GREY_PERCENTILES)
    lessons = (lesson_of(one) for one in stacks if one.z == 0)
    return tuple(lesson for lesson in lessons if lesson)


def train(
    recipe_path: Path,
    data: Path,
    run: Path,
    *,
    report: loop.Report = loop.unreported,
) -> Path:
    """Train by a recipe of the task ``wall``, and return the path of the final checkpoint.

    A ``run`` that already holds a checkpoint is resumed.

    Raises
    ------
    ConfigurationError
        When the recipe is wrong, or the data set is not there.
    """
    recipe = read_wall_recipe(recipe_path)
    task = loop.Task(partial(make_batch, lessons_of(recipe, data), recipe), wall_loss)
    build = partial(build_wall_network, recipe)
    given = loop.Given(recipe_path, recipe, build, task, rows_of(recipe, data))
    return loop.learn(given, run, report=report)


def build_wall_network(recipe: WallRecipe) -> WallUNet:
    """Return the recipe's network with fresh weights."""
    return WallUNet(CHANNELS, CLASSES, recipe.network.widths)


def export(
    run: Path,
    folder: Path,
    *,
    version: str,
    data: Path | None = None,
    figures: Mapping[str, Any] | None = None,
) -> float:
    """Write ``weights.onnx`` and ``model.json`` of a run, as :func:`opencmr.train.export.export`.

    Raises
    ------
    ModelError
        When the run holds no checkpoint, the model that it follows is not installed, or torch and
        onnxruntime differ.
    """
    recipe = read_wall_recipe(run / loop.RECIPE_FILE)
    state = run_state(run)
    network = build_wall_network(recipe)
    network.load_state_dict(state["average"])
    module = Shares(network).eval()
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(
        module,
        (torch.zeros(2, CHANNELS, ROWS, COLUMNS),),
        folder / WEIGHTS_FILE,
        input_names=["strips"],
        output_names=["shares"],
        dynamic_shapes={"image": {0: torch.export.Dim("strips_batch")}},
    )
    digest = sha256_of(folder / WEIGHTS_FILE)
    write_card(_card(run, recipe, state, version, digest, figures or {}), folder)
    if data is None:
        strips = torch.rand(8, CHANNELS, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    else:
        strips, _ = make_batch(lessons_of(recipe, data), recipe, step=0)
    return parity(module, folder, strips)


def _card(
    run: Path,
    recipe: WallRecipe,
    state: Mapping[str, Any],
    version: str,
    sha256: str,
    figures: Mapping[str, Any],
) -> WallCard:
    data_set = MANIFESTS[recipe.data.manifest].data_set
    rows = MANIFEST_ROWS.validate_json((run / loop.MANIFEST_FILE).read_bytes())
    first = read_library().choose(data_set.view, data_set.technique, name=recipe.follows).card
    terms = {data_set.terms, *first.terms.split("; ")}
    return WallCard(
        name=recipe.name,
        version=version,
        sha256=sha256,
        trained_by=", ".join(state["trained_by"]),
        training_data=training_data(data_set, rows, recipe, int(state["step"])),
        terms="; ".join(sorted(terms)),
        intended_use=recipe.intended_use,
        limitations=f"{data_set.limitations} {LIMITATIONS}",
        figures=dict(figures),
        input=WallInput(
            view=data_set.view,
            technique=data_set.technique,
            follows=recipe.follows,
            strip=STRIP_VERSION,
            channels=CHANNELS,
        ),
        output=SegmentationOutput(
            label_scheme=data_set.label_scheme,
            papillary_rule=data_set.policy.papillary,
            basal_rule=data_set.policy.basal,
            share_factors=SHARE_FACTORS,
        ),
    )
