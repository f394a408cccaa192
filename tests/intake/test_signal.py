"""Pictures, label maps, and what was clipped beyond use."""

import numpy as np
import pytest

from opencmr.intake.nifti.read import read_nifti
from opencmr.intake.signal import (
    CLIPPED_SHARE,
    has_signal,
    is_label_map,
    saturation_flags,
    share_at_maximum,
)


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).rayleigh(300, shape).astype(np.float32)


def test_data_cut_at_their_99th_percentile_pass():
    values = _noise(4, 64, 64)
    cut = np.minimum(values, np.percentile(values, 99))
    assert all(has_signal(one) for one in cut)
    assert share_at_maximum(list(cut)) == pytest.approx(0.01, abs=0.001)
    assert saturation_flags(share_at_maximum(list(cut))) == ()


def test_a_fifth_clipped_is_flagged_and_two_thirds_are_no_signal():
    values = _noise(64, 64)
    some = np.minimum(values, np.percentile(values, 80))
    (flag,) = saturation_flags(share_at_maximum([some]))
    assert (flag.code, flag.evidence) == ("SATURATED", "20% of the pixels")
    assert has_signal(some)
    assert not has_signal(np.minimum(values, np.percentile(values, 33)))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_thresholded_picture_has_no_signal(share):
    values = _noise(64, 64)
    assert not has_signal((values > np.quantile(values, share)).astype(np.float32))


def test_a_padded_slice_is_not_clipped():
    values = _noise(2, 32, 32)
    values[1] = values[0].min()
    assert share_at_maximum(list(values)) < CLIPPED_SHARE


@pytest.mark.parametrize(
    "scheme", [(0, 1), (0, 1, 2, 3), (0, 1, 2, 4), (0, 200, 500, 600), (0, 255)]
)
def test_few_whole_numbers_are_labels_whatever_their_size(scheme):
    values = np.random.default_rng(0).choice(scheme, (3, 300, 300)).astype(np.float32)
    assert is_label_map(values)


def test_rare_values_and_fractions_make_an_image():
    values = np.zeros((3, 300, 300), np.float32)
    values[0, 7, 1:41] = np.arange(1, 41)
    assert not is_label_map(values)
    values = np.random.default_rng(0).choice([0, 0.25, 1], (3, 9, 9))
    assert not is_label_map(values)
    assert not is_label_map(_noise(3, 9, 9))


@pytest.mark.real_data
def test_a_data_set_cut_at_its_99th_percentile_is_not_saturated(data_folder):
    paths = sorted((data_folder / "acdc").rglob("*.nii.gz"))[:6]
    assert paths
    for path in paths:
        values = read_nifti(path).image.values
        assert is_label_map(values) == ("_gt" in path.name)
        if "_gt" not in path.name:
            assert share_at_maximum(list(values.reshape(-1, *values.shape[2:]))) < 0.05
