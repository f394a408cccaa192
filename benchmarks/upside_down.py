"""How often hearts upside down are seen, and upright ones are flagged.

The skewness of the right ventricle towards anterior on readers' masks of ACDC, on automatic masks
of the fold that the model never saw, and on real cines.  ACDC states no axes: its arrays hold
anterior at low rows, as the hearts themselves show.

    python benchmarks/upside_down.py [-o RESULT.json]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from real_data import acdc_rows, data_folder, read_patient

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.intake.studies import read_studies
from opencmr.measure.ventricles import Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.quality.limits import UPSIDE_DOWN_SKEWNESS
from opencmr.quality.stacks import judge_stacks
from opencmr.quality.upside_down import anterior_skewness
from opencmr.segment.short_axis import segment_short_axis
from opencmr.sort.sorting import choose_sax_cine, sort_study

ROWS_LPS, COLUMNS_LPS = np.array([0.0, 1.0, -1.0]) / np.sqrt(2), np.array([1.0, 0.0, 0.0])
"""Axes that put anterior, and superior, at low rows."""
UNSEEN_MODEL = "cine_sax@0.1.0"
"""It learnt from the folds 1 to 4 alone; the default model knows every patient."""
CINES = (
    "sunnybrook/SC-HF-I-1.zip",
    "sunnybrook/SC-HF-I-4.zip",
    "sunnybrook/SC-HF-I-6.zip",
    "siemens_multiview/patient1.zip",
)


def with_axes(grid: Grid) -> Grid:
    """Return the grid of an ACDC stack with the axes that its hearts show."""
    affines = grid.affines.copy()
    affines[:, :3, 0] = ROWS_LPS * grid.row_spacing_mm
    affines[:, :3, 1] = COLUMNS_LPS * grid.column_spacing_mm
    affines[:, :3, 2] = np.cross(ROWS_LPS, COLUMNS_LPS)
    return Grid(grid.shape, affines)


def skewness(labels: np.ndarray, image: Image, grid: Grid, phases: tuple[int, int]) -> float:
    """Return the mean skewness at ED and ES."""
    made = Author(AuthorKind.IMPORT, "benchmark")
    masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, made)
    ventricles = Ventricles(masks, image, Demographics(), "s01")
    return float(np.mean([anterior_skewness(ventricles, phase) for phase in phases]))


def summary(found: list[float]) -> dict[str, Any]:
    """Return counts over hearts; upside down, the skewness has the other sign."""
    values = np.array(found)
    return {
        "hearts": len(values),
        "upright, flagged": int((values < -UPSIDE_DOWN_SKEWNESS).sum()),
        "upside down, flagged": int((values > UPSIDE_DOWN_SKEWNESS).sum()),
        "skewness: least, median, greatest": np.percentile(values, (0, 50, 100)).round(3).tolist(),
    }


def acdc(folder: Path, network: SegmentationRunner) -> tuple[list[float], list[float]]:
    """Return the skewness of readers' masks, and of automatic ones of fold 0."""
    readers, automatic = [], []
    for row in acdc_rows():
        image, reference = read_patient(folder, row["patient"])
        grid = with_axes(image.grid)
        readers.append(skewness(reference.labels, image, grid, (0, 1)))
        if row["fold"] == "0":
            result = segment_short_axis(image, network)
            assert result is not None
            automatic.append(skewness(np.array(result.labels), image, grid, (0, 1)))
    return readers, automatic


def cine(place: Path, network: SegmentationRunner) -> float:
    """Return the skewness of a real cine between its own axes."""
    (study,) = read_studies(place)
    series = choose_sax_cine(judge_stacks(sort_study(study))).series
    assert series is not None
    result = segment_short_axis(series.image, network)
    assert result is not None
    lv = Ventricles(result, series.image, Demographics(), "s01").lv
    phases = lv.ed_phase, lv.es_phase
    return skewness(np.array(result.labels), series.image, series.image.grid, phases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    data = data_folder()
    network = Networks().segmentation(View.SAX, Technique.CINE, name=UNSEEN_MODEL)
    readers, automatic = acdc(data / "acdc", network)
    result = {
        "reference masks": summary(readers),
        "automatic masks of fold 0": summary(automatic),
        "real cines": summary([cine(data / place, network) for place in CINES]),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
