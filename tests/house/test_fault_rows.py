"""Every fault of the table in the documentation has a test, and the table lacks none."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "reference" / "fault-rows.md"
REQUIRED = {
    *("C01", "C02", "C08", "C12"),
    *(f"D{number:02}" for number in range(1, 31)),
    *("H01", "H02", "H04", "H07", "H08"),
}
ROW = re.compile(r"^\| (?P<row>[A-Z]\d\d) \|(?P<cells>.+)\|$", re.MULTILINE)
TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>\w+)`")


def _rows() -> list[tuple[str, list[str]]]:
    """Return each row's identifier and its cells: fault, behaviour, tests."""
    text = PAGE.read_text("utf-8")
    return [(m["row"], [c.strip() for c in m["cells"].split("|")]) for m in ROW.finditer(text)]


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8")) if file.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_no_required_row_is_missing_and_none_stands_twice() -> None:
    rows = [row for row, _ in _rows()]
    assert set(rows) >= REQUIRED, REQUIRED - set(rows)
    assert rows == sorted(set(rows))


@pytest.mark.parametrize(("row", "cells"), _rows(), ids=lambda v: v if isinstance(v, str) else "")
def test_a_row_says_what_must_happen_and_names_tests_that_exist(row: str, cells: list[str]) -> None:
    fault, behaviour, shown_by = cells
    assert fault
    assert behaviour
    named = TEST.findall(shown_by)
    assert len(named) == shown_by.count("`") // 2 > 0, f"{row}: name tests as `file::test`"
    missing = [f"{f}::{n}" for f, n in named if n not in _tests_of(REPOSITORY / f)]
    assert missing == []
    assert all(name.startswith("test_") for _, name in named)
