"""The torch Runner: a network scored while it trains, without an export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from opencmr.anatomy.structures import scheme_named
from opencmr.errors import ModelError
from opencmr.models.card import SegmentationCard, SegmentationInput, SegmentationOutput
from opencmr.models.library import model_titled
from opencmr.networks.network import SegmentationNetwork
from opencmr.storage import sha256_of
from opencmr.train.loop import (
    CHECKPOINT_FILE,
    MANIFEST_FILE,
    RECIPE_FILE,
    build_network,
    manifest_of,
)
from opencmr.train.manifest import NO_TERMS, ROWS, DataSet, Row
from opencmr.train.recipe import Recipe, read_recipe


class _Folds(Protocol):
    @property
    def folds(self) -> tuple[int, ...]: ...


class OfFolds(Protocol):
    """A recipe of whatever task: what a card tells of it."""

    @property
    def name(self) -> str:
        """The model's."""
        ...

    @property
    def data(self) -> _Folds:
        """With the folds that are trained on."""
        ...


class Shares(nn.Module):
    """The network with its softmax, so that a user of the weights meets probabilities."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return the class shares ``(N, C, H, W)``, of whole stacks ``(N, C, S, H, W)``."""
        shares: Tensor = self.network(image).softmax(1)
        return shares


class TorchNetwork:
    """A torch network with its card, run as :class:`opencmr.models.session.Network` is."""

    def __init__(self, network: SegmentationNetwork, card: SegmentationCard) -> None:
        self.card = card
        self._module = Shares(network).eval()

    @torch.no_grad()
    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the class shares float32 of ``windows (N, P, H, W)``, as the network does."""
        images = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32))
        shares: np.ndarray = self._module(images).numpy()
        return shares


Averaged = tuple[SegmentationNetwork, Recipe, Mapping[str, Any]]
"""A run's averaged network, its recipe and its checkpoint."""


def averaged_network(run: Path) -> Averaged:
    """Return a run's averaged network in evaluation mode, its recipe and its checkpoint.

    Raises
    ------
    ModelError
        When the run holds no checkpoint.
    """
    recipe = read_recipe(run / RECIPE_FILE)
    state = run_state(run)
    network = build_network(recipe)
    network.load_state_dict(state["average"])
    return network.eval(), recipe, state


def run_state(run: Path) -> dict[str, Any]:
    """Return a run's checkpoint.

    Raises
    ------
    ModelError
        When it holds none.
    """
    checkpoint = run / CHECKPOINT_FILE
    if not checkpoint.is_file():
        raise ModelError(f"no checkpoint in the run {run.name}")
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True, map_location="cpu")
    return state


def averaged_runner(run: Path) -> TorchNetwork:
    """Return a run's averaged network as a Runner, before it has a version."""
    averaged = averaged_network(run)
    digest = sha256_of(run / CHECKPOINT_FILE)
    return TorchNetwork(averaged[0], card_of(run, averaged, version="0", sha256=digest))


def card_of(
    run: Path,
    averaged: Averaged,
    *,
    version: str,
    sha256: str,
    figures: Mapping[str, Any] | None = None,
) -> SegmentationCard:
    """Return a run's card, written from its recipe and from the rows that it trained on."""
    network, recipe, state = averaged
    data_set = manifest_of(recipe).data_set
    stored = run / MANIFEST_FILE
    rows = ROWS.validate_json(stored.read_bytes()) if stored.is_file() else ()
    return SegmentationCard(
        name=recipe.name,
        version=version,
        sha256=sha256,
        trained_by=", ".join(state.get("trained_by", ())) or "not recorded",
        training_data=training_data(data_set, rows, recipe, int(state["step"])),
        terms=_terms(data_set, rows, recipe),
        intended_use=_intended_use(data_set, recipe),
        limitations=data_set.limitations,
        figures=dict(figures or {}),
        input=SegmentationInput(
            spacing_mm=recipe.network.spacing_mm,
            window_px=recipe.network.window_px,
            intensity_percentiles=recipe.network.intensity_percentiles,
            view=data_set.view,
            technique=data_set.technique,
            stride_px=network.stride_px,
            context_slices=recipe.network.context_slices,
            whole_stack=network.whole_stack,
        ),
        output=SegmentationOutput(
            label_scheme=data_set.label_scheme,
            papillary_rule=data_set.policy.papillary,
            basal_rule=data_set.policy.basal,
            share_factors=recipe.network.share_factors,
        ),
    )


def _terms(data_set: DataSet, rows: tuple[Row, ...], recipe: Recipe) -> str:
    """Return the terms of all that the weights learnt from, the model that they began as too.

    Raises
    ------
    ModelError
        When that model is not installed: its terms are not known.
    """
    terms = {row.terms for row in rows} or {data_set.terms}
    if recipe.network.start_model:
        terms.update(model_titled(recipe.network.start_model).terms.split("; "))
    return "; ".join(sorted(terms - {NO_TERMS})) or NO_TERMS


def training_data(data_set: DataSet, rows: tuple[Row, ...], recipe: OfFolds, step: int) -> str:
    """Return what a card says of the data, and how long was learnt from them."""
    folds = ", ".join(map(str, recipe.data.folds))
    said = (
        f"{data_set.title}, folds {folds} of the project's five-fold split, "
        f"{step} steps of recipe {recipe.name}"
    )
    if not rows:
        return said
    places = sorted({f"{row.site}, {row.vendor}{_field(row)}" for row in rows})
    return f"{said}; {len({row.subject for row in rows})} subjects of {'; '.join(places)}"


def _field(row: Row) -> str:
    return "" if row.field_strength_t is None else f" {row.field_strength_t:g} T"


def _intended_use(data_set: DataSet, recipe: Recipe) -> str:
    if recipe.intended_use:
        return recipe.intended_use
    structures = scheme_named(data_set.label_scheme).structures.values()
    return (
        f"Segmentation of {', '.join(s.value for s in structures)} on {data_set.view.value} "
        f"{data_set.technique.value} CMR, for research. Not for diagnosis."
    )
