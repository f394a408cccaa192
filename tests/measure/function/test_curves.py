"""Curves: a phase that nobody labelled has no volume, not one of 0 mL."""

import numpy as np
import pytest

from opencmr.measure.function.curves import CURVES
from opencmr.measure.function.volumes import VOLUMES

from ..conftest import untimed_ventricles


def test_labels_of_two_phases_give_their_volumes_and_no_others() -> None:
    labels = np.zeros((5, 4, 12, 12))
    labels[1, :, 2:10, 2:10] = 2
    labels[1, :, 3:9, 3:9] = 3
    labels[3, :, 2:10, 2:10] = 2
    labels[3, :, 4:8, 4:8] = 3
    ventricles = untimed_ventricles(labels)
    curve = next(one for one in CURVES.measure(ventricles) if one.quantity.symbol == "LVV")
    expected_ml = [np.nan, 4 * 36 / 1000, np.nan, 4 * 16 / 1000, np.nan]
    np.testing.assert_allclose(curve.values, expected_ml)
    assert curve.reason is not None
    assert curve.reason.code == "PHASE_UNLABELLED"
    found = {one.quantity.symbol: one.value for one in VOLUMES.measure(ventricles)}
    assert found["LVEDV"] == pytest.approx(4 * 36 / 1000)
    assert found["LVESV"] == pytest.approx(4 * 16 / 1000)


def test_a_cavity_drawn_alone_has_a_volume_and_no_mass() -> None:
    labels = np.zeros((2, 4, 12, 12))
    labels[0, :, 2:10, 2:10] = 2
    labels[:, :, 3:9, 3:9] = 3
    curves = CURVES.measure(untimed_ventricles(labels))
    found = {one.quantity.symbol: one for one in curves}
    np.testing.assert_allclose(found["LVV"].values, 4 * 36 / 1000)
    np.testing.assert_allclose(found["LVMASS"].values, [4 * 28 * 1.05 / 1000, np.nan])
    assert str(found["LVMASS"].reason) == "PHASE_UNLABELLED: 1 of 2 phases hold no myocardium"
