"""Extracellular volume: known compartments give it back, and what is no tissue gives none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.measure.relaxometry.extracellular import (
    ECV,
    ECV_SEPTUM,
    T1OfRegions,
    ecv_percent,
    measure_ecv,
    synthetic_haematocrit,
)


def after_contrast_ms(native_ms: float, space: float, plasma_mm: float) -> float:
    """T1 of a tissue of which ``space`` takes up an agent of relaxivity 4.5 at ``plasma_mm``."""
    return 1 / (1 / native_ms + 4.5e-3 * plasma_mm * space)


@given(st.floats(0.1, 0.7), st.floats(0.2, 0.6), st.floats(0.2, 2.0), st.floats(800, 1500))
def test_the_space_of_a_known_tissue_comes_back(space, haematocrit, plasma_mm, native_ms) -> None:
    muscle = native_ms, after_contrast_ms(native_ms, space, plasma_mm)
    blood = 1650.0, after_contrast_ms(1650.0, 1 - haematocrit, plasma_mm)
    assert ecv_percent(muscle, blood, haematocrit) == pytest.approx(100 * space)


def test_regions_have_their_own_and_what_one_map_lacks_has_none() -> None:
    blood = after_contrast_ms(1600.0, 0.6, 1.0)
    native = T1OfRegions("s01", 1600.0, 1000.0, 1050.0, {8: 1100.0, 9: 1000.0})
    post = T1OfRegions(
        "s02",
        blood,
        after_contrast_ms(1000.0, 0.25, 1.0),
        None,
        {8: after_contrast_ms(1100.0, 0.45, 1.0), 10: 400.0},
    )
    wall, septum, *segments = measure_ecv(native, post, 0.4)
    assert (wall.quantity, septum.quantity) == (ECV, ECV_SEPTUM)
    assert wall.value == pytest.approx(25.0)
    assert "haematocrit 0.4" in wall.evidence
    assert septum.value is None
    assert [(one.segment, one.value) for one in segments] == [(8, pytest.approx(45.0))]


@given(st.floats(0.15, 0.7))
def test_a_synthetic_haematocrit_comes_back_from_the_blood_that_it_makes(haematocrit) -> None:
    """The regression the other way round: rate of blood = (Hct + 0.1232) / 866 ms."""
    found = synthetic_haematocrit(866.0 / (haematocrit + 0.1232))
    assert found is None or found == pytest.approx(haematocrit)
    assert found is not None or min(haematocrit - 0.15, 0.7 - haematocrit) < 1e-6


@pytest.mark.parametrize("blood_ms", [300.0, 900.0, 4000.0])
def test_what_is_no_blood_before_contrast_goes_with_no_haematocrit(blood_ms) -> None:
    assert synthetic_haematocrit(blood_ms) is None


@pytest.mark.parametrize("blood_after_ms", [1700.0, 1590.0])
def test_maps_that_cannot_be_before_and_after_contrast_give_no_number(blood_after_ms) -> None:
    native = T1OfRegions("s01", 1600.0, 1000.0, 1000.0, {})
    post = T1OfRegions("s02", blood_after_ms, 450.0, 450.0, {})
    for one in measure_ecv(native, post, 0.4):
        assert one.value is None
        assert one.reason.code == "NO_TISSUE"
