"""Label maps read as they stand: what an image may not be, a label map may, and the reverse."""

import nibabel
import numpy as np
import pytest

from opencmr.errors import GeometryError, InputError
from opencmr.intake.nifti.read import read_label_map


def save(path, values, *, zooms=(1.5, 1.2, 8.0), unit="mm", scaling=None):
    nifti = nibabel.Nifti1Image(values, np.diag([*zooms, 1.0]))
    nifti.header.set_xyzt_units(unit)
    if scaling:
        nifti.header.set_slope_inter(*scaling)
    nibabel.save(nifti, path)
    return path


def test_labels_and_spacing_are_those_of_the_file(tmp_path):
    values = np.random.default_rng(1).integers(0, 4, (7, 6, 5)).astype(np.int16)
    found = read_label_map(save(tmp_path / "a.nii.gz", values))
    assert found.labels.shape == (1, 5, 6, 7)
    assert np.array_equal(found.labels[0], values.transpose(2, 1, 0))
    grid = found.grid
    assert (grid.column_spacing_mm, grid.row_spacing_mm) == pytest.approx((1.5, 1.2))
    assert grid.slice_spacing_mm == pytest.approx(8.0)


def test_an_empty_label_map_is_one(tmp_path):
    found = read_label_map(save(tmp_path / "a.nii", np.zeros((7, 6, 5), dtype=np.uint8)))
    assert not found.labels.any()


@pytest.mark.parametrize("value", [0.5, -1.0, 300.0, np.nan])
def test_what_is_no_whole_number_from_0_to_255_is_refused(tmp_path, value):
    values = np.zeros((7, 6, 5), dtype=np.float32)
    values[3, 3, 3] = value
    with pytest.raises(InputError, match="not a label map"):
        read_label_map(save(tmp_path / "a.nii.gz", values))


def test_labels_without_a_spacing_are_refused(tmp_path):
    path = save(
        tmp_path / "a.nii.gz", np.ones((7, 6, 5), np.uint8), zooms=(1, 1, 1), unit="unknown"
    )
    with pytest.raises(GeometryError, match="spacing"):
        read_label_map(path)
