"""Whether pictures tell the five ACDC groups as measurements do: a small network, five folds.

    python benchmarks/diagnosis_pictures.py -o benchmarks/diagnosis_pictures.json

The network sees end-diastole and end-systole of three slices about the heart, at one scale for all
patients so that size is told: as pictures, or as the readers' masks drawn in greys.  It is judged
on the fold that it never saw, as the classifiers of ``diagnosis.py`` are; each answer is the mean
of several seeds.  The heart is found by the network that never saw fold 0.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from diagnosis import CLASSES, CONFUSION, RESAMPLES, confusion, measures_of
from real_data import acdc_rows, data_folder, read_patient
from resampled_patients import with_intervals

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import Image, untimed_image
from opencmr.models.session import Networks
from opencmr.segment.heart import HeartBox, find_heart
from opencmr.train.frames import frames_of
from opencmr.train.sequence import Examples, logits_of, train

FINDER = "cine_sax@0.1.0"
"""Says where the heart is."""
SIDE_MM = 130.0
"""Of what the network sees: 2 mm a pixel."""
VARIANTS = 8
"""Of each heart that is learnt from; the first is the heart as it is."""
SHIFT_MM = 8.0
SCALE_LOG = 0.06
"""So little, because size is what tells the groups apart."""
SEEDS = 3
GREYS = np.array([0.0, 1 / 3, 2 / 3, 1.0], np.float32)
"""Of background, right ventricle, wall and cavity."""


def seen(image: Image, box: HeartBox, random: np.random.Generator | None) -> np.ndarray:
    """Return the frames ``(3, 4, 64, 64)`` uint8 about a heart; moved a little where random."""
    grid = image.grid
    spacing_mm = np.array([grid.row_spacing_mm, grid.column_spacing_mm])
    centre = np.array([sum(box.rows) / 2, sum(box.columns) / 2])
    side_mm = SIDE_MM
    if random is not None:
        centre += random.uniform(-SHIFT_MM, SHIFT_MM, 2) / spacing_mm
        side_mm *= np.exp(random.uniform(-SCALE_LOG, SCALE_LOG))
    half = np.rint(side_mm / 2 / spacing_mm).astype(int)
    pad = [(0, 0), (0, 0), *((int(h), int(h)) for h in half)]
    values = np.pad(image.values, pad)
    low = np.rint(centre).astype(int)
    cut = values[:, :, low[0] : low[0] + 2 * half[0], low[1] : low[1] + 2 * half[1]]
    where = grid_from_spacing(cut.shape[1:], (grid.slice_spacing_mm or 10.0, *spacing_mm))
    return np.rint(255 * frames_of(untimed_image(cut, where))).astype(np.uint8)


def hearts(folder: Path) -> Iterator[tuple[int, int, Image, Image, HeartBox]]:
    """Yield group, fold, pictures, masks in greys and place of each patient's heart."""
    network = Networks().segmentation(View.SAX, Technique.CINE, name=FINDER)
    for row in acdc_rows():
        image, reference = read_patient(folder, row["patient"])
        box = find_heart(image, network)
        assert box is not None
        masks = untimed_image(GREYS[reference.labels], image.grid)
        yield CLASSES.index(row["group"]), int(row["fold"]), image, masks, box


def told(frames: np.ndarray, groups: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the shares ``(N, 5)`` of each patient by networks that never saw his fold.

    ``frames``: (N, variants, 3, 4, 64, 64).
    """
    shares = np.zeros((len(groups), len(CLASSES)))
    for fold in np.unique(folds):
        learnt, asked = folds != fold, folds == fold
        examples = Examples(
            frames[learnt].reshape(-1, *frames.shape[2:]),
            np.repeat(groups[learnt], frames.shape[1]),
            np.zeros(int(learnt.sum()) * frames.shape[1], dtype=int),
        )
        for seed in range(SEEDS):
            logits = logits_of(train(examples, len(CLASSES), seed=seed), frames[asked, 0])
            likely = np.exp(logits - logits.max(1, keepdims=True))
            shares[asked] += likely / likely.sum(1, keepdims=True) / SEEDS
        print(f"fold {fold}", flush=True)
    return shares


def figures(shares: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Return accuracy, area and losses with their intervals, and what was taken for what."""
    return {
        "patients": len(groups),
        **with_intervals(measures_of(shares, groups), len(groups), RESAMPLES),
        CONFUSION: confusion(groups, shares.argmax(1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    everyone = list(hearts(data_folder() / "acdc"))
    groups, folds = (np.array([one[i] for one in everyone]) for i in (0, 1))
    result = {}
    for kind, place in (("pictures", 2), ("readers' masks as pictures", 3)):
        frames = np.stack(
            [
                np.stack(
                    [
                        seen(one[place], one[4], np.random.default_rng([number, v]) if v else None)
                        for v in range(VARIANTS)
                    ]
                )
                for number, one in enumerate(everyone)
            ]
        )
        result[kind] = figures(told(frames, groups, folds), groups)
        options.output.write_text(json.dumps(result, indent=1) + "\n")
        print(kind, json.dumps(result[kind]), flush=True)


if __name__ == "__main__":
    main()
