"""A picture of a comparison shows the slice on which it fails."""

import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.validate.case import Case, score_case
from opencmr.validate.gallery import MARGIN_MM, picture


def case_of(prediction, reference):
    made = (
        Segmentation(
            labels,
            ACDC,
            grid_from_spacing(labels.shape[1:], (8.0, 1.5, 1.5)),
            ACDC_POLICY,
            Author(AuthorKind.READER, "reader"),
        )
        for labels in (prediction, reference)
    )
    return Case("p", *made, ("",) * len(prediction))


def test_the_slice_that_differs_most_is_drawn_with_both_outlines():
    reference = np.zeros((1, 4, 40, 40), dtype=np.uint8)
    reference[:, :, 10:30, 15:25] = 3
    prediction = reference.copy()
    prediction[:, 2] = np.roll(prediction[:, 2], 6, axis=1)
    case = case_of(prediction, reference)
    (whole,) = (s for s in score_case(case) if (s.structure, s.level) == (Structure.LV, "whole"))
    drawn = picture(case, whole)
    assert "slice 3" in drawn.title
    assert [side.dashed for side in drawn.sides] == [True, False]
    assert all(side.path.startswith("M") for side in drawn.sides)
    assert drawn.height_mm == 25 * 1.5 + 2 * MARGIN_MM


def test_what_is_equal_has_no_picture():
    labels = np.full((1, 2, 9, 9), 3, dtype=np.uint8)
    case = case_of(labels, labels)
    assert picture(case, score_case(case)[0]) is None
