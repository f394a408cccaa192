"""The findings as a paragraph to copy: sentences made of values, ranges and flags, no more.

No sentence grades a value: it lies within, above or below a range that was read at its source, or
no range was applied.  The reader's own impression is left blank.
"""

from collections.abc import Iterator

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.mapping import NAME as MAPPING
from opencmr.analyses.scar import NAME as SCAR
from opencmr.imaging.flag import Severity
from opencmr.imaging.measurement import Measurement
from opencmr.report.blocks import Block, Paragraph
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.plain_text import prose, shown
from opencmr.report.rows import TEXT_LIMIT, distinct, number, row_of, unit_text
from opencmr.report.sections.ventricles import CHAMBERS, at_given_phase

TITLE = "Findings in words"
ABOUT = "Made by fixed rules from the numbers, ranges and flags of this report; no impression."
FIELDS = ("Reader’s impression", "Name, signature and date")
ASKED = (
    (("EDVi", "EDV"), "end-diastolic volume"),
    (("EF",), "ejection fraction"),
    (("Mi", "M"), "mass"),
)
"""Ends of a symbol after LV or RV: the first that has a value is told."""
OUTPUT = (("CO", "cardiac output"), ("CI", "cardiac index"))
DEPENDS = "depending on "
"""How the evidence of an interval over the readings of the base begins."""
SPREAD = "_SD"
"""Ends the symbols of spreads, which are no findings."""


def tell(report: Report) -> tuple[Block, ...]:
    """Return the paragraph; nothing where nothing was asked of the study."""
    told = tuple(sentences(report))
    if not told:
        return ()
    return (Paragraph(" ".join((*told, *_closing(report))), TITLE, ABOUT, FIELDS),)


def sentences(report: Report) -> Iterator[str]:
    """Yield what was measured or withheld, one sentence a quantity."""
    for chamber, title in CHAMBERS:
        for row in at_given_phase(report, chamber):
            if not row.reason:
                yield f"{title}: {_lower(row.label)} {row.value} {row.unit}."
        for ends, called in ASKED:
            yield from _sentence(report, chamber, title.lower(), ends, called)
        yield from _output(report, chamber, title.lower())
    yield from _without_value(report)
    yield from _tissue(report)


def _sentence(
    report: Report, chamber: str, whose: str, ends: tuple[str, ...], called: str
) -> Iterator[str]:
    function = report.measurements.of(FUNCTION)
    found = [one for end in ends if (one := function.find(f"{chamber}{end}"))]
    for one in found:
        if one.value is not None:
            indexed = "indexed " if one.quantity.symbol.endswith("i") else ""
            yield (
                f"The {indexed}{called} of the {whose} is {_value(one)}"
                f"{_interval(report, one, chamber)}{_verdict(one)}."
            )
            return


def _output(report: Report, chamber: str, whose: str) -> Iterator[str]:
    function = report.measurements.of(FUNCTION)
    found = [(function.find(f"{chamber}{end}"), called) for end, called in OUTPUT]
    told = [
        f"a {called} of {_value(one)}{_interval(report, one, chamber)}{_verdict(one)}"
        for one, called in found
        if one and one.value is not None
    ]
    if told:
        yield f"The {whose} has {' and '.join(told)}."


def _without_value(report: Report) -> Iterator[str]:
    """Yield what is withheld and what could not be measured, each reason once."""
    function = report.measurements.of(FUNCTION)
    lacking: dict[str, list[str]] = {}
    for chamber, _ in CHAMBERS:
        for ends, _ in ASKED:
            found = [one for end in ends if (one := function.find(f"{chamber}{end}"))]
            if found and all(one.value is None for one in found):
                why = _why_none(report, found[-1])
                lacking.setdefault(why, []).append(found[-1].quantity.symbol)
    for why, symbols in lacking.items():
        yield f"No value for {', '.join(symbols)}: {why}."


def _tissue(report: Report) -> Iterator[str]:
    for one in _tissue_values(report):
        where = f" (series {one.series})" if one.series else ""
        yield f"{shown(one.quantity.name)}{where}: {_value(one)}{_verdict(one)}."


def _tissue_values(report: Report) -> list[Measurement]:
    return [
        one
        for analysis in (MAPPING, SCAR)
        for one in report.measurements.of(analysis).whole_heart
        if one.value is not None and not one.quantity.symbol.endswith(SPREAD)
    ]


def _verdict(one: Measurement) -> str:
    """Return where a value lies; of an interval that crosses a limit, every way in which it may."""
    reference = one.reference
    if reference is None:
        return ""
    ends = (
        "below" if end < reference.low else "above" if end > reference.high else "within"
        for end in one.interval or ()
    )
    found = " or ".join(dict.fromkeys((reference.verdict, *ends)))
    return f", {found} the normal range of {row_of(one, '').range}"


def _value(one: Measurement) -> str:
    return f"{number(one.value, one.quantity.decimals)} {unit_text(one.quantity.unit)}".strip()


def _interval(report: Report, one: Measurement, chamber: str) -> str:
    """Return how far a value depends on the base, and on which slices, where it does."""
    if one.interval is None:
        return ""
    low, high = (number(end, one.quantity.decimals) for end in one.interval)
    if low == high:
        return ""
    fraction = report.measurements.of(FUNCTION).find(f"{chamber}EF")
    said = [x.evidence for x in (one, fraction) if x and x.evidence.startswith(DEPENDS)]
    slices = f" {shown(said[0], TEXT_LIMIT)}" if said else " over the ways to read the base"
    return f" ({low}–{high}{slices})"


def _why_none(report: Report, one: Measurement) -> str:
    """Return that a value is withheld, and by which remark, or why it could not be measured."""
    code = one.reason.code if one.reason else ""
    for flag in report.flags:
        if flag.severity is Severity.DO_NOT_REPORT and flag.code == code:
            return f"withheld, {_clause(flag.message)}"
    return f"not measured, {_clause(prose(one.reason, TEXT_LIMIT))}"


def _closing(report: Report) -> Iterator[str]:
    """Yield what must go with the numbers wherever they are pasted."""
    unjudged = [one.quantity.symbol for one in _told(report) if one.reference is None]
    if unjudged:
        yield f"No normal range was applied to {', '.join(dict.fromkeys(unjudged))}."
    populations = distinct(
        f"{one.reference.population} ({one.reference.citation})"
        for one in _told(report)
        if one.reference
    )
    if populations:
        yield f"Normal ranges: {'; '.join(populations)}."
    doubts = distinct(f.message for f in report.flags if f.severity is Severity.REVIEW)
    if doubts:
        yield f"To be looked at before use: {' '.join(doubts)}"
    authors = distinct(one.drawn_by for one in report.segmentations.values())
    by = f" from contours by {'; '.join(authors)}" if authors else ""
    version = shown(report.provenance.opencmr_version, 60)
    yield f"Measured by opencmr {version}{by}. {DISCLAIMER}."


def _told(report: Report) -> list[Measurement]:
    """Return the values that the sentences tell."""
    function = report.measurements.of(FUNCTION)
    asked = [ends for ends, _ in ASKED] + [(end,) for end, _ in OUTPUT]
    chosen = []
    for chamber, _ in CHAMBERS:
        for ends in asked:
            found = [function.find(f"{chamber}{end}") for end in ends]
            chosen += [one for one in found if one and one.value is not None][:1]
    return chosen + _tissue_values(report)


def _clause(text: str) -> str:
    return shown(text, TEXT_LIMIT).rstrip(".")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
