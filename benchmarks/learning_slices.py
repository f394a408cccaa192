"""What the arms of ``learning_curve.py`` learn from beside what readers drew.

Simulated hearts painted by random contrast, pictures that a network labelled by itself, and
pictures without any label, of which hidden squares are to be restored.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice, zip_longest
from pathlib import Path

import numpy as np
import torch
from long_axis import heart_of
from other_scanner import SPACING_MM
from torch import Tensor

from opencmr.errors import ConfigurationError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.models.runner import SegmentationRunner
from opencmr.segment.short_axis import segment_short_axis
from opencmr.simulate import HeartParameters, Protocol
from opencmr.simulate.acquire import Scan, acquire, world_of
from opencmr.simulate.heart import HeartShape, heart_shape
from opencmr.simulate.physics import TISSUES
from opencmr.simulate.study import short_axis_grid
from opencmr.train.data_files import read_table
from opencmr.train.loop import Task, draw_chances, make_batch
from opencmr.train.manifest import Slice, box_limits
from opencmr.train.recipe import Recipe

Percentiles = tuple[float, float]

OF_NO_FOLD = -1
SIDE_PX = 160
PIXEL_MM = 1.75
BRIGHTEST = 1000.0
"""Stored value of a signal of 1, the greatest that a tissue is painted with."""
CELL_PX = 16
"""Side of the squares that are hidden."""
HIDDEN = 0.4
NOISE = 0.05
"""Of pictures whose greys run from 0 to 1."""


def patients_by_turns(data: Path, folds: tuple[int, ...], count: int) -> tuple[str, ...]:
    """Return so many ACDC patients of the folds: the groups in turn, each in the table's order."""
    by_group = defaultdict[str, list[str]](list)
    for row in read_table(data / "acdc" / "metadata.csv"):
        if int(row["fold"]) in folds:
            by_group[row["group"]].append(row["patient"])
    turns = zip_longest(*by_group.values())
    return tuple([one for turn in turns for one in turn if one is not None][:count])


def half_and_half(some: tuple[Slice, ...], others: tuple[Slice, ...]) -> tuple[Slice, ...]:
    """Return both, the fewer repeated until they are as many: either is drawn half the time."""
    many = max(len(some), len(others))
    return tuple(one for both in (some, others) for one in islice(cycle(both), many))


def labelled(source: Slice, labels: np.ndarray, percentiles: Percentiles) -> Iterator[Slice]:
    """Yield all slices of the stack of ``source`` under other labels ``(Z, Y, X)``.

    The heart is where they are; without any, in the middle of the picture.
    """
    rows, columns = source.stack.shape[1:]
    where = np.argwhere(labels)[:, 1:]
    row, column = where.mean(0) if len(where) else ((rows - 1) / 2, (columns - 1) / 2)
    heart_px = (float(row), float(column))
    limits = box_limits(source.stack, heart_px, source.spacing_mm, percentiles)
    for z in range(len(source.stack)):
        yield replace(source, stack_labels=labels, z=z, heart_px=heart_px, limits=limits)


def first_slices(slices: tuple[Slice, ...]) -> Iterator[Slice]:
    """Yield one slice of every stack."""
    return (one for one in slices if one.z == 0)


def unlabelled(slices: tuple[Slice, ...], percentiles: Percentiles) -> tuple[Slice, ...]:
    """Return the slices as pictures alone: not even where the heart lies is known."""
    return tuple(
        one
        for first in first_slices(slices)
        for one in labelled(first, np.zeros_like(first.stack_labels), percentiles)
    )


def self_labelled(
    slices: tuple[Slice, ...], network: SegmentationRunner, percentiles: Percentiles
) -> tuple[Slice, ...]:
    """Return the slices under the network's labels, without the stacks in which it sees no heart.

    Lee, ICML workshop on challenges in representation learning 2013; Bai et al., MICCAI 2017.
    """
    known = list[Slice]()
    for first in first_slices(slices):
        grid = grid_from_spacing(first.stack.shape, (SPACING_MM[0], *first.spacing_mm))
        found = segment_short_axis(untimed_image(first.stack[None], grid), network)
        if found is not None and found.labels.any():
            known += labelled(first, found.labels[0], percentiles)
    return tuple(known)


