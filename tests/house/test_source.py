"""Habits that hold for every source file of the package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencmr.anatomy.reason_codes import REASON_CODES

SOURCE = Path(__file__).resolve().parents[2] / "src" / "opencmr"
MODULES = sorted(SOURCE.rglob("*.py"))
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
CODED = {"LeftOut": 1, "QualityFlag": 1}
"""Classes that carry a reason code, and its place among their arguments."""


def _name(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


def _literal_codes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and value of each reason code that a call states as a literal."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        called = call.func.attr if isinstance(call.func, ast.Attribute) else None
        called = call.func.id if isinstance(call.func, ast.Name) else called
        named = [k.value for k in call.keywords if k.arg == "code"]
        placed = call.args[CODED[called] : CODED[called] + 1] if called in CODED else []
        for value in [*named, *placed]:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield call.lineno, value.value


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_every_module_says_what_it_is_for(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{_name(module)} has no docstring"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_every_reason_code_stands_in_the_table(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    unknown = [(line, code) for line, code in _literal_codes(tree) if code not in REASON_CODES]
    assert unknown == []


def test_every_row_of_the_table_is_used_somewhere() -> None:
    text = "".join(m.read_text("utf-8") for m in MODULES if m.name != "reason_codes.py")
    unused = [code for code in REASON_CODES if not re.search(rf"\b{code}\b", text)]
    assert unused == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [_name(m) for m in MODULES if m.stem in VAGUE_NAMES] == []
