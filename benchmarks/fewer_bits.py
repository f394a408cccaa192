"""What a network in 8-bit integers loses against itself in floats, and what it gains in time.

Both run in one process on the same pictures, by the way that every analysis takes.  Four parts:

- *unseen*: ACDC patients of a fold that the network never saw, against their readers (Dice and HD95
  of ED and ES over three structures, mean absolute error of LVEF) and against each other.  The
  shares of wall and cavity are weighed as those of the shipped network.
- *shipped*: the packaged network on all ACDC patients, or one of so many, which it knows.
- *ge*: the same on GE patients (``sunnybrook/endo_slices.zip``, as ``other_scanner.py`` reads
  them), which neither training nor calibration saw.
- *speed*: milliseconds a window of 160 x 160, whole stacks of ten slices, in turn on the same two
  threads, the least of many.

The gate, set before measuring: mean Dice and HD95 no worse by 0.001 and 0.1 mm, LVEF's mean
absolute error no worse by 0.1 points, ejection fractions moved by less than 0.2 points on average.

    python benchmarks/fewer_bits.py unseen --model NAME@VERSION -o benchmarks/fewer_bits.json
    python benchmarks/fewer_bits.py shipped [--every 4] -o benchmarks/fewer_bits.json
    python benchmarks/fewer_bits.py ge -o benchmarks/fewer_bits.json
    python benchmarks/fewer_bits.py speed -o benchmarks/fewer_bits.json
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from other_scanner import read_stacks, scored
from real_data import acdc_rows, data_folder, read_patient
from share_factors import Remembering
from speed import processor_name

from opencmr.anatomy.structures import Structure
from opencmr.imaging.segmentation import Segmentation
from opencmr.models.library import model_titled, read_library
from opencmr.models.precision import Precision
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import load_network
from opencmr.segment.short_axis import empty_segmentation, segment_short_axis
from opencmr.validate.case import Case, measure_twice, score_case
from opencmr.validate.overlap import dice

STRUCTURES = (Structure.RV, Structure.MYOCARDIUM, Structure.LV)
SHIPPED = "cine_sax"
SHARE_FACTORS = (0.8, 2.0)
"""Of wall and cavity, as on the card of the shipped network."""
MEASURES = ("LVEF", "LVEDV", "LVESV", "LVM", "RVEF")
GATE = {
    "Dice lost": 0.001,
    "HD95 gained, mm": 0.1,
    "LVEF error gained, points": 0.1,
    "LVEF moved, mean, points": 0.2,
}
"""What may be lost at most; set before measuring."""
THREADS = 2
STACK = (1, 10, 160, 160)
KINDS = (Precision.F32, Precision.INT8)
Two = dict[Precision, SegmentationRunner]


def networks_of(name: str, threads: int = THREADS) -> Two:
    """Return a model's network in floats and in integers; the newest where no version is named."""
    card = model_titled(name) if "@" in name else read_library().choose_segmentation(name)
    return {kind: load_network(card.at(kind), threads=threads) for kind in KINDS}


def patient_row(patient: str, networks: Two) -> dict[str, Any]:
    """Return the figures of an ACDC patient by both networks, and how their labels agree."""
    image, reader = read_patient(data_folder() / "acdc", patient)
    found: dict[Precision, Segmentation] = {}
    row: dict[str, Any] = {"patient": patient}
    for kind, network in networks.items():
        drawn = segment_short_axis(image, network) or empty_segmentation(image, network)
        case = Case(patient, drawn, reader, ("ED", "ES"))
        whole = [score for score in score_case(case) if score.level == "whole"]
        values = {one.quantity.symbol: one for one in measure_twice(case)}
        found[kind] = drawn
        row[kind.value] = {
            "Dice": mean([score.dice for score in whole]),
            "HD95, mm": mean([score.hausdorff95_mm for score in whole]),
            **{name: values[name].measured for name in MEASURES},
        }
        row["reader's LVEF"] = values["LVEF"].reference
    pairs = [[found[kind].mask(one) for kind in KINDS] for one in STRUCTURES]
    row["Dice between"] = mean(
        [dice(a[t], b[t]) for a, b in pairs for t in range(2) if a[t].any() or b[t].any()]
    )
    return row


