"""What became of a study, in short.

It is read from the result folder, so that a resumed run tells the same as one never stopped.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.measure.registry import EVERY_QUANTITY
from opencmr.report.contents import HEADLINE, SINGLE_PHASE_HEADLINE
from opencmr.storage import RUN_FILE

MEASUREMENTS_FILE = "measurements.json"
QUANTITIES = {quantity.symbol: quantity for quantity in EVERY_QUANTITY}

Interval = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """One study's result without its images, so that a hundred studies fit in memory.

    Attributes
    ----------
    texts : mapping from symbol to the whole-heart value with its decimals and unit
    values : mapping from symbol to the whole-heart value, None where withheld
        Without symbols that stand for several values (a map in each of two series).
    intervals : mapping from symbol to (low, high), where the value has an interval
    models : tuple of str
        ``name@version`` of every model that took part.
    version : str
        Of the opencmr that made the result.
    error : str
        Why the study failed; empty when it did not.
    """

    key: str
    folder: Path = field(repr=False)
    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float | None] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    flags: tuple[QualityFlag, ...] = ()
    models: tuple[str, ...] = ()
    version: str = ""
    error: str = ""

    @property
    def is_withheld(self) -> bool:
        """Whether the study failed, or a flag says that it must not be reported."""
        return bool(self.error) or any(f.severity is Severity.DO_NOT_REPORT for f in self.flags)

    def codes(self, *severities: Severity) -> tuple[str, ...]:
        """Return the codes of its flags, each once, worst first; of all severities by default."""
        asked = severities or tuple(Severity)
        return tuple(dict.fromkeys(f.code for f in self.flags if f.severity in asked))

    @property
    def text(self) -> str:
        """A few lines for people."""
        if self.error:
            return f"study {self.key}: failed: {self.error}"
        lines = [f"study {self.key}: {self.folder / 'report.html'}"]
        shown = SINGLE_PHASE_HEADLINE if self.texts.keys() & SINGLE_PHASE_HEADLINE else HEADLINE
        lines += [f"  {s:<6} {self.texts[s]}" for s in shown if s in self.texts]
        lines += [f"  {f.severity.value}: {f.code}: {f.message}" for f in self.flags]
        return "\n".join(lines)

    @property
    def summary(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "key": self.key,
            "folder": None if self.error else str(self.folder),
            "error": self.error or None,
            "measurements": dict(self.values),
            "flags": [f.code for f in self.flags],
        }


def read_outcome(folder: Path, shown: Path) -> StudyOutcome:
    """Return what a study's result folder says, in short; of a stack at one phase its volumes too.

    Parameters
    ----------
    folder : Path
        That was written by :func:`opencmr.report.writers.write_report`.
    shown : Path
        What the folder is called.
    """
    record = json.loads((folder / RUN_FILE).read_bytes())
    rows = json.loads((folder / MEASUREMENTS_FILE).read_bytes())["measurements"]
    single = all(one["phases"] == 1 for one in record["series"] if one["measured"])
    found: dict[str, dict[float | None, dict[str, Any]]] = {}
    for row in rows:
        if row["segment"] is None and (single or row["phase"] is None):
            found.setdefault(row["symbol"], {})[row["value"]] = row
    told = [next(iter(values.values())) for values in found.values() if len(values) == 1]
    return StudyOutcome(
        key=record["study"],
        folder=shown,
        texts={row["symbol"]: _text(row) for row in told},
        values={row["symbol"]: row["value"] for row in told},
        intervals={row["symbol"]: tuple(row["interval"]) for row in told if row["interval"]},
        flags=tuple(
            QualityFlag(Severity(f["severity"]), f["code"], f["message"], f["evidence"])
            for f in record["flags"]
        ),
        models=tuple(f"{one['name']}@{one['version']}" for one in record["models"]),
        version=record["versions"]["opencmr"],
    )


def _text(row: Mapping[str, Any]) -> str:
    quantity, value = QUANTITIES.get(row["symbol"]), row["value"]
    number = quantity.format(value) if quantity else "–" if value is None else f"{value:g}"
    return f"{number:>6} {row['unit']}"
