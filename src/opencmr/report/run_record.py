"""``run.json``: how the result came about, for machines and auditors; no identity."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from opencmr.imaging.flag import LeftOut, QualityFlag
from opencmr.imaging.study import Series
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.files import sha256_of, write_json
from opencmr.report.plain_text import identifying_words, redacted, shown

LIMIT = 2000
"""Characters kept of one text."""


def write(report: Report, folder: Path, written: Sequence[Path] = ()) -> list[Path]:
    """Write ``run.json``, which lists the files ``written`` before it with their SHA-256."""
    words = identifying_words(report.study.identity)
    content = _plain(run_record(report), words)
    files = [
        {"path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)}
        for path in sorted(written)
    ]
    assert isinstance(content, dict)
    return [write_json(folder / "run.json", {**content, "files": files})]


def run_record(report: Report) -> dict[str, object]:
    """Return what ``run.json`` says, but for the files."""
    made = report.provenance
    return {
        "disclaimer": DISCLAIMER,
        "created": made.created,
        "study": report.study.key,
        "input_sha256": report.study.input_sha256,
        "versions": {"opencmr": made.opencmr_version, **made.packages},
        "models": [
            {
                "name": model.name,
                "version": model.version,
                "sha256": model.sha256,
                "terms": model.terms,
                "training_data": model.training_data,
            }
            for model in made.models
        ],
        "configuration": made.configuration,
        "timings_s": made.timings_s,
        "flags": [_flag(flag) for flag in report.flags],
        "left_out": [_left_out(item) for item in report.study.left_out],
        "series": [_series(series, report) for series in report.study.series],
    }


def _flag(flag: QualityFlag) -> dict[str, object]:
    return {
        "severity": flag.severity.value,
        "code": flag.code,
        "message": flag.message,
        "evidence": flag.evidence,
    }


def _left_out(item: LeftOut) -> dict[str, object]:
    return {"what": item.what, "code": item.code, "reason": item.reason, "count": item.count}


def _series(series: Series, report: Report) -> dict[str, object]:
    grid = series.image.grid
    segmentation = report.segmentations.get(series.key)
    return {
        "key": series.key,
        "view": series.view.value,
        "view_confidence": series.view_confidence,
        "sequence": series.sequence.value,
        "sequence_confidence": series.sequence_confidence,
        "because": series.because,
        "phases": series.image.phases,
        "slices": grid.shape[0],
        "rows": grid.shape[1],
        "columns": grid.shape[2],
        "slice_spacing_mm": grid.slice_spacing_mm,
        "row_spacing_mm": grid.row_spacing_mm,
        "column_spacing_mm": grid.column_spacing_mm,
        "measured": segmentation is not None,
        "segmented_by": segmentation.author if segmentation else None,
        "flags": [flag.code for flag in series.flags],
    }


def _plain(value: object, words: tuple[str, ...]) -> object:
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
