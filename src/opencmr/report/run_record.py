"""``run.json``: how the result came about, for machines and auditors; no identity."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath

from opencmr.imaging.finding import Finding
from opencmr.imaging.flag import LeftOut, QualityFlag
from opencmr.imaging.study import Series
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.dicom_map import why_no_map
from opencmr.report.dicom_sr import why_no_report
from opencmr.report.dicom_study import why_none
from opencmr.report.fhir import why_no_bundle
from opencmr.report.plain_text import identifying_words, redacted, shown
from opencmr.report.typesetting import why_no_pdf
from opencmr.storage import sha256_of, write_json

LIMIT = 2000
"""Characters kept of one text."""


def write(report: Report, folder: Path, written: Sequence[Path] = ()) -> list[Path]:
    """Write ``run.json``, which lists the files ``written`` before it with their SHA-256."""
    files = [
        {"path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)}
        for path in sorted(written)
    ]
    return [write_json(folder / "run.json", {**run_record(report), "files": files})]


def run_record(report: Report) -> dict[str, object]:
    """Return what ``run.json`` says, but for the files: strict JSON types, no identity.

    Free text may quote a header, so the words of the identity are taken out of it.
    """
    words = identifying_words(report.study.identity)
    made = report.provenance
    return {
        "disclaimer": DISCLAIMER,
        "created": _plain(made.created),
        "study": report.study.key,
        "input_sha256": report.study.input_sha256,
        "versions": _plain({"opencmr": made.opencmr_version, **made.packages}),
        "models": [_plain(asdict(model)) for model in made.models],
        "configuration": _plain(made.configuration, words),
        "timings_s": _plain(made.timings_s),
        "plan": [_plain(planned.plain, words) for planned in report.plan],
        "findings": [_finding(finding, words) for finding in report.findings],
        "flags": [_flag(flag, words) for flag in report.flags],
        "flag_details": [_flag_details(flag, words) for flag in report.flags],
        "left_out": [_left_out(item, words) for item in report.study.left_out],
        "not_written": [_plain(row, words) for row in not_written(report)],
        "series": [_series(series, report, words) for series in report.study.series],
    }


def not_written(report: Report) -> list[dict[str, str]]:
    """Return what other studies' results hold and this one does not, with the reason."""
    parts = {
        "dicom": why_none,
        "dicom/map": why_no_map,
        "dicom/sr.dcm": why_no_report,
        "fhir": why_no_bundle,
    }
    reasons = {what: why(report) for what, why in parts.items()}
    no_pdf = why_no_pdf()
    reasons["report.pdf"] = no_pdf
    if not reasons["dicom"]:
        reasons["dicom/report.dcm"] = reasons["dicom/report_page"] = no_pdf
    return [{"what": what, "reason": reason} for what, reason in reasons.items() if reason]


def _flag(flag: QualityFlag, words: tuple[str, ...]) -> dict[str, object]:
    return {
        "severity": flag.severity.value,
        "code": flag.code,
        "message": _plain(flag.message, words),
        "evidence": _plain(flag.evidence, words),
    }


def _flag_details(flag: QualityFlag, words: tuple[str, ...]) -> dict[str, object]:
    text = f"{flag.message} ({flag.evidence})" if flag.evidence else flag.message
    about = {
        "series": flag.about.series or None,
        "analysis": flag.about.analysis or None,
        "symbols": sorted(flag.about.symbols),
    }
    return {
        "code": flag.code,
        "severity": flag.severity.value,
        "text": _plain(text, words),
        "about": about,
    }


def _finding(finding: Finding, words: tuple[str, ...]) -> object:
    """Return a finding: its words are the program's own, but why something is missing."""
    rules = [one.plain | {"reason": _plain(one.plain["reason"], words)} for one in finding.criteria]
    doubts = [{"code": d.code, "sentence": _plain(d.sentence, words)} for d in finding.doubts]
    return _plain(finding.plain | {"indeterminate": doubts, "rules": rules})


def _left_out(item: LeftOut, words: tuple[str, ...]) -> dict[str, object]:
    plain = item.plain
    return {
        name: value if name == "code" else _plain(value, words) for name, value in plain.items()
    }


def _series(series: Series, report: Report, words: tuple[str, ...]) -> dict[str, object]:
    grid = series.image.grid
    segmentation = report.segmentations.get(series.key)
    return {
        "key": series.key,
        "view": series.view.value,
        "view_confidence": _plain(series.view_confidence),
        "sequence": series.sequence.value,
        "sequence_confidence": _plain(series.sequence_confidence),
        "because": _plain(series.because, words),
        "phases": series.image.phases,
        "slices": grid.shape[0],
        "rows": grid.shape[1],
        "columns": grid.shape[2],
        "slice_spacing_mm": grid.slice_spacing_mm,
        "row_spacing_mm": grid.row_spacing_mm,
        "column_spacing_mm": grid.column_spacing_mm,
        "measured": segmentation is not None,
        "segmented_by": _plain(segmentation.drawn_by, words) if segmentation else None,
        "flags": [flag.code for flag in series.flags],
    }


def _plain(value: object, words: tuple[str, ...] = ()) -> object:
    """Return ``value`` as strict JSON types, its texts without identity or file names."""
    if isinstance(value, Mapping):
        return {str(_plain(str(key), words)): _plain(item, words) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, words) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return "a path" if isinstance(value, PurePath) else redacted(shown(str(value), LIMIT), words)
