"""The names of schemes, how many pictures each needs, and signed pictures told from magnitudes."""

import numpy as np
import pytest

from opencmr.anatomy.map_kinds import MapKind
from opencmr.errors import ConfigurationError, InputError
from opencmr.measure.relaxometry.method import Method, Scheme, is_magnitude, scheme_named


@pytest.mark.parametrize(
    ("text", "scheme", "pictures"),
    [
        ("MOLLI", Scheme.MOLLI, None),
        ("MOLLI 5(3)3", Scheme.MOLLI, 8),
        ("molli_4(1)3(1)2", Scheme.MOLLI, 9),
        ("MOLLI 3(3)3(3)5", Scheme.MOLLI, 11),
        ("MOLLI 5s(3s)3s", Scheme.MOLLI, 8),
        ("ShMOLLI", Scheme.SHMOLLI, None),
        ("SHMOLLI 5(1)1(1)1", Scheme.SHMOLLI, 7),
        ("SASHA", Scheme.SASHA, None),
        (" ir ", Scheme.IR, None),
    ],
)
def test_schemes_are_known_with_and_without_counts(text, scheme, pictures):
    assert scheme_named(text) == (scheme, pictures)


@pytest.mark.parametrize("text", ["", "MOLLY", "T2prep", "irrelevant", "5(3)3"])
def test_another_scheme_is_refused_with_those_there_are(text):
    with pytest.raises(ConfigurationError, match="MOLLI, ShMOLLI, SASHA, IR"):
        scheme_named(text)


def test_a_scheme_whose_counts_are_not_those_of_the_series_is_refused():
    method = Method(MapKind.T1, Scheme.MOLLI, pictures=8)
    with pytest.raises(InputError, match="names 8 pictures, the series has 7"):
        method.require_pictures(7, magnitude=True)
    with pytest.raises(InputError, match="7 pictures"):
        Method(MapKind.T1, Scheme.SHMOLLI).require_pictures(8, magnitude=True)


def test_magnitudes_need_one_picture_more_than_signed_signals():
    method = Method(MapKind.T1, Scheme.MOLLI)
    method.require_pictures(3, magnitude=False)
    with pytest.raises(InputError, match="need 4 or more"):
        method.require_pictures(3, magnitude=True)
    Method(MapKind.T2).require_pictures(2, magnitude=True)


def test_a_scheme_of_t1_for_another_map_and_two_parameters_for_an_inversion_are_refused():
    with pytest.raises(ConfigurationError, match="scheme MOLLI is one of T1"):
        Method(MapKind.T2, Scheme.MOLLI)
    with pytest.raises(ConfigurationError, match="needs three"):
        Method(MapKind.T1, Scheme.MOLLI, parameters=2)


def test_a_few_negative_values_of_an_interpolation_do_not_make_magnitudes_signed():
    values = np.full((5, 20, 20), 100.0)
    values[0, 0, :5] = -3
    assert is_magnitude(values)
    values[0] = -80
    assert not is_magnitude(values)
