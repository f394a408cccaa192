"""The learning curve: short-axis cine segmentation learnt from 8 and from 64 patients, and helped.

Each arm is trained by `recipes/learning_curve.toml` on patients of ACDC folds 1 to 4 (8: the five
groups in turn, each in the table's order, so that none has more than one patient more than
another).  Plain: on these alone.  The others draw half of their windows from elsewhere: from hearts
that opencmr simulated, painted by random contrast; from GE patients on whose pictures the cavity of
the left ventricle alone was drawn (marginal loss); from the same GE pictures under the labels of
the plain arm's network.  One starts from a network that learnt to restore pictures of ACDC and GE
patients without their labels; one sees half of its windows in the contrasts of random convolutions.
All are judged on ACDC fold 0 as `architectures.py` judges, and on GE patients as `other_scanner.py`
does: on those eight from whom no arm learnt anything and, of arms that learnt from none, on all 28.
RUNS keeps the training: what is finished is not trained again, what was interrupted goes on.
RESULT.json is written after each arm; arms that it holds already are kept, and a file of another
recipe is refused.

    python benchmarks/learning_curve.py RUNS [--only ARM ...] [-o RESULT.json]
"""

import argparse
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import other_scanner
import torch
from architectures import (
    FOLD,
    against,
    agreement_of,
    finished,
    mean_dice,
    scored,
    training_seconds,
    with_values,
)
from learning_slices import (
    half_and_half,
    patients_by_turns,
    restoring_task,
    self_labelled,
    simulated_hearts,
    unlabelled,
)
from real_data import data_folder

