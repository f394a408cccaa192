"""What is no error but matters: a flag in the report, never a log line."""

from dataclasses import dataclass
from enum import StrEnum

from opencmr.anatomy.reasons import Reason, require_known


class Severity(StrEnum):
    """How much a flag weighs."""

    INFO = "info"
    """Worth knowing; the numbers stand."""
    REVIEW = "review"
    """Numbers are shown with a banner: a reader must look."""
    DO_NOT_REPORT = "do not report"
    """The numbers concerned are withheld."""


@dataclass(frozen=True, slots=True)
class About:
    """What a flag concerns: a series by its key, an analysis by its name; empty: the study."""

    series: str = ""
    analysis: str = ""
    symbols: frozenset[str] = frozenset()
    """Symbols of the quantities concerned; empty: all."""


@dataclass(frozen=True, slots=True)
class QualityFlag:
    """One remark on quality.

    Attributes
    ----------
    severity : Severity
    code : str
        Upper-case reason code (``SPARSE_STACK``), listed in the reference of flags.
    message : str
        One or two sentences for the reader: what was found, what follows, what to do.
    evidence : str
        The figures behind it; no identifiers.
    about : About
    """

    severity: Severity
    code: str
    message: str
    evidence: str = ""
    about: About = About()

    def __post_init__(self) -> None:
        require_known(self.code)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Input that was not used, and why.

    ``what`` holds no file name and no identifier: a count, a kind, a short hash of a UID.
    """

    what: str
    reason: Reason
    count: int = 1

    @property
    def plain(self) -> dict[str, str | int]:
        """The row as programs read it."""
        return {
            "what": self.what,
            "code": self.reason.code,
            "reason": self.reason.sentence,
            "count": self.count,
        }
