"""The beating heart keeps its promises: volumes by formula, mass constant over the beat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencmr.anatomy.plausible import MYOCARDIUM_G_PER_ML
from opencmr.errors import ConfigurationError
from opencmr.simulate.heart import (
    HeartParameters,
    beat,
    end_systole_share,
    filling_curve,
    heart_shape,
    mass_of_wall_g,
    radial_modulation,
)

hearts = st.builds(
    HeartParameters,
    edv_ml=st.floats(80, 300),
    ef_percent=st.floats(10, 75),
    lv_mass_g=st.floats(60, 220),
    rv_edv_ml=st.floats(80, 300),
    rv_ef_percent=st.floats(10, 70),
    heart_rate_bpm=st.floats(40, 150),
)


@settings(max_examples=10)
@given(hearts)
def test_every_heart_has_the_volumes_ejection_fraction_and_mass_it_was_given(
    parameters: HeartParameters,
) -> None:
    shapes = beat(parameters, 12)
    left = np.array([shape.cavity_ml for shape in shapes])
    right = np.array([shape.rv_ml for shape in shapes])
    assert left.max() == pytest.approx(parameters.edv_ml, rel=1e-9)
    assert 100 * (1 - left.min() / left.max()) == pytest.approx(parameters.ef_percent, abs=1e-6)
    assert right.max() == pytest.approx(parameters.rv_edv_ml, rel=1e-9)
    assert right.min() == pytest.approx(parameters.rv_esv_ml, rel=1e-9)
    masses_g = [shape.wall_ml * MYOCARDIUM_G_PER_ML for shape in shapes]
    assert masses_g == pytest.approx([parameters.lv_mass_g] * 12, rel=1e-9)


def test_the_closed_formula_is_the_integral_of_the_ellipsoid() -> None:
    shape = heart_shape(HeartParameters(), 1.0, 1.0)
    edges = np.linspace(shape.centre_mm - shape.endo_half_axis_mm, shape.base_mm, 20_001)
    z = (edges[:-1] + edges[1:]) / 2
    share = (z - shape.centre_mm) / shape.endo_half_axis_mm
    areas_mm2 = np.pi * shape.endo_radius_mm**2 * (1 - share**2)
    assert (areas_mm2 * np.diff(edges)).sum() / 1000 == pytest.approx(shape.cavity_ml, rel=1e-6)


def test_the_irregular_outline_changes_no_area() -> None:
    theta = np.arange(3600) * 2 * np.pi / 3600
    modulation = radial_modulation(np.cos(theta), np.sin(theta))
    assert np.mean(modulation**2) == pytest.approx(1, abs=1e-12)
    assert modulation.max() > 1.02


def test_the_wall_thickens_and_the_base_moves_towards_the_apex_in_systole() -> None:
    parameters = HeartParameters()
    diastole, systole = heart_shape(parameters, 1, 1), heart_shape(parameters, 0, 0)
    assert 6.5 < diastole.wall_mm < 9
    assert systole.wall_mm > 1.35 * diastole.wall_mm
    assert 12 < diastole.base_mm - systole.base_mm < 20
    assert 45 < 2 * diastole.endo_radius_mm < 58


def test_stroke_volumes_are_equal_unless_the_right_ejection_fraction_is_given() -> None:
    parameters = HeartParameters()
    right_ml = parameters.rv_edv_ml - parameters.rv_esv_ml
    assert right_ml == pytest.approx(parameters.stroke_volume_ml)
    assert HeartParameters(rv_ef_percent=30).right_ef_percent == 30


def test_end_diastole_is_where_the_caller_puts_it() -> None:
    left = [shape.cavity_ml for shape in beat(HeartParameters(), 25, end_diastolic_phase=9)]
    assert int(np.argmax(left)) == 9


def test_the_right_ventricle_may_have_its_own_end_systole() -> None:
    shapes = beat(HeartParameters(), 25, rv_delay_phases=2)
    left = int(np.argmin([shape.cavity_ml for shape in shapes]))
    right = int(np.argmin([shape.rv_ml for shape in shapes]))
    assert right == left + 2


def test_the_volume_curve_ejects_fills_rests_and_gets_the_atrial_kick() -> None:
    end_systole = end_systole_share(68)
    assert 0.3 < end_systole < 0.45
    share = np.linspace(0, 1, 401)
    curve = filling_curve(share, end_systole)
    rate = np.gradient(curve, share)
    assert curve[0] == curve[-1] == 1
    assert share[curve.argmin()] == pytest.approx(end_systole, abs=0.01)
    early = rate[(share > end_systole) & (share < end_systole + 0.3)].max()
    rest = rate[(share > 0.72) & (share < 0.80)].max()
    late = rate[share > 0.82].max()
    assert early > late > 2 * rest


def test_a_wall_thickness_gives_its_mass() -> None:
    shape = heart_shape(HeartParameters(lv_mass_g=mass_of_wall_g(150, 12.0)), 1, 1)
    assert shape.wall_mm == pytest.approx(12.0, abs=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"edv_ml": 5},
        {"ef_percent": 95},
        {"sex": "X"},
        {"heart_rate_bpm": float("nan")},
        {"edv_ml": 250, "ef_percent": 70, "rv_edv_ml": 100},
        {"seed": -1},
    ],
)
def test_impossible_hearts_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        HeartParameters(**wrong)  # type: ignore[arg-type]


def test_a_ventricle_full_of_muscle_is_refused() -> None:
    parameters = HeartParameters(edv_ml=40, lv_mass_g=500, ef_percent=85, rv_edv_ml=100)
    with pytest.raises(ConfigurationError, match="leave no cavity"):
        beat(parameters, 10)


def test_a_beat_of_one_phase_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="two phases"):
        beat(HeartParameters(), 1)


@pytest.mark.parametrize("wall_mm", [0.0, 90.0])
def test_a_wall_that_no_mass_makes_is_refused(wall_mm: float) -> None:
    with pytest.raises(ConfigurationError, match="fits no heart of 150 mL"):
        mass_of_wall_g(150, wall_mm)
