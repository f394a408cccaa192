"""The table that puts cases into groups, as a spreadsheet saves it."""

import pytest

from opencmr.errors import ConfigurationError
from opencmr.validate.run import read_groups


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_with_commas_or_semicolons_says_the_same(tmp_path, delimiter):
    text = "case,vendor,site\r\np0,A,north\r\np1,,south\r\np9,B,\r\n,,\r\n"
    path = tmp_path / "groups.csv"
    path.write_text("\ufeff" + text.replace(",", delimiter), "utf-8")
    assert read_groups(path, ["vendor"], ["p0", "p1"]) == {"vendor": {"p0": "A", "p1": ""}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column 'vendor'"),
        (b"vendor\nA\n", "no column 'vendor'"),
        (b"case,vendor\np0,A\np0,B\n", "names the case p0 more than once"),
        (b"case,vendor\np1,A\n", "lacks the case p0"),
        (b"case,vendor\np0,A,B\n", "line 2: found 3 cells"),
        (b"case,vendor\np0,M\xfcnchen\n", "UTF-8"),
        (b'case,vendor\n"p0,A\n', "quotes that do not close"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, content, said):
    path = tmp_path / "groups.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        read_groups(path, ["vendor"], ["p0"])