def mean(values: Sequence[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None and np.isfinite(value)]))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return means over patients by each precision, and what moved between them."""
    told: dict[str, Any] = {"patients": len(rows)}
    for kind in KINDS:
        told[kind.value] = {
            name: round(mean([row[kind.value][name] for row in rows]), 4)
            for name in ("Dice", "HD95, mm")
        }
        errors = [row[kind.value]["LVEF"] - row["reader's LVEF"] for row in rows]
        told[kind.value]["LVEF, mean absolute error, points"] = round(mean(np.abs(errors)), 3)
    told["Dice between"] = spread([row["Dice between"] for row in rows], worst=min)
    told["Dice of the patient that lost most"] = round(
        min(row["int8"]["Dice"] - row["f32"]["Dice"] for row in rows), 4
    )
    for name in MEASURES:
        moved = [row["int8"][name] - row["f32"][name] for row in rows]
        told[f"{name}, moved"] = {
            "with its sign": round(mean(moved), 3),
            **spread(np.abs(moved), worst=max),
        }
    told["gate"] = judged(told)
    return told


def spread(values: Sequence[float], worst: Any) -> dict[str, float]:
    return {"mean": round(mean(values), 4), "worst": round(float(worst(values)), 4)}


def judged(told: dict[str, Any]) -> dict[str, Any]:
    """Return what was lost beside what may be."""
    floats, integers = told["f32"], told["int8"]
    error = "LVEF, mean absolute error, points"
    lost = {
        "Dice lost": floats["Dice"] - integers["Dice"],
        "HD95 gained, mm": integers["HD95, mm"] - floats["HD95, mm"],
        "LVEF error gained, points": integers[error] - floats[error],
        "LVEF moved, mean, points": told["LVEF, moved"]["mean"],
    }
    rounded = {name: round(value, 4) for name, value in lost.items()}
    return {**rounded, "passed": all(lost[name] <= limit for name, limit in GATE.items())}


def unseen(model: str, folds: Sequence[int]) -> dict[str, Any]:
    networks: Two = {}
    for kind, network in networks_of(model).items():
        weighed = Remembering(network)
        weighed.weigh(*SHARE_FACTORS)
        networks[kind] = weighed
    rows = [told(patient_row(row["patient"], networks)) for row in acdc_rows(folds)]
    return {**origin(networks), "folds": list(folds), **summary(rows)}


def shipped(model: str, every: int) -> dict[str, Any]:
    networks = networks_of(model)
    rows = [told(patient_row(row["patient"], networks)) for row in acdc_rows()[::every]]
    return {**origin(networks), "one patient of": every, **summary(rows)}


def ge(model: str, every: int) -> dict[str, Any]:
    """Return the agreement of the cavity by both precisions, and how ejection fractions moved."""
    networks = networks_of(model)
    stacks = list(read_stacks(data_folder(), None).values())[::every]
    rows = [
        told({kind.value: scored(phases, networks[kind]) for kind in KINDS}) for phases in stacks
    ]
    dices = {
        kind.value: [(row[kind]["Dice ED"] + row[kind]["Dice ES"]) / 2 for row in rows]
        for kind in KINDS
    }
    errors = {
        kind.value: [abs(row[kind]["EF ours"] - row[kind]["EF theirs"]) for row in rows]
        for kind in KINDS
    }
    moved = [abs(row["int8"]["EF ours"] - row["f32"]["EF ours"]) for row in rows]
    lost = [a - b for a, b in zip(dices["f32"], dices["int8"], strict=True)]
    return {
        **origin(networks),
        "one patient of": every,
        "patients": len(rows),
        "Dice LV": {kind: round(mean(values), 4) for kind, values in dices.items()},
        "Dice LV, lost": {"median": round(float(np.median(lost)), 4), "worst": round(max(lost), 4)},
        "LVEF, mean absolute error, points": {
            kind: round(mean(values), 2) for kind, values in errors.items()
        },
        "LVEF, moved, points": {
            "median": round(float(np.median(moved)), 2),
            **spread(moved, worst=max),
        },
        "patients whose LVEF moved by a point or more": sum(one >= 1 for one in moved),
    }


def told(row: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(row), flush=True)
    return row


def origin(networks: Two) -> dict[str, Any]:
    cards = {kind.value: network.card for kind, network in networks.items()}
    return {
        "model": cards["f32"].title,
        "sha256": {kind: card.sha256 for kind, card in cards.items()},
        "calibration": cards["int8"].int8.calibration if cards["int8"].int8 else "",
    }


def speed(model: str, rounds: int) -> dict[str, Any]:
    """Return the least milliseconds a window over rounds in which both run in turn."""
    windows = np.random.default_rng(0).random(STACK, dtype=np.float32)
    told: dict[str, Any] = {"stack": list(STACK), "load of others": round(os.getloadavg()[0], 1)}
    for threads in (1, THREADS):
        networks = networks_of(model, threads)
        least = dict.fromkeys(KINDS, float("inf"))
        for _ in range(rounds):
            for kind, network in networks.items():
                start = time.perf_counter()
                network(windows)
                least[kind] = min(least[kind], time.perf_counter() - start)
        ms = {kind: 1000 * seconds / STACK[1] for kind, seconds in least.items()}
        told[f"{threads} threads, ms a window"] = {
            **{kind.value: round(value, 2) for kind, value in ms.items()},
            "times faster": round(ms[Precision.F32] / ms[Precision.INT8], 2),
        }
    card = networks[Precision.INT8].card
    told["MB"] = {
        kind.value: round((card.folder / network.card.weights_file).stat().st_size / 1e6, 2)
        for kind, network in networks.items()
    }
    told["processor"] = processor_name()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("unseen", "shipped", "ge", "speed"))
    parser.add_argument("--model", default=SHIPPED, metavar="NAME@VERSION")
    parser.add_argument("--folds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one patient of N")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.part == "unseen":
        found = unseen(options.model, options.folds)
    elif options.part == "shipped":
        found = shipped(options.model, options.every)
    elif options.part == "ge":
        found = ge(options.model, options.every)
    else:
        found = speed(options.model, options.rounds)
    print(json.dumps(found, indent=1))
    if options.output:
        known = json.loads(options.output.read_text()) if options.output.exists() else {}
        known |= {"limits": GATE, options.part: found}
        options.output.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
