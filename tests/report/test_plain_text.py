"""Text from headers, made fit to be shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.imaging.study import Identity
from opencmr.report.plain_text import identifying_words, person_name, redacted, shown

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=300)


@given(ANY_TEXT, st.integers(min_value=4, max_value=200))
def test_shown_text_is_bounded_and_holds_nothing_that_hides_or_reorders(
    text: str, limit: int
) -> None:
    result = shown(text, limit)
    assert len(result) <= limit
    result.encode("utf-8")
    assert not any(
        unicodedata.category(c) in {"Cc", "Cs", "Co", "Zl", "Zp"}
        or unicodedata.bidirectional(c) in {"LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "FSI"}
        for c in result
    )


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=100))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_a_very_long_name_is_cut_with_a_mark() -> None:
    result = shown("x" * 65_536)
    assert len(result) == 160
    assert result.endswith("…")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Doe^Jane", "Doe, Jane"),
        ("Doe^Jane^Q^Dr^PhD", "Doe, Jane Q Dr PhD"),
        ("Buc^Jérôme", "Buc, Jérôme"),
        ("ヤマダ^タロウ=山田^太郎=やまだ^たろう", "ヤマダ, タロウ (山田, 太郎)"),
        ("=山田^太郎", "山田, 太郎"),
        ("^^^^", ""),
        ("", ""),
    ],
)
def test_person_names_are_written_as_a_reader_writes_them(name: str, expected: str) -> None:
    assert person_name(name) == expected


def test_identity_is_redacted_whatever_its_case_but_not_inside_other_words() -> None:
    words = identifying_words(Identity(patient_name="Ann^Lee", patient_id="17"))
    assert (
        redacted("lee, ANN: annular sleeve 17", words)
        == "[redacted], [redacted]: annular sleeve 17"
    )
