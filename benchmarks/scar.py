"""Scar on EMIDEC: a network on one fold, or the classical rules inside the readers' wall.

    python benchmarks/scar.py --rules [-o benchmarks/scar_rules.json]
    python benchmarks/scar.py --model lge_sax [--fold 0] [--spacing nominal|plain] [-o RESULT.json]
    python benchmarks/scar.py --run runs/lge_sax_fold0 [--fold 0] [-o RESULT.json]
    python benchmarks/scar.py --model lge_sax@0.3.0 --then lge_wall@0.1.0 [-o RESULT.json]

A network is scored on cases of a fold that it did not learn from, and on the stacks of
`lge_native`, which nothing learns from.  `--then` has a model look again at its walls.  The
pictures of EMIDEC state no spacing.  `nominal` shows them as in training, at a spacing that is
derived from the readers' labels of the case (ADR 0024): its true shape, which a patient's stack
would have, but known from the labels.  `plain` shows all at 1.4 mm, stretched as they are.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from real_data import data_folder

from opencmr.anatomy.structures import ACDC, EMIDEC, Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.geometry.grid import grid_from_spacing
from opencmr.imaging.image import Image, untimed_image
from opencmr.imaging.segmentation import Segmentation
from opencmr.intake.nifti.read import read_nifti
from opencmr.measure.scar.remote import remote_region
from opencmr.measure.scar.rules import SCAR_RULES, scar_by_rule
from opencmr.models.card import WallCard
from opencmr.models.library import model_titled
from opencmr.models.runner import SegmentationRunner, WallRunner
from opencmr.models.session import Networks, load_network
from opencmr.segment.second_look import look_again
from opencmr.segment.short_axis import empty_segmentation, segment_short_axis
from opencmr.train.emidec import (
    ARCHIVE,
    FOLDS,
    NOMINAL_SLICE_SPACING_MM,
    Case,
    nominal_spacing_mm,
    read_cases,
    read_pictures,
)
from opencmr.validate.agreement import agreement
from opencmr.validate.overlap import dice

INFARCT_PERCENT = 2.0
"""A heart with so much scar of its myocardium is called infarcted (proposal): half of the least of
the readers' infarcts in folds 1 to 4, 4.2 %."""
PLAIN_SPACING_MM = (1.4, 1.4)


@dataclass(frozen=True)
class Looks:
    """A network, and the one that looks again at what it found, if any."""

    first: SegmentationRunner
    second: WallRunner | None

    @property
    def title(self) -> str:
        """Names and versions."""
        return ", then ".join(one.card.title for one in (self.first, self.second) if one)

    def segment(self, image: Image) -> Segmentation:
        """Return the labels of a stack."""
        found = segment_short_axis(image, self.first)
        if found is None:
            return empty_segmentation(image, self.first)
        return look_again(found, image, self.second) if self.second else found


@dataclass(frozen=True)
class Result:
    """What was found in one case, in shares of its own pixels, against the readers."""

    patient: str
    myocardium_dice: float | None
    infarct_dice: float | None
    no_reflow_dice: float | None
    infarct_percent: float
    reader_percent: float
    clinical_percent: float


def compared(case: Case, drawn: np.ndarray, found: np.ndarray, *, wall_given: bool) -> Result:
    """Return how ``found (Z, Y, X)`` compares with the readers' labels, both EMIDEC's scheme."""

    def overlap(structure: Structure) -> float | None:
        truth = EMIDEC.mask(drawn, structure)
        return dice(truth, EMIDEC.mask(found, structure)) if truth.any() else None

    return Result(
        case.patient,
        None if wall_given else overlap(Structure.MYOCARDIUM),
        overlap(Structure.SCAR),
        overlap(Structure.NO_REFLOW),
        infarct_percent(found),
        infarct_percent(drawn),
        100 * case.infarct_ml / case.myocardium_ml,
    )


def infarct_percent(labels: np.ndarray) -> float:
    """Return the infarct, no-reflow included, of the myocardium."""
    wall = EMIDEC.mask(labels, Structure.MYOCARDIUM).sum()
    return float(100 * EMIDEC.mask(labels, Structure.SCAR).sum() / wall) if wall else 0.0


def summary(results: Iterable[Result]) -> dict[str, Any]:
    """Return the figures of several cases; the percentages against the clinical table."""
    cases = list(results)
    truth = np.array([r.clinical_percent for r in cases])
    found = np.array([r.infarct_percent for r in cases])
    agreed = agreement(truth, found)
    infarcted = [r for r in cases if r.clinical_percent > 0]
    return {
        "cases": len(cases),
        "infarcted": len(infarcted),
        "myocardium_dice": mean(r.myocardium_dice for r in cases),
        "infarct_dice": mean(r.infarct_dice for r in infarcted),
        "no_reflow_dice": mean(r.no_reflow_dice for r in infarcted),
        "no_reflow_cases": sum(r.no_reflow_dice is not None for r in infarcted),
        "infarct_percent_mae": round(agreed.mean_absolute, 2),
        "infarct_percent_bias": round(agreed.bias.value, 2),
        "infarct_percent_mae_of_infarcted": mean(
            abs(r.infarct_percent - r.clinical_percent) for r in infarcted
        ),
        "icc": None if agreed.icc is None else round(agreed.icc.value, 3),
        "infarct_or_not_accuracy": round(
            float(np.mean((truth > 0) == (found >= INFARCT_PERCENT))), 3
        ),
    }


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are there, rounded."""
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), 3) if there else None


def pictures(data: Path, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return the image and the readers' labels ``(Z, Y, X)`` of a case."""
    image, labels = (
        read_pictures(data / ARCHIVE / kind / case.patient) for kind in ("image", "label")
    )
    return image.astype(np.float32), labels


