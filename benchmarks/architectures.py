"""Architectures compared: same data, fold, changes of appearance, steps and selection; their price.

Each arm is trained by `recipes/architectures_fold0.toml`, in which the network alone differs (a
3-D network has narrower layers, so that it has about as many parameters), exported, and run over
the patients of fold 0, whom it never saw, by the code that analyses a study.  RUNS keeps the
training: what is finished is not trained again, what was interrupted goes on.

    python benchmarks/architectures.py RUNS [--arms NAME ...] [-o RESULT.json]
"""

import argparse
import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_data import acdc_rows, data_folder
from scipy.stats import wilcoxon
from segmentation_accuracy import STRUCTURES, SYMBOLS, parts, score_patient
from torch.utils.flop_counter import FlopCounterMode

from opencmr.errors import ConfigurationError
from opencmr.models.card import read_card
from opencmr.models.session import Network, load_network
from opencmr.train.export import export
from opencmr.train.loop import CHECKPOINT_FILE, LOG_FILE, lessons_of, train
from opencmr.train.recipe import read_recipe
from opencmr.train.runner import averaged_network
from opencmr.validate.case import WHOLE, MeasuredTwice, Score
from opencmr.validate.cohort import Cohort, bootstrap_interval, summarise

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "architectures_fold0.toml"
FOLD = 0
SLICES_A_CALL = 8
ROUNDS = 15
DISTANCES = ("hausdorff95_mm", "nsd", "average_mm")


@dataclass(frozen=True, slots=True)
class Arm:
    """One network to compare: what it is called and where it departs from the recipe."""

    title: str
    architecture: str
    context_slices: int = 0
    widths: tuple[int, ...] = ()


ARMS = {
    "unet": Arm("U-Net", "unet"),
    "residual": Arm("residual encoder", "residual_unet"),
    "attention": Arm("attention gates", "attention_unet"),
    "transformer": Arm("transformer on the deepest features", "transformer_unet"),
    "unet_neighbours": Arm("U-Net, neighbours as channels (2.5-D)", "unet", 1),
    "recurrent": Arm("recurrent over three slices", "recurrent_unet", 1),
    "volumetric": Arm("3-D over three slices", "volumetric_unet", 1, (16, 32, 48, 64, 96)),
}
REFERENCE_ARM = "unet"


def recipe_of(arm: Arm) -> str:
    """Return the common recipe with the arm's own network."""
    own: dict[str, Any] = {
        "architecture": arm.architecture,
        "context_slices": arm.context_slices,
    }
    if arm.widths:
        own["widths"] = arm.widths
    return with_values(RECIPE.read_text(encoding="utf-8"), own)


def with_values(recipe: str, own: Mapping[str, Any]) -> str:
    """Return the text of a recipe with other values of keys that it sets.

    Raises
    ------
    ConfigurationError
        When it sets such a key never, or in several tables.
    """
    for key, value in own.items():
        line = f"{key} = {json.dumps(value)}"
        recipe, found = re.subn(rf"^{key} = .*$", line, recipe, flags=re.MULTILINE)
        if found != 1:
            raise ConfigurationError(f"the recipe sets {key} {found} times; give it one value")
    return recipe


def trained(name: str, runs: Path, data: Path) -> Path:
    """Return the arm's run, trained to its end."""
    run = runs / name
    path = runs / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(recipe_of(ARMS[name]), encoding="utf-8")
    recipe = read_recipe(path)
    if not finished(run, recipe.optimiser.steps):
        train(path, lessons_of(recipe, data), run)
    return run


def finished(run: Path, steps: int) -> bool:
    """Whether a run was trained for so many steps."""
    return (run / CHECKPOINT_FILE).is_file() and averaged_network(run)[2]["step"] >= steps


def scored(network: Network, data: Path) -> tuple[list[Score], list[MeasuredTwice]]:
    """Return the scores of all patients of the fold."""
    scores: list[Score] = []
    measured: list[MeasuredTwice] = []
    for row in acdc_rows([FOLD]):
        own, volumes = score_patient(data / "acdc", row["patient"], network)
        scores += own
        measured += volumes
    return scores, measured


def mean_dice(scores: Sequence[Score]) -> np.ndarray:
    """Return each patient's mean Dice over structures and phases ``(N,)``, in the same order."""
    by_case: dict[str, list[float]] = {}
    for score in scores:
        if score.level == WHOLE:
            by_case.setdefault(score.case, []).append(score.dice)
    return np.array([np.mean(by_case[case]) for case in sorted(by_case)])


def agreement_of(cohort: Cohort) -> dict[str, Any]:
    """Return the table's figures of one arm."""
    figures: dict[str, Any] = {"dice": {}}
    for name, part in parts().items():
        if (found := cohort.mean("dice", *part)) and found.mean:
            figures["dice"][name] = round(found.mean.value, 4)
            if name == "mean":
                figures["dice_interval"] = [round(v, 4) for v in found.mean.interval or ()]
    for field in DISTANCES:
        if (found := cohort.mean(field)) and found.mean:
            figures[field] = round(found.mean.value, 3)
    figures["presence"] = {
        f"{p.part.structure} {p.part.level}": {
            "missed": p.missed,
            "of": p.slices_with,
            "invented": p.invented,
            "of_others": p.slices_without,
        }
        for p in cohort.presence
        if p.part.phase == "all" and p.part.level in ("base", "apex", WHOLE)
    }
    for found in cohort.agreements:
        if found.quantity.symbol in SYMBOLS and found.agreement:
            figures[found.quantity.symbol] = {
                "mae": round(found.agreement.mean_absolute, 2),
                "bias": round(found.agreement.bias.value, 2),
            }
    return figures


