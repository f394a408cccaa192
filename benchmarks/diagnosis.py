"""How well the five ACDC groups are told apart by measurements, and when opencmr says it cannot.

Every patient is judged by a classifier that never saw him: the folds of ``metadata.csv``
outermost, all choices by inner folds.  Measured on readers' masks, and on those of networks that
never saw the patient either: MASKS, as ``out_of_fold.py`` makes them.

    python benchmarks/diagnosis.py MASKS [-o RESULT.json] [--model FOLDER]

``--model`` writes the classifier learnt from all patients.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from real_data import acdc_rows, data_folder, read_labels
from resampled_patients import Measure, with_intervals
from scipy.stats import beta, rankdata

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.diagnose.classifier import NOVEL, Classifier, unlike_p
from opencmr.diagnose.facts import Facts, facts_of, with_values
from opencmr.diagnose.features import FEATURES, Source, feature_values
from opencmr.diagnose.opinion import form_opinion
from opencmr.diagnose.shape import shape_values
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles, measure_all
from opencmr.measure.long_axis import slices_from_base
from opencmr.measure.ventricles import Unmeasurable
from opencmr.train.diagnosis import (
    CLASSES,
    COUNTS,
    SHEETS,
    Hearts,
    boosting,
    export_classifier,
    fit,
    fit_novelty,
    forest,
    held_out_distances,
    least_shortfalls,
    log_loss,
    make_classifier,
    out_of_fold,
    shares_of,
    standard,
)

UNSEEN = "masks of networks that never saw the patient, five folds (80 patients)"
RESAMPLES = 1000
WHOLE = next(iter(SHEETS))
CONFUSION = "confusion, rows are truth"
SYMBOLS = tuple(one.symbol for one in FEATURES)


@dataclass(frozen=True)
class Patient:
    """One patient and the facts of the masks of one kind."""

    name: str
    group: int
    fold: int
    facts: Facts

    @property
    def values(self) -> dict[str, float]:
        """Value of each feature that could be measured."""
        return feature_values(self.facts)


def facts_from(labels: np.ndarray, grid: Grid, body: Demographics) -> Facts:
    """Return what ``opencmr diagnose`` would read of these labels."""
    image = untimed_image(np.zeros(labels.shape, dtype=np.float32), grid)
    author = Author(AuthorKind.READER, "masks")
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, author)
    ventricles = Ventricles(masks, image, body, "s01")
    return with_values(facts_of(measure_all(ventricles)), shape_values(ventricles))


def without_basal_systole(labels: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the labels without the most basal slice of the LV at end-systole."""
    image = untimed_image(np.zeros(labels.shape, dtype=np.float32), grid)
    author = Author(AuthorKind.READER, "masks")
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, author)
    ventricles = Ventricles(masks, image, Demographics(), "s01")
    es = ventricles.lv.es_phase
    order = slices_from_base(ventricles, es)
    basal = next(z for z in order if ventricles.lv_voxels[es, z])
    damaged = labels.copy()
    damaged[es, basal] = 0
    return damaged


def load(folder: Path, unseen: Path) -> dict[str, list[Patient]]:
    """Return the patients by the kind of their masks, without those that lack a measurement.

    ``opencmr diagnose`` does not ask the classifier about these either.
    """
    kinds: dict[str, list[Patient]] = {"readers": [], "automatic": [], "no basal slice at ES": []}
    for row in acdc_rows():
        name = row["patient"]
        labels, grid = read_labels(folder, f"{name}_{{}}_gt.nii.gz")
        automatic, _ = read_labels(unseen, f"{name}_{{}}.nii.gz")
        body = Demographics(height_cm=float(row["height_cm"]), weight_kg=float(row["weight_kg"]))
        for kind, shown in (
            ("readers", labels),
            ("automatic", automatic),
            ("no basal slice at ES", without_basal_systole(labels, grid)),
        ):
            with suppress(Unmeasurable):
                facts = facts_from(shown, grid, body)
                group = CLASSES.index(row["group"])
                patient = Patient(name, group, int(row["fold"]), facts)
                if set(SYMBOLS) <= set(patient.values):
                    kinds[kind].append(patient)
    return kinds


def hearts_of(patients: Sequence[Patient]) -> Hearts:
    """Return what is learnt from."""
    return Hearts(
        np.array([[one.values[symbol] for symbol in SYMBOLS] for one in patients]),
        np.array([one.group for one in patients]),
        np.array([int(one.name[-3:]) for one in patients]),
        SYMBOLS,
    )


