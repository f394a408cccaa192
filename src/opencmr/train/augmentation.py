"""Augmentation of training slices: draw the parameters, then apply the deterministic operation.

A :class:`Draw` holds every random number of one sample, so that the sample can be replayed
and pictured.  Geometry is one resampling from the source slice straight to the network's
window: there is no interpolation of an interpolation.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from opencmr.train.recipe import AugmentationRecipe

ELASTIC_NODES = 6
BIAS_NODES = 4
CONVOLUTIONS = 4
CONVOLUTION_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class Draw:
    """The random numbers of one augmented sample."""

    rotation_deg: float
    flip: bool
    scale_row: float
    scale_column: float
    shift_mm: tuple[float, float]
    elastic_mm: np.ndarray  # (2, nodes, nodes)
    gamma: float
    gain: float
    offset: float
    bias_log: np.ndarray  # (nodes, nodes)
    blur_px: float
    low_resolution_factor: float
    noise: float
    noise_seed: int
    ghost: float
    ghost_shift: float
    ghost_along_rows: bool
    slice_step: int  # -1 turns the order of the stack, 2 skips every other slice
    drop_neighbour: tuple[bool, bool]  # on either side
    convolved_share: float  # of the picture; the rest is as it was
    convolution_seed: int


def draw(recipe: AugmentationRecipe, random: np.random.Generator) -> Draw:
    """Draw the parameters of one sample."""
    scale = random.uniform(-recipe.scale_log, recipe.scale_log)
    anisotropy = random.uniform(-recipe.anisotropy_log, recipe.anisotropy_log)

    def sometimes(probability: float) -> bool:
        return bool(random.random() < probability)

    elastic = random.normal(size=(2, ELASTIC_NODES, ELASTIC_NODES))
    bias = random.normal(size=(BIAS_NODES, BIAS_NODES))
    later = random.spawn(1)[0]  # what came later leaves what older recipes draw as it was
    return Draw(
        rotation_deg=random.uniform(-recipe.rotation_deg, recipe.rotation_deg),
        flip=sometimes(recipe.flip_probability),
        scale_row=float(np.exp(scale + anisotropy)),
        scale_column=float(np.exp(scale - anisotropy)),
        shift_mm=(
            random.uniform(-recipe.shift_mm, recipe.shift_mm),
            random.uniform(-recipe.shift_mm, recipe.shift_mm),
        ),
        elastic_mm=elastic * (recipe.elastic_mm * sometimes(recipe.elastic_probability)),
        gamma=float(np.exp(random.uniform(-recipe.gamma_log, recipe.gamma_log))),
        gain=float(np.exp(random.uniform(-recipe.gain_log, recipe.gain_log))),
        offset=random.uniform(-recipe.offset, recipe.offset),
        bias_log=bias * (recipe.bias_log * sometimes(recipe.bias_probability)),
        blur_px=random.uniform(0, recipe.blur_px) * sometimes(recipe.blur_probability),
        low_resolution_factor=random.uniform(1, recipe.low_resolution_factor)
        if sometimes(recipe.low_resolution_probability)
        else 1.0,
        noise=random.uniform(0, recipe.noise) * sometimes(recipe.noise_probability),
        noise_seed=int(random.integers(2**31)),
        ghost=random.uniform(0, recipe.ghost) * sometimes(recipe.ghost_probability),
        ghost_shift=random.uniform(0.2, 0.8),
        ghost_along_rows=sometimes(0.5),
        slice_step=(2 if sometimes(recipe.skip_slice_probability) else 1)
        * (-1 if sometimes(0.5) else 1),
        drop_neighbour=(
            sometimes(recipe.drop_neighbour_probability),
            sometimes(recipe.drop_neighbour_probability),
        ),
        convolved_share=later.uniform(0, 1)
        * bool(later.random() < recipe.random_convolution_probability),
        convolution_seed=int(later.integers(2**31)),
    )


def sampling_grid(
    parameters: Draw,
    *,
    window_px: int,
    window_spacing_mm: float,
    centre_px: tuple[float, float],
    source_shape: tuple[int, int],
    source_spacing_mm: tuple[float, float],
) -> Tensor:
    """Return the grid ``(1, H, W, 2)`` that :func:`torch.nn.functional.grid_sample` reads.

    Every window pixel is carried to mm about the window's centre, scaled, turned, shifted,
    bent, and carried to source pixels about ``centre_px`` (row, column).
    """
    axis = (torch.arange(window_px, dtype=torch.float32) - (window_px - 1) / 2) * window_spacing_mm
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    row, column = row / parameters.scale_row, column / parameters.scale_column
    if parameters.flip:
        column = -column
    angle = np.deg2rad(parameters.rotation_deg)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    row, column = cosine * row - sine * column, sine * row + cosine * column
    row, column = row + parameters.shift_mm[0], column + parameters.shift_mm[1]
    if np.any(parameters.elastic_mm):
        bend = functional.interpolate(
            torch.from_numpy(parameters.elastic_mm[None]).float(),
            size=(window_px, window_px),
            mode="bicubic",
            align_corners=True,
        )[0]
        row, column = row + bend[0], column + bend[1]
    row_px = row / source_spacing_mm[0] + centre_px[0]
    column_px = column / source_spacing_mm[1] + centre_px[1]
    rows, columns = source_shape
    return torch.stack(
        [2 * column_px / max(columns - 1, 1) - 1, 2 * row_px / max(rows - 1, 1) - 1], dim=-1
    )[None]


def sample(planes: Tensor, labels: Tensor, grid: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Resample planes ``(P, H, W)`` and labels ``(L, H, W)``.

    Labels go one-hot and linear, so that outlines stay smooth.
    """
    picture = functional.grid_sample(
        planes[None], grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )[0]
    one_hot = functional.one_hot(labels.long(), classes).permute(0, 3, 1, 2).float()
    shares = functional.grid_sample(
        one_hot.flatten(0, 1)[None],
        grid,
        mode="bilinear",
        padding_mode="zeros",
        align_corners=True,
    ).reshape(*one_hot.shape[:2], *picture.shape[-2:])
    shares[:, 0] += 1 - shares.sum(1)
    return picture, shares.argmax(1)


