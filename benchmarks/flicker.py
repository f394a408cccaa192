"""How unsteady the labels of a cine are from phase to phase, before and after the rule of presence.

Jitter is the root mean square of the second differences of a structure's area over the beat, over
its mean area, in slices that show it at every phase; true motion has some too.  Presence is counted
by how often a structure comes into a slice more than once a beat.  The Sunnybrook and Siemens
cines have no labels over the beat; simulated hearts have true ones, and their peak rates are
formulas.

    python benchmarks/flicker.py [-o RESULT.json]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from real_data import data_folder

from opencmr.anatomy.structures import Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.image import Image
from opencmr.imaging.phase_times import phase_shares
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics
from opencmr.intake.studies import read_studies
from opencmr.measure.function.rates import lv_rates_ml_s, rates_ml_s
from opencmr.measure.ventricles import Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.quality.stacks import judge_stacks
from opencmr.segment.presence import steady_presence
from opencmr.segment.short_axis import segment_short_axis
from opencmr.simulate import HeartParameters, Protocol, simulate_study
from opencmr.sort.sorting import choose_sax_cine, sort_study
from opencmr.validate.flicker import flicker

CINES = ("sunnybrook/SC-HF-I-1.zip", "sunnybrook/SC-HF-I-4.zip", "sunnybrook/SC-HF-I-6.zip")
STUDY = "siemens_multiview"
HEARTS = {
    "EDV 150 mL, EF 60 %": HeartParameters(),
    "EDV 250 mL, EF 30 %": HeartParameters(
        edv_ml=250, ef_percent=30, longitudinal_shortening_percent=8, rv_edv_ml=250
    ),
}
STRUCTURES = (Structure.LV, Structure.MYOCARDIUM, Structure.RV)


def unsteady(labels: Segmentation) -> dict[str, Any]:
    """Return the flicker of every structure of a cine's labels."""
    told = {}
    for structure in STRUCTURES:
        found = flicker(labels.mask(structure).sum((2, 3)))
        steady = found.jitter[np.isfinite(found.jitter)]
        told[structure.value] = {
            "slices shown at every phase": int(steady.size),
            "jitter of these, percent: median, greatest": [
                round(100 * float(value), 1) for value in (np.median(steady), steady.max())
            ]
            if steady.size
            else None,
            "extra entries": int(found.extra_entries.sum()),
            "slices with them": int((found.extra_entries > 0).sum()),
        }
    return told


def before_and_after(
    image: Image, network: SegmentationRunner
) -> tuple[Segmentation, Segmentation]:
    """Return a cine's labels without and with the rule of presence."""
    with patch("opencmr.segment.short_axis.steady_presence", lambda labels, scheme: labels):
        before = segment_short_axis(image, network)
    assert before is not None
    return before, replace(before, labels=steady_presence(before.labels, before.scheme))


def changed(before: Segmentation, after: Segmentation) -> dict[str, int]:
    """Return how much the rule changed."""
    differs = before.labels != after.labels
    return {
        "voxels": int(differs.sum()),
        "of": int((before.labels > 0).sum()),
        "slices of phases": int(differs.any((2, 3)).sum()),
    }


def real(folder: Path, network: SegmentationRunner) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the figures of each real cine."""
    for path in (*CINES, STUDY):
        for study in read_studies(folder / path):
            series = choose_sax_cine(judge_stacks(sort_study(study))).series
            if series is None:
                continue
            before, after = before_and_after(series.image, network)
            yield (
                Path(path).stem,
                {
                    "phases, slices": list(before.labels.shape[:2]),
                    "before": unsteady(before),
                    "after": unsteady(after),
                    "changed": changed(before, after),
                },
            )


def simulated(network: SegmentationRunner) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the figures of each simulated heart, with the rates over those of its formula."""
    for name, heart in HEARTS.items():
        study = simulate_study(heart, protocol=replace(Protocol(), long_axis=False, scouts=False))
        (image,) = study.short_axis.images
        before, after = before_and_after(image, network)
        truth = study.labels
        mended = replace(truth, labels=steady_presence(truth.labels, truth.scheme))
        yield (
            name,
            {
                "phases, slices": list(before.labels.shape[:2]),
                "true labels": unsteady(truth),
                "before": unsteady(before),
                "after": unsteady(after),
                "changed": changed(before, after),
                "true labels changed": changed(truth, mended),
                "mean Dice with the true labels": {
                    "before": mean_dice(before, truth),
                    "after": mean_dice(after, truth),
                },
                "peak rates over the formula's, percent": {
                    key: rates(labels, image, [shape.cavity_ml for shape in study.shapes])
                    for key, labels in (
                        ("true labels", truth),
                        ("before", before),
                        ("after", after),
                    )
                },
            },
        )


def mean_dice(found: Segmentation, truth: Segmentation) -> dict[str, float]:
    """Return Dice over all phases and slices."""
    told = {}
    for structure in STRUCTURES:
        one, other = found.mask(structure), truth.mask(structure)
        told[structure.value] = round(2 * float((one & other).sum() / (one.sum() + other.sum())), 4)
    return told


def rates(labels: Segmentation, image: Image, true_ml: list[float]) -> dict[str, float]:
    """Return peak ejection and filling rate over those of the true volumes, in percent."""
    ventricles = Ventricles(labels, image, Demographics(), "s01")
    true = rates_ml_s(np.array(true_ml), phase_shares(image), 60 / ventricles.heart_rate_bpm)
    found = lv_rates_ml_s(ventricles)
    return {
        "PER": round(100 * float(found.min() / true.min()), 1),
        "PFR": round(100 * float(found.max() / true.max()), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    network = Networks().segmentation(View.SAX, Technique.CINE)
    result: dict[str, Any] = {"model": network.card.title, "sha256": network.card.sha256}
    for group, figures in (
        ("real cines", real(data_folder(), network)),
        ("simulated hearts", simulated(network)),
    ):
        result[group] = {}
        for name, told in figures:
            result[group][name] = told
            print(name, json.dumps(told), flush=True)
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
