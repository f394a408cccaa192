"""Learning the classifier of diagnosis: nested cross-validation by patient, plain numbers out.

The only module that knows scikit-learn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from opencmr.diagnose.classifier import (
    Case,
    Classifier,
    Sheet,
    Span,
    distances_to,
)
from opencmr.diagnose.definitions import shortfalls
from opencmr.diagnose.features import FEATURES, Source, defining
from opencmr.models.card import (
    CLASSIFIER_FILE,
    ClassificationOutput,
    DiagnosisCard,
    MeasurementsInput,
    write_card,
)
from opencmr.storage import sha256_of_bytes, write_bytes

CLASSES = ("NOR", "MINF", "DCM", "HCM", "RV")
"""The groups of ACDC (Bernard et al., IEEE TMI 2018)."""
SHEETS: Mapping[str, frozenset[Source]] = {
    "measurements, wall and body size": frozenset(Source),
    "measurements and wall": frozenset({Source.NUMBERS, Source.LABELS}),
    "measurements and body size": frozenset({Source.NUMBERS, Source.SIZE}),
    "measurements": frozenset({Source.NUMBERS}),
}
"""What each sheet may read; the richest first."""
STRENGTHS = (0.1, 0.3, 1.0, 3.0)
"""Inverse strengths of the ridge penalty among which the inner folds choose."""
COUNTS = (5, 15, 99)
"""Numbers of measurements among which the inner folds choose; 99: all."""
INNER_FOLDS = 4
SPAN_PERCENTILES = (5.0, 95.0)
LEAST_SPREAD = 0.05
"""Of a measurement in a group, in standard deviations of all hearts."""


@dataclass(frozen=True, eq=False)
class Hearts:
    """Hearts to learn from.

    Attributes
    ----------
    values : (N, K) float64
        In the order of ``symbols``.
    groups : (N,) int
        Index into :data:`CLASSES`.
    patients : (N,) int
        Rows of one patient share a number: they are never apart.
    symbols : tuple of str
    """

    values: np.ndarray
    groups: np.ndarray
    patients: np.ndarray
    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        rows = len(self.groups)
        if self.values.shape != (rows, len(self.symbols)) or len(self.patients) != rows:
            raise ValueError(f"{self.values.shape} values of {rows} hearts, {self.symbols}")
        if not np.isfinite(self.values).all():
            raise ValueError("a heart to learn from lacks a measurement")

    def rows(self, chosen: np.ndarray) -> "Hearts":
        """Return some of the hearts."""
        return Hearts(self.values[chosen], self.groups[chosen], self.patients[chosen], self.symbols)

    def columns(self, symbols: Sequence[str]) -> "Hearts":
        """Return them with some of the measurements."""
        places = [self.symbols.index(symbol) for symbol in symbols]
        return Hearts(self.values[:, places], self.groups, self.patients, tuple(symbols))

    def of(self, sources: frozenset[Source]) -> "Hearts":
        """Return them with the features of some sources."""
        known = {one.symbol for one in FEATURES if one.source in sources}
        return self.columns([symbol for symbol in self.symbols if symbol in known])


def folds_by_patient(hearts: Hearts, count: int, seed: int = 0) -> np.ndarray:
    """Return a fold ``(N,)`` for each heart, stratified by group, patients whole."""
    patients, first = np.unique(hearts.patients, return_index=True)
    split = StratifiedKFold(count, shuffle=True, random_state=seed)
    fold_of = dict[int, int]()
    for fold, (_, held) in enumerate(split.split(patients[:, None], hearts.groups[first])):
        fold_of |= {int(patients[place]): fold for place in held}
    return np.array([fold_of[int(patient)] for patient in hearts.patients])


@dataclass(frozen=True, eq=False)
class Fitted:
    """A logistic regression in standardised measurements."""

    symbols: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray
    temperature: float = 1.0

    def logits(self, hearts: Hearts) -> np.ndarray:
        """Return the evidence ``(N, C)`` for each group."""
        z = (hearts.columns(self.symbols).values - self.mean) / self.sd
        return np.asarray(z @ self.coefficients.T + self.intercepts) / self.temperature

    def shares(self, hearts: Hearts) -> np.ndarray:
        """Return the shares ``(N, C)``."""
        return softmax(self.logits(hearts))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return shares ``(N, C)`` that sum to one."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def log_loss(shares: np.ndarray, groups: np.ndarray) -> float:
    """Return the mean of minus the logarithm of the true group's share."""
    return float(-np.log(np.clip(shares[np.arange(len(groups)), groups], 1e-12, 1)).mean())


