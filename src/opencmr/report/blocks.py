"""What a page is made of: blocks of plain values, texts and drawn pictures.

Every text in a block is data that a renderer must escape; a drawing is markup made by
:func:`opencmr.report.templating.draw` alone.  A block knows nothing of a study: each renderer
(HTML, PDF) sets each kind once, and whoever has something to say picks the kinds (ADR 0021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

Level = Literal["clear", "review", "withheld"]
Look = Literal["", "strong", "muted", "aside", "absent"]
"""Of a table's cell; ``aside`` is small print, ``absent`` stands for a value that is not there."""
LEVELS = ("clear", "review", "withheld")


def _refuse_unless(holds: bool, kind: str, expected: str, found: object) -> None:
    if not holds:
        raise ValueError(f"{kind}: expected {expected}, found {found}")


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled fact; without a value it is shown as not given."""

    label: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled facts.

    Attributes
    ----------
    facts : tuple of Fact
    title : str
    is_subject : bool
        The title names whom or what the page is about.
    is_prose : bool
        The values are sentences and take room.
    """

    facts: tuple[Fact, ...]
    title: str = ""
    is_subject: bool = False
    is_prose: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a reader should know; ``severity`` as a flag has it."""

    severity: str
    message: str
    evidence: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Remarks:
    """How sure: the worst in plain words, then every remark."""

    level: Level
    headline: str
    advice: str
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        _refuse_unless(self.level in LEVELS, "Remarks", f"one of {LEVELS}", self.level)


@dataclass(frozen=True, slots=True)
class Strip:
    """Where a value lies about its normal range, in percent of a strip's width."""

    band_start: float
    band_end: float
    marker: float
    beyond: str
    """``low`` or ``high`` when the value lies off the strip, else empty."""


@dataclass(frozen=True, slots=True)
class Number:
    """One of the great numbers; an empty value is shown as none, with its reason as ``foot``."""

    name: str
    value: str
    unit: str = ""
    foot: str = ""
    verdict: str = ""
    strip: Strip | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The few numbers that are set large."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : ``text``, ``word`` (never broken), ``number`` (set to the right) or ``strip``
    share : float
        Its share of the room that is left on paper; 0: as wide as what it holds.
    hint : str
    """

    name: str = ""
    kind: Literal["text", "word", "number", "strip"] = "text"
    share: float = 0.0
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell of a table shows: a text with its unit, smaller texts, or a strip.

    Attributes
    ----------
    text, unit : str
    small : str
        Beside the text, in small print.
    below : str
        Under the text, in small print: an interval.
    hint : str
        Seen when pointed at, on a screen.
    verdict : ``within``, ``below``, ``above`` or empty
        Outside a range, a strong text is coloured, and another is marked.
    strip : Strip or None
    look : Look
    span : int
        Columns that it covers.
    link : str
        Relative address of a page that the text leads to, on a screen.
    """

    text: str = ""
    unit: str = ""
    small: str = ""
    below: str = ""
    hint: str = ""
    verdict: str = ""
    strip: Strip | None = None
    look: Look = ""
    span: int = 1
    link: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table, with a line of small print under it where there is one."""

    cells: tuple[Cell, ...]
    under: str = ""
    is_strong: bool = False
    is_indented: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its name.

    Attributes
    ----------
    columns : tuple of Column
    rows : tuple of TableRow
    title : str
    hint : str
        One sentence between title and table.
    colour : str
        Of title and rule where the table belongs to one thing (``#rrggbb``).
    otherwise : str
        What stands in a table without rows.
    """

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    title: str = ""
    hint: str = ""
    colour: str = ""
    otherwise: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            width = sum(cell.span for cell in row.cells)
            _refuse_unless(
                width == len(self.columns),
                f"Table {self.title!r}, row {number}",
                f"cells over {len(self.columns)} columns",
                width,
            )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a list: a lead in bold, a text, a code."""

    text: str
    lead: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """A list of lines, and small print under it."""

    lines: tuple[Line, ...] = ()
    title: str = ""
    small: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text to be copied, and fields that are left for a reader to fill.

    Attributes
    ----------
    text : str
    title : str
    hint : str
        Small print under the text.
    fields : tuple of str
        What is asked; each is blank.
    """

    text: str
    title: str = ""
    hint: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Legend:
    """What a colour stands for."""

    name: str
    colour: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ColourBar:
    """The scale of a picture's colours.

    Attributes
    ----------
    stops : tuple of str
        Colours ``#rrggbb`` at equal distances, low to high.
    low, high : str
        What the ends stand for.
    unit : str
    beside : tuple of Legend
        Colours off the scale.
    has_missing : bool
        Something hatched was not assessed.
    """

    stops: tuple[str, ...]
    low: str
    high: str
    unit: str = ""
    beside: tuple[Legend, ...] = ()
    has_missing: bool = False

    def __post_init__(self) -> None:
        _refuse_unless(len(self.stops) > 1, "ColourBar", "two colours or more", self.stops)


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with axes, a sentence about it and a legend."""

    drawing: Markup
    title: str = ""
    note: str = ""
    hint: str = ""
    legend: tuple[Legend, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a montage."""

    drawing: Markup
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Montage:
    """Pictures in rows on a dark ground.

    Attributes
    ----------
    pictures : tuple of Picture
    columns : int
        On a wide page.
    title, note : str
    legend : tuple of Legend
    bar : ColourBar or None
        Where the pictures are maps in colour.
    hint : str
        Small print after the legend.
    has_switch : bool
        A page on a screen lets the outlines of all montages be switched off here.
    """

    pictures: tuple[Picture, ...]
    columns: int
    title: str = ""
    note: str = ""
    legend: tuple[Legend, ...] = ()
    bar: ColourBar | None = None
    hint: str = ""
    has_switch: bool = False

    def __post_init__(self) -> None:
        _refuse_unless(self.columns > 0, "Montage", "one column or more", self.columns)


