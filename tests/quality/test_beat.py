"""A heart that does not beat is not reported."""

import numpy as np
import pytest

from opencmr.imaging.flag import Severity
from opencmr.quality.withhold import withhold
from tests.quality.conftest import heart_labels


@pytest.mark.parametrize("phases", [12, 24, 40])
def test_a_curve_that_comes_and_goes_without_a_beat_is_withheld(judge, phases):
    labels = heart_labels(phases)
    shuffled = labels[np.random.default_rng(3).permutation(phases)]
    measured, flags = judge(shuffled)
    assert ("NO_BEAT", Severity.DO_NOT_REPORT) in {(f.code, f.severity) for f in flags}
    assert withhold(measured, flags).value("LVEF") is None


@pytest.mark.parametrize("phases", [2, 8, 12, 24, 40])
def test_a_beating_heart_has_its_beat(judge, phases):
    _, flags = judge(heart_labels(phases))
    assert "NO_BEAT" not in {flag.code for flag in flags}


def test_an_impossible_ejection_fraction_withholds_its_own_ventricle(judge, labels):
    still = labels.copy()
    still[:] = np.where(labels[:1] == 1, 1, np.where(labels == 1, 0, labels))
    measured, flags = judge(still)
    (flag,) = [f for f in flags if f.code == "EF_IMPLAUSIBLE"]
    assert flag.severity is Severity.DO_NOT_REPORT
    left = withhold(measured, [flag])
    assert (left.value("RVEF"), left.value("RVEDV")) == (None, None)
    assert left.value("LVEF") is not None
