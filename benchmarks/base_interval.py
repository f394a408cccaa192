"""How far the base moves the measures: false alarms, and whether the truth lies inside.

On the ED and ES reference masks of ACDC (Bernard et al., IEEE TMI 2018), as they are and with the
basal slice taken away as a network may lose it; on automatic masks of the fold that the shipped
model never saw; on simulated hearts whose volumes are formulas; on the Sunnybrook cines against
their readers.

    python benchmarks/base_interval.py [-o RESULT.json]
"""

import argparse
import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from real_data import acdc_rows, data_folder, read_patient
from reference_limits import Masks, load, near_heart

from opencmr.anatomy.structures import Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.phase_times import phase_shares
from opencmr.imaging.study import Demographics, Series
from opencmr.intake.studies import read_studies
from opencmr.measure.function.ejection import EJECTION
from opencmr.measure.function.mass import MASS
from opencmr.measure.function.rates import lv_rates_ml_s, rates_ml_s
from opencmr.measure.function.volumes import VOLUMES
from opencmr.measure.long_axis import slices_from_base
from opencmr.measure.ventricles import Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.quality.checks import check
from opencmr.quality.limits import BASE_CUT_POINTS_PERCENT, BASE_WIDTH_LIMIT_POINTS
from opencmr.quality.stacks import judge_stacks
from opencmr.segment.short_axis import segment_short_axis
from opencmr.simulate import HeartParameters, Protocol, SimulatedStudy, simulate_study
from opencmr.sort.sorting import choose_sax_cine, sort_study

UNSEEN_MODEL = "cine_sax@0.1.0"
"""It learnt from the folds 1 to 4 alone; the default model knows every patient."""
SYMBOLS = ("LVEDV", "LVESV", "LVSV", "LVEF", "LVM", "RVEDV", "RVESV", "RVSV", "RVEF")
HEARTS = ((110, 70, 20), (150, 60, 18), (160, 50, 14), (210, 35, 10), (280, 20, 5))
"""EDV in mL, EF and shortening of the long axis in percent of the simulated hearts."""
MARGINS_MM = (-4.0, -1.5, 1.0, 3.5, 6.0, 8.5, 11.0)
"""Where the first slice lies over the valve plane: slices 10 mm apart pass it in every way."""
NEAR_POINTS, NEAR_PERCENT = 1.0, 2.0
"""How near an end of the interval a truth still counts as inside: EF in points, the rest in
percent."""


def judged(ventricles: Ventricles) -> tuple[Measurements, bool]:
    """Return volumes, ejection and mass, and whether the base is flagged."""
    found = Measurements(
        tuple(m for one in (VOLUMES, EJECTION, MASS) for m in one.measure(ventricles))
    )
    flags = check(Series("s01", ventricles.image), ventricles, found)
    return found, any(flag.code == "BASE_UNCERTAIN" for flag in flags)


def inside(found: Measurements, truth: Mapping[str, float]) -> dict[str, bool]:
    """Return for each quantity whether its truth lies in its interval."""
    verdict = {}
    for symbol in SYMBOLS:
        one = found.find(symbol)
        if one is not None and one.interval is not None and symbol in truth:
            near = NEAR_POINTS if symbol.endswith("EF") else NEAR_PERCENT / 100 * truth[symbol]
            verdict[symbol] = one.interval[0] - near <= truth[symbol] <= one.interval[1] + near
    return verdict


