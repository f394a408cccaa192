"""Segmentations: what they refuse, what they lock, and that they travel."""

import pickle

import numpy as np
import pytest

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, EMIDEC, SCHEMES, LabelScheme, Structure
from opencmr.errors import ConfigurationError, GeometryError
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation

READER = Author(AuthorKind.READER, "a reader")


def segmentation(labels: np.ndarray, scheme: LabelScheme = EMIDEC) -> Segmentation:
    grid = grid_from_spacing(labels.shape[1:], (8.0, 1.0, 1.0))
    return Segmentation(labels, scheme, grid, ACDC_POLICY, READER)


def five_labels() -> np.ndarray:
    return np.arange(5, dtype=np.uint8).reshape(1, 1, 1, 5)


def test_a_structure_includes_what_lies_inside_it() -> None:
    found = segmentation(five_labels())
    masks = {s: np.flatnonzero(found.mask(s)).tolist() for s in Structure}
    assert masks[Structure.MYOCARDIUM] == [2, 3, 4]
    assert masks[Structure.SCAR] == [3, 4]
    assert masks[Structure.NO_REFLOW] == [4]
    assert masks[Structure.LV] == [1]
    assert masks[Structure.RV] == []


def test_a_label_outside_the_scheme_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"\[4\] are not in the scheme 'acdc'"):
        segmentation(five_labels(), ACDC)


def test_no_array_of_a_segmentation_can_be_written_nor_that_of_its_copy() -> None:
    found = segmentation(five_labels())
    for one in (found, pickle.loads(pickle.dumps(found))):
        with pytest.raises(ValueError, match="read-only"):
            one.labels[0, 0, 0, 0] = 1


def test_a_segmentation_travels() -> None:
    found = segmentation(five_labels())
    copy = pickle.loads(pickle.dumps(found))
    assert np.array_equal(copy.labels, found.labels)
    assert (copy.scheme, copy.policy, copy.author) == (found.scheme, found.policy, found.author)
    assert np.array_equal(copy.grid.affines, found.grid.affines)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_label_scheme_travels(scheme: LabelScheme) -> None:
    assert pickle.loads(pickle.dumps(scheme)) == scheme


@pytest.mark.parametrize(
    "pairs",
    [
        ((0, Structure.LV),),
        ((256, Structure.LV),),
        ((1, Structure.LV), (1, Structure.RV)),
        ((1, Structure.LV), (2, Structure.LV)),
    ],
)
def test_a_scheme_that_says_two_things_is_refused(pairs) -> None:
    with pytest.raises(ConfigurationError):
        LabelScheme("odd", pairs, "")


def test_an_author_is_written_as_name_and_version() -> None:
    assert Author(AuthorKind.MODEL, "cine_sax", "0.1.0").text == "cine_sax 0.1.0"
    assert READER.text == "a reader"
