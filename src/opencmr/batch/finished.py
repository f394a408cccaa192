"""Whether a folder holds the finished result of a study, and how it differs from what is asked."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from opencmr import storage
from opencmr.models.precision import Precision
from opencmr.pipeline import Configuration

OPTIONS = {
    "model": "--model",
    "seg_phases": "--seg-phases",
    "seg_type": "--seg-type",
    "precision": "--precision",
    "sequence": "--sequence",
    "normal_ranges": "--ranges",
}
"""How the command line calls keys of the record of a configuration."""
BEFORE: Mapping[str, object] = {"precision": Precision.F32.value}
"""What results that were made before there was a choice were made with."""
GIVEN = {
    "sex": "--sex",
    "age_years": "--age",
    "height_cm": "--height-cm",
    "weight_kg": "--weight-kg",
    "heart_rate_bpm": "--heart-rate",
    "haematocrit": "--haematocrit",
    "may_use_synthetic_haematocrit": "--synthetic-haematocrit",
}
"""How it calls what is known of the patient; a table of --demographics gives it too."""


def is_finished(folder: Path, input_sha256: str, configuration: Configuration) -> bool:
    """Whether a folder holds the whole result of this input and configuration."""
    record = _record(folder)
    try:
        return (
            record["input_sha256"] == input_sha256
            and {**BEFORE, **record["configuration"]} == configuration.record
            and all((folder / one["path"]).is_file() for one in record["files"])
        )
    except (KeyError, TypeError):
        return False


def why_other(folder: Path, input_sha256: str, configuration: Configuration) -> str:
    """Return in words how a result was made otherwise than is asked; empty where it was not.

    Values of the patient are not told: the record holds a digest of them alone.

    Parameters
    ----------
    folder : Path
    input_sha256 : str
    configuration : Configuration
    """
    record = _record(folder)
    then, now = record.get("configuration"), configuration.record
    if not isinstance(then, dict) or "input_sha256" not in record:
        return ""
    if record["input_sha256"] != input_sha256:
        return "its input has changed since it was made"
    told = list(_options_that_differ(then, now))
    return f"it was made with other options: {'; '.join(told)}" if told else ""


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / storage.RUN_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _options_that_differ(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    then = {**BEFORE, **then}
    differing = {key for key in now if then.get(key) != now[key]}
    for key, option in OPTIONS.items():
        if key in differing:
            yield f"{option} (then {then.get(key, 'not known')}, now {now[key]})"
    after = now["given_by_the_caller"]
    if "given_by_the_caller" in differing:
        before = then.get("given_by_the_caller") or ()
        for key, option in GIVEN.items():
            if key in before and key not in after:
                yield f"{option} (then given, now not given)"
            elif key in after and key not in before:
                yield f"{option} (then not given, now given)"
    elif "given_sha256" in differing and "normal_ranges" not in differing:
        known = [option for key, option in GIVEN.items() if key in after]
        yield f"a value of {', '.join([*known, '--spacing'])} or the table of --ranges"
