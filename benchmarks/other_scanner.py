"""A network on another vendor's pictures: LV cavity and ejection fraction of 28 GE patients.

Pictures and masks of ``sunnybrook/endo_slices.zip``.  No network that learnt from ACDC alone has
seen any; of one that learnt from ``acdc_sunnybrook``, ask for the folds that it left out.  The
files state no spacing: one near that of the three patients whose cines do is assumed for all, so
that areas and ejection fractions mean something and millilitres nothing.  Our cavities are painted
as the masks were (:mod:`opencmr.train.sunnybrook`) before they are compared.  Slices that those
readers left out (the outflow tract at ES, say) are not in the set, so that presence is judged in
one direction alone: slices that they drew and we did not.

    python benchmarks/other_scanner.py [--models NAME@VERSION ...] [--folds N ...] [-o RESULT.json]
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw
from real_data import data_folder
from resampled_patients import with_intervals

from opencmr.anatomy.structures import Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.contours import level_lines
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.segment.short_axis import segment_short_axis
from opencmr.train import sunnybrook
from opencmr.validate.overlap import dice

SPACING_MM = (8.0, *sunnybrook.NOMINAL_SPACING_MM)
RESAMPLES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["cine_sax"], metavar="NAME@VERSION")
    parser.add_argument("--folds", type=int, nargs="+", help="of sunnybrook.py; by default all")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    stacks = read_stacks(data_folder(), options.folds)
    result = {}
    for name in options.models:
        network = Networks().segmentation(View.SAX, Technique.CINE, name=name)
        rows = {patient: scored(phases, network) for patient, phases in stacks.items()}
        title = f"{network.card.name} {network.card.version}"
        result[title] = {**summary(rows), "patients": rows}
        print(title, json.dumps(summary(rows), indent=1), flush=True)
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


Stack = tuple[np.ndarray, np.ndarray]
"""Pictures and masks ``(Z, Y, X)`` of one phase."""


def read_stacks(data: Path, folds: list[int] | None) -> dict[str, dict[str, Stack]]:
    """Return the pictures and masks of each patient at ED and ES, in the order of the slices."""
    archive = data / sunnybrook.ARCHIVE
    return {
        case.patient: {
            name: (
                sunnybrook.read_stack(archive / "image" / case.patient / str(phase)),
                sunnybrook.read_stack(archive / "label" / case.patient / str(phase)) > 0,
            )
            for name, phase in (("ED", case.ed_phase), ("ES", case.es_phase))
        }
        for case in sunnybrook.read_cases(data)
        if folds is None or case.fold in folds
    }


def scored(phases: dict[str, Stack], network: SegmentationRunner) -> dict[str, Any]:
    """Return agreement of the cavity by phase, and both ejection fractions."""
    row: dict[str, Any] = {}
    areas = {}
    for when, (pictures, masks) in phases.items():
        grid = grid_from_spacing(pictures.shape, SPACING_MM)
        image = untimed_image(pictures[None].astype(np.float32), grid)
        labels = segment_short_axis(image, network)
        cavity = np.zeros_like(masks) if labels is None else labels.mask(Structure.LV)[0]
        drawn = np.stack([as_drawn(one) for one in cavity])
        row[f"Dice {when}"] = round(dice(drawn, masks), 4)
        row[f"slices missed {when}"] = int((masks.any((1, 2)) & ~drawn.any((1, 2))).sum())
        areas[when] = int(drawn.sum()), int(masks.sum())
    for kind, which in (("ours", 0), ("theirs", 1)):
        ed, es = areas["ED"][which], areas["ES"][which]
        row[f"EF {kind}"] = round(100 * (1 - es / ed), 1) if ed else None
    row["area ED, ratio"] = round(areas["ED"][0] / areas["ED"][1], 3)
    row["area ES, ratio"] = round(areas["ES"][0] / areas["ES"][1], 3)
    return row


def as_drawn(mask: np.ndarray) -> np.ndarray:
    """Return a mask as those readers' are: a polygon with its outline, 1-based."""
    canvas = Picture.new("1", mask.shape[::-1])
    for line in level_lines(np.pad(mask, 1).astype(np.float64), 0.5):
        points = line[:, ::-1]  # the padding moves by one, as 1-based coordinates do
        ImageDraw.Draw(canvas).polygon([tuple(map(float, p)) for p in points], fill=1, outline=1)
    return np.asarray(canvas)


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return means over patients with 95 % intervals over resampled patients."""
    values = {name: np.array([row[name] for row in rows.values()], float) for name in rows_of(rows)}
    values["EF error"] = values["EF ours"] - values["EF theirs"]
    values["EF error, absolute"] = np.abs(values["EF error"])
    values["Dice"] = (values["Dice ED"] + values["Dice ES"]) / 2
    means = {name: partial(mean_over, found) for name, found in values.items()}
    return {"hearts": len(rows), **with_intervals(means, len(rows), RESAMPLES)}


def mean_over(values: np.ndarray, patients: np.ndarray) -> float:
    return float(np.nanmean(values[patients]))


def rows_of(rows: dict[str, dict[str, Any]]) -> list[str]:
    return list(next(iter(rows.values())))


if __name__ == "__main__":
    main()