def fit_path(hearts: Hearts, strength: float, counts: Sequence[int]) -> dict[int, Fitted]:
    """Fit a ridge regression on the 5, 15, ... measurements that it leans on most.

    From each number to the next lower one those with the least greatest coefficients are left
    out (recursive elimination in steps; Guyon et al., Machine Learning 2002; 46:389).
    """
    current = _ridge(hearts, strength)
    path: dict[int, Fitted] = {}
    for count in sorted(counts, reverse=True):
        if count < len(current.symbols):
            leaning = np.abs(current.coefficients).max(0)
            places = np.sort(np.argsort(leaning)[::-1][:count])
            kept = [current.symbols[place] for place in places]
            current = _ridge(hearts.columns(kept), strength)
        path[count] = current
    return path


def _ridge(hearts: Hearts, strength: float) -> Fitted:
    mean, sd = hearts.values.mean(0), np.maximum(hearts.values.std(0), 1e-9)
    model = LogisticRegression(C=strength, max_iter=5000)
    model.fit((hearts.values - mean) / sd, hearts.groups)
    return Fitted(hearts.symbols, mean, sd, model.coef_, model.intercept_)


def fit(hearts: Hearts, counts: Sequence[int] = COUNTS) -> tuple[Fitted, np.ndarray]:
    """Fit with strength, number of measurements and temperature chosen by inner folds.

    Returns the regression, and the shares ``(N, C)`` that the inner folds gave each heart while
    it was held out: the scores of the conformal sets are made of them.
    """
    folds = folds_by_patient(hearts, INNER_FOLDS)
    logits: dict[tuple[float, int], np.ndarray] = {}
    for strength in STRENGTHS:
        for fold in range(INNER_FOLDS):
            held = folds == fold
            for count, model in fit_path(hearts.rows(~held), strength, counts).items():
                shape = (len(hearts.groups), len(CLASSES))
                logits.setdefault((strength, count), np.zeros(shape))[held] = model.logits(
                    hearts.rows(held)
                )
    strength, count = min(logits, key=lambda key: log_loss(softmax(logits[key]), hearts.groups))
    best = logits[strength, count]
    cooled = minimize_scalar(
        lambda t: log_loss(softmax(best / np.exp(t)), hearts.groups),
        bounds=(-2.0, 2.0),
        method="bounded",
    )
    temperature = float(np.exp(cooled.x))
    model = fit_path(hearts, strength, (count,))[count]
    return replace(model, temperature=temperature), softmax(best / temperature)


def forest(seed: int = 0) -> Any:
    """Return a random forest to compare with."""
    return RandomForestClassifier(500, min_samples_leaf=2, random_state=seed)


def boosting(seed: int = 0) -> Any:
    """Return gradient boosting to compare with."""
    return GradientBoostingClassifier(
        n_estimators=100, max_depth=2, subsample=0.8, random_state=seed
    )


def shares_of(model: Any, train: Hearts, test: Hearts) -> np.ndarray:
    """Return the shares ``(N, C)`` that a scikit-learn model gives hearts it never saw."""
    pipeline = make_pipeline(StandardScaler(), model).fit(train.values, train.groups)
    return np.asarray(pipeline.predict_proba(test.values))