from opencmr.models.card import read_card
from opencmr.models.session import Network, load_network
from opencmr.train import sunnybrook
from opencmr.train.export import export
from opencmr.train.loop import CHECKPOINT_FILE, Lessons, build_network, train
from opencmr.train.manifest import MANIFESTS, Row, Slice, read_slices
from opencmr.train.recipe import Recipe, read_recipe
from opencmr.train.runner import averaged_runner
from opencmr.validate.cohort import summarise

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "learning_curve.toml"
HEARTS = 96
SEED = 20
RESTORER = "restorer"
UNSEEN_GE = [0, sunnybrook.NEVER]
"""Folds of :mod:`opencmr.train.sunnybrook` from which no arm learns, whatever its kind."""
TITLES = {
    "plain": "plain",
    "simulated": "with simulated hearts",
    "partial": "with partial labels",
    "self_trained": "self-trained",
    "pre_trained": "pre-trained to restore pictures",
    "random_convolution": "under random convolutions",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the curve: how many patients, and what helps."""

    kind: str
    patients: int

    @property
    def plain(self) -> str:
        """The arm of the same patients that nothing helps."""
        return f"plain_{self.patients}"

    @property
    def manifest(self) -> str:
        """By which the loss is chosen."""
        return "acdc_sunnybrook" if self.kind == "partial" else "acdc"

    @property
    def convolved(self) -> float:
        """How often a sample's contrast is that of a random network."""
        return 0.5 if self.kind == "random_convolution" else 0.0

    @property
    def saw_ge(self) -> bool:
        """Whether it learnt from pictures of GE patients, labelled or not."""
        return self.kind in ("partial", "self_trained", "pre_trained")


ARMS = {
    f"{kind}_{patients}": Arm(kind, patients)
    for patients in (8, 64)
    for kind in TITLES
    if (kind, patients) not in (("pre_trained", 64), ("random_convolution", 8))
}


@dataclass(frozen=True, slots=True)
class Study:
    """Where the runs are kept, where the data lie, and the recipe of all arms."""

    runs: Path
    data: Path
    recipe_path: Path

    @property
    def recipe(self) -> Recipe:
        """That of all arms, but for the manifest."""
        return read_recipe(self.recipe_path)

    def rows(self, patients: int | None = None) -> tuple[Row, ...]:
        """Return the rows of so many ACDC patients; of all."""
        folds = self.recipe.data.folds
        rows = MANIFESTS["acdc"].rows(self.data, folds)
        if patients is None:
            return rows
        chosen = patients_by_turns(self.data, folds, patients)
        return tuple(row for row in rows if row.subject in chosen)

    def ge_rows(self) -> tuple[Row, ...]:
        """Return the rows of the GE patients from whom arms may learn."""
        rows = MANIFESTS["acdc_sunnybrook"].rows(self.data, self.recipe.data.folds)
        return tuple(row for row in rows if row.vendor == "GE")

    def slices(self, rows: tuple[Row, ...]) -> tuple[Slice, ...]:
        """Return every slice of the rows."""
        return read_slices(rows, self.data, self.recipe.network.intensity_percentiles)


def trained(name: str, study: Study) -> Path:
    """Return the arm's run, trained to its end."""
    arm, run = ARMS[name], study.runs / name
    if not finished(run, study.recipe.optimiser.steps):
        start = pre_trained(study) if arm.kind == "pre_trained" else None
        learn(name, lessons_of(arm, study), study, start)
    return run


def recipe_of(name: str, common: str) -> str:
    """Return the common recipe, of an arm with its own manifest and contrasts."""
    own: dict[str, Any] = {}
    if name in ARMS:
        own["manifest"] = ARMS[name].manifest
        if ARMS[name].convolved:
            own["random_convolution_probability"] = ARMS[name].convolved
    return with_values(common, own)


def learn(name: str, lessons: Lessons, study: Study, start: Path | None = None) -> None:
    """Train a run by its recipe."""
    recipe = study.runs / f"{name}.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    common = study.recipe_path.read_text(encoding="utf-8")
    recipe.write_text(recipe_of(name, common), encoding="utf-8")

    def report(step: int, steps: int, loss: float) -> None:
        print(f"{name}: step {step} of {steps}, loss {loss:.4f}", flush=True)

    train(recipe, lessons, study.runs / name, start_from=start, report=report)


def lessons_of(arm: Arm, study: Study) -> Lessons:
    """Return what an arm learns from."""
    rows = study.rows(arm.patients)
    slices, percentiles = study.slices(rows), study.recipe.network.intensity_percentiles
    if arm.kind == "simulated":
        return Lessons(half_and_half(slices, simulated_hearts(HEARTS, SEED, percentiles)), rows)
    if arm.kind in ("partial", "self_trained"):
        others = study.slices(study.ge_rows())
        if arm.kind == "self_trained":
            pictures = len(others)
            others = self_labelled(others, averaged_runner(trained(arm.plain, study)), percentiles)
            print(f"{arm.plain} saw hearts in {len(others)} of {pictures} pictures", flush=True)
        return Lessons(half_and_half(slices, others), rows + study.ge_rows())
    return Lessons(slices, rows)


def pre_trained(study: Study) -> Path:
    """Return a run whose network restores pictures, but for its head, which is new."""
    run, start = study.runs / RESTORER, study.runs / f"{RESTORER}_without_head"
    if not finished(run, study.recipe.optimiser.steps):
        rows = study.rows() + study.ge_rows()
        pictures = unlabelled(study.slices(rows), study.recipe.network.intensity_percentiles)
        learn(RESTORER, Lessons(pictures, rows, restoring_task), study)
    torch.manual_seed(SEED)
    fresh = build_network(study.recipe).state_dict()
    weights = torch.load(run / CHECKPOINT_FILE, weights_only=True, map_location="cpu")["average"]
    heads = {name: value for name, value in fresh.items() if name.startswith("head.")}
    start.mkdir(exist_ok=True)
    torch.save({"average": weights | heads}, start / CHECKPOINT_FILE)
    return start


def on_ge(network: Network, arm: Arm, study: Study) -> dict[str, Any]:
    """Return agreement of the cavity on the GE patients who are new to all arms, and on all.

    On all where all are new to this arm; with each one's mean Dice of ED and ES.
    """
    stacks = other_scanner.read_stacks(study.data, UNSEEN_GE if arm.saw_ge else None)
    rows = {patient: other_scanner.scored(phases, network) for patient, phases in stacks.items()}
    cases = sunnybrook.read_cases(study.data)
    unseen = {case.patient: rows[case.patient] for case in cases if case.fold in UNSEEN_GE}
    groups = {"ge_unseen": unseen} | ({} if arm.saw_ge else {"ge_all": rows})
    return {
        name: {
            **other_scanner.summary(group),
            "dice_by_patient": {
                patient: round((row["Dice ED"] + row["Dice ES"]) / 2, 4)
                for patient, row in group.items()
            },
        }
        for name, group in groups.items()
    }


def judged(name: str, study: Study) -> dict[str, Any]:
    """Return the arm's row of the result."""
    arm, run = ARMS[name], trained(name, study)
    folder = study.runs / "models" / name / "0.0.1"
    export(run, folder, version="0.0.1", data=study.data)
    network = load_network(read_card(folder), threads=2)
    scores, measured = scored(network, study.data)
    row: dict[str, Any] = {
        "name": name,
        "title": TITLES[arm.kind],
        "patients": arm.patients,
        **agreement_of(summarise(scores, measured)),
        "mean_dice_by_patient": [round(float(v), 4) for v in mean_dice(scores)],
        **on_ge(network, arm, study),
        "training_s": training_seconds(run),
    }
    if arm.kind == "pre_trained":
        row["pre_training_s"] = training_seconds(study.runs / RESTORER)
    return row


def with_differences(row: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its paired differences to the plain arm of the same patients."""

    def difference(dice: Any, of_plain: Any) -> dict[str, Any]:
        return against(np.array(list(dice)), np.array(list(of_plain)))

    found = {
        "against_plain": difference(row["mean_dice_by_patient"], plain["mean_dice_by_patient"])
    }
    for ge in ("ge_unseen", "ge_all"):
        if ge in row:
            both = (one[ge]["dice_by_patient"].values() for one in (row, plain))
            found[f"{ge}_against_plain"] = difference(*both)
    return row | found


def in_order(rows: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the arms, those with help beside what differs from the plain one, if it is there."""
    return [
        with_differences(rows[name], rows[arm.plain])
        if arm.plain != name and arm.plain in rows
        else rows[name]
        for name, arm in ARMS.items()
        if name in rows
    ]


def kept(output: Path | None, head: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the arms of an earlier result, by name; end where it was not made as this one is."""
    if output is None or not output.exists():
        return {}
    found = json.loads(output.read_text())
    others = [
        f"{key} {found.get(key)} and not {value}"
        for key, value in head.items()
        if found.get(key) != value
    ]
    if others:
        told = "; ".join(others)
        raise SystemExit(f"{output} holds results of another recipe: {told}; name another file")
    return {arm["name"]: arm for arm in found["arms"]}


def table(arms: list[dict[str, Any]]) -> str:
    """Return the result as a table in Markdown."""

    def told(arm: dict[str, Any], key: str) -> str:
        found = arm.get(key)
        return f"{found['mean']:+.3f} (p {found['wilcoxon_p']:.2g})" if found else ""

    def one_digit(arm: dict[str, Any], key: str) -> str:
        found = arm.get(key)  # none where the network found no such structure in any heart
        value = found["mae"] if isinstance(found, dict) else found
        return "none" if value is None else f"{value:.1f}"

    def on_cavity(arm: dict[str, Any], ge: str) -> str:
        return "{:.3f} ({:.3f} to {:.3f})".format(*arm[ge]["Dice"]) if ge in arm else ""

    lines = [
        "| patients | arm | ACDC Dice (95 % interval) | against plain | RV, MYO, LV | HD95 mm "
        "| LVEF, RVEF MAE | 8 GE patients, cavity Dice | against plain | all 28 | against plain |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        low, high = arm["dice_interval"]
        three = " ".join(f"{arm['dice'][one]:.3f}" for one in ("RV", "MYO", "LV"))
        lines.append(
            f"| {arm['patients']} | {arm['title']} | {arm['dice']['mean']:.3f} "
            f"({low:.3f} to {high:.3f}) | {told(arm, 'against_plain')} | {three} "
            f"| {one_digit(arm, 'hausdorff95_mm')} "
            f"| {one_digit(arm, 'LVEF')}, {one_digit(arm, 'RVEF')} "
            f"| {on_cavity(arm, 'ge_unseen')} | {told(arm, 'ge_unseen_against_plain')} "
            f"| {on_cavity(arm, 'ge_all')} | {told(arm, 'ge_all_against_plain')} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="another schedule, to try")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # torch's exporter speaks of itself
    study = Study(options.runs, data_folder(), options.recipe)
    result = {
        "recipe": study.recipe_path.name,
        "steps": study.recipe.optimiser.steps,
        "batch": study.recipe.optimiser.batch_size,
        "fold": FOLD,
        "the_8_patients": list(patients_by_turns(study.data, study.recipe.data.folds, 8)),
        "simulated_hearts": HEARTS,
    }
    rows = kept(options.output, result)
    for name in (one for one in ARMS if one in options.only and one not in rows):
        rows[name] = judged(name, study)
        print(f"{name}: mean Dice {rows[name]['dice']['mean']}", flush=True)
        if options.output:
            text = json.dumps(result | {"arms": in_order(rows)}, indent=1)
            options.output.write_text(text + "\n")
    print(table(in_order(rows)))


if __name__ == "__main__":
    main()
