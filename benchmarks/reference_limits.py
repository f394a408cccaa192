"""What is usual in reference masks: the limits of opencmr.quality.limits.

Measures the ED and ES reference masks of ACDC (Bernard et al., IEEE TMI 2018) in the data
folder and prints the percentiles that the quality checks use:

    OPENCMR_DATA=<data folder> python benchmarks/reference_limits.py
"""

import csv
import os
from pathlib import Path

import nibabel as nib
import numpy as np

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles, measure_all
from opencmr.quality.labels import (
    end_slice_percent,
    fragment_percent,
    open_ring_percent,
    rv_inside_percent,
)

PERCENTILES = (0, 2.5, 5, 50, 95, 97.5, 100)


def load(folder: Path, patient: str) -> Ventricles:
    """Return the reference masks of one patient, ED and ES as two phases."""
    images = [nib.load(folder / f"{patient}_{phase}_gt.nii.gz") for phase in ("ed", "es")]
    labels = np.stack([np.asarray(i.dataobj).transpose(2, 1, 0).astype(np.uint8) for i in images])
    column_mm, row_mm, slice_mm = (float(mm) for mm in images[0].header.get_zooms()[:3])
    grid = grid_from_spacing(labels.shape[1:], (slice_mm, row_mm, column_mm))
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, Author(AuthorKind.READER, "reference"))
    image = untimed_image(np.zeros(labels.shape, dtype=np.float32), grid)
    return Ventricles(masks, image, Demographics(), "reference")


def figures(ventricles: Ventricles) -> dict[str, float]:
    """Return every figure that a quality check limits."""
    value = measure_all(ventricles).values()
    found = {
        "LVEDV": value["LVEDV"],
        "LVEF": value["LVEF"],
        "RVEF": value["RVEF"],
        "SVDIFF_PERCENT": value["SVDIFF_PERCENT"],
        "RVEDV over LVEDV, percent": 100 * value["RVEDV"] / value["LVEDV"],
        "LVM_ES over LVM, percent": 100 * value["LVM_ES"] / value["LVM"],
    }
    for phase, name in enumerate(("ED", "ES")):
        for structure in (Structure.LV, Structure.MYOCARDIUM, Structure.RV):
            found[f"fragments {structure.value} {name}"] = fragment_percent(
                ventricles, phase, structure
            )
        found[f"open ring {name}"] = open_ring_percent(ventricles, phase)
        found[f"RV inside LV {name}"] = rv_inside_percent(ventricles, phase)
        basal, apical = end_slice_percent(ventricles, phase)
        found[f"basal end slice {name}"] = basal
        found[f"apical end slice {name}"] = apical
    return found


def main() -> None:
    folder = Path(os.environ["OPENCMR_DATA"]) / "acdc"
    with (folder / "metadata.csv").open(newline="") as lines:
        patients = [row["patient"] for row in csv.DictReader(lines)]
    table = [figures(load(folder, patient)) for patient in patients]
    print(f"{len(table)} patients; percentiles {PERCENTILES}")
    for name in table[0]:
        cells = np.percentile([row[name] for row in table], PERCENTILES)
        print(f"{name:28}", *(f"{cell:8.2f}" for cell in cells))


if __name__ == "__main__":
    main()