def out_of_fold(
    hearts: Hearts, folds: np.ndarray, predict: Callable[[Hearts, Hearts], np.ndarray]
) -> np.ndarray:
    """Return the shares of each heart by a model that never saw its patient."""
    shares = np.zeros((len(hearts.groups), len(CLASSES)))
    for fold in np.unique(folds):
        held = folds == fold
        shares[held] = predict(hearts.rows(~held), hearts.rows(held))
    return shares


@dataclass(frozen=True, eq=False)
class Novelty:
    """Where the groups lie, by the measurements of a sheet."""

    scale: Fitted
    centres: np.ndarray
    precisions: np.ndarray

    def distances(self, hearts: Hearts) -> np.ndarray:
        """Return how far each heart ``(N,)`` lies from the nearest group."""
        z = _standardised(self.scale, hearts)
        return np.asarray(distances_to(z, self.centres, self.precisions).min(1))


def fit_novelty(scale: Fitted, hearts: Hearts) -> Novelty:
    """Find centre and covariance of each group.

    A group has its own spread of each measurement; how measurements go together, for which so few
    hearts of one group say little, is found from all, and shrunk (Ledoit and Wolf, 2004).
    """
    z = _standardised(scale, hearts)
    _, group_of = np.unique(hearts.groups, return_inverse=True)
    of_group = [z[group_of == group] for group in range(group_of.max() + 1)]
    centres = np.stack([one.mean(0) for one in of_group])
    spreads = np.stack([np.maximum(one.std(0), LEAST_SPREAD) for one in of_group])
    apart = (z - centres[group_of]) / spreads[group_of]
    together = LedoitWolf(assume_centered=True).fit(apart).precision_
    return Novelty(scale, centres, together / (spreads[:, :, None] * spreads[:, None]))


def _standardised(fitted: Fitted, hearts: Hearts) -> np.ndarray:
    return np.asarray((hearts.columns(fitted.symbols).values - fitted.mean) / fitted.sd)


def held_out_distances(hearts: Hearts, symbols: Sequence[str]) -> np.ndarray:
    """Return the distance of each heart to groups that were found without its patient.

    Of one patient at a time, so that groups are as well known as those to which new hearts are
    compared: the share of these that lie further is then as it should be.
    """
    distances = np.zeros(len(hearts.groups))
    for patient in np.unique(hearts.patients):
        held = hearts.patients == patient
        train = hearts.rows(~held)
        novelty = fit_novelty(standard(train, symbols), train)
        distances[held] = novelty.distances(hearts.rows(held))
    return distances


def least_shortfalls(
    hearts: Hearts, sources: frozenset[Source], groups: Sequence[str]
) -> np.ndarray:
    """Return by how many margins each heart misses the definition that it misses by least.

    By what ``sources`` tell; shape ``(N,)``.
    """
    read = defining(sources)
    rows = hearts.columns(read).values
    return np.array([shortfalls(dict(zip(read, row, strict=True)), groups).min() for row in rows])


def standard(hearts: Hearts, symbols: Sequence[str]) -> Fitted:
    """Return the scale of some measurements, without a regression."""
    kept = hearts.columns(symbols).values
    nothing = np.zeros((len(CLASSES), len(symbols)))
    sd = np.maximum(kept.std(0), 1e-9)
    return Fitted(tuple(symbols), kept.mean(0), sd, nothing, nothing[:, 0])


def make_classifier(
    hearts: Hearts, sheets_of: Mapping[str, frozenset[Source]] = SHEETS, seed: int = 0
) -> Classifier:
    """Return the classifier that is shipped: every sheet fitted on all hearts.

    Scores and distances are of hearts held out by the inner folds; what is usual in a group and
    the cases, of the first row of each patient.
    """
    sheets = []
    for name, sources in sheets_of.items():
        seen = hearts.of(sources)
        fitted, shares = fit(seen)
        novelty = fit_novelty(fitted, seen)
        distances = held_out_distances(seen, fitted.symbols)
        missed = least_shortfalls(hearts, sources, CLASSES)
        order = np.argsort(distances)  # in no order of patients
        sheets.append(
            Sheet(
                name=name,
                symbols=fitted.symbols,
                mean=_rounded(fitted.mean),
                sd=_rounded(fitted.sd),
                coefficients=_rows(fitted.coefficients / fitted.temperature),
                intercepts=_rounded(fitted.intercepts / fitted.temperature),
                scores=_rounded(np.sort(1 - shares[np.arange(len(shares)), seen.groups])),
                centres=_rows(novelty.centres),
                precisions=tuple(map(_rows, novelty.precisions)),
                defining=defining(sources),
                distances=_rounded(distances[order]),
                shortfalls=_rounded(missed[order]),
            )
        )
    return Classifier(
        classes=CLASSES,
        sheets=tuple(sheets),
        spans=_spans(each_once(hearts)),
        cases=_cases(hearts, seed),
    )


