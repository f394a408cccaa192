"""A heart below the sizes learnt is named, whoever segmented it."""

from dataclasses import replace

import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.flag import Severity
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.quality.small_heart import small_heart_flags
from tests.quality.conftest import heart_labels


@pytest.mark.parametrize(
    ("scale", "codes"), [(1.0, []), (0.99, ["SMALL_HEART"]), (0.5, ["SMALL_HEART"])]
)
def test_a_finer_grid_is_for_review(scale, codes):
    labels = heart_labels(1)
    grid = grid_from_spacing(labels.shape[1:], (10.0, 1.5, 1.5))
    seen = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.MODEL, "cine_sax"))
    flags = list(small_heart_flags(replace(seen, grid_scale=scale)))
    assert [flag.code for flag in flags] == codes
    assert all(flag.severity is Severity.REVIEW for flag in flags)
