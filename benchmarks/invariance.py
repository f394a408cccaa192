"""What must not change a measurement: the same cine turned, mirrored, cropped, rescaled.

One Sunnybrook cine goes through the segmentation as it is and changed in ways that leave the
heart the same; the table shows how far volumes and ejection fractions move.

    python benchmarks/invariance.py [--case SC-HF-I-4] [-o RESULT.json]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from real_data import data_folder
from scipy.ndimage import zoom
from segmentation_accuracy import volumes

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.intake.studies import read_studies
from opencmr.models.session import Networks
from opencmr.quality.stacks import judge_stacks
from opencmr.segment.short_axis import segment_short_axis
from opencmr.sort.sorting import choose_sax_cine, sort_study

BORDER = ((0, 0), (0, 0), (32, 32), (32, 32))

CHANGES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "as it is": (lambda v: v, 1.0),
    "turned by 90 degrees": (lambda v: np.rot90(v, 1, (2, 3)), 1.0),
    "turned by 180 degrees": (lambda v: np.rot90(v, 2, (2, 3)), 1.0),
    "mirrored": (lambda v: v[..., ::-1], 1.0),
    "slices reversed": (lambda v: v[:, ::-1], 1.0),
    "seven phases later": (lambda v: np.roll(v, 7, 0), 1.0),
    "padded by 32 pixels": (lambda v: np.pad(v, BORDER), 1.0),
    "cropped by 32 pixels": (lambda v: v[:, :, 32:-32, 32:-32], 1.0),
    "intensity 3 x + 200": (lambda v: 3 * v + 200, 1.0),
    "square root of intensity": (np.sqrt, 1.0),
    "pixels 1.8 times finer": (lambda v: zoom(v, (1, 1, 1.8, 1.8), order=1), 1.8),
    "pixels 1.7 times coarser": (lambda v: zoom(v, (1, 1, 0.6, 0.6), order=1), 0.6),
}
"""What is done to the values, and how much finer the pixels become."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="SC-HF-I-4")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    network = Networks().segmentation(View.SAX, Technique.CINE)
    (study,) = read_studies(data_folder() / "sunnybrook" / f"{options.case}.zip")
    series = choose_sax_cine(judge_stacks(sort_study(study))).series
    assert series is not None
    grid = series.image.grid
    rows: dict[str, dict[str, float | None]] = {}
    for name, (change, finer) in CHANGES.items():
        values = np.ascontiguousarray(change(series.image.values))
        spacing_mm = (
            grid.slice_spacing_mm or 0.0,
            grid.row_spacing_mm / finer,
            grid.column_spacing_mm / finer,
        )
        image = untimed_image(values, grid_from_spacing(values.shape[1:], spacing_mm))
        result = segment_short_axis(image, network)
        assert result is not None
        found = volumes(result, image)
        rows[name] = {symbol: v and round(v, 1) for symbol, v in found.items()}
        print(f"{name:<26}", *(f"{s} {v:7.1f}" for s, v in found.items() if v is not None))
    if options.output:
        content = {"case": options.case, "model": network.card.title, "rows": rows}
        options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
