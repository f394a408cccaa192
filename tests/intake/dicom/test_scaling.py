"""Scalings: which of a header's statements holds."""

import pytest

from opencmr.intake.dicom.scaling import (
    Linear,
    Scalings,
    choose_scaling,
    doubt_about,
    scalings_conflict,
)


def test_without_any_statement_the_stored_values_hold():
    assert choose_scaling(Scalings()) == (Linear(1.0, 0.0), "stored")


def test_philips_floating_value_divides_the_displayed_one_by_both_slopes():
    scalings = Scalings(rescale=Linear(1.5, -30.0), philips=(20.0, 0.0))
    floating, name = choose_scaling(scalings)
    displayed = Linear(1.5, -30.0).at(100.0)
    assert name == "philips"
    assert floating.at(100.0) == pytest.approx(displayed / (1.5 * 20.0))


def test_a_quantity_with_a_named_unit_is_left_in_it():
    velocity = Scalings(rescale=Linear(0.1, -100.0), philips=(10.0, 0.0), rescale_type="cm/s")
    assert choose_scaling(velocity) == (Linear(0.1, -100.0), "rescale")


def test_real_world_values_hold_for_a_map_without_rescaling():
    scalings = Scalings(real_world=Linear(0.25, 1.0), real_world_unit="ms")
    assert choose_scaling(scalings) == (Linear(0.25, 1.0), "real world")


@pytest.mark.parametrize("word", ["T1", "T1 MAP", "T1_MAP_T1", "T2*", "T2_STAR MAP", "ECV"])
def test_image_types_that_name_a_map_are_recognised(word):
    assert Scalings(image_type=("DERIVED", "PRIMARY", word)).is_relaxation_map


@pytest.mark.parametrize("word", ["M", "T1W", "MIP", "TOTAL", "PHASE"])
def test_other_image_types_are_no_maps(word):
    assert not Scalings(image_type=("ORIGINAL", word)).is_relaxation_map


def test_only_maps_can_be_in_conflict():
    differing = {"rescale": Linear(1.0, 0.0), "real_world": Linear(2.0, 0.0)}
    assert not scalings_conflict(Scalings(**differing), 0, 1000)
    assert scalings_conflict(Scalings(**differing, image_type=("T1",)), 0, 1000)
    same = Scalings(rescale=Linear(1.0, 0.0), real_world=Linear(1.0, 0.0), image_type=("T1",))
    assert not scalings_conflict(same, 0, 1000)


@pytest.mark.parametrize("linear", [Linear(1.0, 0.0), Linear(2.0, -4096.0), Linear(2e-5, 0.3)])
def test_what_scanners_write_is_believed(linear):
    assert not doubt_about(linear)


@pytest.mark.parametrize(
    "linear",
    [Linear(-1.0, 4095.0), Linear(1e12, 0.0), Linear(1e-30, 0.0), Linear(1.0, 1e9)],
)
def test_scalings_that_mirror_or_drown_the_pixels_are_doubted(linear):
    assert doubt_about(linear)


def test_a_velocity_may_point_the_other_way_but_not_beyond_reason():
    assert not doubt_about(Linear(-0.1, 100.0), may_mirror=True)
    assert doubt_about(Linear(-1e20, 0.0), may_mirror=True)
