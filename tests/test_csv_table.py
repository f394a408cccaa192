"""Tables as spreadsheets write them are read; what cannot be meant is refused, nobody named."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencmr import csv_table
from opencmr.csv_table import csv_lines, number_in, read_csv_text
from opencmr.errors import ConfigurationError

CELLS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "Zanzibar.csv"
    path.write_bytes(content)
    return path


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5),
    delimiter=st.sampled_from(";,"),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_what_a_spreadsheet_writes_is_read_again(tmp_path_factory, rows, delimiter, end, mark):
    head = ["symbol", "low", "high"]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows([head, *rows])
    path = written(tmp_path_factory.mktemp("table"), (mark + stream.getvalue()).encode())
    found = [cells for _, cells in csv_lines(read_csv_text(path, "ranges"), "ranges")]
    stripped = [[cell.strip() for cell in row] for row in rows]
    assert found == [head, *(row for row in stripped if any(row))]


def test_lines_are_those_of_the_file():
    text = 'id;age\n\n;\nDoe;"4\n5"\nRoe;6\n'
    assert [line for line, _ in csv_lines(text, "x")] == [1, 5, 6]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Größe;1\n".encode("cp1252"), "UTF-8"),
        ("id;age\n".encode("utf-16"), "UTF-8"),
        (b"id,age\n" + b"1,2\n" * 100, "more than 0 MiB"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, monkeypatch, content, said):
    monkeypatch.setattr(csv_table, "LARGEST_BYTES", 100)
    with pytest.raises(ConfigurationError, match=said) as refused:
        read_csv_text(written(tmp_path, content), "the table")
    assert "Zanzibar" not in str(refused.value)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(ConfigurationError, match="the table cannot be read"):
        read_csv_text(tmp_path, "the table")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,weight_kg\nDoe,95,5\n", "the table, line 2: found 3 cells, expected 2"),
        ("id,weight_kg\nDoe\n", "the table, line 2: found 1 cells, expected 2"),
        ('id,weight_kg\n"Doe,3\n', "the table, line 2: found quotes that do not close"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_and_not_quoted(text, said):
    with pytest.raises(ConfigurationError) as refused:
        list(csv_lines(text, "the table"))
    assert said in str(refused.value)
    assert "Doe" not in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("184,5", 184.5), ("184.5", 184.5), ("-3", -3.0), ("+3", 3.0), ("0,666666666666667", 2 / 3)],
)
def test_a_number_has_a_decimal_point_or_a_decimal_comma(cell, number):
    assert number_in(cell) == pytest.approx(number, abs=1e-12)


@pytest.mark.parametrize(
    "cell",
    ["", "1.234,5", "1,234,567", "1 234", "1e2", "nan", "inf", "0x1", "٣", "1_0", "9" * 400, "5%"],
)
def test_what_can_be_meant_in_two_ways_or_in_none_is_no_number(cell):
    assert number_in(cell) is None
