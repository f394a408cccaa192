"""Learning to tell groups apart, on groups whose truth is known."""

import numpy as np
import pytest

from opencmr.diagnose.classifier import Answer, load_classifier
from opencmr.diagnose.features import FEATURES
from opencmr.models.card import DiagnosisCard, read_card
from opencmr.train.diagnosis import (
    CLASSES,
    SHEETS,
    Hearts,
    export_classifier,
    fit,
    fit_novelty,
    fit_path,
    folds_by_patient,
    held_out_distances,
    make_classifier,
    softmax,
    standard,
)

SYMBOLS = tuple(one.symbol for one in FEATURES)


def hearts(apart: float, each: int = 12, seed: int = 0, copies: int = 1) -> Hearts:
    """Groups that differ in one measurement each by ``apart`` standard deviations."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(CLASSES)), each)
    values = generator.normal(60, 1, (groups.size, len(SYMBOLS)))
    values[np.arange(groups.size), groups] += apart
    patients = np.arange(groups.size)
    return Hearts(
        np.concatenate([values] * copies),
        np.concatenate([groups] * copies),
        np.concatenate([patients] * copies),
        SYMBOLS,
    )


def test_a_patient_is_never_on_both_sides_of_a_fold() -> None:
    twice = hearts(3, copies=2)
    folds = folds_by_patient(twice, 4)
    for patient in np.unique(twice.patients):
        assert len(set(folds[twice.patients == patient])) == 1
    for fold in range(4):
        assert set(twice.groups[folds == fold]) == set(range(len(CLASSES)))


def test_the_measurements_that_tell_the_groups_apart_are_those_that_stay() -> None:
    path = fit_path(hearts(6, each=30), 1.0, (5, 99))
    assert set(path[5].symbols) == set(SYMBOLS[:5])
    assert len(path[99].symbols) == len(SYMBOLS)


def test_clear_groups_are_learnt_and_noise_is_admitted_to_be_noise() -> None:
    for apart, low, high in ((8.0, 0.95, 1.0), (0.0, 0.0, 0.45)):
        model, held_out = fit(hearts(apart))
        found = model.shares(hearts(apart, seed=1))
        right = (found.argmax(1) == hearts(apart).groups).mean()
        assert low <= right <= high
        assert held_out.sum(1) == pytest.approx(1)
    assert held_out.max(1).mean() < 0.5  # of noise: no confidence


def test_a_heart_to_learn_from_lacks_nothing() -> None:
    made = hearts(1)
    values = made.values.copy()
    values[0, 0] = np.nan
    with pytest.raises(ValueError, match="lacks"):
        Hearts(values, made.groups, made.patients, made.symbols)


def test_the_exported_numbers_answer_as_the_regression_does(tmp_path) -> None:
    folder = tmp_path / "toy" / "1.0.0"
    folder.mkdir(parents=True)
    learnt = hearts(4)
    export_classifier(learnt, folder, learnt_from="phantoms", figures={})
    card = read_card(folder)
    assert isinstance(card, DiagnosisCard)
    assert "not for diagnosis" in card.intended_use.lower()
    classifier = load_classifier(card)
    model, _ = fit(learnt)
    sheet = classifier.sheets[0]
    assert sheet.symbols == model.symbols
    expected = model.shares(learnt)
    for row in (0, 20, 59):
        values = dict(zip(learnt.symbols, map(float, learnt.values[row]), strict=True))
        found = Answer(classifier.classes, sheet, values).shares
        assert found == pytest.approx(expected[row], abs=1e-3)


def test_the_sets_hold_the_group_of_nine_in_ten_new_hearts() -> None:
    """Of 300 new hearts of weakly separated groups, within the exact binomial limits."""
    only = {"measurements": SHEETS["measurements"]}
    classifier = make_classifier(hearts(2.0, each=16), only)
    new = hearts(2.0, each=60, seed=7)
    sheet = classifier.sheets[0]
    held, sizes = [], []
    for row, group in zip(new.values, new.groups, strict=True):
        values = dict(zip(new.symbols, map(float, row), strict=True))
        groups = Answer(classifier.classes, sheet, values).groups
        held.append(CLASSES[group] in groups)
        sizes.append(len(groups))
    assert 0.82 <= np.mean(held) <= 0.98
    assert 1 < np.mean(sizes) < 5


def flagged(learnt: Hearts, new: Hearts) -> np.ndarray:
    """Whether one in twenty of the learnt hearts at most lies as far from its group."""
    usual = held_out_distances(learnt, learnt.symbols)
    found = fit_novelty(standard(learnt, learnt.symbols), learnt).distances(new)
    return np.asarray((usual[None] >= found[:, None]).mean(1) <= 0.05)


def test_of_new_hearts_of_the_known_groups_about_one_in_twenty_is_called_unlike() -> None:
    shares = [
        flagged(hearts(6, each=16, seed=seed), hearts(6, each=100, seed=100 + seed)).mean()
        for seed in range(4)
    ]
    assert 0.03 < np.mean(shares) < 0.08


def test_a_heart_whose_measurements_do_not_go_together_is_unlike() -> None:
    """Each by itself lies well within the spread of its group."""
    size = slice(len(CLASSES), None)

    def going_together(seed: int) -> Hearts:
        some = hearts(6, each=16, seed=seed)
        values = some.values.copy()
        values[:, size] = values[:, [5]] + 0.3 * (values[:, size] - 60)
        return Hearts(values, some.groups, some.patients, some.symbols)

    def all_moved(signs: np.ndarray) -> np.ndarray:
        new = going_together(1)
        values = new.values.copy()
        values[:, size] = 60 + signs
        moved = Hearts(values, new.groups, new.patients, new.symbols)
        return flagged(going_together(0), moved)

    up = np.ones(len(SYMBOLS) - len(CLASSES))
    assert all_moved(up).mean() < 0.2
    assert all_moved(np.where(np.arange(up.size) % 2, up, -up)).mean() > 0.9


def test_what_is_usual_in_a_group_of_wide_spread_is_not_in_one_of_narrow_spread() -> None:
    def of_two(seed: int) -> Hearts:
        some = hearts(20, each=16, seed=seed)
        values = some.values.copy()
        values[some.groups == 0, -1] = 60 + 0.1 * (values[some.groups == 0, -1] - 60)
        return Hearts(values, some.groups, some.patients, some.symbols)

    learnt, moved = of_two(0), of_two(1)
    values = moved.values.copy()
    values[:, -1] = 60 + 1.5
    at_the_edge = flagged(learnt, Hearts(values, moved.groups, moved.patients, moved.symbols))
    assert at_the_edge[moved.groups == 0].mean() > 0.9
    assert at_the_edge[moved.groups == 1].mean() < 0.5


def test_shares_sum_to_one_however_large_the_evidence() -> None:
    assert softmax(np.array([[1e4, 0.0], [-1e4, 0.0]])).sum(1) == pytest.approx(1)


def test_what_is_usual_is_that_of_the_first_row_of_each_patient() -> None:
    """Of a second drawing, far off, nothing is taken for usual."""
    once, twice = hearts(4), hearts(4, copies=2)
    values = twice.values.copy()
    values[len(once.groups) :] += 30
    only = {"measurements": SHEETS["measurements"]}
    far = Hearts(values, twice.groups, twice.patients, twice.symbols)
    assert make_classifier(far, only).spans == make_classifier(once, only).spans