def row(case: str, ventricles: Ventricles, truth: Mapping[str, float] | None = None) -> dict:
    """Return what one heart shows: value, interval, flag, and the truth inside or not."""
    found, flagged = judged(ventricles)
    ef = found.find("LVEF")
    assert ef is not None
    told = {
        "case": case,
        "LVEF": round(ef.value, 1),
        "interval": [round(end, 1) for end in ef.interval] if ef.interval else None,
        "base": ef.evidence,
        "flagged": flagged,
    }
    if truth is None:
        return told
    return told | {"truth": round(truth["LVEF"], 1), "inside": inside(found, truth)}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts over hearts."""
    widths = [high - low for low, high in (r["interval"] for r in rows if r["interval"])]
    told = {
        "hearts": len(rows),
        "flagged": sum(r["flagged"] for r in rows),
        "width of LVEF, points: 5, 50, 95 %": [
            round(float(p), 1) for p in np.percentile(widths, (5, 50, 95))
        ],
    }
    if rows and "inside" in rows[0]:
        off = [max(r["interval"][0] - r["truth"], r["truth"] - r["interval"][1], 0) for r in rows]
        told["truth inside"] = {
            symbol: sum(r["inside"].get(symbol, False) for r in rows) for symbol in SYMBOLS
        }
        told["LVEF as labelled off, points, at most"] = round(
            max(abs(r["LVEF"] - r["truth"]) for r in rows), 1
        )
        told["LVEF outside its interval, points, at most"] = round(max(off), 1)
    return told


def basal_slice(one: Masks, phases: tuple[int, ...]) -> np.ndarray:
    """Return the labels without the most basal slice of the LV at the phases named."""
    labels, ventricles = one.labels.copy(), one.ventricles()
    order = slices_from_base(ventricles, 0)
    for phase in phases:
        shown = [z for z in order if ventricles.lv_voxels[phase, z]]
        labels[phase, shown[0]] = 0
    return labels


def readers(everyone: list[Masks]) -> dict[str, Any]:
    """Return the figures of the reference masks, whole and with a basal slice lost."""
    truth = {one.patient: judged(one.ventricles())[0].values() for one in everyone}
    losses: Mapping[str, Callable[[Masks], np.ndarray]] = {
        "the basal slice lost at ES": lambda one: basal_slice(one, (1,)),
        "the basal slice lost at ED": lambda one: basal_slice(one, (0,)),
        "the basal slice lost at both": lambda one: basal_slice(one, (0, 1)),
    }
    whole = [row(one.patient, one.ventricles()) for one in everyone]
    return {
        "as they are": summary(whole),
        "flagged": [r for r in whole if r["flagged"]],
        **{
            name: summary(
                [
                    row(one.patient, one.ventricles(lose(one)), truth[one.patient])
                    for one in everyone
                ]
            )
            for name, lose in losses.items()
        },
    }


def slice_by_slice(everyone: list[Masks]) -> dict[str, Any]:
    """Return how well a basal slice of known area is continued, and what doubting it costs."""
    error: dict[str, list[float]] = {"as the next slice changes": [], "the next slice's own": []}
    doubted = 0
    for one in everyone:
        ventricles = one.ventricles()
        found, flagged = judged(ventricles)
        pool_ml = ventricles.lv.slices_ml[:, list(slices_from_base(ventricles, 0))]
        (ed, es) = (int(np.flatnonzero(pool)[0]) for pool in pool_ml)
        low, high = found.find("LVEF").interval
        high = max(high, 100 - 100 * (pool_ml[1].sum() - pool_ml[1, es]) / pool_ml[0].sum())
        crossed = any(low < point < high for point in BASE_CUT_POINTS_PERCENT)
        doubted += bool(flagged or crossed or high - low > BASE_WIDTH_LIMIT_POINTS)
        if ed == es:
            (basal_ed, next_ed), (basal_es, next_es) = pool_ml[:, ed : ed + 2]
            error["as the next slice changes"].append(basal_ed * next_es / next_ed / basal_es - 1)
            error["the next slice's own"].append(next_es / basal_es - 1)
    return {
        "area at ES by continuation, percent: median, root mean square": {
            name: [
                round(100 * float(np.median(e)), 1),
                round(100 * float(np.sqrt(np.mean(np.square(e)))), 1),
            ]
            for name, e in error.items()
        },
        "flagged, were a slice that stands at ES doubted there": doubted,
    }


def rates() -> dict[str, list[float]]:
    """Return peak rates of simulated hearts over those of their formulas, in percent."""
    found: dict[str, list[float]] = {"as measured": [], "of the curve as labelled": []}
    for edv_ml, ef_percent, shortening_percent in ((150, 60, 18), (250, 30, 8)):
        for margin_mm in (-1.5, 1.0, 6.0):
            study = simulated_study(edv_ml, ef_percent, shortening_percent, margin_mm, 24)
            (image,) = study.short_axis.images
            ventricles = Ventricles(study.labels, image, Demographics(), "s01")
            true_ml = np.array([shape.cavity_ml for shape in study.shapes])
            share, rr_s = phase_shares(image), 60 / ventricles.heart_rate_bpm
            true, labelled, measured = (
                rates_ml_s(true_ml, share, rr_s),
                rates_ml_s(ventricles.lv.curve_ml, share, rr_s),
                lv_rates_ml_s(ventricles),
            )
            for extreme in (np.min, np.max):
                for name, one in zip(found, (measured, labelled), strict=True):
                    found[name].append(round(100 * float(extreme(one) / extreme(true)), 1))
    return found


def automatic(
    folder: Path, everyone: list[Masks], network: SegmentationRunner, fold: int
) -> dict[str, Any]:
    """Return the figures of automatic masks, the reference masks being the truth."""
    rows = []
    for one in (one for one in everyone if one.fold == fold):
        image, _ = read_patient(folder, one.patient)
        result = segment_short_axis(image, network)
        if result is not None:
            made = Masks(one.patient, fold, near_heart(result.labels), one.spacing_mm)
            rows.append(row(one.patient, made.ventricles(), judged(one.ventricles())[0].values()))
    return summary(rows) | {"flagged hearts": [r for r in rows if r["flagged"]]}


def simulated_study(
    edv_ml: float, ef_percent: float, shortening_percent: float, margin_mm: float, phases: int
) -> SimulatedStudy:
    """Return a simulated short-axis cine of slices 10 mm apart."""
    protocol = replace(
        Protocol.small(),
        gap_mm=2.0,
        phases=phases,
        long_axis=False,
        scouts=False,
        basal_margin_mm=margin_mm,
    )
    heart = HeartParameters(
        edv_ml=edv_ml,
        ef_percent=ef_percent,
        longitudinal_shortening_percent=shortening_percent,
        rv_edv_ml=max(165.0, edv_ml),
    )
    return simulate_study(heart, protocol=protocol)


def simulated() -> dict[str, Any]:
    """Return the figures of true labels of simulated hearts, their formulas being the truth."""
    rows = []
    for edv_ml, ef_percent, shortening_percent in HEARTS:
        for margin_mm in MARGINS_MM:
            study = simulated_study(edv_ml, ef_percent, shortening_percent, margin_mm, 8)
            (image,) = study.short_axis.images
            ventricles = Ventricles(study.labels, image, Demographics(), "s01")
            name = f"EDV {edv_ml}, EF {ef_percent}, first slice {margin_mm:g} mm over the valve"
            rows.append(row(name, ventricles, study.truth))
    return summary(rows) | {"hearts one by one": rows}


def cines(folder: Path, network: SegmentationRunner) -> list[dict[str, Any]]:
    """Return the figures of the Sunnybrook cines, their readers being the truth."""
    with (folder / "cine_reference.csv").open(newline="") as lines:
        references = list(csv.DictReader(lines))
    rows = []
    for reference in references:
        (study,) = read_studies(folder / f"{reference['original_id']}.zip")
        series = choose_sax_cine(judge_stacks(sort_study(study))).series
        assert series is not None
        result = segment_short_axis(series.image, network)
        assert result is not None
        assert result.mask(Structure.LV).any()
        edv_ml, esv_ml = float(reference["lv_edv_ml"]), float(reference["lv_esv_ml"])
        truth = {
            "LVEDV": edv_ml,
            "LVESV": esv_ml,
            "LVSV": edv_ml - esv_ml,
            "LVEF": float(reference["lv_ef_pct"]),
        }
        ventricles = Ventricles(result, series.image, Demographics(), series.key)
        rows.append(row(reference["original_id"], ventricles, truth))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    data = data_folder()
    everyone = [load(data / "acdc", row["patient"], int(row["fold"])) for row in acdc_rows()]
    network = Networks().segmentation(View.SAX, Technique.CINE, name=UNSEEN_MODEL)
    result = {
        "reference masks": readers(everyone) | slice_by_slice(everyone),
        "automatic masks of fold 0": automatic(data / "acdc", everyone, network, 0),
        "simulated hearts, true labels": simulated(),
        "peak rates of simulated hearts, percent of the truth": rates(),
        "Sunnybrook cines": cines(data / "sunnybrook", network),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
