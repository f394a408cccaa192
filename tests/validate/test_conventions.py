"""Which label convention is compared where files say theirs, and what is left out."""

import numpy as np
import pytest

from opencmr.anatomy.structures import ACDC, EMIDEC, MNMS
from opencmr.errors import ConfigurationError, GeometryError
from opencmr.validate.conventions import choose_conventions, require_known_labels

MIXED = {"s04": (ACDC, None), "s11": (EMIDEC, None)}


def test_files_that_say_nothing_are_of_the_default_and_a_reference_of_the_predictions():
    chosen = choose_conventions({"p1": (None, None)})
    assert (chosen.prediction, chosen.reference, chosen.left_out) == (ACDC, ACDC, {})
    chosen = choose_conventions({"p1": (None, None)}, MNMS)
    assert (chosen.prediction, chosen.reference) == (MNMS, MNMS)


def test_what_files_say_goes_before_the_default_on_either_side():
    chosen = choose_conventions({"p1": (EMIDEC, None)})
    assert (chosen.prediction, chosen.reference) == (EMIDEC, EMIDEC)
    chosen = choose_conventions({"p1": (EMIDEC, ACDC)})
    assert (chosen.prediction, chosen.reference) == (EMIDEC, ACDC)


def test_several_conventions_are_refused_with_their_files_and_the_choices():
    with pytest.raises(ConfigurationError) as refused:
        choose_conventions({**MIXED, "s12": (EMIDEC, None)})
    for words in ("acdc: s04", "emidec: s11 and 1 more", "--labels acdc or --labels emidec"):
        assert words in str(refused.value)


def test_a_file_that_says_nothing_beside_one_that_says_another_than_the_default_is_a_mixture():
    with pytest.raises(ConfigurationError, match="several label conventions"):
        choose_conventions({"p1": (None, None), "p2": (EMIDEC, None)})


@pytest.mark.parametrize(("asked", "left"), [(ACDC, "s11"), (EMIDEC, "s04")])
def test_the_chosen_convention_leaves_the_others_out_by_name(asked, left):
    chosen = choose_conventions(MIXED, asked)
    assert (chosen.prediction, chosen.reference) == (asked, asked)
    assert list(chosen.left_out) == [left]
    assert MIXED[left][0].name in chosen.left_out[left]


def test_a_reference_of_several_conventions_is_asked_about_by_its_own_option():
    stated = {name: (None, one) for name, (one, _) in MIXED.items()}
    with pytest.raises(ConfigurationError, match="--reference-labels emidec"):
        choose_conventions(stated)
    chosen = choose_conventions(stated, EMIDEC, EMIDEC)
    assert list(chosen.left_out) == ["s04"]


def test_what_is_left_out_by_its_prediction_decides_nothing_of_the_reference():
    chosen = choose_conventions({"s04": (ACDC, ACDC), "s11": (EMIDEC, EMIDEC)}, EMIDEC)
    assert chosen.reference is EMIDEC
    assert list(chosen.left_out) == ["s04"]


def test_nothing_left_is_refused_with_what_the_files_say():
    with pytest.raises(ConfigurationError, match=r"s04.*acdc, not mnms.*--labels"):
        choose_conventions(MIXED, MNMS)


def test_unknown_labels_are_refused_with_the_conventions_that_have_them():
    labels = np.array([[[[0, 2, 4]]]], dtype=np.uint8)
    require_known_labels(labels, EMIDEC)
    with pytest.raises(GeometryError, match=r"labels \[4\].*emidec.*--labels"):
        require_known_labels(labels, ACDC)
    labels[0, 0, 0, 0] = 9
    with pytest.raises(GeometryError, match="none that is known"):
        require_known_labels(labels, EMIDEC)