def each_once(hearts: Hearts) -> Hearts:
    """Return the first row of each patient."""
    _, first = np.unique(hearts.patients, return_index=True)
    return hearts.rows(first)


def _spans(hearts: Hearts) -> dict[str, dict[str, Span]]:
    spans = {}
    for place, symbol in enumerate(hearts.symbols):
        of_group = {
            name: np.percentile(hearts.values[hearts.groups == group, place], SPAN_PERCENTILES)
            for group, name in enumerate(CLASSES)
        }
        spans[symbol] = {
            name: Span(low=round(float(low), 2), high=round(float(high), 2))
            for name, (low, high) in of_group.items()
        }
    return spans


def _cases(hearts: Hearts, seed: int) -> tuple[Case, ...]:
    """Return the hearts, each patient once, shuffled, coarse: 0.1 standard deviations."""
    _, first = np.unique(hearts.patients, return_index=True)
    order = np.random.default_rng(seed).permutation(first)
    z = (hearts.values - hearts.values.mean(0)) / np.maximum(hearts.values.std(0), 1e-9)
    return tuple(
        Case(
            group=CLASSES[hearts.groups[row]],
            values={s: round(float(v), 1) for s, v in zip(hearts.symbols, z[row], strict=True)},
        )
        for row in order
    )


def _rounded(numbers: np.ndarray) -> tuple[float, ...]:
    """Return numbers to 6 significant digits."""
    return tuple(float(f"{number:.6g}") for number in numbers)


def _rows(numbers: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(_rounded(row) for row in numbers)


def export_classifier(
    hearts: Hearts, folder: Path, *, learnt_from: str, figures: Mapping[str, Any]
) -> None:
    """Write ``classifier.json`` and ``model.json`` of the classifier learnt from all hearts.

    ``folder`` is ``<name>/<version>``.
    """
    classifier = make_classifier(hearts)
    content = classifier.model_dump_json().encode("utf-8") + b"\n"
    write_bytes(folder / CLASSIFIER_FILE, content)
    patients = len(np.unique(hearts.patients))
    card = DiagnosisCard(
        name=folder.parent.name,
        version=folder.name,
        sha256=sha256_of_bytes(content),
        training_data=(
            "ACDC training set (Bernard et al., IEEE TMI 2018): measurements of "
            f"{patients} patients, 16 of each group, from {learnt_from}"
        ),
        terms="CC BY-NC-SA 4.0, research only (terms of the ACDC data)",
        intended_use=(
            "A second opinion, for research, on which of the five groups of ACDC an adult's "
            "measurements resemble. Decision support for a reader. Not for diagnosis."
        ),
        limitations=(
            "Learnt from one centre's 80 adults, chosen as clear examples of one group each: "
            "mixed, mild and other diseases are not among them, their frequency in a clinic is "
            "another, and children, congenital hearts and other contour rules are outside. "
            "Infarction and dilated cardiomyopathy are confused; scar is not looked at. Of a "
            "group left out of the learning six to ten of ten hearts are flagged as unlike where "
            "outlines and body size are there."
        ),
        figures=figures,
        input=MeasurementsInput(symbols=hearts.symbols),
        output=ClassificationOutput(classes=CLASSES),
    )
    write_card(card, folder)