def rule_figures(data: Path) -> dict[str, Any]:
    """Return the figures of each classical rule inside the readers' wall, all cases."""
    results: dict[str, list[Result]] = {rule.name: [] for rule in SCAR_RULES}
    in_scar = []
    for case in read_cases(data):
        image, drawn = pictures(data, case)
        wall, cavity, scar = (
            EMIDEC.mask(drawn, s) for s in (Structure.MYOCARDIUM, Structure.LV, Structure.SCAR)
        )
        remote = remote_region(image, wall, cavity)
        in_scar.append(float(scar[remote.mask].mean()))
        for rule in SCAR_RULES:
            ruled = scar_by_rule(rule, image, wall, cavity, remote)
            found = np.where(wall, 2, np.where(cavity, 1, 0)).astype(np.uint8)
            found[ruled.scar] = 3
            found[ruled.no_reflow] = 4
            results[rule.name].append(compared(case, drawn, found, wall_given=True))
    return {
        "what": "classical rules inside the readers' myocardium, EMIDEC, all 70 cases",
        "remote_regions_that_touch_the_readers_scar": sum(share > 0 for share in in_scar),
        "rules": {name: summary(found) for name, found in results.items()},
    }


def network_figures(data: Path, networks: Looks, fold: int, spacing: str) -> dict[str, Any]:
    """Return the figures of a network on one fold and on the unstretched stacks."""
    results = []
    for case in (c for c in read_cases(data) if c.fold == fold):
        image, drawn = pictures(data, case)
        in_plane_mm = (
            nominal_spacing_mm(drawn, case.myocardium_ml)
            if spacing == "nominal"
            else PLAIN_SPACING_MM
        )
        grid = grid_from_spacing(drawn.shape, (NOMINAL_SLICE_SPACING_MM, *in_plane_mm))
        shown = untimed_image(image[None], grid)
        found = networks.segment(shown)
        results.append(compared(case, drawn, found.labels[0], wall_given=False))
    return {
        "what": f"{networks.title} on EMIDEC fold {fold}, spacing {spacing}",
        "figures": summary(results),
        "cases": [asdict(result) for result in results],
        "unstretched": native_figures(data, networks),
    }


def native_figures(data: Path, networks: Looks) -> dict[str, dict[str, float]]:
    """Return the Dice of myocardium and cavity on each stack of ``lge_native``."""
    figures = {}
    for path in sorted((data / "lge_native").glob("*_DE.nii.gz")):
        image = read_nifti(path).image
        drawn = read_nifti(path.with_name(path.name.replace("_DE", "_DE_manual"))).image.values[0]
        found = networks.segment(image)
        figures[path.name.removesuffix("_DE.nii.gz")] = {
            structure.value: round(dice(ACDC.mask(drawn, structure), found.mask(structure)[0]), 3)
            for structure in (Structure.MYOCARDIUM, Structure.LV)
        }
    return figures


def main() -> None:
    """Write the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--rules", action="store_true")
    what.add_argument("--model")
    what.add_argument("--run", type=Path)
    parser.add_argument("--then", metavar="MODEL", help="name@version of a second look")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), default=0)
    parser.add_argument("--unstretched", action="store_true", help="the stacks of lge_native alone")
    parser.add_argument("--spacing", choices=("nominal", "plain"), default="nominal")
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    data = data_folder()
    if asked.rules:
        figures = rule_figures(data)
    elif asked.unstretched:
        networks = Looks(network_of(asked)(), second_of(asked))
        figures = {"what": networks.title, "unstretched": native_figures(data, networks)}
    else:
        networks = Looks(network_of(asked)(), second_of(asked))
        figures = network_figures(data, networks, asked.fold, asked.spacing)
    text = json.dumps(figures, indent=1) + "\n"
    print(text)
    if asked.output:
        asked.output.write_text(text)


def network_of(asked: argparse.Namespace) -> Callable[[], SegmentationRunner]:
    """Return what loads the network asked for: an installed model, or a training run."""
    if asked.model:
        return lambda: Networks().segmentation(View.SAX, Technique.LGE, name=asked.model)
    from opencmr.train.runner import averaged_runner

    return lambda: averaged_runner(asked.run)


def second_of(asked: argparse.Namespace) -> WallRunner | None:
    """Return the second look asked for."""
    if asked.then is None:
        return None
    card = model_titled(asked.then)
    if not isinstance(card, WallCard):
        raise SystemExit(f"{asked.then} is no model of walls")
    return load_network(card)


if __name__ == "__main__":
    main()
