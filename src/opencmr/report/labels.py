"""``segmentation/``: image and labels as NIfTI for an editor, with the labels' meaning beside."""

import json
import re
from pathlib import Path

from opencmr.imaging.phase_times import time_step_ms
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series, short_hash
from opencmr.intake.nifti.write import write_image_nifti, write_labels_nifti
from opencmr.report.authorship import authorship
from opencmr.report.colour_tables import write_colour_tables
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.plain_text import identifying_words
from opencmr.storage import sha256_of, write_json

FOLDER = "segmentation"


def write(report: Report, folder: Path) -> list[Path]:
    """Write for every measured series what an editor needs to correct its labels.

    The image ``<key>.nii.gz``; its labels ``<key>_seg.nii.gz`` with ``.json``; their colours for
    ITK-SNAP (``.label``) and for 3D Slicer (``.ctbl``).
    """
    words = identifying_words(report.study.identity)
    written: list[Path] = []
    for series in report.measured_series():
        written += _write_one(
            series, report.segmentations[series.key], words, folder / FOLDER / stem_of(series.key)
        )
    return written


def _write_one(
    series: Series, segmentation: Segmentation, words: tuple[str, ...], stem: Path
) -> list[Path]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    step_ms = time_step_ms(series.image)
    picture = stem.with_name(f"{stem.name}.nii.gz")
    write_image_nifti(picture, series.image, step_ms=step_ms)
    labels, sidecar = write_labels_nifti(
        stem.with_name(f"{stem.name}_seg.nii.gz"),
        segmentation.labels,
        scheme=segmentation.scheme,
        grid=segmentation.grid,
        step_ms=step_ms,
    )
    described = json.loads(sidecar.read_text(encoding="utf-8"))
    more = {
        **authorship(series.key, segmentation, words),
        "policy": segmentation.policy.text,
        "sha256": sha256_of(labels),
        "disclaimer": DISCLAIMER,
    }
    write_json(sidecar, {**described, **more})
    tables = write_colour_tables(stem.with_name(f"{stem.name}_seg"), segmentation.scheme)
    return [picture, labels, sidecar, *tables]


def stem_of(series_key: str) -> str:
    """Return the key if it is fit to name a file, else a hash that stands for it."""
    return (
        series_key if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", series_key) else short_hash(series_key)
    )