def judged(
    classifiers: Mapping[int, Classifier], patients: Sequence[Patient], sheet: str
) -> list[dict[str, Any]]:
    """Return the opinion on each patient by the classifier that never saw his fold."""
    allowed = {one.symbol for one in FEATURES if one.source in SHEETS[sheet]}
    hidden = set(SYMBOLS) - allowed
    rows = []
    for one in patients:
        facts = {symbol: fact for symbol, fact in one.facts.items() if symbol not in hidden}
        opinion = form_opinion(facts, classifiers[one.fold])
        answer = opinion.answer
        assert answer is not None
        rows.append(
            {
                "patient": one.name,
                "group": CLASSES[one.group],
                "answer": answer.group,
                "named": opinion.group,
                "shares": [round(float(share), 3) for share in answer.shares],
                "set": list(answer.groups),
                "novelty": answer.novelty,
                "doubts": [str(doubt) for doubt in opinion.doubts],
                "reasons": [argument.sentence for argument in opinion.arguments],
                "disagreements": list(opinion.disagreements),
            }
        )
    return rows


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return every figure with its 95 % interval over resampled patients."""
    groups = np.array([CLASSES.index(row["group"]) for row in rows])
    shares = np.array([row["shares"] for row in rows])
    shares /= shares.sum(1, keepdims=True)
    right = shares.argmax(1) == groups
    held = np.array([row["group"] in row["set"] for row in rows])
    named = np.array([row["named"] is not None for row in rows])
    novel = np.array([row["novelty"] >= NOVEL for row in rows])
    size = np.array([len(row["set"]) for row in rows])

    measures = measures_of(shares, groups) | {
        "share in the 90 % set": lambda c: held[c].mean(),
        "mean size of the set": lambda c: size[c].mean(),
        "share taken for like no group": lambda c: novel[c].mean(),
        "share where a group is named": lambda c: named[c].mean(),
        "accuracy where a group is named": lambda c: right[c][named[c]].mean(),
    }
    found: dict[str, Any] = {"patients": len(rows)}
    found |= with_intervals(measures, len(rows), RESAMPLES)
    k, n = int(held.sum()), len(rows)
    exact = (beta.ppf(0.025, k, n - k + 1), beta.ppf(0.975, k + 1, n - k) if k < n else 1.0)
    found["exact interval of the share in the set"] = [round(float(v), 4) for v in exact]
    answers = np.array([CLASSES.index(row["answer"]) for row in rows])
    found[CONFUSION] = confusion(groups, answers)
    found["reliability"] = reliability(shares, groups)
    found["wrong"] = [row for row in rows if row["group"] != row["answer"]]
    return found


def measures_of(shares: np.ndarray, groups: np.ndarray) -> dict[str, Measure]:
    """Return how good probabilities ``(N, 5)`` are, each measure a function of chosen patients."""
    truth = np.eye(len(CLASSES))[groups]
    return {
        "accuracy": lambda c: (shares[c].argmax(1) == groups[c]).mean(),
        "macro AUC": lambda c: macro_auc(shares[c], groups[c]),
        "Brier score": lambda c: ((shares[c] - truth[c]) ** 2).sum(1).mean(),
        "log loss": lambda c: log_loss(shares[c], groups[c]),
    }


def confusion(groups: np.ndarray, answers: np.ndarray) -> dict[str, dict[str, int]]:
    """Return how many of each group got each answer."""
    counts = Counter(zip(groups.tolist(), answers.tolist(), strict=True))
    return {
        true: {given: counts[i, j] for j, given in enumerate(CLASSES)}
        for i, true in enumerate(CLASSES)
    }


def macro_auc(shares: np.ndarray, groups: np.ndarray) -> float:
    """Return the mean over the groups of the area under the curve, each against the others.

    By the ranks (Mann and Whitney); NaN where a group is not there.
    """
    areas = []
    for group in range(len(CLASSES)):
        mine = groups == group
        few, many = int(mine.sum()), int((~mine).sum())
        if not few or not many:
            return float("nan")
        ranks = rankdata(shares[:, group])
        areas.append((ranks[mine].sum() - few * (few + 1) / 2) / (few * many))
    return float(np.mean(areas))


def reliability(shares: np.ndarray, groups: np.ndarray) -> list[dict[str, float]]:
    """Return how often the most probable group is right, by its probability."""
    top, right = shares.max(1), shares.argmax(1) == groups
    edges = (0.0, 0.5, 0.7, 0.9, 0.97, 1.01)
    rows = []
    for low, high in pairwise(edges):
        inside = (top >= low) & (top < high)
        if inside.any():
            rows.append(
                {
                    "from": low,
                    "patients": int(inside.sum()),
                    "mean probability": round(float(top[inside].mean()), 3),
                    "right": round(float(right[inside].mean()), 3),
                }
            )
    return rows


def compared(hearts: Hearts, folds: np.ndarray) -> dict[str, Any]:
    """Return accuracy and log loss of the kinds of model, and the learning curve."""
    found: dict[str, Any] = {}

    def add(name: str, shares: np.ndarray) -> None:
        right = (shares.argmax(1) == hearts.groups).mean()
        found[name] = {
            "accuracy": round(float(right), 4),
            "macro AUC": round(macro_auc(shares, hearts.groups), 4),
            "log loss": round(log_loss(shares, hearts.groups), 4),
        }

    add("random forest", out_of_fold(hearts, folds, lambda a, b: shares_of(forest(), a, b)))
    add("gradient boosting", out_of_fold(hearts, folds, lambda a, b: shares_of(boosting(), a, b)))
    for count in COUNTS:
        chosen: Counter[str] = Counter()

        def predict(a: Hearts, b: Hearts, count=count, chosen=chosen) -> np.ndarray:
            model, _ = fit(a, (count,))
            chosen.update(model.symbols)
            return model.shares(b)

        name = f"logistic regression, {min(count, len(hearts.symbols))} measurements"
        add(name, out_of_fold(hearts, folds, predict))
        found[name]["folds of 5 that chose it"] = dict(chosen.most_common())
    return found


def novelty(hearts: Hearts, folds: np.ndarray) -> dict[str, Any]:
    """Return how often a group left out of the learning is flagged, and false alarms."""

    def flagged(train: Hearts, test: Hearts, sources: frozenset[Source]) -> np.ndarray:
        groups = [CLASSES[group] for group in np.unique(train.groups)]
        known, new = train.of(sources), test.of(sources)
        distances = held_out_distances(known, known.symbols)
        far = fit_novelty(standard(known, known.symbols), known).distances(new)
        missed = least_shortfalls(train, sources, groups)
        beyond = least_shortfalls(test, sources, groups)
        p = [
            unlike_p(np.append(distances, one), np.append(missed, other))
            for one, other in zip(far, beyond, strict=True)
        ]
        return 1 - np.array(p) >= NOVEL

    result: dict[str, Any] = {}
    for sheet, sources in SHEETS.items():
        alarms = [
            flagged(hearts.rows(folds != f), hearts.rows(folds == f), sources)
            for f in np.unique(folds)
        ]
        result[sheet] = {
            "false alarms": round(float(np.concatenate(alarms).mean()), 4),
            "flagged when left out": {
                name: round(float(flagged(*without(hearts, group), sources).mean()), 4)
                for group, name in enumerate(CLASSES)
            },
        }
    return result


def without(hearts: Hearts, group: int) -> tuple[Hearts, Hearts]:
    """Return the hearts of all groups but one, and those of that one."""
    return hearts.rows(hearts.groups != group), hearts.rows(hearts.groups == group)


def learnt(patients: Sequence[Patient], more: Sequence[Patient], fold: int) -> Classifier:
    """Return the classifier learnt without a fold."""
    return make_classifier(hearts_of([p for p in (*patients, *more) if p.fold != fold]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("masks", type=Path, help="of networks that never saw the patient")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--model", type=Path, help="write the classifier of all patients here")
    options = parser.parse_args()
    kinds = load(data_folder() / "acdc", options.masks)
    readers, automatic = kinds["readers"], kinds["automatic"]
    folds = np.array([one.fold for one in readers])
    by_readers = {f: learnt(readers, (), f) for f in range(5)}
    result: dict[str, Any] = {
        "readers' masks, five folds": {
            sheet: figures(judged(by_readers, readers, sheet)) for sheet in SHEETS
        },
        "models compared, readers' masks, five folds": compared(hearts_of(readers), folds),
        "novelty, readers' masks": novelty(hearts_of(readers), folds),
    }
    print(json.dumps(summary(result), indent=1), flush=True)
    result["readers' masks without the basal slice at ES, learnt from whole ones"] = figures(
        judged(by_readers, kinds["no basal slice at ES"], WHOLE)
    )
    by_both = {f: learnt(readers, automatic, f) for f in range(5)}
    ways = {"readers' masks": by_readers, "readers' and automatic masks": by_both}
    lacking = len(readers) - len(automatic)
    result["automatic masks that lack a measurement, not asked about"] = lacking
    for way, classifiers in ways.items():
        result[f"{UNSEEN}, learnt from {way}"] = {
            sheet: figures(judged(classifiers, automatic, sheet)) for sheet in SHEETS
        }
    print(json.dumps(summary(result), indent=1))
    if options.output:
        text = json.dumps(without_names(result), indent=1, ensure_ascii=False)
        options.output.write_text(text + "\n")
    if options.model:
        losses = {way: result[f"{UNSEEN}, learnt from {way}"][WHOLE]["log loss"][0] for way in ways}
        best = min(losses, key=lambda way: losses[way])
        rows = readers if best == "readers' masks" else [*readers, *automatic]
        export_classifier(hearts_of(rows), options.model, learnt_from=best, figures=shown(result))


def shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that the model card names."""
    names = ("accuracy", "macro AUC", "Brier score", "share in the 90 % set")
    cells = {
        "readers' masks, five folds (80 patients)": result["readers' masks, five folds"][WHOLE],
    } | {name: result[name][WHOLE] for name in result if name.startswith(UNSEEN)}
    return {name: {one: cell[one] for one in names} for name, cell in cells.items()}


def summary(result: Any) -> Any:
    """Return the figures without the rows of single patients."""
    if isinstance(result, dict):
        return {key: summary(value) for key, value in result.items() if key != "wrong"}
    return result


def without_names(result: Any) -> Any:
    """Return the figures; of a wrong patient what was said, not who it is."""
    if isinstance(result, dict):
        return {key: without_names(value) for key, value in result.items() if key != "patient"}
    return [without_names(one) for one in result] if isinstance(result, list) else result


if __name__ == "__main__":
    main()
