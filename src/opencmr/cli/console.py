"""What the verbs share: options, progress on stderr, machine output alone on stdout."""

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencmr.anatomy.phases import SegPhases
from opencmr.anatomy.plausible import (
    AGE_LIMIT_YEARS,
    HAEMATOCRIT_LIMITS,
    HEART_RATE_LIMITS_BPM,
    HEIGHT_LIMITS_CM,
    WEIGHT_LIMITS_KG,
)
from opencmr.anatomy.seg_types import SegType
from opencmr.errors import ConfigurationError
from opencmr.models.precision import Precision
from opencmr.progress import Progress, silent

if TYPE_CHECKING:
    from opencmr.anatomy.ranges import NormalRange
    from opencmr.anatomy.techniques import Technique

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say more; show tracebacks of failures.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Machine-readable result alone on standard output.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")]
ModelName = Annotated[
    str | None, typer.Option("--model", help="Model by name or name@version; see opencmr models.")
]
PrecisionAsked = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="Networks in 32-bit floats (f32), in 8-bit integers (int8), or (auto) in int8 where "
        "the model has such weights and the processor instructions for them.",
    ),
]
HeightCm = Annotated[
    float | None,
    typer.Option(
        "--height-cm",
        min=HEIGHT_LIMITS_CM[0],
        max=HEIGHT_LIMITS_CM[1],
        help="Body height, for indexing.",
    ),
]
WeightKg = Annotated[
    float | None,
    typer.Option(
        "--weight-kg",
        min=WEIGHT_LIMITS_KG[0],
        max=WEIGHT_LIMITS_KG[1],
        help="Body weight, for indexing.",
    ),
]
Haematocrit = Annotated[
    float | None,
    typer.Option(
        "--haematocrit",
        min=HAEMATOCRIT_LIMITS[0],
        max=HAEMATOCRIT_LIMITS[1],
        help="Fraction of cells in blood, for extracellular volume.",
    ),
]
SyntheticHaematocrit = Annotated[
    bool,
    typer.Option(
        "--synthetic-haematocrit",
        help="Where no haematocrit is given, estimate it from T1 of blood (MOLLI, 1.5 T).",
    ),
]
SegPhasesWritten = Annotated[
    SegPhases, typer.Option(help="Cardiac phases that are written as DICOM SEG.")
]
SegTypeWritten = Annotated[
    SegType,
    typer.Option(help="DICOM SEG of one mask a structure, or (labelmap) of one label a pixel."),
]
Sex = Annotated[str | None, typer.Option("--sex", help="M or F.")]
AgeYears = Annotated[float | None, typer.Option("--age", min=0, max=AGE_LIMIT_YEARS, help="Years.")]
HeartRate = Annotated[
    float | None,
    typer.Option(
        "--heart-rate",
        min=HEART_RATE_LIMITS_BPM[0],
        max=HEART_RATE_LIMITS_BPM[1],
        help="Beats per minute.",
    ),
]
Spacing = Annotated[
    str | None,
    typer.Option(
        "--spacing",
        help="Voxel spacing X,Y,Z in mm (column, row, slice) where a NIfTI file lacks it.",
    ),
]

RangesFile = Annotated[
    Path | None,
    typer.Option(
        "--ranges",
        metavar="FILE.csv",
        help="The site's own normal ranges; they go before the packaged ones.",
    ),
]

Previous = Annotated[
    Path | None,
    typer.Option(
        "--previous",
        metavar="RESULT",
        help="Result folder of an earlier study of the same patient: the report shows what "
        "changed since.",
        show_default=False,
    ),
]
SamePatient = Annotated[
    bool,
    typer.Option(
        "--same-patient",
        help="With --previous: you know that both are of one patient although a PatientID is "
        "missing. It does not overrule identifiers that differ.",
    ),
]


REDRAWING_S = 0.1
"""How often the progress bar is drawn at most."""
ANY_WIDTH = 1000
"""Characters a line of a table that goes to a file or to another program: none is folded."""


class StackKind(StrEnum):
    """What a stack from a file without a header may be; each has the name of its technique."""

    CINE = "cine"
    LGE = "lge"


StatedSequence = Annotated[
    StackKind | None,
    typer.Option(
        "--sequence",
        help="How a NIfTI stack was made, which its file cannot say: cine, or late enhancement "
        "(lge).",
        show_default=False,
    ),
]


