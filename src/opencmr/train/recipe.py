"""A training recipe: data, not code.

A recipe is a TOML file whose tables are the dataclasses below; an unknown or missing key
is an error that names it.
"""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencmr.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """Which subjects train the network.

    ``manifest`` names a builder in :mod:`opencmr.train.manifest`; ``folds`` are the folds
    that are trained on, so every fold left out stays unseen.  ``end_slices`` at either end of
    a stack, and every slice at ES, are drawn ``hard_weight`` times as often as others; an end
    slice at ES as often as the product says.
    """

    manifest: str
    folds: tuple[int, ...]
    end_slices: int
    hard_weight: float


@dataclass(frozen=True, slots=True)
class NetworkRecipe:
    """The network: its feature widths, the grid and the slices it sees, and its classes.

    ``context_slices`` are the neighbours on each side that it sees beside the slice that it
    labels.  ``start_model`` is the model (``name@version``) whose weights it starts from; a
    plane that the model did not see starts without influence.  Empty: from random weights.
    """

    widths: tuple[int, ...]
    spacing_mm: float
    window_px: int
    context_slices: int
    intensity_percentiles: tuple[float, float]
    start_model: str
    classes: int


@dataclass(frozen=True, slots=True)
class OptimiserRecipe:
    """AdamW under a one-cycle schedule: linear warm-up, then a cosine down to zero."""

    steps: int
    batch_size: int
    peak_learning_rate: float
    warmup_steps: int
    weight_decay: float
    ema_decay: float
    gradient_clip: float
    seed: int


@dataclass(frozen=True, slots=True)
class AugmentationRecipe:
    """Strength of each augmentation; probabilities are per sample.

    Ranges that are named ``*_log`` are half-widths of a uniform law on the logarithm.
    """

    rotation_deg: float
    flip_probability: float
    scale_log: float
    anisotropy_log: float
    shift_mm: float
    skip_slice_probability: float
    drop_neighbour_probability: float
    elastic_probability: float
    elastic_mm: float
    gamma_log: float
    gain_log: float
    offset: float
    bias_probability: float
    bias_log: float
    blur_probability: float
    blur_px: float
    low_resolution_probability: float
    low_resolution_factor: float
    noise_probability: float
    noise: float
    ghost_probability: float
    ghost: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a training run makes."""

    name: str
    data: DataRecipe
    network: NetworkRecipe
    optimiser: OptimiserRecipe
    augmentation: AugmentationRecipe


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    ConfigurationError
        When the file is no TOML, or a table has an unknown, missing or ill-typed key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read the recipe {path.name}: {error}") from error
    recipe = _build(Recipe, table, path.name)
    assert isinstance(recipe, Recipe)
    return recipe


def _build(kind: type[Any], table: dict[str, Any], where: str) -> object:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(table.keys() - fields.keys()):
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(fields)}")
    if missing := sorted(fields.keys() - table.keys()):
        raise ConfigurationError(f"{where}: the key {missing[0]!r} is missing")
    values: dict[str, object] = {}
    for name, field in fields.items():
        value = table[name]
        if dataclasses.is_dataclass(field.type):
            if not isinstance(value, dict):
                raise ConfigurationError(f"{where}: {name!r} must be a table")
            assert isinstance(field.type, type)
            value = _build(field.type, value, f"{where}: [{name}]")
        elif field.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        elif isinstance(value, list):
            value = tuple(value)
        elif isinstance(field.type, type) and not isinstance(value, field.type):
            raise ConfigurationError(
                f"{where}: {name!r} must be {field.type.__name__}, found {value!r}"
            )
        values[name] = value
    return kind(**values)
