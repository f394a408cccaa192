"""Habits that hold for every source file of the package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencmr.anatomy.reasons import REASON_CODES
from opencmr.measure.registry import EVERY_QUANTITY

SOURCE = Path(__file__).resolve().parents[2] / "src" / "opencmr"
MODULES = sorted(SOURCE.rglob("*.py"))
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
CODED = {"Reason": 0, "QualityFlag": 1, "Unmeasurable": 0, "RefusedError": 0}
"""Calls that take a reason code, and its place among their arguments."""
LOOKS_LIKE_A_CODE = re.compile(r"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)(?:: |$)")
"""A whole literal in capitals with an underscore, or one before a colon: ``CODE: reason``."""
OTHER_CAPITALS = {q.symbol for q in EVERY_QUANTITY} | {
    "CLOSED_PLANAR",  # geometric types of contours (DICOM)
    "CLOSEDPLANAR_XOR",
    "GEMS_ACQU_01",  # GE's private creator
    "AS_SEGMENTED",  # of model.json
    "IN_CAVITY",  # of model.json
    "NO_REFLOW",  # a structure
    "T2_STAR",  # a word of ImageType
    "LINEAR_EXACT",  # a function of windows (DICOM)
    "XDG_CONFIG_HOME",  # an environment variable (freedesktop.org)
    "DECISION_SUPPORT",  # codes of findings
    "GROUP_CONSIDERED",
    "IN_90_SET",
    # Environment variables
    "MALLOC_ARENA_MAX",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENCMR_MODELS",
}
"""Literals of that form that are no reason codes."""


def _name(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


def _literal_codes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and value of each literal that is, or looks like, a reason code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            called = getattr(function, "id", None) or getattr(function, "attr", "")
            place = CODED.get(called)
            stated = [] if place is None else node.args[place : place + 1]
            for value in [*stated, *(k.value for k in node.keywords if k.arg == "code")]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield node.lineno, value.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = LOOKS_LIKE_A_CODE.match(node.value)
            if found and found[1] not in OTHER_CAPITALS:
                yield node.lineno, found[1]


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_every_module_says_what_it_is_for(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{_name(module)} has no docstring"


def _named(node: ast.AST) -> str:
    """Return the last name of ``labels``, ``x.labels`` and of what is indexed or called."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return str(getattr(node, "attr", None) or getattr(node, "id", ""))


def _asked_by_integer(tree: ast.AST) -> Iterator[int]:
    """Yield the line of each ``labels == integer`` and ``np.isin(labels, ...)``."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq(), *_], comparators=others):
                if {"labels", "label_of"} & {*map(_named, (left, *others))}:
                    yield node.lineno
            case ast.Call(args=args) if _named(node) == "isin" and "labels" in map(_named, args):
                yield node.lineno


def test_a_label_asked_for_by_integer_is_seen() -> None:
    for text in ("a.labels[0] == 3", "labels != scheme.label_of(s)", "np.isin(labels[t], (2, 3))"):
        assert list(_asked_by_integer(ast.parse(text))) == [1]
    assert list(_asked_by_integer(ast.parse("labels > 0; labels.shape == (1,)"))) == []


def test_only_the_label_scheme_asks_for_a_structure_by_its_integer() -> None:
    found = {
        (_name(m), line) for m in MODULES for line in _asked_by_integer(ast.parse(m.read_text()))
    }
    assert {name for name, _ in found} == {"anatomy/structures.py"}


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_every_reason_code_stands_in_the_table(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    unknown = [(line, code) for line, code in _literal_codes(tree) if code not in REASON_CODES]
    assert unknown == []


def test_no_code_stands_twice_in_the_table() -> None:
    table = (SOURCE / "anatomy" / "reasons.py").read_text("utf-8")
    codes = re.findall(r'ReasonCode\(\s*"(\w+)"', table)
    assert [code for code in REASON_CODES if codes.count(code) != 1] == []


def test_every_row_of_the_table_is_used_somewhere() -> None:
    text = "".join(m.read_text("utf-8") for m in MODULES if m.name != "reasons.py")
    unused = [code for code in REASON_CODES if not re.search(rf"\b{code}\b", text)]
    assert unused == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [_name(m) for m in MODULES if m.stem in VAGUE_NAMES] == []
