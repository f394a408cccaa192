"""Slices of two hearts by turns are told from one heart, and from one slice that is off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.quality.alternation import alternation_percent


def codes(judged) -> list[str]:
    return [flag.code for flag in judged[1]]


def smaller(labels: np.ndarray, slices: slice, pixels: int) -> np.ndarray:
    """Some slices show the heart that many rows and columns smaller."""
    for z in range(labels.shape[1])[slices]:
        rows = np.linspace(-pixels, labels.shape[2] - 1 + pixels, labels.shape[2])
        at = np.clip(np.rint(rows), 0, labels.shape[2] - 1).astype(int)
        labels[:, z] = labels[:, z][:, at][:, :, at]
    return labels


def test_a_heart_that_tapers_does_not_alternate(judge, labels):
    assert "SLICES_ALTERNATE" not in codes(judge(labels))


def test_every_second_slice_of_a_smaller_heart_is_flagged(judge, labels):
    found = judge(smaller(labels, slice(1, None, 2), 7))
    (flag,) = [f for f in found[1] if f.code == "SLICES_ALTERNATE"]
    assert flag.severity == "review"
    assert "at end-diastole" in flag.evidence


def test_one_slice_off_the_others_is_no_second_heart(judge, labels):
    assert "SLICES_ALTERNATE" not in codes(judge(smaller(labels, slice(4, 5), 7)))


def test_few_slices_tell_nothing():
    assert alternation_percent(np.array([0, 10, 5, 10, 5, 10, 0])) == (0.0, ())


@given(
    st.lists(st.floats(1, 100), min_size=2, max_size=12),
    st.floats(0.5, 2),
    st.integers(0, 3),
)
def test_size_and_empty_ends_change_nothing(areas, scale, empty):
    padded = np.concatenate([np.zeros(empty), scale * np.array(areas), np.zeros(empty)])
    percent, slices = alternation_percent(padded)
    alone, among = alternation_percent(np.array(areas))
    assert percent == pytest.approx(alone, abs=1e-9)
    if alone > 1e-6:
        assert len(slices) == len(among) == 4


@given(st.lists(st.floats(0, 10), min_size=6, max_size=12))
def test_no_convex_or_concave_profile_alternates(steps):
    slopes = np.sort(steps)
    for profile in (slopes, -slopes):
        areas = 1000 + np.cumsum(profile)
        assert alternation_percent(areas)[0] == pytest.approx(0, abs=1e-9)
