"""A table of height, weight, sex and age for many studies (``--demographics``).

Columns: ``path`` or ``id`` or both, and any of ``height_cm``, ``weight_kg``, ``sex``, ``age``.
Errors name line and column and never quote what stands there: it can be an identifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from opencmr.anatomy.plausible import (
    AGE_LIMIT_YEARS,
    HAEMATOCRIT_LIMITS,
    HEIGHT_LIMITS_CM,
    WEIGHT_LIMITS_KG,
)
from opencmr.csv_table import csv_lines, number_in, read_csv_text
from opencmr.errors import ConfigurationError
from opencmr.imaging.study import Demographics
from opencmr.intake.index import Entry

KEYS = ("path", "id")
LIMITS = {
    "height_cm": HEIGHT_LIMITS_CM,
    "weight_kg": WEIGHT_LIMITS_KG,
    "age": (0.0, AGE_LIMIT_YEARS),
    "haematocrit": HAEMATOCRIT_LIMITS,
}
COLUMNS = (*KEYS, "height_cm", "weight_kg", "sex", "age", "haematocrit")
WHAT = "the demographics"


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of the table states of one body."""

    line: int
    stated: Demographics = field(repr=False)


@dataclass(frozen=True, slots=True)
class DemographicsTable:
    """Rows by the path of an input and by PatientID; the repr names nobody."""

    by_path: Mapping[str, Row] = field(repr=False)
    by_id: Mapping[str, Row] = field(repr=False)

    def of(self, entry: Entry) -> Row | None:
        """Return the row of a study: by its place or a file of it, by the nearest folder, by ID."""
        nearest = sorted(_paths_of(entry), key=lambda path: (-len(PurePosixPath(path).parts), path))
        found = (self.by_path.get(path) for path in nearest)
        return next((row for row in found if row), None) or self.by_id.get(entry.patient_id)

    def unused(self, entries: Sequence[Entry]) -> tuple[int, ...]:
        """Return the lines that are of none of the studies."""
        used = {row.line for entry in entries if (row := self.of(entry)) is not None}
        rows = (*self.by_path.values(), *self.by_id.values())
        return tuple(sorted({row.line for row in rows} - used))


def _paths_of(entry: Entry) -> set[str]:
    places = [PurePosixPath(one) for one in (entry.place, *entry.names)]
    return {str(one) for place in places for one in (place, *place.parents)} - {"."}


def read_demographics(path: Path) -> DemographicsTable:
    """Read a table of comma- or semicolon-separated values, UTF-8, with a line of names.

    Raises
    ------
    ConfigurationError
        When a line or a column cannot be meant.
    """
    lines = csv_lines(read_csv_text(path, WHAT), WHAT)
    _, names = next(lines, (1, []))
    columns = _columns_of(names)
    by_path: dict[str, Row] = {}
    by_id: dict[str, Row] = {}
    for line, cells in lines:
        told = dict(zip(columns, cells, strict=True))
        row = Row(line, _stated(line, told))
        if not any(told.get(key) for key in KEYS):
            raise _wrong(line, "neither path nor id", "one of them")
        for key, rows in zip(KEYS, (by_path, by_id), strict=True):
            name = told.get(key, "")
            name = str(PurePosixPath(name)) if key == "path" and name else name
            if name in rows:
                raise _wrong(
                    line, f"the same {key} as in line {rows[name].line}", "each once", column=key
                )
            if name:
                rows[name] = row
    if not (by_path or by_id):
        raise ConfigurationError(f"{WHAT}: no line below the names of the columns")
    return DemographicsTable(by_path, by_id)


def _columns_of(names: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(name.lower() for name in names)
    for number, name in enumerate(columns, start=1):
        if name not in COLUMNS or name in columns[: number - 1]:
            # A file without names begins with a patient: what stands there is not quoted.
            found = "a column twice" if name in COLUMNS else "an unknown column"
            raise _wrong(1, found, ", ".join(COLUMNS), column=f"number {number}")
    if not set(columns) & set(KEYS):
        raise _wrong(1, "neither a column path nor id", ", ".join(COLUMNS))
    return columns


def _stated(line: int, told: Mapping[str, str]) -> Demographics:
    numbers = {name: _number(line, name, told.get(name, "")) for name in LIMITS}
    sex = told.get("sex", "").upper()
    if sex not in ("", "M", "F"):
        raise _wrong(line, "another word", "M or F", column="sex")
    return Demographics(
        sex=sex or None,
        age_years=numbers["age"],
        height_cm=numbers["height_cm"],
        weight_kg=numbers["weight_kg"],
        haematocrit=numbers["haematocrit"],
    )


def _number(line: int, column: str, text: str) -> float | None:
    if not text:
        return None
    low, high = LIMITS[column]
    value = number_in(text)
    if value is None:
        raise _wrong(line, "no number", f"{low:g} to {high:g}", column=column)
    if not low <= value <= high:
        raise _wrong(line, "a number out of range", f"{low:g} to {high:g}", column=column)
    return value


def _wrong(line: int, found: str, expected: str, *, column: str = "") -> ConfigurationError:
    place = f"line {line}, column {column}" if column else f"line {line}"
    return ConfigurationError(f"{WHAT}, {place}: found {found}, expected {expected}")
