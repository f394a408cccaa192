"""The variety of a data set: ranges of what was put in, by group."""

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.validate.variability import Origin, Range, stack_of, variability


def stack(origin, slices=4, row_mm=1.5, scale=1.0):
    grid = grid_from_spacing((slices, 20, 25), (10.0, row_mm, 1.25))
    labels = np.zeros((1, slices, 20, 25), np.uint8)
    labels[:, :, 5:12, 5:12] = 2
    labels[:, :, 7:10, 7:10] = 3
    values = (np.array([0, 0, 50, 150], np.float32) * scale)[labels]
    author = Author(AuthorKind.READER, "reader")
    segmentation = Segmentation(labels, ACDC, grid, ACDC_POLICY, author)
    return stack_of(origin, untimed_image(values, grid), segmentation)


A1, A2, B = (
    Origin("p1", "north", "A", "1.5 T"),
    Origin("p2", "north", "A", "3 T"),
    Origin("p3", "south", "B", ""),
)


def test_spacings_slices_and_contrast_are_those_that_were_put_in():
    one = stack(A1, slices=7, row_mm=1.75)
    assert (one.slices, one.row_spacing_mm, one.column_spacing_mm) == (7, 1.75, 1.25)
    assert one.slice_spacing_mm == 10
    assert one.contrast == pytest.approx(3)
    assert (one.dark, one.middle, one.bright) == (0, 0, 150)


def test_contrast_does_not_depend_on_the_unit_of_the_scanner():
    assert stack(A1, scale=7.5).contrast == pytest.approx(stack(A1).contrast)


def test_groups_have_their_own_ranges_and_all_stand_first():
    found = variability([stack(A1, 4), stack(A1, 6), stack(A2, 9), stack(B, 12, 2.5)])
    by = {(one.column, one.group): one for one in found}
    assert (found[0].column, found[0].subjects, found[0].stacks) == ("all", 3, 4)
    assert found[0].slices == Range(4, 7.5, 12)
    assert by["vendor", "A"].slices == Range(4, 6, 9)
    assert (by["vendor", "A"].subjects, by["vendor", "A"].stacks) == (2, 3)
    assert by["site", "south"].row_spacing_mm == Range(2.5, 2.5, 2.5)
    assert {group for column, group in by if column == "field strength"} == {
        "1.5 T",
        "3 T",
        "not stated",
    }


def test_what_no_stack_has_is_none():
    (only,) = (v for v in variability([stack(A1, slices=1)]) if v.column == "all")
    assert only.slice_spacing_mm is None
    assert only.plain["slice_spacing_mm"] is None
    assert only.plain["slices"] == {"low": 1, "median": 1, "high": 1}


def test_a_reference_without_a_wall_has_no_contrast():
    grid = grid_from_spacing((2, 8, 8), (10.0, 1.5, 1.5))
    author = Author(AuthorKind.READER, "reader")
    empty = Segmentation(np.zeros((1, 2, 8, 8), np.uint8), ACDC, grid, ACDC_POLICY, author)
    values = np.ones((1, 2, 8, 8), np.float32)
    assert stack_of(A1, untimed_image(values, grid), empty).contrast is None
    with pytest.raises(ValueError, match="labels of"):
        stack_of(A1, untimed_image(np.concatenate([values] * 2), grid), empty)
