"""A reason cannot be made up, and its sentence is never parsed."""

import pytest

from opencmr.anatomy.reasons import REASON_CODES, Reason, reason_of
from opencmr.errors import InputError
from opencmr.imaging.flag import QualityFlag, Severity


def test_a_reason_with_an_unknown_code_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="MADE_UP"):
        Reason("MADE_UP")


def test_a_flag_with_an_unknown_code_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="MADE_UP"):
        QualityFlag(Severity.INFO, "MADE_UP", "Nobody knows what this means.")


def test_a_sentence_that_holds_another_code_stays_whole() -> None:
    sentence = "the scanner wrote NO_SIGNAL: see BAD_SPACING: twice"
    reason = Reason("NO_GEOMETRY", sentence)
    found = reason_of(InputError(reason))
    assert found is not None
    assert (found.code, found.sentence) == ("NO_GEOMETRY", sentence)
    assert str(found) == f"NO_GEOMETRY: {sentence}"


def test_a_text_that_looks_like_a_reason_is_none() -> None:
    assert reason_of(InputError("NO_GEOMETRY: the position is missing")) is None


def test_a_reason_without_a_sentence_says_what_its_code_means() -> None:
    assert Reason("MOSAIC").sentence == REASON_CODES["MOSAIC"].meaning
