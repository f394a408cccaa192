"""Labels as NIfTI."""

import json
from pathlib import Path

import nibabel
import numpy as np

from opencmr.geometry.orientation import ras_affine_from_grid
from opencmr.report import labels
from opencmr.report.contents import Report


def test_labels_come_back_with_their_geometry_and_their_meaning(
    small_report: Report, tmp_path: Path
) -> None:
    image_path, sidecar = labels.write(small_report, tmp_path)
    assert image_path == tmp_path / "segmentation" / "s02_seg.nii.gz"
    segmentation = small_report.segmentations["s02"]
    image = nibabel.load(image_path)
    stored = np.asarray(image.dataobj)
    assert np.array_equal(stored.T, segmentation.labels)
    assert np.allclose(image.affine, ras_affine_from_grid(segmentation.grid))
    meaning = json.loads(sidecar.read_text(encoding="utf-8"))
    assert meaning["labels"] == {"0": "background", "1": "RV", "2": "MYO", "3": "LV"}
    assert meaning["policy"] == segmentation.policy.text
    assert sorted(p.name for p in image_path.parent.iterdir()) == ["s02_seg.json", "s02_seg.nii.gz"]
