"""A right ventricle of which a part is missing, or something else is taken for it."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from opencmr.imaging.flag import Severity
from tests.quality.conftest import heart_labels

RV = 1
PAIR = heart_labels()[[0, 12]]
NEW = {"RV_INCOMPLETE", "RV_UNEVEN", "RV_OFF_SEPTUM"}


def said(judged) -> set[str]:
    found = [flag for flag in judged[1] if flag.code in NEW]
    assert {flag.severity for flag in found} <= {Severity.REVIEW}
    return {flag.code for flag in found}


def without(labels: np.ndarray, phases: object, slices: object) -> np.ndarray:
    """The labels without a right ventricle on some slices."""
    damaged = labels.copy()
    part = damaged[phases, slices]
    part[part == RV] = 0
    return damaged


def kept(labels: np.ndarray, share: float, slices: range, *, by_septum: bool) -> np.ndarray:
    """The labels with the share of the right ventricle that lies nearest to the LV, or furthest."""
    damaged = labels.copy()
    for plane in (stack[z] for stack in damaged for z in slices):
        where = np.flatnonzero(plane == RV)
        off_lv = distance_transform_edt(plane <= RV).ravel()[where]
        ranked = where[np.argsort(off_lv if by_septum else -off_lv, kind="stable")]
        plane.reshape(-1)[ranked[round(share * ranked.size) :]] = 0
    return damaged


@pytest.mark.parametrize("labels", [PAIR, PAIR[:, ::-1], PAIR[:, 1:], heart_labels()])
def test_a_whole_right_ventricle_raises_none(judge, labels) -> None:
    assert said(judge(labels)) == set()


@pytest.mark.parametrize("slices", [slice(1, 3), slice(1, 4), slice(6, 9), slice(5, 9)])
def test_end_slices_without_it_are_found_at_either_end(judge, slices) -> None:
    damaged = without(PAIR, slice(None), slices)
    assert "RV_INCOMPLETE" in said(judge(damaged))
    assert said(judge(damaged)) == said(judge(damaged[:, ::-1]))


def test_a_base_that_descends_two_slices_at_end_systole_is_believed(judge) -> None:
    assert said(judge(without(PAIR, slice(1, 2), slice(1, 3)))) == set()


def test_one_basal_slice_without_it_counts_where_it_ejects_less(judge) -> None:
    """As seen in a real cine: 43 against 60 mL, the right ventricle gone from the basal slice."""
    lost = without(PAIR, slice(None), slice(1, 2))
    assert said(judge(lost)) == {"RV_INCOMPLETE"}
    ejects = kept(lost, 0.5, range(1, 9), by_septum=True)
    ejects[0] = lost[0]
    assert said(judge(ejects)) == set()


@pytest.mark.parametrize("z", range(2, 7))
def test_a_slice_of_half_its_area_between_whole_ones_is_uneven(judge, z) -> None:
    assert "RV_UNEVEN" in said(judge(kept(PAIR, 0.4, range(z, z + 1), by_septum=True)))


def test_a_slice_that_is_missing_at_end_diastole_alone_is_uneven(judge) -> None:
    damaged = without(PAIR, slice(0, 1), slice(8, 9))
    assert said(judge(damaged)) == {"RV_UNEVEN", "RV_INCOMPLETE"}


def test_a_right_ventricle_without_its_septal_side_is_off_the_septum(judge) -> None:
    assert "RV_OFF_SEPTUM" in said(judge(kept(PAIR, 0.7, range(1, 9), by_septum=False)))


def test_a_piece_elsewhere_on_a_slice_without_it_is_off_the_septum(judge) -> None:
    stray = without(PAIR, slice(None), slice(8, 9))
    stray[0, 8, 4:12, 4:12] = RV
    assert "RV_OFF_SEPTUM" in said(judge(stray))


def test_a_right_ventricle_of_half_its_size_beside_a_sound_left_one_is_named(judge) -> None:
    halved = kept(PAIR, 0.5, range(1, 9), by_septum=True)
    flags = {flag.code: flag for flag in judge(halved)[1]}
    assert flags["RV_SIZE_DISAGREES"].severity is Severity.REVIEW


def test_a_small_right_ventricle_beside_a_failing_left_one_is_believed(judge) -> None:
    """A dilated left ventricle holds twice as much as the right one beside it."""
    halved = kept(PAIR, 0.5, range(1, 9), by_septum=True)
    for z in range(1, 9):
        barely = halved[0, z].copy()
        halved[1, z] = barely
    halved[1, 8][halved[1, 8] == 3] = 2
    halved[1, 7][halved[1, 7] == 3] = 2
    assert "RV_SIZE_DISAGREES" not in {flag.code for flag in judge(halved)[1]}
