"""Decimal strings of DICOM: short enough, and as near as they can be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.decimal_string import LONGEST, decimal_string

FINITE = st.floats(-1e300, 1e300)


@given(FINITE)
def test_every_number_fits_and_comes_back_within_what_sixteen_characters_hold(value: float) -> None:
    text = decimal_string(value)
    assert len(text) <= LONGEST
    assert set(text) <= set("+-.0123456789eE")
    # Of 16 characters a sign, a point and an exponent of five leave nine digits.
    assert math.isclose(float(text), value, rel_tol=1e-8, abs_tol=0)


@pytest.mark.parametrize("power", [0.001, 1.0, 10.0, 100.0, 1e5])
def test_what_lies_beside_a_power_of_ten_fits(power: float) -> None:
    for value in (np.nextafter(power, 0), np.nextafter(power, math.inf), power):
        assert decimal_string(value) == decimal_string(-value).removeprefix("-")
        assert len(decimal_string(-value)) <= LONGEST
        assert float(decimal_string(value)) == pytest.approx(power, rel=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        decimal_string(value)
