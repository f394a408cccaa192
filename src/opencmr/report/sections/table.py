"""Every section of a page, in a reader's order, and the page that they make."""

from collections.abc import Callable
from dataclasses import dataclass

from opencmr.analyses.function import NAME as FUNCTION
from opencmr.analyses.long_axes import NAME as LONG_AXES
from opencmr.analyses.mapping import NAME as MAPPING
from opencmr.analyses.scar import NAME as SCAR
from opencmr.report.blocks import Block, Page
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.plain_text import shown
from opencmr.report.sections import (
    basal_slices,
    diagnosis,
    enhancement,
    findings_in_words,
    further,
    gaps,
    hearts,
    identity,
    long_axis,
    long_axis_function,
    method,
    previous,
    series,
    tissue,
    trust,
    truth,
    ventricles,
    wall,
)

WITHOUT_SUBJECT = "Cardiovascular MR"
CLOSING = (
    "Every number here was computed by a program and confirmed by nobody. The same numbers are in "
    "measurements.json and measurements.csv; how they came about is in run.json."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    tell : function
        Turns the report into blocks; none where it has nothing to say.
    analysis : str
        The analysis whose values it tells; others come under "Further measurements".
    subject : str
        What a page is called that holds something of this analysis.
    """

    tell: Callable[[Report], tuple[Block, ...]]
    analysis: str = ""
    subject: str = ""


def _further(report: Report) -> tuple[Block, ...]:
    return further.tell(report, frozenset(section.analysis for section in SECTIONS))


SECTIONS: tuple[Section, ...] = (
    Section(identity.tell),
    Section(trust.tell),
    Section(ventricles.tell, FUNCTION, "Cardiac function from cine CMR"),
    Section(previous.tell),
    Section(findings_in_words.tell),
    Section(truth.tell),
    Section(hearts.tell),
    Section(basal_slices.tell),
    Section(long_axis.tell),
    Section(long_axis_function.tell, LONG_AXES, "Long-axis function from cine CMR"),
    Section(wall.tell),
    Section(tissue.tell, MAPPING, "Tissue mapping"),
    Section(enhancement.tell, SCAR, "Late enhancement"),
    Section(_further),
    Section(diagnosis.tell),
    Section(series.tell),
    Section(gaps.tell),
    Section(method.tell),
)
"""A new section is one file and one line here."""


def page_of(report: Report) -> Page:
    """Return the page of a report."""
    found = {one.analysis for one in report.measurements}
    subjects = [s.subject for s in SECTIONS if s.subject and s.analysis in found]
    version = shown(report.provenance.opencmr_version, 60)
    return Page(
        subject="; ".join(subjects) or WITHOUT_SUBJECT,
        disclaimer=DISCLAIMER,
        made_by=f"opencmr {version} · study {report.study.key}",
        blocks=tuple(block for section in SECTIONS for block in section.tell(report)),
        closing=CLOSING,
        running=identity.line(report),
    )
