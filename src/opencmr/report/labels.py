"""``segmentation/``: the labels as NIfTI, with the meaning of their integers beside them."""

import json
import re
from pathlib import Path

from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import short_hash
from opencmr.intake.nifti.files import write_labels_nifti
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.plain_text import identifying_words, redacted, shown
from opencmr.storage import write_json

FOLDER = "segmentation"


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``segmentation/<series key>_seg.nii.gz`` and ``.json`` for every measured series."""
    words = identifying_words(report.study.identity)
    written: list[Path] = []
    for series in report.measured_series():
        segmentation = report.segmentations[series.key]
        author = redacted(shown(segmentation.author.text), words)
        written += _write_one(segmentation, author, series.key, folder / FOLDER)
    return written


def _write_one(
    segmentation: Segmentation, author: str, series_key: str, folder: Path
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{stem_of(series_key)}_seg.nii.gz"
    image, sidecar = write_labels_nifti(
        folder / name,
        segmentation.labels,
        scheme=segmentation.scheme,
        grid=segmentation.grid,
    )
    described = json.loads(sidecar.read_text(encoding="utf-8"))
    more = {
        "series": series_key,
        "author": author,
        "policy": segmentation.policy.text,
        "derived_from": segmentation.derived_from,
        "disclaimer": DISCLAIMER,
    }
    return [image, write_json(sidecar, {**described, **more})]


def stem_of(series_key: str) -> str:
    """Return the key if it is fit to name a file, else a hash that stands for it."""
    return (
        series_key if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", series_key) else short_hash(series_key)
    )
