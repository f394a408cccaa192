"""What the measurements may mean: criteria, and what a classifier makes of them.

Decision support: it stands below the measurements, and says what it is before anything else.
"""

from collections.abc import Iterable, Iterator

from opencmr.diagnose.classifier import NOVEL
from opencmr.diagnose.groups import in_words
from opencmr.diagnose.lake_louise import TABLE as LAKE_LOUISE
from opencmr.imaging.finding import Criterion, Finding, Outcome
from opencmr.imaging.flag import Severity
from opencmr.report.blocks import Block, Cell, Column, Line, Look, Notes, Table, TableRow
from opencmr.report.contents import Report
from opencmr.report.plain_text import prose, shown
from opencmr.report.rows import DITTO, TEXT_LIMIT

TITLE = "Decision support, research use only, not for diagnosis"
CRITERIA = (Column("Criterion", share=1), Column("Outcome", "word"), Column("Because", share=1))
GROUPS = (Column("Group", share=1), Column("Probability", "number"), Column("In the 90 % set"))
ONE_OF_FIVE = (
    "Probabilities: as each would be, had the heart to be of one of these five groups of ACDC, and "
    "were they as frequent as there, which they are in no clinic."
)
NOT_READ = (
    "For patients in whom myocardial inflammation is suspected, which no program knows. "
    "T2-weighted images, the pericardium and regional wall motion are not read. Segments are "
    "compared with the limit of the whole wall; one above it may be chance and is near, two meet "
    "the criterion. A part that is missing could still meet its criterion."
)
LOOKS: dict[Outcome, Look] = {Outcome.MET: "strong", Outcome.NOT_ASSESSABLE: "muted"}


def tell(report: Report) -> tuple[Block, ...]:
    """Return the section; nothing where no ventricle was measured."""
    return tuple(block for finding in report.findings for block in _told(finding, report))


def _told(finding: Finding, report: Report) -> tuple[Block, ...]:
    if not finding.concludes:
        return (Notes(_doubts(finding, "Nothing is concluded:"), TITLE),)
    lines = (*_answer(finding), *_disagreements(finding))
    return (
        Notes(lines, TITLE, _first_look(report)),
        Table(CRITERIA, tuple(_rows(one for one in finding.criteria if not one.table)), "Criteria"),
        *_inflammation(finding),
        *_resemblance(finding),
    )


def _inflammation(finding: Finding) -> tuple[Block, ...]:
    """Return the Lake Louise criteria; nothing where neither T1 nor T2 was mapped."""
    rows = tuple(_rows(one for one in finding.criteria if one.table == LAKE_LOUISE))
    if not rows:
        return ()
    title = f"{LAKE_LOUISE} (decision support, research use only)"
    return Table(CRITERIA, rows, title), Notes((Line(NOT_READ),))


def _answer(finding: Finding) -> tuple[Line, ...]:
    if finding.group is None:
        return _doubts(finding, "The classifier names no group:")
    return (Line(in_words(finding.group), "By its measurements this heart resembles:"),)


def _doubts(finding: Finding, lead: str) -> tuple[Line, ...]:
    return tuple(Line(prose(one, TEXT_LIMIT), lead, one.code) for one in finding.doubts)


def _disagreements(finding: Finding) -> tuple[Line, ...]:
    return tuple(Line(_units(text), "Disagreement:") for text in finding.disagreements)


def _first_look(report: Report) -> tuple[str, ...]:
    """Say that measurements which need a look make an opinion that needs one."""
    doubtful = {flag for flag in report.flags if flag.severity is Severity.REVIEW}
    told = "All of this follows from measurements that need a reader’s eye first; see the top."
    return (told,) * bool(doubtful)


def _rows(criteria: Iterable[Criterion]) -> Iterator[TableRow]:
    before = ""
    for one in criteria:
        because = prose(one.reason, TEXT_LIMIT) or _units(one.evidence)
        if one.table and one.reason and one.evidence:
            because = f"{because} ({_units(one.evidence)})"
        look = LOOKS.get(one.outcome, "")
        yield TableRow(
            (
                Cell(one.criterion, hint=_source(one)),
                Cell(one.outcome.value, look=look),
                Cell(DITTO if one.reason and because == before else because, look="aside"),
            )
        )
        before = because if one.reason else ""


def _source(one: Criterion) -> str:
    return f"{one.population}; {one.strength}: {one.source}"


def _resemblance(finding: Finding) -> tuple[Block, ...]:
    """Return the probabilities with what speaks for and against; nothing where there are none."""
    shares = finding.probabilities
    if shares is None:
        return ()
    rows = tuple(
        TableRow(
            (
                Cell(in_words(group)),
                Cell(f"{100 * share:.0f} %"),
                Cell("yes" if group in finding.groups else "", look="muted"),
            )
        )
        for group, share in sorted(shares.items(), key=lambda one: -one[1])
    )
    reasons = tuple(Line(_capital(one.sentence)) for one in finding.arguments)
    return (
        Table(GROUPS, rows, "Resemblance to five groups of patients"),
        Notes(reasons, "What speaks for and against", tuple(_compared(finding))),
    )


def _compared(finding: Finding) -> Iterator[str]:
    """Yield how the heart lies among those of the training."""
    yield ONE_OF_FIVE
    if finding.novelty is not None:
        yield (
            f"{100 * finding.novelty:.0f} % of the training hearts resemble a group more; from "
            f"{100 * NOVEL:.0f} % on, a heart is taken for like none of them."
        )
    if finding.similar:
        cases = ", ".join(
            f"an ACDC {group} case ({distance:.1f})" for group, distance in finding.similar
        )
        yield (
            "Most similar training hearts, and how far they lie in standard deviations a "
            f"measurement: {cases}."
        )
    yield f"Read from {finding.read_from}; learnt from clear examples of one centre."


def _units(text: str) -> str:
    return shown(text, TEXT_LIMIT).replace("/m2", "/m²")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
