"""Demographics: what cannot be true is unknown, never guessed."""

import pytest

from opencmr.intake.demographics import (
    Body,
    age_at,
    age_in_years,
    demographics_of,
    names_contradict,
)


@pytest.mark.parametrize(
    ("text", "years"),
    [("045Y", 45), ("006M", 0.5), ("052W", 52 * 7 / 365.25), ("45Y", None), ("999Y", None)],
)
def test_age_strings_are_read_in_their_unit(text, years):
    assert age_in_years(text) == (None if years is None else pytest.approx(years))


def test_age_follows_from_the_dates_and_never_from_impossible_ones():
    assert age_at("19700101", "20200101") == pytest.approx(50, abs=0.01)
    assert age_at("00000000", "20200101") is None
    assert age_at("20210101", "20200101") is None


def test_the_stated_age_comes_before_the_dates():
    found, _ = demographics_of("F", Body(age="030Y"), "19700101", "20200101", None)
    assert found.age_years == 30


@pytest.mark.parametrize("size", [None, 0.0, 170.0, 67.0, 1700.0])
def test_heights_that_are_no_metres_are_unknown(size):
    found, flags = demographics_of("M", Body(size_m=size, weight_kg=70.0), "", "", None)
    assert found.height_cm is None
    assert [flag.code for flag in flags] == ([] if size is None else ["BSA_UNKNOWN"])


@pytest.mark.parametrize("weight", [0.0, 7000.0, -3.0])
def test_impossible_weights_are_unknown(weight):
    found, flags = demographics_of("M", Body(size_m=1.7, weight_kg=weight), "", "", None)
    assert found.weight_kg is None
    assert found.height_cm == 170
    assert [flag.code for flag in flags] == ["BSA_UNKNOWN"]


@pytest.mark.parametrize("sex", ["", "O", "X", "female"])
def test_sex_other_than_the_ranges_know_is_unknown(sex):
    found, _ = demographics_of(sex, Body(), "", "", None)
    assert found.sex is None
    assert found.age_years is None


def test_the_body_is_not_shown():
    assert "70" not in repr(Body("045Y", 1.7, 70.0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Doe^Jane", "DOE^JANE"),
        ("Doe^Jane", "Jane^Doe"),
        ("Doe^Jane^Mary", "Doe^Mary^Jane"),
        ("Doe^Jane", "Doe Jane"),
        ("Doe^Jane", "Doe, Jane M."),
        ("Doe^Jane", "Doe^J^^Dr"),
        ("Doe-Smith^Jane", "Doe^Jane"),
        ("Müller^Eva", "MUELLER^EVA"),
        ("Müller^Eva", "Muller^Eva"),
        ("Gößling^A", "GOESSLING^A"),
        ("Łukasz^Ørsted", "Lukasz^Orsted"),
        ("O'Neill^A", "ONeill^A"),
        ("van der Berg^A", "Berg^A^van der"),
        ("Yamada^Tarou=山田^太郎", "山田^太郎"),
        ("Иванов^Иван", "Ivanov^Ivan"),
        ("M?ller^Eva", "Mueller^Eva"),
        ("Doe^Jane", ""),
        ("Doe^Jane", "^"),
        ("Doe^Jane", "ANONYMOUS^17"),
        ("Anon1", "Anon2"),
    ],
)
def test_one_person_written_in_two_ways_is_no_contradiction(one, other):
    assert not names_contradict(one, other)
    assert not names_contradict(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Doe^Jane", "Smith^Jane"),
        ("Doe^Jane^Mary", "SMITH^Jane^Mary"),
        ("Doe", "Smith^Jane"),
        ("Müller^Eva", "Meier^Eva"),
        ("山田^太郎", "佐藤^太郎"),
    ],
)
def test_two_family_names_are_two_people(one, other):
    assert names_contradict(one, other)
    assert names_contradict(other, one)
