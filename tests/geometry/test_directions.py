"""Letters of directions: the axes, their opposites, and what is nearly in a plane."""

import numpy as np
import pytest

from opencmr.geometry.directions import letters

OPPOSITE = str.maketrans("LRPAHF", "RLAPFH")


@pytest.mark.parametrize(
    ("direction", "told"),
    [
        ((1, 0, 0), "L"),
        ((0, -2, 0), "A"),
        ((0, 0, 3), "H"),
        ((0, 1, -1e-9), "P"),
        ((2, 3, 4), "HPL"),
        ((1, 2, 3), "HP"),
        ((np.cos(0.3), np.sin(0.3), 0), "L"),
        ((np.cos(0.4), np.sin(0.4), 0), "LP"),
    ],
)
def test_a_direction_is_named_by_its_greatest_parts(
    direction: tuple[float, float, float], told: str
) -> None:
    assert letters(np.array(direction)) == told


def test_the_opposite_direction_has_the_opposite_letters() -> None:
    for direction in np.random.default_rng(3).normal(size=(200, 3)):
        told = letters(direction)
        assert told
        assert letters(-direction) == told.translate(OPPOSITE)
