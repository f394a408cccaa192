"""An earlier result beside this one: then, now, the change, and whether it means anything."""

from opencmr.anatomy.repeatability import CAVEAT, SOURCE
from opencmr.imaging.change import Change, Comparison, Verdict
from opencmr.report.blocks import Block, Cell, Column, Line, Notes, Table, TableRow
from opencmr.report.contents import Report
from opencmr.report.plain_text import prose, shown
from opencmr.report.rows import TEXT_LIMIT, number, signed, unit_text, with_unit
from opencmr.report.sections.ventricles import CHAMBERS, WHOLE_CINE

COLUMNS = (
    Column("Quantity", share=1),
    Column("Then", "number"),
    Column("Now", "number"),
    Column("Change", "number"),
    Column("Repeatability", hint="a change within ± this limit may be the measurement's own"),
)
ORDER = {
    f"{chamber}{end}": number
    for number, (chamber, end) in enumerate(
        (chamber, end) for chamber, _ in CHAMBERS for end, _ in WHOLE_CINE
    )
}
"""As the tables of the ventricles have it; what else was measured comes after."""
HINT = "The same quantity in an earlier study of this patient, and now."
WORDS = {
    Verdict.WITHIN: "within ± {}",
    Verdict.BEYOND: "beyond ± {}",
    Verdict.UNDECIDED: "beyond ± {}, but within for another reading of the base",
}
INTERVALS = (
    "Below a change: its interval over the ways to read the base, then and now. The outlines of "
    "the other slices have an error of their own, which is not in it."
)


def tell(report: Report) -> tuple[Block, ...]:
    """Return the table and what to know of it; nothing without an earlier result."""
    found = report.comparison
    if found is None:
        return ()
    compared = [one for one in found.changes if one.then is not None or one.now is not None]
    in_order = sorted(compared, key=lambda one: ORDER.get(one.quantity.symbol, len(ORDER)))
    rows = tuple(_row(one) for one in in_order if one.then is not None)
    notes = Notes(_warnings(report, found), small=_small(found))
    table = Table(COLUMNS, rows, "Since the earlier study", HINT, otherwise="nothing to compare")
    return table, notes


def _row(one: Change) -> TableRow:
    decimals = one.quantity.decimals
    name = Cell(one.quantity.name, unit_text(one.quantity.unit), hint=one.quantity.symbol)
    then, now = Cell(number(one.then, decimals)), Cell(number(one.now, decimals), look="strong")
    if one.change is None:
        return TableRow(
            (name, then, now, Cell(prose(one.reason, TEXT_LIMIT), look="aside", span=2))
        )
    ends = (signed(end, decimals) or "0" for end in one.interval or ())
    change = Cell(signed(one.change, decimals), below=" to ".join(ends), look="strong")
    if one.verdict is None or one.limit is None:
        judged = Cell("not known", look="muted")
    else:
        limit = with_unit(one.limit, max(decimals, 1), unit_text(one.quantity.unit))
        judged = Cell(WORDS[one.verdict].format(limit))
    return TableRow((name, then, now, change, judged))


def _warnings(report: Report, found: Comparison) -> tuple[Line, ...]:
    """Return what makes the comparison doubtful."""
    version = report.provenance.opencmr_version
    told = {
        "The earlier result is of this same study.": found.is_same_study,
        "The study called earlier is of a later day than this one: the signs of the changes are "
        "those of going back in time.": found.is_later is True,
        "Which of both studies came first is not known: a day is not stated.": found.is_later
        is None,
        "That both are of one patient is the caller’s word: an identifier is "
        "missing.": not found.by_identifier,
        f"The earlier result was made by opencmr {shown(found.earlier.version, 60) or 'unknown'}, "
        f"this one by {shown(version, 60)}.": found.earlier.version != version,
    }
    return tuple(Line(text) for text, holds in told.items() if holds)


def _small(found: Comparison) -> tuple[str, ...]:
    judged = any(one.verdict for one in found.changes)
    absent = [one.quantity.symbol for one in found.changes if one.then is None]
    lines = {
        INTERVALS: any(one.interval for one in found.changes),
        f"Limits of repeatability: {SOURCE}. {CAVEAT}": judged,
        f"No earlier value: {', '.join(absent)}.": bool(absent),
    }
    return tuple(text for text, holds in lines.items() if holds)
