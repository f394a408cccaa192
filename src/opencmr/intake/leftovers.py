"""Keeping count of what was left out, of which study, and why."""

from collections import Counter
from dataclasses import dataclass, field, replace

from opencmr.anatomy.reasons import Reason
from opencmr.imaging.flag import LeftOut


@dataclass(slots=True)
class Leftovers:
    """A count of what was left out while one input is read.

    >>> leftovers = Leftovers()
    >>> leftovers.add("file", Reason("NOT_AN_IMAGE"))
    >>> leftovers.add("file", Reason("NOT_AN_IMAGE"))
    >>> leftovers.rows()[0].count
    2
    """

    _counts: Counter[tuple[str, LeftOut]] = field(default_factory=Counter)

    def add(self, what: str, reason: Reason, *, study_uid: str = "", count: int = 1) -> None:
        """Count ``what``; ``study_uid`` is empty where no header says to which study it belongs."""
        self._counts[study_uid, LeftOut(what, reason)] += count

    def rows(self, study_uid: str = "") -> tuple[LeftOut, ...]:
        """Return what was left out of one study, in an order that the input's does not change."""
        found = [
            replace(row, count=count)
            for (study, row), count in self._counts.items()
            if study == study_uid
        ]
        return tuple(
            sorted(found, key=lambda row: (row.reason.code, row.what, row.reason.sentence))
        )

    def of_study(self, study_uid: str) -> "Leftovers":
        """Return what was left out of one study, and what no header says to belong to any."""
        return Leftovers(
            Counter({key: n for key, n in self._counts.items() if key[0] in ("", study_uid)})
        )

    def moved(self, study_uids: frozenset[str], study_uid: str) -> "Leftovers":
        """Return the same with what was left out of several studies counted for one."""
        counts: Counter[tuple[str, LeftOut]] = Counter()
        for (uid, row), count in self._counts.items():
            counts[study_uid if uid in study_uids else uid, row] += count
        return Leftovers(counts)

    def __add__(self, other: "Leftovers") -> "Leftovers":
        return Leftovers(self._counts + other._counts)

    def study_uids(self) -> frozenset[str]:
        """Return the studies of which something was left out."""
        return frozenset(study for study, _ in self._counts if study)
