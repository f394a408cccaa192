"""Scar that cannot be is plain wall; scar that can be stays as it is."""

import numpy as np
import pytest

from opencmr.anatomy.structures import EMIDEC
from opencmr.segment.components import keep_possible
from opencmr.segment.scar import LEAST_PART_ML, keep_possible_scar
from opencmr.train.emidec import ARCHIVE, read_cases, read_pictures

VOXEL_ML = 1.5 * 1.5 * 10 / 1000


def infarct() -> np.ndarray:
    """A ring in three slices with a scar in a quarter of it and no-reflow inside the scar."""
    labels = np.zeros((3, 60, 60), np.uint8)
    rows, columns = np.indices((60, 60)) - 30
    radius = np.hypot(rows, columns)
    plane = np.zeros((60, 60), np.uint8)
    plane[radius < 22] = 2
    plane[(radius < 22) & (rows < 0) & (columns < 0)] = 3
    plane[(radius > 15) & (radius < 18) & (rows < -4) & (columns < -4)] = 4
    plane[radius < 13] = 1
    labels[:] = plane
    return labels


def test_a_possible_infarct_is_left_alone_by_all_rules():
    labels = infarct()
    assert np.array_equal(keep_possible_scar(labels, EMIDEC, VOXEL_ML), labels)
    assert np.array_equal(keep_possible(labels, EMIDEC), labels)


def test_an_island_of_scar_smaller_than_any_reference_is_wall():
    labels = infarct()
    spotted = labels.copy()
    spotted[1, 46:48, 29:32] = 3
    assert 6 * VOXEL_ML < LEAST_PART_ML
    assert np.array_equal(keep_possible_scar(spotted, EMIDEC, VOXEL_ML), labels)


def test_no_reflow_without_scar_beside_it_is_wall():
    labels = infarct()
    dark = labels.copy()
    dark[:, 45:50, 25:35] = 4
    dark[dark == 4] = np.where(labels[dark == 4] == 2, 4, labels[dark == 4])
    assert (dark != labels).sum() * VOXEL_ML > LEAST_PART_ML
    assert np.array_equal(keep_possible_scar(dark, EMIDEC, VOXEL_ML), labels)


def test_a_wall_without_scar_stays_without():
    labels = np.minimum(infarct(), 2).astype(np.uint8)
    assert np.array_equal(keep_possible_scar(labels, EMIDEC, VOXEL_ML), labels)


@pytest.mark.real_data
def test_the_rules_leave_the_readers_labels_as_they_are(data_folder):
    """All stacks of folds 1 to 4: fewer than one voxel in a thousand of the heart changes."""
    for case in (c for c in read_cases(data_folder) if c.fold > 0):
        labels = read_pictures(data_folder / ARCHIVE / "label" / case.patient)
        voxel_ml = case.myocardium_ml / (labels > 1).sum()
        kept = keep_possible_scar(keep_possible(labels, EMIDEC), EMIDEC, voxel_ml)
        assert (kept != labels).sum() <= 1e-3 * (labels > 0).sum(), case.patient
