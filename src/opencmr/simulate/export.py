"""Writing a simulated study: the truth beside the images."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from opencmr.geometry.orientation import ras_affine_from_grid
from opencmr.simulate.study import SimulatedStudy
from opencmr.simulate.tissue import Tissue

TRUTH_FILE = "truth.json"


def write_truth(study: SimulatedStudy, folder: Path) -> Path:
    """Write ``truth.json``: symbol to value, then the parameters that made the study."""
    content: dict[str, Any] = {
        **{symbol: round(value, 6) for symbol, value in study.truth.items()},
        "policy": study.labels.policy.text,
        "curves_ml": {
            "LVV": [round(shape.cavity_ml, 6) for shape in study.shapes],
            "RVV": [round(shape.rv_ml, 6) for shape in study.shapes],
        },
        "voxelised": {s: round(v, 6) for s, v in study.truth_voxelised.items()},
        "parameters": asdict(study.parameters),
        "protocol": asdict(study.protocol),
    }
    if study.tissue is not None:
        content["tissue"] = _tissue_content(study.tissue)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TRUTH_FILE
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _tissue_content(tissue: Tissue) -> dict[str, Any]:
    """Return the truth about the tissue, of the wall and of each AHA segment, and what made it."""

    def rounded(values: Mapping[str, float]) -> dict[str, float]:
        return {symbol: round(value, 6) for symbol, value in values.items()}

    return {
        "truth": rounded(tissue.truth),
        "segments": {str(number): rounded(values) for number, values in tissue.segments.items()},
        "parameters": asdict(tissue.parameters),
    }


def write_nifti(study: SimulatedStudy, folder: Path) -> list[Path]:
    """Write the short-axis cine and its true labels as 4-D NIfTI, and ``truth.json``.

    Returns
    -------
    list of Path
        ``sax.nii.gz``, ``sax_labels.nii.gz`` (ACDC scheme), ``truth.json``.
    """
    import nibabel

    folder.mkdir(parents=True, exist_ok=True)
    image = study.short_axis.images[0]
    affine = ras_affine_from_grid(image.grid)
    step_ms = (image.mean_rr_ms or 0.0) / image.phases
    paths = []
    for name, array in (
        ("sax.nii.gz", image.values.astype(np.int16)),
        ("sax_labels.nii.gz", study.labels.labels),
    ):
        nifti: Any = nibabel.Nifti1Image(  # type: ignore[no-untyped-call]
            array.transpose(3, 2, 1, 0), affine
        )
        nifti.header.set_zooms((*nifti.header.get_zooms()[:3], step_ms / 1000))
        nifti.header.set_xyzt_units("mm", "sec")
        nifti.set_qform(affine, code=1)
        nifti.set_sform(affine, code=1)
        paths.append(folder / name)
        nibabel.save(nifti, paths[-1])
    return [*paths, write_truth(study, folder)]
