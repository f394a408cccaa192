"""A user's table as spreadsheets write it: CSV with commas or semicolons, decimal points or commas.

Errors name a line and never quote what stands there: it can be an identifier.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from opencmr.errors import ConfigurationError

LARGEST_BYTES = 16 << 20
NUMBER = re.compile(r"[+-]?\d{1,15}([.,]\d{1,17})?", re.ASCII)
"""Without exponent and grouped thousands: 1.234,5 is refused."""


def read_csv_text(path: Path, what: str) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    No other encoding is guessed: it would put wrong letters into identifiers in silence.

    Parameters
    ----------
    path : Path
    what : str
        What the table is called in errors.

    Raises
    ------
    ConfigurationError
        When it cannot be read, is too large or in another encoding.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{what} cannot be read ({type(error).__name__})") from None
    if len(content) > LARGEST_BYTES:
        raise ConfigurationError(f"{what}: the file has more than {LARGEST_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{what}: the file is not in UTF-8; save it as 'CSV UTF-8' (Excel) or choose UTF-8 "
            "when saving (LibreOffice)"
        ) from None


def csv_lines(text: str, what: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells, outer blanks taken off, of the first line and of all that hold any.

    Semicolons separate where the first line has one, else commas.

    Raises
    ------
    ConfigurationError
        When a line has more or fewer cells than the first, or quotes that do not close.
    """
    text = text.removeprefix("\ufeff")
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    delimiter = ";" if ";" in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: int | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if columns is None:
                columns = len(cells)
            elif not any(cells):
                continue
            elif len(cells) != columns:
                raise ConfigurationError(
                    f"{what}, line {reader.line_num}: found {len(cells)} cells, expected "
                    f"{columns}, as in line 1"
                )
            yield reader.line_num, cells
    except csv.Error:
        raise ConfigurationError(
            f"{what}, line {reader.line_num}: found quotes that do not close, expected plain cells"
        ) from None


def number_in(cell: str) -> float | None:
    """Return the number of a cell, with a decimal point or a decimal comma; None where it is none.

    >>> number_in("57,5"), number_in("57.5"), number_in("1.234,5")
    (57.5, 57.5, None)
    """
    return float(cell.replace(",", ".")) if NUMBER.fullmatch(cell) else None
