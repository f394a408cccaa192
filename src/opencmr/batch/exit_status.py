"""The exit status of a run: whether its studies were analysed, and all of them."""

from collections.abc import Sequence

from opencmr.imaging.flag import LeftOut
from opencmr.report.outcome import StudyOutcome

PARTLY_FAILED = 3
NOTHING_ANALYSABLE = 4
HARMLESS = frozenset(
    {"NOT_AN_IMAGE", "DUPLICATE", "NOT_MR", "NOT_MEASURABLE_PIXELS", "LABEL_MAP", "OWN_RESULT"}
)
"""Reason codes of what is no study; any other code on an orphan means that a case was lost."""


def exit_status(outcomes: Sequence[StudyOutcome], orphans: Sequence[LeftOut]) -> int:
    """Return 0, 3 or 4 as ``opencmr --help`` explains them.

    ``orphans`` are what was left out and belongs to none of the studies.
    """
    if not any(outcome.values for outcome in outcomes):
        return NOTHING_ANALYSABLE
    lost = any(row.reason.code not in HARMLESS for row in orphans)
    return PARTLY_FAILED if lost or any(o.is_withheld for o in outcomes) else 0
