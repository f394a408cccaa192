"""An earlier result read back: its whole-heart values, and whose they are.

The patient is told by ``fhir/bundle.json`` alone; ``run.json`` and ``measurements.json`` name
nobody (ADR 0033).
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from opencmr.errors import ConfigurationError
from opencmr.imaging.change import EarlierResult, EarlierValue
from opencmr.report import fhir
from opencmr.storage import RUN_FILE, sha256_of_bytes

MEASUREMENTS_FILE = "measurements.json"
BUNDLE_FILE = f"{fhir.FOLDER}/bundle.json"
LARGEST_BYTES = 64 << 20
EXPECTED = "name the result folder of one study, as opencmr analyze writes it"


def earlier_result(folder: Path | None, *, is_same_patient: bool) -> EarlierResult | None:
    """Return what the earlier result that a caller names holds; nothing where none is named.

    Parameters
    ----------
    folder : Path or None
    is_same_patient : bool
        The caller says that both are of one patient.

    Raises
    ------
    ConfigurationError
        When it is no result of one study, or the patient is stated without a result.
    """
    if folder is None:
        if is_same_patient:
            raise ConfigurationError("--same-patient goes with --previous; name the earlier result")
        return None
    if not folder.is_dir():
        raise ConfigurationError(f"--previous names no folder; {EXPECTED}")
    return read_earlier(folder)


def read_earlier(folder: Path) -> EarlierResult:
    """Return what the result folder of one study holds.

    Raises
    ------
    ConfigurationError
        When it is no such folder, or a file of it was changed since.
    """
    run = _content(folder, RUN_FILE)
    study, files = run.get("study"), run.get("files")
    if not isinstance(study, str) or not isinstance(files, list):
        raise ConfigurationError(
            f"the {RUN_FILE} of the earlier result is not that of one study; {EXPECTED}"
        )
    listed = {str(row.get("path")): str(row.get("sha256")) for row in files if _is_object(row)}
    told = _content(folder, MEASUREMENTS_FILE, listed)
    who = _content(folder, BUNDLE_FILE, listed) if (folder / BUNDLE_FILE).exists() else {}
    versions = run.get("versions")
    return EarlierResult(
        study=study,
        values=_values(told),
        version=str(versions.get("opencmr", "")) if _is_object(versions) else "",
        sha256=listed[MEASUREMENTS_FILE],
        **_patient(who),
    )


def _is_object(found: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(found, Mapping)


def _content(folder: Path, name: str, listed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a JSON file of the result, the same bytes as ``listed`` where that is given."""
    path = folder / name
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ConfigurationError(f"the {name} of the earlier result is too large; {EXPECTED}")
        content = path.read_bytes()
        found = json.loads(content)
    except OSError:
        raise ConfigurationError(
            f"the earlier result holds no {name} to read; {EXPECTED}"
        ) from None
    except (ValueError, RecursionError):
        raise ConfigurationError(
            f"the {name} of the earlier result is no JSON; {EXPECTED}"
        ) from None
    if not isinstance(found, dict):
        raise ConfigurationError(
            f"the {name} of the earlier result is not one of opencmr; {EXPECTED}"
        )
    if listed is not None and listed.get(name) != sha256_of_bytes(content):
        raise ConfigurationError(
            f"the {name} of the earlier result is not the one that its {RUN_FILE} lists; "
            "analyse the earlier study again"
        )
    return found


def _values(told: Mapping[str, Any]) -> dict[str, EarlierValue]:
    """Return the whole-heart values of a ``measurements.json``."""
    rows, drawn = told.get("measurements"), told.get("segmentations") or []
    if not isinstance(rows, list) or not isinstance(drawn, list):
        raise ConfigurationError(
            f"the {MEASUREMENTS_FILE} of the earlier result has no list; {EXPECTED}"
        )
    authors = {row.get("series"): str(row.get("author", "")) for row in drawn if _is_object(row)}
    found: dict[str, list[EarlierValue]] = {}
    for row in rows:
        if _is_object(row) and row.get("phase") is None and row.get("segment") is None:
            author = authors.get(row.get("series"), "")
            found.setdefault(str(row.get("symbol")), []).append(_value(row, author))
    return {symbol: ones[0] for symbol, ones in found.items() if len(ones) == 1}


def _value(row: Mapping[str, Any], author: str) -> EarlierValue:
    ends = row.get("interval")
    interval = None
    if isinstance(ends, list) and len(ends) == 2:
        low, high = map(_number, ends)
        interval = (low, high) if low is not None and high is not None else None
    return EarlierValue(
        _number(row.get("value")),
        str(row.get("unit", "")),
        interval,
        str(row.get("policy") or ""),
        author,
    )


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def _patient(bundle: Mapping[str, Any]) -> dict[str, str]:
    """Return the identifier, its issuer and the day of the study, as far as a bundle has them."""
    entries = bundle.get("entry")
    resources = [
        one["resource"]
        for one in (entries if isinstance(entries, list) else [])
        if _is_object(one) and _is_object(one.get("resource"))
    ]
    patient = _first(resources, "Patient")
    identifiers = patient.get("identifier")
    identifier = identifiers[0] if isinstance(identifiers, list) and identifiers else {}
    assigner = identifier.get("assigner", {}) if _is_object(identifier) else {}
    return {
        "patient_id": str(identifier.get("value", "")) if _is_object(identifier) else "",
        "issuer_of_patient_id": str(assigner.get("display", "")) if _is_object(assigner) else "",
        "study_date": str(_first(resources, "ImagingStudy").get("started", "")),
    }


def _first(resources: list[Any], kind: str) -> Mapping[str, Any]:
    return next((one for one in resources if one.get("resourceType") == kind), {})
