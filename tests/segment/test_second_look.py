"""A second look by a network that knows greys: scar in the wall follows the picture."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY, EMIDEC_POLICY
from opencmr.anatomy.structures import ACDC, EMIDEC
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.segment.second_look import look_again
from tests.grey_wall import GreyWall, grey_wall_card

GREYS = np.array([0.0, 0.7, 0.3, 1.0, 0.3], np.float32)
"""Of outside, cavity, wall and scar."""
SPACING_MM = (1.5, 1.2)
WALL = GreyWall(grey_wall_card("first"), GREYS[:4])


def stack(slices: int = 4, *, endo_mm: float = 22.0, epi_mm: float = 34.0) -> np.ndarray:
    """Labels ``(Z, Y, X)`` of a heart that narrows, with scar in an inner sector."""
    rows, columns = np.indices((96, 112))
    y, x = (rows - 45) * SPACING_MM[0], (columns - 60) * SPACING_MM[1]
    planes = []
    for z in range(slices):
        radius = np.hypot(y, x) + 2 * z
        plane = np.select([radius < endo_mm, radius < epi_mm], [1, 2], 0)
        plane[(plane == 2) & (radius < 28) & (np.abs(np.arctan2(y, x)) < 0.9)] = 3
        planes.append(plane)
    return np.stack(planes).astype(np.uint8)


def image_of(truth: np.ndarray):
    return untimed_image(
        100 * GREYS[truth][None], grid_from_spacing(truth.shape, (8.0, *SPACING_MM))
    )


def drawn(labels: np.ndarray, scheme=EMIDEC, policy=EMIDEC_POLICY) -> Segmentation:
    grid = grid_from_spacing(labels.shape, (8.0, *SPACING_MM))
    author = Author(AuthorKind.MODEL, "first", "1.0")
    return Segmentation(labels[None], scheme, grid, policy, author)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_scar_in_the_wall_is_found_and_the_outlines_stay():
    truth = stack()
    first = drawn(np.minimum(truth, 2))
    again = look_again(first, image_of(truth), WALL)
    assert dice(again.labels[0] == 3, truth == 3) > 0.9
    assert np.array_equal(np.minimum(again.labels, 2), first.labels)


def test_false_scar_is_plain_wall_again():
    again = look_again(drawn(stack()), image_of(np.minimum(stack(), 2)), WALL)
    assert np.array_equal(again.labels[0], np.minimum(stack(), 2))


def test_both_networks_are_named():
    again = look_again(drawn(stack()), image_of(stack()), WALL)
    assert (again.author.text, again.derived_from) == ("walls 1.0", "first 1.0")
    assert again.drawn_by == "first 1.0, looked at again by walls 1.0"


@pytest.mark.parametrize("slices", [1, 4])
def test_slices_in_reversed_order_get_the_same_labels(slices):
    truth, first = stack(slices), np.minimum(stack(slices), 2)
    forth = look_again(drawn(first), image_of(truth), WALL)
    back = look_again(drawn(first[::-1].copy()), image_of(truth[::-1].copy()), WALL)
    assert np.array_equal(forth.labels[:, ::-1], back.labels)


def test_a_slice_without_a_closed_wall_keeps_its_labels():
    truth = stack()
    first = np.minimum(truth, 2)
    first[3, 45:] = 0  # half a ring
    again = look_again(drawn(first), image_of(truth), WALL)
    assert again.derived_from == "first 1.0"
    assert np.array_equal(again.labels[0, 3], first[3])
    assert not np.array_equal(again.labels[0, 2], first[2])


def test_where_no_slice_has_a_ring_nothing_changes():
    empty = drawn(np.zeros((3, 96, 112), np.uint8))
    assert look_again(empty, image_of(stack(3)), WALL) is empty


def test_labels_of_another_scheme_are_not_looked_at():
    hearts = drawn(np.where(stack() == 1, 3, 0).astype(np.uint8), ACDC, ACDC_POLICY)
    assert look_again(hearts, image_of(stack()), WALL) is hearts


def test_kept_shares_are_those_of_the_second_look():
    truth = stack()
    shares = np.zeros((5, 1, *truth.shape), np.float16)
    shares[0] = 1
    first = replace(drawn(truth), probabilities=shares)
    again = look_again(first, image_of(truth), WALL)
    assert again.probabilities is not None
    assert again.probabilities[3, 0][truth == 3].mean() > 0.8
    assert again.probabilities[0, 0, :, 0].min() == 1
