"""Overlap against another library and against shapes of known truth."""

import numpy as np
import pytest
from scipy.spatial.distance import dice as scipy_dice
from scipy.spatial.distance import jaccard as scipy_jaccard

from opencmr.validate.overlap import dice, iou


@pytest.mark.parametrize("seed", range(5))
def test_overlap_is_that_of_scipy(seed):
    first, second = np.random.default_rng(seed).random((2, 4, 9, 7)) < 0.4
    assert dice(first, second) == pytest.approx(1 - scipy_dice(first.ravel(), second.ravel()))
    assert iou(first, second) == pytest.approx(1 - scipy_jaccard(first.ravel(), second.ravel()))


def test_a_shifted_cube_overlaps_by_what_is_left():
    first, second = np.zeros((2, 20, 20, 20), dtype=bool)
    first[5:15, 5:15, 5:15] = True
    second[5:15, 5:15, 8:18] = True
    assert dice(first, second) == pytest.approx(0.7)
    assert iou(first, second) == pytest.approx(7 / 13)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty, full = np.zeros((2, 2), dtype=bool), np.ones((2, 2), dtype=bool)
    assert dice(empty, empty) == iou(empty, empty) == 1
    assert dice(empty, full) == iou(empty, full) == iou(full, empty) == 0
