"""Keys of queries: each kind of matching, and that no pattern takes long."""

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr.archive.matching import MOST_VALUES, Query, QueryRefusedError, matches_wildcards

ROW = {
    "StudyInstanceUID": "1.2.3",
    "StudyDate": "20260215",
    "StudyTime": "101530.5",
    "PatientName": "Müller^Jürgen=ミュラー^ユルゲン",
    "PatientID": "id-7",
    "AccessionNumber": "A1",
    "ModalitiesInStudy": "MR\\SEG",
    "SeriesNumber": "007",
}


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("StudyInstanceUID", "", True),
        ("StudyInstanceUID", "1.2.3", True),
        ("StudyInstanceUID", "1.2.4\\1.2.3", True),
        ("StudyInstanceUID", "1.2.30", False),
        ("StudyDate", "20260215", True),
        ("StudyDate", "20260201-20260228", True),
        ("StudyDate", "20260216-", False),
        ("StudyDate", "-20260215", True),
        ("StudyTime", "10", True),
        ("StudyTime", "1015-1016", True),
        ("StudyTime", "1016-", False),
        ("StudyTime", "-1014", False),
        ("PatientName", "*", True),
        ("PatientName", "müller^*", True),
        ("PatientName", "MÜLLER^JÜRGEN", True),
        ("PatientName", "M?ller*", True),
        ("PatientName", "müller", False),
        ("PatientName", "ミュラー*", True),
        ("PatientID", "ID-7", False),
        ("PatientID", "id-?", True),
        ("PatientID", "id-[0-9]", False),
        ("AccessionNumber", "A1 ", True),
        ("ModalitiesInStudy", "SEG", True),
        ("ModalitiesInStudy", "CT\\MR", True),
        ("ModalitiesInStudy", "CT", False),
        ("SeriesNumber", "7", True),
        ("SeriesNumber", "70", False),
        ("ManufacturerModelName", "anything", True),  # is not a key: nothing is asked
    ],
)
def test_a_row_matches_a_key_as_the_standard_says(keyword, value, expected) -> None:
    assert Query({keyword: value}).matches(ROW) is expected


def test_nothing_known_matches_no_date_and_no_time() -> None:
    empty = dict.fromkeys(ROW, "")
    assert Query({"StudyDate": "", "StudyTime": ""}).matches(empty)
    assert not Query({"StudyDate": "-20991231"}).matches(empty)
    assert not Query({"StudyTime": "-2359"}).matches(empty)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyInstanceUID", "1.2.*"),
        ("StudyInstanceUID", "1.2.3\\"),
        ("StudyDate", "2026"),
        ("StudyDate", "-"),
        ("StudyTime", "1"),
        ("SeriesNumber", "seven"),
        ("PatientName", "\\".join("a" * (MOST_VALUES + 1))),
    ],
)
def test_a_value_of_no_legal_form_is_refused_and_not_quoted(keyword, value) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        Query({keyword: value})
    assert refused.value.status == 0xA900
    assert value not in str(refused.value)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_wild_cards_are_those_of_a_shell(pattern: str, text: str) -> None:
    expected = re.fullmatch(fnmatch.translate(pattern), text) is not None
    assert matches_wildcards(pattern, text) == expected


def test_a_hostile_pattern_takes_no_longer_than_the_square_of_a_name() -> None:
    begun = time.process_time()
    assert not matches_wildcards("*a" * 100_000 + "b", "a" * 194)
    assert time.process_time() - begun < 2.0
