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
    fit_path,
    folds_by_patient,
    make_classifier,
    softmax,
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


def test_shares_sum_to_one_however_large_the_evidence() -> None:
    assert softmax(np.array([[1e4, 0.0], [-1e4, 0.0]])).sum(1) == pytest.approx(1)
