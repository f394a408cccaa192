"""One left ventricle is kept of what a network labels on a long-axis picture."""

import numpy as np
import pytest

from opencmr.anatomy.structures import ACDC
from opencmr.segment.long_axis import one_left_ventricle, steadied

RV, WALL, CAVITY = 1, 2, 3


def heart() -> np.ndarray:
    labels = np.zeros((60, 80), np.uint8)
    labels[20:45, 20:60] = WALL
    labels[25:40, 20:55] = CAVITY
    return labels


def test_a_heart_as_it_can_be_stays_as_it_is():
    assert np.array_equal(one_left_ventricle(heart(), ACDC), heart())


def test_stray_parts_and_the_right_ventricle_go():
    stray = heart()
    stray[50:58, 2:10] = WALL
    stray[52:56, 4:8] = CAVITY
    stray[2:6, 70:78] = RV
    stray[8:19, 25:50] = RV
    assert np.array_equal(one_left_ventricle(stray, ACDC), heart())


def test_holes_become_what_encloses_them():
    holed = heart()
    holed[30:33, 30:33] = 0
    holed[42, 40:44] = 0
    holed[32:34, 40:42] = WALL  # a papillary muscle counts to the cavity
    assert np.array_equal(one_left_ventricle(holed, ACDC), heart())


def test_a_second_cavity_within_the_wall_becomes_wall():
    double = heart()
    double[42:44, 30:35] = CAVITY
    assert np.array_equal(one_left_ventricle(double, ACDC), heart())


def test_nothing_stays_nothing():
    nothing = np.zeros((30, 30), np.uint8)
    assert not one_left_ventricle(nothing, ACDC).any()


def test_one_picture_of_many_is_outvoted_by_its_neighbours():
    shares = np.zeros((24, 2, 3, 3))
    shares[:, 0] = 0.9
    shares[:, 1] = 0.1
    shares[7] = shares[7, ::-1]
    assert (steadied(shares).argmax(1) == 0).all()
    assert steadied(shares).sum(1) == pytest.approx(1)


def test_what_moves_steadily_and_few_pictures_stay():
    ramp = np.arange(24.0)[:, None]
    assert steadied(ramp)[1:-1] == pytest.approx(ramp[1:-1])
    few = np.random.default_rng(1).random((8, 2, 4, 4))
    assert np.array_equal(steadied(few), few)