def simulated_hearts(count: int, seed: int, percentiles: Percentiles) -> tuple[Slice, ...]:
    """Return the slices of so many random hearts at ED and ES, each painted by its own contrast."""
    return tuple(
        one for number in range(count) for one in _simulated_heart(number, seed, percentiles)
    )


def _simulated_heart(number: int, seed: int, percentiles: Percentiles) -> Iterator[Slice]:
    random = np.random.default_rng([seed, number])
    parameters, shapes = _possible_heart(random, number)
    protocol = Protocol(
        rows=SIDE_PX,
        columns=SIDE_PX,
        pixel_mm=PIXEL_MM,
        thickness_mm=float(random.uniform(5, 10)),
        gap_mm=float(random.uniform(0, 4)),
        basal_margin_mm=float(random.uniform(-2, 12)),
    )
    for phase, shape in shapes.items():
        stack, labels = painted(parameters, shape, protocol, random)
        spacing_mm = (protocol.pixel_mm, protocol.pixel_mm)
        bare = Slice(
            f"simulated {number}", phase, OF_NO_FOLD, stack, labels, 0, spacing_mm, (0, 0), ()
        )
        yield from labelled(bare, labels, percentiles)


def _possible_heart(
    random: np.random.Generator, seed: int
) -> tuple[HeartParameters, dict[str, HeartShape]]:
    while True:
        try:
            parameters = heart_of(random, seed)
            return parameters, {
                phase: heart_shape(parameters, filling, filling)
                for phase, filling in (("ed", 1.0), ("es", 0.0))
            }
        except ConfigurationError:  # no such heart: muscle that leaves no cavity, for instance
            continue


def painted(
    parameters: HeartParameters,
    shape: HeartShape,
    protocol: Protocol,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a stack and its true labels ``(Z, Y, X)``, every tissue of any brightness.

    The tissues are the classes and, of the chest about them, regions of the background: who learns
    from such pictures cannot trust in brightness (SynthSeg: Billot et al., Medical Image Analysis
    2023; 86:102789).
    """
    world = world_of(parameters)
    scan = Scan(
        signals={tissue: float(random.uniform(0, 1)) for tissue in TISSUES},
        gain=BRIGHTEST,
        thickness_mm=protocol.thickness_mm,
        samples=3,
        shading=float(random.uniform(0, 1)),
        noise=BRIGHTEST * float(random.uniform(0.005, 0.05)),
        acquired=(float(random.uniform(0.6, 1)), float(random.uniform(0.7, 1))),
    )
    grid = short_axis_grid(parameters, world.frame, protocol)
    taken = acquire(world, grid, (shape,), scan, random)
    return taken.values[0], taken.labels[0]


def restoring_task(slices: tuple[Slice, ...], recipe: Recipe) -> Task:
    """Return the task of restoring pictures, by the first of the network's outputs.

    Encoder and decoder learn (Models Genesis: Zhou et al., Medical Image Analysis 2021; 67:101840).
    """
    chances = draw_chances(slices, recipe.data)
    settings = recipe.optimiser

    def batch_of(step: int) -> tuple[Tensor, Tensor]:
        whole, _ = make_batch(slices, chances, recipe, step)
        random = np.random.default_rng([settings.seed, step, settings.batch_size])
        return with_hidden_squares(whole, random), whole[:, recipe.network.context_slices]

    return Task(batch_of, lambda answers, whole: (answers[:, 0].float() - whole).abs().mean())


def with_hidden_squares(images: Tensor, random: np.random.Generator) -> Tensor:
    """Return images ``(N, P, H, W)``, sides multiples of the squares', noisy and hidden in part."""
    count, planes, rows, columns = images.shape
    hidden = random.random((count, 1, rows // CELL_PX, columns // CELL_PX)) < HIDDEN
    hidden = hidden.repeat(CELL_PX, axis=2).repeat(CELL_PX, axis=3)
    noise = random.normal(0, NOISE, (count, planes, rows, columns))
    grey = random.random((count, 1, 1, 1))
    seen = np.where(hidden, grey, images.numpy()) + noise
    return torch.from_numpy(seen.astype(np.float32))