def against(dice: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    """Return the paired difference of mean Dice, its bootstrap interval and Wilcoxon's p."""
    difference = dice - reference
    interval = bootstrap_interval(difference)
    return {
        "mean": round(float(difference.mean()), 4),
        "interval": [round(v, 4) for v in interval or ()],
        "wilcoxon_p": round(float(wilcoxon(difference).pvalue), 4) if difference.any() else 1.0,
    }


def price_of(run: Path) -> dict[str, Any]:
    """Return parameters, and the floating-point operations of labelling one window."""
    network, recipe, _ = averaged_network(run)
    side = recipe.network.window_px
    window = torch.zeros(1, recipe.network.planes, side, side)
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        network(window)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "gflop_a_slice": round(counted.get_total_flops() / 1e9, 2),
        "window_px": side,
    }


def milliseconds(networks: dict[str, Network]) -> dict[str, float]:
    """Return the least time a slice takes on two threads, the arms in turn so as to share noise."""
    best = dict.fromkeys(networks, float("inf"))
    random = np.random.default_rng(1)
    for _ in range(ROUNDS):
        for name, network in networks.items():
            side, planes = network.card.input.window_px, network.card.input.planes
            windows = random.random((SLICES_A_CALL, planes, side, side), np.float32)
            start = time.perf_counter()
            network(windows)
            best[name] = min(best[name], 1000 * (time.perf_counter() - start) / SLICES_A_CALL)
    return {name: round(value, 2) for name, value in best.items()}


def training_seconds(run: Path) -> float:
    lines = (run / LOG_FILE).read_text().splitlines()
    return round(sum(json.loads(line)["seconds"] for line in lines))


def table(result: dict[str, Any]) -> str:
    """Return the result as a table in Markdown."""
    lines = [
        "| network | Dice (95 % interval) | against U-Net | RV, MYO, LV | HD95 mm | NSD | ASSD mm "
        "| LVEF, RVEF MAE | mass MAE g | parameters | GFLOP | ms a slice |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in result["arms"]:
        dice, versus = arm["dice"], arm.get("against_unet")
        low, high = arm["dice_interval"]
        three = " ".join(f"{dice[s.value]:.3f}" for s in STRUCTURES)
        told = "" if versus is None else f"{versus['mean']:+.3f} (p {versus['wilcoxon_p']:.2g})"
        lines.append(
            f"| {arm['title']} | {dice['mean']:.3f} ({low:.3f} to {high:.3f}) | {told} | {three} "
            f"| {arm['hausdorff95_mm']:.1f} | {arm['nsd']:.3f} | {arm['average_mm']:.2f} "
            f"| {arm['LVEF']['mae']:.1f}, {arm['RVEF']['mae']:.1f} | {arm['LVM']['mae']:.1f} "
            f"| {arm['parameters'] / 1e6:.2f} M | {arm['gflop_a_slice']:.2f} "
            f"| {arm['ms_a_slice']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # torch's exporter speaks of itself
    data = data_folder()
    networks: dict[str, Network] = {}
    dice: dict[str, np.ndarray] = {}
    arms: list[dict[str, Any]] = []
    for name in options.arms:
        run = trained(name, options.runs, data)
        folder = options.runs / "models" / name / "0.0.1"
        export(run, folder, version="0.0.1", data=data)
        networks[name] = load_network(read_card(folder), threads=2)
        scores, measured = scored(networks[name], data)
        dice[name] = mean_dice(scores)
        arms.append(
            {
                "name": name,
                "title": ARMS[name].title,
                "architecture": ARMS[name].architecture,
                "slices_seen": 2 * ARMS[name].context_slices + 1,
                **agreement_of(summarise(scores, measured)),
                **price_of(run),
                "training_s": training_seconds(run),
                "mean_dice_by_patient": [round(float(v), 4) for v in dice[name]],
            }
        )
        print(f"{name}: mean Dice {dice[name].mean():.4f}", flush=True)
    for arm, spent in zip(arms, milliseconds(networks).values(), strict=True):
        arm["ms_a_slice"] = spent
        if REFERENCE_ARM in dice and arm["name"] != REFERENCE_ARM:
            arm["against_unet"] = against(dice[arm["name"]], dice[REFERENCE_ARM])
    recipe = read_recipe(RECIPE)
    result = {
        "recipe": RECIPE.name,
        "steps": recipe.optimiser.steps,
        "batch": recipe.optimiser.batch_size,
        "fold": FOLD,
        "patients": len(next(iter(dice.values()))),
        "arms": arms,
    }
    print(table(result))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
