"""A left ventricle is a cavity that wall encloses; what lies open is none."""

import numpy as np
import pytest

from opencmr.anatomy.structures import EMIDEC, Structure
from opencmr.segment.enclosure import enclosed_shares, keep_enclosed

CAVITY, WALL, SCAR, NO_REFLOW = (
    EMIDEC.label_of(one)
    for one in (Structure.LV, Structure.MYOCARDIUM, Structure.SCAR, Structure.NO_REFLOW)
)
ROWS, COLUMNS = np.indices((80, 80))
RADIUS = np.hypot(ROWS - 40, COLUMNS - 40)
ANGLE = np.degrees(np.arctan2(ROWS - 40, COLUMNS - 40)) % 360


def ring(opened_deg: float) -> np.ndarray:
    """A slice whose wall lacks an arc."""
    plane = np.where(RADIUS <= 12, CAVITY, np.where(RADIUS <= 20, WALL, 0))
    return np.where((RADIUS > 12) & (opened_deg > ANGLE), 0, plane).astype(np.uint8)


@pytest.mark.parametrize("opened_deg", [0, 45, 90, 180, 300])
def test_the_share_is_that_of_the_arc_which_is_closed(opened_deg):
    labels = ring(opened_deg)[None]
    (share,) = enclosed_shares(labels, EMIDEC, (labels > 0).astype(int), 1)
    assert share == pytest.approx(1 - opened_deg / 360, abs=0.04)


def test_a_slice_that_lies_open_loses_its_ventricle_and_its_neighbours_keep_theirs():
    labels = np.stack([ring(0), ring(240), ring(120), ring(0)])
    kept = keep_enclosed(labels, EMIDEC)
    assert not kept[1].any()
    for z in (0, 2, 3):
        assert (kept[z] == labels[z]).all()


def test_a_stray_part_that_lies_open_takes_no_ventricle_with_it():
    """As lung that was taken for a larger cavity, in the slice of a closed ring."""
    labels = np.zeros((1, 80, 200), np.uint8)
    labels[0, :, :80] = ring(0)
    labels[0, 10:70, 110:190] = CAVITY
    kept = keep_enclosed(labels, EMIDEC)
    assert (kept[..., :80] == labels[..., :80]).all()
    assert not kept[..., 80:].any()


def test_scar_and_no_reflow_are_wall_that_encloses():
    labels = ring(0)
    labels[(labels == WALL) & (ANGLE < 180)] = SCAR
    labels[(labels == SCAR) & (RADIUS < 15)] = NO_REFLOW
    assert (keep_enclosed(labels[None], EMIDEC)[0] == labels).all()


def test_an_apex_of_wall_alone_and_an_empty_slice_stay_as_they_are():
    apex = np.where(RADIUS <= 8, WALL, 0).astype(np.uint8)
    labels = np.stack([apex, np.zeros_like(apex)])
    kept = keep_enclosed(labels, EMIDEC)
    assert (kept == labels).all()
    assert kept.dtype == labels.dtype