@dataclass(frozen=True, slots=True)
class Movie:
    """A moving picture and one still of it (WebP), for a screen; paper has none."""

    webp: bytes
    still: bytes
    width: int
    height: int
    title: str = ""
    caption: str = ""
    described: str = ""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Every picture of a cine, gone through by a script on a screen; paper has none.

    Attributes
    ----------
    title, note, hint : str
    contours : mapping from a contour's kind to Legend
        Each may be switched off.
    cine : mapping
        What the script reads, as JSON: see :mod:`opencmr.report.viewer`.
    """

    title: str
    contours: Mapping[str, Legend]
    cine: Mapping[str, object]
    note: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Bullseye:
    """One quantity on the 17 AHA segments, or the reason why there is none."""

    title: str
    unit: str
    drawing: Markup
    bar: ColourBar
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """Columns of blocks that stand side by side where there is room, two in a row.

    Attributes
    ----------
    columns : tuple of tuple of Block
    title : str
    shares : (first, second)
        Of the width.
    is_ruled : bool
        A line stands between them.
    """

    columns: "tuple[tuple[Block, ...], ...]"
    title: str = ""
    shares: tuple[float, float] = (1.0, 1.0)
    is_ruled: bool = False

    def __post_init__(self) -> None:
        _refuse_unless(all(self.columns), "Beside", "no column without a block", self.columns)


Block = (
    Facts
    | Remarks
    | Numbers
    | Table
    | Notes
    | Paragraph
    | Chart
    | Montage
    | Movie
    | Viewer
    | Bullseye
    | Beside
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page: what stands round the blocks, and the blocks.

    Attributes
    ----------
    subject : str
        What the page is about.
    disclaimer : str
        Stands on top and at the foot of every printed page.
    made_by : str
        Program and case, beside the disclaimer on paper.
    blocks : tuple of Block
    closing : str
        The last sentence.
    running : str
        Whom and which study it is about, at the head of every printed page.
    """

    subject: str
    disclaimer: str
    made_by: str
    blocks: tuple[Block, ...]
    closing: str = ""
    running: str = ""


def beside(
    *columns: Sequence[Block], shares: tuple[float, float] = (1.0, 1.0)
) -> tuple[Block, ...]:
    """Return the columns that hold something side by side; nothing where none does."""
    filled = tuple(tuple(column) for column in columns if column)
    return (Beside(filled, shares=shares),) if filled else ()
