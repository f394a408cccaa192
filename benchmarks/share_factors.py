"""How thick a network draws wall and cavity, and what factors on their shares make of them.

Cross-entropy with soft Dice takes a thin structure's doubtful pixels for it, so that walls come out
too thick on both sides; and what is doubtful of a cavity, at the base and at end-systole, goes to
others.  Before the greatest share wins, those of myocardium and cavity are multiplied by a factor
each.  ACDC patients of a fold that the network never saw, against their readers: radii of the
cavity and of the outer outline (of discs of the same area, in slices where both drew both, averaged
over a patient's), mass, volumes, Dice.  The factors are judged fairly by choosing them on one half
of the patients, every other one, by mean Dice, and measuring them on the other half.

    python benchmarks/share_factors.py --model NAME@VERSION [--folds 0] [--pairs 1,1 0.8,2]
                                       [-o RESULT.json]
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from real_data import acdc_rows, data_folder, read_patient
from segmentation_accuracy import STRUCTURES, SYMBOLS

from opencmr.anatomy.structures import Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.segmentation import Segmentation
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.segment.short_axis import empty_segmentation, segment_short_axis
from opencmr.validate.case import Case, measure_twice, score_case

Pair = tuple[float, float]
FACTORS = tuple(product((1.0, 0.9, 0.8, 0.7, 0.6), (1.0, 1.5, 2.0, 3.0)))
"""Of myocardium and of cavity."""


class Remembering:
    """A network that computes each stack once, its shares weighed by what is asked."""

    def __init__(self, network: SegmentationRunner) -> None:
        self.card = network.card
        self._network = network
        self._known: dict[bytes, np.ndarray] = {}

    def weigh(self, wall: float, cavity: float) -> None:
        """Multiply the shares of myocardium and cavity by these."""
        given, factors = self.card.output, {Structure.MYOCARDIUM: wall, Structure.LV: cavity}
        weighed = given.model_copy(update={"share_factors": factors})
        self.card = self.card.model_copy(update={"output": weighed})

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Return the shares of windows as the network gives them."""
        key = windows.tobytes()
        if key not in self._known:
            self._known[key] = self._network(windows)
        return self._known[key].copy()


def rows_of(
    data: Path, patient: str, network: SegmentationRunner, pairs: Sequence[Pair]
) -> list[dict[str, float]]:
    """Return the figures of a patient by each pair of factors."""
    image, reader = read_patient(data / "acdc", patient)
    remembering, rows = Remembering(network), []
    for factors in pairs:
        remembering.weigh(*factors)
        found = segment_short_axis(image, remembering) or empty_segmentation(image, network)
        case = Case(patient, found, reader, ("ED", "ES"))
        whole = [score for score in score_case(case) if score.level == "whole"]
        twice = {one.quantity.symbol: one for one in measure_twice(case)}
        endo_mm, epi_mm = radius_errors_mm(found, reader)
        rows.append(
            {
                **{
                    f"Dice {one.value}": mean([s.dice for s in whole if s.structure is one])
                    for one in STRUCTURES
                },
                **{
                    symbol: difference(twice[symbol].measured, twice[symbol].reference)
                    for symbol in SYMBOLS
                },
                "endo radius, mm": endo_mm,
                "epi radius, mm": epi_mm,
            }
        )
    return rows


def difference(measured: float | None, reference: float | None) -> float:
    return np.nan if measured is None or reference is None else measured - reference


def mean(values: Sequence[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def radius_errors_mm(found: Segmentation, reader: Segmentation) -> tuple[float, float]:
    """Return how much larger the radii of cavity and outer outline are found, mean over slices."""
    cavity, wall = (
        np.array([one.mask(s).sum((2, 3)) for one in (found, reader)])
        for s in (Structure.LV, Structure.MYOCARDIUM)
    )
    drawn = (cavity > 0).all(0) & (wall > 0).all(0)
    pixel_mm2 = found.grid.row_spacing_mm * found.grid.column_spacing_mm
    inner, outer = (
        np.sqrt(areas[:, drawn] * pixel_mm2 / np.pi) for areas in (cavity, cavity + wall)
    )
    return float((inner[0] - inner[1]).mean()), float((outer[0] - outer[1]).mean())


def summary(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return mean errors over patients, and mean absolute ones of volumes and mass."""
    told = {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
    told["Dice"] = mean([told[f"Dice {one.value}"] for one in STRUCTURES])
    for name in SYMBOLS:
        told[f"{name}, absolute"] = float(np.nanmean([abs(row[name]) for row in rows]))
    return {name: round(value, 4) for name, value in told.items()}


def chosen(rows: Sequence[Sequence[dict[str, float]]]) -> int:
    """Return which pair of factors has the greatest mean Dice."""
    dice = [summary([row[place] for row in rows])["Dice"] for place in range(len(rows[0]))]
    return int(np.argmax(dice))


def pair(text: str) -> Pair:
    wall, cavity = map(float, text.split(","))
    return wall, cavity


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True, metavar="NAME@VERSION")
    parser.add_argument("--folds", type=int, nargs="+", default=[0])
    parser.add_argument("--pairs", type=pair, nargs="+", default=FACTORS, metavar="WALL,CAVITY")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    data = data_folder()
    network = Networks().segmentation(View.SAX, Technique.CINE, name=options.model)
    rows = [
        rows_of(data, row["patient"], network, options.pairs) for row in acdc_rows(options.folds)
    ]
    halves = rows[::2], rows[1::2]
    places = [chosen(half) for half in halves]
    fair = [row[place] for place, half in zip(places, halves[::-1], strict=True) for row in half]
    result: dict[str, Any] = {
        "model": network.card.title,
        "folds": options.folds,
        "patients": len(rows),
        "by factors of myocardium and cavity": {
            f"{wall}, {cavity}": summary([row[place] for row in rows])
            for place, (wall, cavity) in enumerate(options.pairs)
        },
        "factors chosen on either half": [options.pairs[place] for place in places],
        "measured on the other half": summary(fair),
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
