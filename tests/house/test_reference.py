"""The generated reference pages say what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from opencmr.measure.registry import EVERY_QUANTITY

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def _make_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", FOLDER / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = ["quantities.md", "reason-codes.md", "limits.md", "rules.md", "commands.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_up_to_date(page: str) -> None:
    made = _make_reference().PAGES[page]()
    assert (FOLDER / page).read_text("utf-8") == made, "run `make reference`"


def test_every_quantity_has_its_own_symbol_a_unit_a_code_and_a_meaning() -> None:
    symbols = [q.symbol for q in EVERY_QUANTITY]
    assert len(symbols) == len(set(symbols))
    assert [q.symbol for q in EVERY_QUANTITY if not (q.unit and q.code.value and q.meaning)] == []
