"""Surface distances against other libraries and against shapes of known truth."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree
from scipy.spatial.distance import directed_hausdorff
from skimage.metrics import hausdorff_distance

from opencmr.validate.surface import surface_distances

SPACINGS = [(1.0, 1.0, 1.0), (10.0, 1.4, 1.4), (8.0, 0.9, 1.7)]


def ball(shape, spacing_mm, centre_mm, radius_mm):
    places = np.indices(shape) * np.reshape(spacing_mm, (3, 1, 1, 1))
    return np.linalg.norm(places - np.reshape(centre_mm, (3, 1, 1, 1)), axis=0) <= radius_mm


def surface_mm(mask, spacing_mm):
    """The surface by dilating the outside: another way than ours."""
    outside = binary_dilation(~np.pad(mask, 1))
    return np.argwhere(np.pad(mask, 1) & outside) * spacing_mm


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_distance_is_that_of_a_search_among_points(spacing_mm, seed):
    first, second = np.random.default_rng(seed).random((2, 5, 12, 11)) < 0.3
    found = surface_distances(first, second, spacing_mm)
    one, other = surface_mm(first, spacing_mm), surface_mm(second, spacing_mm)
    there, back = cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]
    hausdorff = max(directed_hausdorff(one, other)[0], directed_hausdorff(other, one)[0])
    assert found.hausdorff_mm == pytest.approx(hausdorff)
    assert found.hausdorff95_mm == pytest.approx(
        max(np.percentile(there, 95), np.percentile(back, 95))
    )
    assert found.average_mm == pytest.approx((there.sum() + back.sum()) / (len(one) + len(other)))
    within = (there <= 2).sum() + (back <= 2).sum()
    assert found.share_within(2.0) == pytest.approx(within / (len(one) + len(other)))


def test_the_hausdorff_distance_is_that_of_scikit_image():
    first = ball((30, 30, 30), (1, 1, 1), (14, 14, 14), 8)
    second = ball((30, 30, 30), (1, 1, 1), (14, 17, 12), 6)
    found = surface_distances(first, second, (1.0, 1.0, 1.0))
    assert found.hausdorff_mm == pytest.approx(hausdorff_distance(first, second))


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_all_is_that_of_monai(spacing_mm):
    metrics = pytest.importorskip("monai.metrics")
    import torch

    first, second = np.random.default_rng(4).random((2, 5, 12, 11)) < 0.3
    pair = [torch.tensor(np.stack([~m, m])[None].astype(np.float32)) for m in (first, second)]
    found = surface_distances(first, second, spacing_mm)
    given = {"include_background": False, "spacing": spacing_mm}
    for percentile, mine in ((None, found.hausdorff_mm), (95, found.hausdorff95_mm)):
        theirs = metrics.compute_hausdorff_distance(*pair, percentile=percentile, **given)
        assert mine == pytest.approx(float(theirs), rel=1e-5)
    theirs = metrics.compute_average_surface_distance(*pair, symmetric=True, **given)
    assert found.average_mm == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.0, 0.5, 1.0)])
def test_balls_about_one_centre_are_apart_by_the_difference_of_their_radii(spacing_mm):
    shape = tuple(int(60 / step) for step in spacing_mm)
    one, other = (ball(shape, spacing_mm, (29.0, 29.0, 29.0), radius) for radius in (20, 26))
    found = surface_distances(one, other, spacing_mm)
    assert found.average_mm == pytest.approx(6, abs=max(spacing_mm) / 2)
    assert found.hausdorff_mm == pytest.approx(6, abs=2 * max(spacing_mm))
    assert found.share_within(3.0) == 0
    assert found.share_within(9.0) == 1


@pytest.mark.parametrize(("axis", "far_mm"), [(0, 10.0), (1, 1.4), (2, 0.7)])
def test_a_cube_moved_by_one_voxel_is_off_by_that_axis_s_spacing(axis, far_mm):
    first = np.zeros((9, 9, 9), dtype=bool)
    first[2:6, 2:6, 2:6] = True
    found = surface_distances(first, np.roll(first, 1, axis), (10.0, 1.4, 0.7))
    assert found.hausdorff_mm == pytest.approx(far_mm)


def test_a_single_slice_is_judged_in_its_plane():
    disc = np.hypot(*(np.indices((40, 40)) - 20.0)) <= 9
    flat = surface_distances(disc[None], np.roll(disc, 3, 1)[None], (None, 1.5, 1.5))
    assert flat.hausdorff_mm == pytest.approx(4.5)
    assert 0 < flat.average_mm < 4.5


def test_where_a_mask_is_empty_there_is_no_distance_and_the_share_says_which():
    empty, full = np.zeros((3, 4, 4), dtype=bool), np.ones((3, 4, 4), dtype=bool)
    for first, second, share in ((empty, empty, 1), (empty, full, 0), (full, empty, 0)):
        found = surface_distances(first, second, (10.0, 1.0, 1.0))
        assert found.hausdorff_mm is found.hausdorff95_mm is found.average_mm is None
        assert found.share_within() == share


def test_several_slices_without_a_spacing_are_refused():
    mask = np.ones((3, 4, 4), dtype=bool)
    with pytest.raises(ValueError, match="spacing"):
        surface_distances(mask, mask, (None, 1.0, 1.0))
