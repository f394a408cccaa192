"""Flicker: smooth motion has its formula's bend, noise more, and presence is counted by entries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.validate.flicker import flicker


@pytest.mark.parametrize("phases", [12, 30])
def test_an_area_that_swings_as_a_cosine_has_the_jitter_of_the_formula(phases):
    share = np.arange(phases) / phases
    areas = np.column_stack([5 + 2 * np.cos(2 * np.pi * share), np.full(phases, 7.0)])
    bend = 2 * (2 - 2 * np.cos(2 * np.pi / phases))
    assert flicker(areas).jitter == pytest.approx([bend / np.sqrt(2) / 5, 0])


def test_noise_of_a_known_spread_adds_root_six_of_it():
    noise = np.random.default_rng(3).normal(0, 1, (40, 2000))
    assert np.mean(flicker(100 + noise).jitter) == pytest.approx(np.sqrt(6) / 100, rel=0.02)


@given(st.lists(st.booleans(), min_size=3, max_size=40), st.integers(0, 40))
def test_presence_is_counted_round_the_beat_wherever_it_begins(shown, start):
    areas = np.array(shown, float)[:, None]
    runs = sum(now and not before for before, now in zip([shown[-1], *shown], shown, strict=False))
    found = flicker(np.roll(areas, start, 0))
    assert found.extra_entries == [max(runs - 1, 0)]
    assert np.isnan(found.jitter[0]) == (not all(shown))


def test_in_once_and_out_once_is_no_flicker_also_across_the_end_of_the_beat():
    areas = np.array([[1, 0], [0, 2], [0, 2], [1, 0], [1, 0]])
    assert flicker(areas).extra_entries.tolist() == [0, 0]


def test_the_unit_of_the_areas_does_not_matter():
    areas = np.random.default_rng(1).uniform(1, 2, (20, 3))
    assert flicker(1.96 * areas).jitter == pytest.approx(flicker(areas).jitter)


@pytest.mark.parametrize("areas", [np.ones((2, 4)), np.ones(5), -np.ones((4, 2)), [[np.nan]] * 4])
def test_what_is_no_beat_of_areas_is_refused(areas):
    with pytest.raises(ValueError, match="areas"):
        flicker(areas)
