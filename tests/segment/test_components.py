"""Stray spots go, the heart stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_fill_holes, gaussian_filter, label
from skimage.measure import regionprops

from opencmr.anatomy.structures import ACDC, EMIDEC
from opencmr.segment.components import keep_possible, solidity


def heart() -> np.ndarray:
    labels = np.zeros((5, 60, 60), np.uint8)
    rows, columns = np.indices((60, 60))
    for z in range(5):
        distance = np.hypot(rows - 30, columns - 36 - z)
        labels[z][distance < 12] = 2
        labels[z][distance < 8] = 3
        labels[z][(np.hypot(rows - 30, columns - 18) < 7) & (labels[z] == 0)] = 1
    return labels


def test_a_possible_heart_is_left_alone():
    labels = heart()
    assert np.array_equal(keep_possible(labels, ACDC), labels)


def test_stray_spots_of_every_structure_become_background():
    labels = heart()
    stray = labels.copy()
    stray[2, 2:5, 2:5] = 3
    stray[4, 54:58, 2:6] = 1
    stray[0, 50:53, 50:53] = 2
    assert np.array_equal(keep_possible(stray, ACDC), labels)


def test_a_hole_in_the_wall_is_filled():
    labels = heart()
    labels[1, 20, 37] = 0
    assert keep_possible(labels, ACDC)[1, 20, 37] != 0


def test_an_arc_of_wall_beyond_the_base_is_no_ventricle():
    labels = heart()
    base = labels.copy()
    rows, columns = np.indices((60, 60))
    distance = np.hypot(rows - 30, columns - 36)
    base[4] = np.where((distance > 9) & (distance < 12) & (columns > 38), 2, 0)
    labels[4] = 0
    assert np.array_equal(keep_possible(base, ACDC), labels)


def test_a_cavity_that_is_closed_by_contraction_leaves_its_wall():
    labels = heart()
    labels[0][labels[0] == 3] = 2
    assert np.array_equal(keep_possible(labels, ACDC), labels)


def test_a_second_cavity_becomes_wall():
    labels = heart()
    broken = labels.copy()
    broken[2, 30, 27] = 3
    assert np.array_equal(keep_possible(broken, ACDC), labels)


def test_a_cavity_that_reaches_the_outside_gets_its_wall():
    labels = heart()
    open_ring = labels.copy()
    columns = np.indices((60, 60))[1]
    open_ring[2][(labels[2] == 2) & (columns > 38)] = 3
    closed = keep_possible(open_ring, ACDC)[2]
    outside = np.pad(closed, 1)[:-2, 1:-1], np.pad(closed, 1)[2:, 1:-1]
    beside = np.pad(closed, 1)[1:-1, :-2], np.pad(closed, 1)[1:-1, 2:]
    for neighbour in (*outside, *beside):
        assert not ((closed == 3) & ~np.isin(neighbour, (2, 3))).any()
    assert np.array_equal(closed > 1, labels[2] > 1)


def test_a_right_ventricle_without_a_left_one_goes():
    labels = heart()
    labels[3][labels[3] > 1] = 0
    assert not keep_possible(labels, ACDC)[3].any()


def test_an_empty_phase_stays_empty():
    empty = np.zeros((3, 8, 8), np.uint8)
    assert not keep_possible(empty, ACDC).any()


def test_the_input_is_not_changed():
    labels = heart()
    labels[2, 2, 2] = 3
    before = labels.copy()
    keep_possible(labels, ACDC)
    assert np.array_equal(labels, before)


def test_a_scar_keeps_its_label_and_does_not_split_its_wall():
    labels = np.choose(heart(), [0, 0, 2, 1]).astype(np.uint8)
    columns = np.indices((60, 60))[1]
    labels[(labels == 2) & (columns > 40)] = 3
    assert np.array_equal(keep_possible(labels, EMIDEC), labels)


def is_as_in_scikit_image(mask: np.ndarray) -> bool:
    """Whether each part of ``mask (Y, X)`` is as solid as scikit-image says, to the last digit."""
    parts, _ = label(mask, structure=np.ones((3, 3)))
    return all(solidity(parts == body.label) == body.solidity for body in regionprops(parts))


@settings(max_examples=100)
@given(mask=arrays(bool, st.tuples(st.integers(2, 14), st.integers(2, 14))))
def test_parts_of_any_mask_are_as_solid_as_scikit_image_says(mask):
    assert is_as_in_scikit_image(mask)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), coarse=st.floats(1, 5))
def test_smooth_bodies_are_as_solid_as_scikit_image_says(seed, coarse):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(60, 50)), coarse)
    assert is_as_in_scikit_image(binary_fill_holes(noise > 0))


@pytest.mark.parametrize("gap", range(1, 12))
def test_horseshoes_on_both_sides_of_the_limit_are_as_solid_as_scikit_image_says(gap):
    rows, columns = np.indices((40, 40)) - 20
    shoe = (np.hypot(rows, columns) < 14) & ~((abs(rows) < gap) & (columns > 0))
    assert is_as_in_scikit_image(shoe)
