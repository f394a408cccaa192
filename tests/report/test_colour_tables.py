"""Colour tables: every label with its name, in the form that each editor parses."""

import re
from pathlib import Path

import pytest

from opencmr.anatomy.structures import SCHEMES, LabelScheme
from opencmr.report.colour_tables import write_colour_tables

ITK_SNAP = re.compile(r'\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d.]+)\s+([01])\s+([01])\s+"([^"]+)"')


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_both_editors_read_the_same_names_and_colours(scheme: LabelScheme, tmp_path: Path) -> None:
    snap, slicer = write_colour_tables(tmp_path / "s01_seg", scheme)
    assert (snap.name, slicer.name) == ("s01_seg.label", "s01_seg.ctbl")
    rows = [r for r in snap.read_text().splitlines() if r and not r.startswith("#")]
    parsed = [ITK_SNAP.fullmatch(row).groups() for row in rows]
    seen = {int(r[0]): (r[7], *map(int, r[1:4])) for r in parsed}
    others = [r.split() for r in slicer.read_text().splitlines() if not r.startswith("#")]
    assert all(len(row) == 6 for row in others)
    assert {int(r[0]): (r[1], *map(int, r[2:5])) for r in others if r[0] != "0"} == {
        label: row for label, row in seen.items() if label
    }
    names = {label: row[0] for label, row in seen.items() if label}
    assert names == {label: one.value for label, one in scheme.structures.items()}
    assert len({row[1:] for row in seen.values()}) == len(seen)
    clear = parsed[0]
    assert (clear[0], clear[4], clear[5]) == ("0", "0", "0")
