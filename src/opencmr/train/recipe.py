"""A training recipe: data, not code.

A recipe is a TOML file whose tables are the dataclasses below; an unknown, missing or
ill-typed key is an error that names it.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from opencmr.anatomy.structures import Structure
from opencmr.errors import ConfigurationError
from opencmr.models.card import Percent, StructureByName, faults

Count = Annotated[int, Field(strict=True, ge=1)]
Index = Annotated[int, Field(strict=True, ge=0)]
Strength = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(strict=True, ge=0, le=1)]

_TABLE = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_TABLE)
class DataRecipe:
    """Which subjects train the network.

    ``manifest`` names a builder in :mod:`opencmr.train.manifest`; ``folds`` are the folds
    that are trained on, so every fold left out stays unseen.  ``end_slices`` at either end of
    a stack, and every slice at ES, are drawn ``hard_weight`` times as often as others; an end
    slice at ES as often as the product says.  A slice that shows one of ``rare_structures`` is
    drawn ``rare_weight`` times as often.
    """

    manifest: str
    folds: tuple[Index, ...]
    end_slices: Index
    hard_weight: Positive
    rare_structures: tuple[Structure, ...] = ()
    rare_weight: Positive = 1.0


@dataclass(frozen=True, slots=True, config=_TABLE)
class NetworkRecipe:
    """The network: architecture, feature widths, the grid and slices it sees, and its classes.

    ``context_slices`` are the neighbours on each side that it sees beside the slice that it
    labels.  ``architecture`` names a row of :data:`opencmr.networks.ARCHITECTURES`.
    ``start_model`` is the model (``name@version``) whose weights it starts from; a
    plane that the model did not see starts without influence.  Empty: from random weights.
    ``stack_slices`` are the neighbouring slices of a stack in a sample, all labelled, where the
    architecture labels whole stacks; 0 where it labels one slice.  ``share_factors`` are what the
    shares of structures are multiplied by when the trained network is used.
    """

    widths: Annotated[tuple[Count, ...], Field(min_length=1)]
    spacing_mm: Positive
    window_px: Count
    context_slices: Index
    intensity_percentiles: tuple[Percent, Percent]
    start_model: str
    classes: Annotated[int, Field(strict=True, ge=2)]
    architecture: str = "unet"
    stack_slices: Index = 0
    share_factors: Mapping[StructureByName, Positive] = field(default_factory=dict)

    @property
    def planes(self) -> int:
        """Slices of a sample: one between its neighbours, or a part of a stack."""
        return self.stack_slices or 2 * self.context_slices + 1


@dataclass(frozen=True, slots=True, config=_TABLE)
class OptimiserRecipe:
    """AdamW under a one-cycle schedule: linear warm-up, then a cosine down to zero."""

    steps: Count
    batch_size: Count
    peak_learning_rate: Positive
    warmup_steps: Index
    weight_decay: Strength
    ema_decay: Probability
    gradient_clip: Positive
    seed: Index


@dataclass(frozen=True, slots=True, config=_TABLE)
class AugmentationRecipe:
    """Strength of each augmentation; probabilities are per sample.

    Ranges that are named ``*_log`` are half-widths of a uniform law on the logarithm.
    """

    rotation_deg: Strength
    flip_probability: Probability
    scale_log: Strength
    anisotropy_log: Strength
    shift_mm: Strength
    skip_slice_probability: Probability
    drop_neighbour_probability: Probability
    elastic_probability: Probability
    elastic_mm: Strength
    gamma_log: Strength
    gain_log: Strength
    offset: Strength
    bias_probability: Probability
    bias_log: Strength
    blur_probability: Probability
    blur_px: Strength
    low_resolution_probability: Probability
    low_resolution_factor: Annotated[Strength, Field(ge=1)]
    noise_probability: Probability
    noise: Strength
    ghost_probability: Probability
    ghost: Strength
    random_convolution_probability: Probability = 0.0


@dataclass(frozen=True, slots=True, config=_TABLE)
class Recipe:
    """Everything that decides what a training run makes."""

    name: str
    data: DataRecipe
    network: NetworkRecipe
    optimiser: OptimiserRecipe
    augmentation: AugmentationRecipe
    intended_use: str = ""
    """For the model card; empty: what the labels name, for research."""


_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    ConfigurationError
        When the file is no TOML, or a table has an unknown, missing or ill-typed key.
    """
    return read_table_of(_RECIPE, path)


RecipeT = TypeVar("RecipeT")


def read_table_of(kind: TypeAdapter[RecipeT], path: Path) -> RecipeT:
    """Read a TOML file as a recipe of that kind.

    Raises
    ------
    ConfigurationError
        As :func:`read_recipe`.
    """
    try:
        return kind.validate_python(_read_toml(path))
    except ValidationError as error:
        raise ConfigurationError(f"{path.name}: {faults(error)}") from error


def task_of(path: Path) -> str:
    """Return what a recipe's network is to do; where it says nothing it segments.

    Raises
    ------
    ConfigurationError
        When it is no TOML.
    """
    return str(_read_toml(path).get("task", "segmentation"))


def _read_toml(path: Path) -> dict[str, Any]:
    """Read a recipe's file as it is.

    Raises
    ------
    ConfigurationError
        When it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read the recipe {path.name}: {error}") from error
