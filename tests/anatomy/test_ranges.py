"""The packaged ranges hold what their source says; a table of one's own is read or refused."""

import pytest

from opencmr.anatomy.policy import PapillaryRule
from opencmr.anatomy.ranges import Acquisition, RangeSource, normal_ranges, parse_ranges
from opencmr.errors import ConfigurationError

OWN = RangeSource("patients of this site", "limits as the table gives them", "ranges.csv")
HEAD = "symbol,sex,age_low,age_high,papillary,low,high,source\n"


@pytest.mark.parametrize(
    ("symbol", "sex", "age", "low", "high"),
    [
        ("LVEDV", "M", 18, 134, 252),
        ("LVEDVi", "F", 45, 54, 96),
        ("LVEF", "M", 69.9, 47, 72),
        ("LVMi", "M", 88, 37, 64),
        ("RVEF", "F", 70, 52, 76),
    ],
)
def test_a_packaged_range_is_that_of_its_age_band(symbol, sex, age, low, high) -> None:
    (found,) = [r for r in normal_ranges() if r.symbol == symbol and r.holds_for(sex, age)]
    assert (found.low, found.high) == (low, high)
    assert found.papillary is PapillaryRule.IN_CAVITY
    assert "secondary" in found.source.citation


def test_every_adult_has_one_range_of_each_quantity_and_a_child_none() -> None:
    symbols = {r.symbol for r in normal_ranges()}
    assert len(symbols) == 16
    for sex in "MF":
        for age in (18, 29.99, 30, 47, 69, 70, 101):
            fitting = [r.symbol for r in normal_ranges() if r.holds_for(sex, age)]
            assert sorted(fitting) == sorted(symbols)
        assert not [r for r in normal_ranges() if r.holds_for(sex, 17.9)]
        assert not [r for r in normal_ranges() if r.holds_for(sex, None)]


def test_limits_of_a_95_percent_interval_lie_1_96_deviations_from_the_mean() -> None:
    for one in normal_ranges():
        assert one.z_score(one.low) == pytest.approx(-1.96)
        assert one.z_score(one.high) == pytest.approx(1.96)


def test_a_sites_own_table_is_read_as_it_says() -> None:
    text = "\ufeff" + HEAD.replace("source", "source,mean,sd")
    text += "LVEF,M,,,IN_MASS,50,70,our own 2024,60,5\nT1,,20,,,950,1050,,,\n"
    ejection, relaxation = parse_ranges(text, OWN)
    assert ejection.holds_for("M", None)
    assert not ejection.holds_for("F", 40)
    assert ejection.papillary is PapillaryRule.IN_MASS
    assert ejection.z_score(70) == 2
    assert ejection.source.citation == "our own 2024"
    assert relaxation.holds_for(None, 20)
    assert not relaxation.holds_for("M", 19.9)
    assert relaxation.z_score(1000) is None
    assert relaxation.source == OWN
    assert "20 years and older" in relaxation.population


def test_a_table_of_a_european_spreadsheet_says_the_same_as_an_english_one() -> None:
    english = "symbol,sex,low,high,mean,sd\nLVEF,F,57.5,73,65,4.25\nT1,,950,1050,,\n"
    european = english.replace(",", ";").replace(".", ",").replace("\n", "\r\n")
    assert parse_ranges(f"\ufeff{european};;;;;\r\n", OWN) == parse_ranges(english, OWN)


def test_a_decimal_comma_between_commas_shifts_no_cell() -> None:
    with pytest.raises(ConfigurationError, match="line 2: found 4 cells, expected 3"):
        parse_ranges("symbol,low,high\nLVEF,57,5,73", OWN)


