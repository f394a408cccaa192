"""What hearts of a child's size lose on the network's own grid, and keep on a scaled one.

The hearts of one ACDC fold with their spacing stated as a share of the true one: volumes are the
readers' times its cube, ejection fractions the readers' own.

    python benchmarks/small_hearts.py [--share 0.6] [--fold 0] [-o RESULT.json]
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from real_data import acdc_rows, data_folder, read_patient
from segmentation_accuracy import volumes

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import Grid
from opencmr.imaging.image import Image
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.segment import heart
from opencmr.segment.short_axis import segment_short_axis

UNSEEN_MODEL = "cine_sax@0.1.0"
"""It learnt from the folds 1 to 4 alone; the default model knows every patient."""
SYMBOLS = ("LVEDV", "LVEF", "RVEDV", "RVEF")
LIMITS = ("LEAST_AREA_CM2", "LEAST_AREA_OF_A_PHASE_CM2")


def scaled(image: Image, share: float) -> Image:
    """Return the image with every length times ``share``."""
    affines = image.grid.affines.copy()
    affines[:, :3, :2] *= share
    affines[:, :3, 3] *= share
    return replace(image, grid=Grid(image.grid.shape, affines, image.grid.orientation_known))


def segmented(image: Image, network: SegmentationRunner) -> tuple[dict[str, float | None], float]:
    """Return the volumes, and the scale of the grid that they were found on."""
    result = segment_short_axis(image, network)
    assert result is not None
    return volumes(result, image), result.grid_scale


def error(symbol: str, found: float | None, truth: float) -> float:
    """Return the error in points of an ejection fraction, in percent of a volume."""
    value = found or 0.0
    return value - truth if symbol.endswith("EF") else 100 * (value / truth - 1)


def one_heart(
    folder: Path, patient: str, share: float, network: SegmentationRunner
) -> dict[str, Any]:
    """Return the errors of one heart, by the way that it was segmented."""
    image, reference = read_patient(folder, patient)
    small = scaled(image, share)
    truths = {
        size: volumes(replace(reference, grid=shown.grid), shown)
        for size, shown in (("small", small), ("true", image))
    }
    with patch.multiple(heart, **dict.fromkeys(LIMITS, 0.0)):
        on_own_grid, _ = segmented(small, network)
    on_scaled_grid, scale = segmented(small, network)
    full_size, _ = segmented(image, network)
    ways: Mapping[str, tuple[str, dict[str, float | None]]] = {
        "on the network's own grid": ("small", on_own_grid),
        "on the scaled grid": ("small", on_scaled_grid),
        "at the true size": ("true", full_size),
    }
    return {"patient": patient, "grid scale": round(scale, 2)} | {
        way: {
            symbol: round(error(symbol, found[symbol], truths[size][symbol] or np.nan), 1)
            for symbol in SYMBOLS
        }
        for way, (size, found) in ways.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.6)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    folder = data_folder() / "acdc"
    network = Networks().segmentation(View.SAX, Technique.CINE, name=UNSEEN_MODEL)
    rows = []
    for row in acdc_rows([options.fold]):
        rows.append(one_heart(folder, row["patient"], options.share, network))
        print(json.dumps(rows[-1]), flush=True)
    ways = [way for way in rows[0] if isinstance(rows[0][way], dict)]
    means = {
        way: {s: round(float(np.mean([abs(r[way][s]) for r in rows])), 1) for s in SYMBOLS}
        for way in ways
    }
    print(json.dumps(means, indent=1))
    if options.output:
        content = {"share": options.share, "mean absolute error": means, "hearts": rows}
        options.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