def degrade(image: Tensor, parameters: Draw) -> Tensor:
    """Change contrast, shading, sharpness and noise of planes ``(P, H, W)`` scaled to 0..1."""
    size = image.shape[-1]
    if parameters.convolved_share > 0:
        generator = torch.Generator().manual_seed(parameters.convolution_seed)
        other = randomly_convolved(image, generator)
        image = image + parameters.convolved_share * (other - image)
    image = image.clamp(0, 1) ** parameters.gamma * parameters.gain + parameters.offset
    if np.any(parameters.bias_log):
        field = functional.interpolate(
            torch.from_numpy(parameters.bias_log[None, None]).float(),
            size=(size, size),
            mode="bicubic",
            align_corners=True,
        )[0, 0]
        image = image * torch.exp(field)
    if parameters.ghost > 0:
        along = -2 if parameters.ghost_along_rows else -1
        image = image + parameters.ghost * torch.roll(
            image, round(parameters.ghost_shift * size), dims=along
        )
    if parameters.blur_px > 0.2:
        image = _gaussian_blur(image, parameters.blur_px)
    if parameters.low_resolution_factor > 1.05:
        small = max(round(size / parameters.low_resolution_factor), 8)
        image = functional.interpolate(
            functional.interpolate(image[None], size=(small, small), mode="area"),
            size=(size, size),
            mode="bicubic",
            align_corners=False,
        )[0]
    if parameters.noise > 0:
        generator = torch.Generator().manual_seed(parameters.noise_seed)
        image = image + parameters.noise * torch.randn(image.shape, generator=generator)
    return image


def randomly_convolved(image: Tensor, generator: torch.Generator) -> Tensor:
    """Return planes ``(P, H, W)`` in a contrast that no scanner has, their greys from 0 to 1.

    A shallow network of random weights, the same for all planes, makes other greys of the
    tissues and keeps their outlines (GIN: Ouyang et al., IEEE Transactions on Medical Imaging 2023;
    42:1095).  Here the greys are then spread by percentiles, as those of every picture are.
    """
    planes = image[:, None]
    widths = [1, *[CONVOLUTION_CHANNELS] * (CONVOLUTIONS - 1), 1]
    for number, (given, made) in enumerate(pairwise(widths)):
        side = 1 + 2 * int(torch.randint(2, (), generator=generator))
        weights = torch.randn(made, given, side, side, generator=generator)
        shifts = torch.randn(made, generator=generator)
        planes = functional.conv2d(planes, weights, shifts, padding=side // 2)
        if number < CONVOLUTIONS - 1:
            planes = functional.leaky_relu(planes)
    low, high = (torch.quantile(planes, share) for share in (0.01, 0.99))
    return ((planes[:, 0] - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def _gaussian_blur(image: Tensor, sigma_px: float) -> Tensor:
    radius = int(np.ceil(3 * sigma_px))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(image[:, None], [radius] * 4, mode="reflect")
    blurred = functional.conv2d(padded, kernel[None, None, :, None])
    return functional.conv2d(blurred, kernel[None, None, None, :])[:, 0]