def test_a_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected symbol, low, high"):
        parse_ranges("symbol,low,high,low\nLVEF,50,70,55", OWN)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "no row"),
        ("LVEF,X,,,,50,70,", "line 2: sex is 'X'"),
        ("LVEF,M,20.5,,,50,70,", "line 2: age_low is '20.5'"),
        ("LVEF,M,40,30,,50,70,", "line 2: age_high"),
        ("LVEF,M,,,,70,50,", "line 2: high is '50'"),
        ("LVEF,M,,,,fifty,70,", "line 2: low is 'fifty'"),
        ("LVEF,M,,,,nan,70,", "line 2: low is 'nan'"),
        ("LVEF,M,,,OUT,50,70,", "line 2: papillary is 'OUT'"),
        (",M,,,,50,70,", "line 2: symbol"),
        ("LVEF,M,,40,,50,70,\nLVEF,,40,,,51,71,", "line 3: LVEF has two ranges"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_by_line_and_column(rows, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_ranges(HEAD + rows, OWN)


SCANNER_HEAD = "symbol,low,high,field_strength_t,vendor,sequence\n"
SIEMENS = Acquisition(1.494, "SIEMENS Healthineers", "t1_MOLLI5s3s3 SAX native")


@pytest.mark.parametrize(
    ("cells", "made", "holds"),
    [
        (",,", Acquisition(), True),
        (",,", SIEMENS, True),
        ("1.5,siemens,MOLLI", SIEMENS, True),
        ("1.5,,", Acquisition(2.8936), False),
        ("3,,", Acquisition(2.8936), True),
        ("3,,", Acquisition(), False),
        ("0.5,,", Acquisition(0.55), False),
        (",GE,", Acquisition(vendor="GE MEDICAL SYSTEMS"), True),
        (",GE,", Acquisition(vendor="Siemens"), False),
        (",Philips,", Acquisition(), False),
        (",,MOLLI", Acquisition(names="ShMOLLI 192i"), False),
        (",,molli sax", SIEMENS, True),
        (",,molli lax", SIEMENS, False),
        (",,SASHA", Acquisition(), False),
    ],
)
def test_a_range_holds_for_its_field_vendor_and_sequence_alone(cells, made, holds) -> None:
    (found,) = parse_ranges(f"{SCANNER_HEAD}T1,950,1050,{cells}\n", OWN)
    assert found.holds_on(made) is holds


def test_a_range_says_on_what_it_was_made() -> None:
    (found,) = parse_ranges(f"{SCANNER_HEAD}T1,950,1050,1.5,Siemens,MOLLI\n", OWN)
    assert ", 1.5 T Siemens MOLLI; " in found.population


def test_a_table_may_hold_a_row_for_each_field_and_sequence() -> None:
    rows = "T1,950,1050,1.5,,MOLLI\nT1,1100,1250,3,,MOLLI\nT1,1130,1220,1.5,,SASHA\n"
    assert [one.low for one in parse_ranges(SCANNER_HEAD + rows, OWN)] == [950, 1100, 1130]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("T1,950,1050,15000,,", "line 2: field_strength_t is '15000'; expected teslas"),
        ("T1,950,1050,0,,", "line 2: field_strength_t is '0'"),
        ("T1,950,1050,1.5 T,,", "line 2: field_strength_t is '1.5 T'; expected a number"),
        ("T1,950,1050,,?,", "line 2: vendor is '\\?'"),
        ("T1,950,1050,,,-", "line 2: sequence is '-'; expected a word of the headers"),
        ("T1,950,1050,1.5,,\nT1,950,1060,1.49,,", "line 3: T1 has two ranges"),
        ("T1,950,1050,,,\nT1,950,1060,3,,", "line 3: T1 has two ranges"),
        ("T1,950,1050,,,MOLLI\nT1,950,1060,,,molli 5", "line 3: T1 has two ranges"),
    ],
)
def test_a_scanner_that_cannot_be_meant_is_refused_by_line_and_column(rows, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_ranges(SCANNER_HEAD + rows, OWN)


@pytest.mark.parametrize("head", ["", "symbol,low", "symbol,low,high,colour"])
def test_columns_are_those_that_are_documented(head: str) -> None:
    with pytest.raises(ConfigurationError, match="expected symbol, low, high"):
        parse_ranges(f"{head}\nLVEF,50,70,1", OWN)


def test_a_mean_without_a_deviation_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="mean and sd together"):
        parse_ranges("symbol,low,high,mean\nLVEF,50,70,60", OWN)