def technique_of(kind: StackKind | None) -> "Technique | None":
    """Return the technique that a user states."""
    from opencmr.anatomy.techniques import Technique

    return None if kind is None else Technique[kind.name]


def say(text: str, *, quiet: bool = False) -> None:
    """Write a line for people, on standard error."""
    if not quiet:
        typer.echo(text, err=True)


def say_if_no_pdf(*, quiet: bool) -> None:
    """Say on standard error that there is no PDF, where typst is not installed."""
    from opencmr.report.typesetting import why_no_pdf

    if reason := why_no_pdf():
        say(f"no PDF is written: {reason}", quiet=quiet)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table for people, on standard output; whole lines where that is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*row)
    on_terminal = sys.stdout.isatty()
    console = Console(markup=False, highlight=False, width=None if on_terminal else ANY_WIDTH)
    console.print(table)


def print_json(value: Any) -> None:
    """Write machine output, on standard output."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


@contextlib.contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """Show a progress bar a task on standard error, when that is a terminal.

    It is drawn when it is told something: a thread that drew it would rule out forks (ADR 0048).
    """
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), auto_refresh=False) as bars:
        tasks: dict[str, Any] = {}
        drawn_s = 0.0

        def advance(what: str, done: int, total: int) -> None:
            nonlocal drawn_s
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)
            now_s = time.monotonic()
            if done == total or now_s - drawn_s > REDRAWING_S:
                bars.refresh()
                drawn_s = now_s

        yield advance


def parse_sex(text: str | None) -> str | None:
    """Return M or F in capitals, None where nothing was given.

    Raises
    ------
    BadParameter
        When it is neither.
    """
    if text is not None and text.upper() not in ("M", "F"):
        raise typer.BadParameter("--sex takes M or F")
    return text.upper() if text else None


def parse_spacing(text: str | None) -> tuple[float, float, float] | None:
    """Return ``--spacing X,Y,Z`` as (slice, row, column) spacing in mm."""
    from opencmr.geometry.grid import SPACING_LIMITS_MM

    if text is None:
        return None
    try:
        x_mm, y_mm, z_mm = (float(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise typer.BadParameter(
            f"--spacing takes three numbers X,Y,Z in mm, found {text!r}"
        ) from None
    if not all(
        SPACING_LIMITS_MM[0] <= value <= SPACING_LIMITS_MM[1] for value in (x_mm, y_mm, z_mm)
    ):
        raise typer.BadParameter(
            f"--spacing takes {SPACING_LIMITS_MM[0]} to {SPACING_LIMITS_MM[1]} mm, found {text!r}"
        )
    return z_mm, y_mm, x_mm


def read_ranges(path: Path | None) -> "tuple[NormalRange, ...]":
    """Return a site's own normal ranges; none where no file is named."""
    from opencmr.anatomy.ranges import SITES_OWN, WHAT, RangeSource, parse_ranges
    from opencmr.csv_table import read_csv_text
    from opencmr.measure.registry import EVERY_QUANTITY

    if path is None:
        return ()
    require_file(path, "--ranges")
    own = RangeSource(SITES_OWN, "limits as the table gives them", path.name)
    found = parse_ranges(read_csv_text(path, WHAT), own)
    known = {quantity.symbol for quantity in EVERY_QUANTITY}
    foreign = sorted({one.symbol for one in found} - known)
    if foreign:
        raise ConfigurationError(
            f"{path.name}: no quantity has the symbol {', '.join(foreign)}; see the symbols in "
            "measurements.csv"
        )
    return found


def require_file(path: Path, what: str) -> None:
    """Refuse a path that does not exist, as a usage error."""
    if not path.exists():
        raise typer.BadParameter(f"{what} {path} does not exist")


def require_own_json(path: Path, keys: frozenset[str], beside: str) -> None:
    """Refuse to write over a JSON file that happens to have the name of our own.

    Parameters
    ----------
    path : Path
    keys : frozenset of str
        What our own holds at the least.
    beside : str
        What it is written beside, in words.

    Raises
    ------
    ConfigurationError
        When it is there and holds something else.
    """
    try:
        described = json.loads(path.read_bytes())
    except OSError:
        return
    except ValueError:
        described = None
    if not isinstance(described, dict) or not keys <= described.keys():
        raise ConfigurationError(
            f"{path} would be written beside {beside}, and holds something else; "
            "name another output"
        )
