"""``maps/``: T1, T2 and T2* of every pixel as NIfTI, with how each was made beside it."""

from pathlib import Path

from opencmr.intake.nifti.write import sidecar_of, write_map_nifti
from opencmr.report.contents import DISCLAIMER, Report
from opencmr.report.labels import stem_of
from opencmr.report.plain_text import identifying_words, redacted, shown
from opencmr.storage import write_json

FOLDER = "maps"


def write(report: Report, folder: Path) -> list[Path]:
    """Write ``maps/<series key>_<kind>.nii.gz`` in ms, NaN where none, and ``.json``."""
    words = identifying_words(report.study.identity)
    written: list[Path] = []
    for key, found in report.maps.items():
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        path = folder / FOLDER / f"{stem_of(key)}_{found.kind.value}.nii.gz"
        write_map_nifti(path, found.values_ms, grid=found.grid)
        told = {
            "series": key,
            "map": found.kind.value,
            "unit": "ms",
            "made_by": redacted(shown(found.made_by, 200), words),
            "after_contrast": found.after_contrast,
            "affines_lps": found.grid.affines.tolist(),
            "disclaimer": DISCLAIMER,
        }
        written += [path, write_json(sidecar_of(path), told)]
    return written
