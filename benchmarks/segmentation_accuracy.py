"""Accuracy of the shipped SAX cine model on ACDC folds and on the Sunnybrook cines.

ACDC: Dice and HD95 for each structure at ED and ES, volumes and ejection fraction against the
reference masks measured by the same code (`opencmr.validate`).  Sunnybrook: Dice of the LV
cavity over the slices that have an endocardial contour (papillary muscles counted in the
cavity, as the contours do), and the ejection fraction against the contours' own.

    python benchmarks/segmentation_accuracy.py [--folds 0] [--model NAME] [-o RESULT.json]
"""

import argparse
import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from real_data import acdc_rows, data_folder, read_patient
from skimage.draw import polygon2mask

from opencmr.anatomy.structures import Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.image import Image
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Demographics
from opencmr.intake.studies import read_studies
from opencmr.measure.registry import measure_all
from opencmr.measure.ventricles import Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.quality.stacks import judge_stacks
from opencmr.segment.short_axis import empty_segmentation, segment_short_axis
from opencmr.sort.sorting import choose_sax_cine, sort_study
from opencmr.validate.case import Case, MeasuredTwice, Score, measure_twice, score_case
from opencmr.validate.cohort import summarise
from opencmr.validate.overlap import dice

STRUCTURES = (Structure.RV, Structure.MYOCARDIUM, Structure.LV)
SYMBOLS = ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "RVESV", "RVEF")


def volumes(segmentation: Segmentation, image: Image) -> dict[str, float | None]:
    measured = measure_all(Ventricles(segmentation, image, Demographics(), "s01"))
    return {symbol: measured.value(symbol) for symbol in SYMBOLS}


def score_patient(
    folder: Path, patient: str, network: SegmentationRunner
) -> tuple[tuple[Score, ...], tuple[MeasuredTwice, ...]]:
    image, reference = read_patient(folder, patient)
    result = segment_short_axis(image, network) or empty_segmentation(image, network)
    case = Case(patient, result, reference, ("ED", "ES"))
    return score_case(case), measure_twice(case)


def patient_record(scores: tuple[Score, ...], measured: tuple[MeasuredTwice, ...]) -> Any:
    whole = [s for s in scores if s.level == "whole"]
    by_phase: dict[str, dict[str, dict[str, float | None]]] = {}
    for field in ("dice", "hausdorff95_mm"):
        by_phase[field] = {
            phase: {s.structure.value: getattr(s, field) for s in whole if s.phase == phase}
            for phase in ("ED", "ES")
        }
    told = [m for m in measured if m.quantity.symbol in SYMBOLS]
    return {
        "patient": scores[0].case,
        **by_phase,
        "measured": {m.quantity.symbol: m.measured for m in told},
        "reference": {m.quantity.symbol: m.reference for m in told},
    }


def score_acdc(data: Path, folds: list[int], network: SegmentationRunner) -> dict[str, Any]:
    patients, scores, measured = [], [], []
    for row in acdc_rows(folds):
        own, volumes = score_patient(data / "acdc", row["patient"], network)
        scores += own
        measured += volumes
        patients.append({**patient_record(own, volumes), "group": row["group"]})
        mean = np.mean([s.dice for s in own if s.level == "whole"])
        print(f"{row['patient']} {row['group']:<4} mean Dice {mean:.3f}", flush=True)
    cohort = summarise(scores, measured)
    summary: dict[str, Any] = {"patients": len(patients), "folds": folds}
    for field, decimals in (("dice", 4), ("hausdorff95_mm", 2)):
        summary[field] = {
            name: round(found.mean.value, decimals)
            for name, part in parts().items()
            if (found := cohort.mean(field, *part)) and found.mean
        }
    for found in cohort.agreements:
        if found.quantity.symbol in SYMBOLS and found.agreement:
            summary[found.quantity.symbol] = {
                "bias": round(found.agreement.bias.value, 2),
                "sd": round(found.agreement.sd, 2),
                "mae": round(found.agreement.mean_absolute, 2),
                "patients": found.agreement.cases,
            }
    return {"summary": summary, "patients": patients}


def parts() -> dict[str, tuple[str, str]]:
    """Return structure and phase of every mean by the name that it has in the result."""
    names = [s.value for s in STRUCTURES]
    at_phase = {f"{name} {phase}": (name, phase) for phase in ("ED", "ES") for name in names}
    return {**at_phase, **{name: (name, "all") for name in names}, "mean": ("all", "all")}


def contour_masks(folder: Path, case: str, shape: tuple[int, int]) -> dict[int, np.ndarray]:
    """Return the endocardial mask of each contoured image number, filled by pixel centres."""
    masks = {}
    with zipfile.ZipFile(folder / f"{case}_contours.zip") as archive:
        for name in archive.namelist():
            if "icontour" not in name:
                continue
            number = int(Path(name).name.split("-")[2])
            points = np.loadtxt(archive.read(name).decode().splitlines())
            masks[number] = polygon2mask(shape, points[:, ::-1])
    return masks


def locate(archive: zipfile.ZipFile, case: str, number: int, image: Image) -> tuple[int, int]:
    """Return the phase and slice of image ``number`` by its position and trigger time."""
    with archive.open(f"{case}/{number}.dcm") as file:
        header = pydicom.dcmread(file, stop_before_pixels=True)
    position = np.array(header.ImagePositionPatient, dtype=float)
    corners = np.array([image.grid.position_mm(z, 0, 0) for z in range(image.grid.shape[0])])
    z = int(np.argmin(np.linalg.norm(corners - position, axis=1)))
    t = int(np.argmin(np.abs(image.trigger_ms[:, z] - float(header.TriggerTime))))
    return t, z


def score_sunnybrook(data: Path, network: SegmentationRunner) -> list[dict[str, Any]]:
    folder = data / "sunnybrook"
    with (folder / "cine_reference.csv").open(newline="") as lines:
        references = list(csv.DictReader(lines))
    results = []
    for reference in references:
        case = reference["original_id"]
        (study,) = read_studies(folder / f"{case}.zip")
        series = choose_sax_cine(judge_stacks(sort_study(study))).series
        assert series is not None
        image = series.image
        result = segment_short_axis(image, network)
        assert result is not None
        overlap = {"ED": [], "ES": []}
        pixels = [0, 0]
        ed = int(reference["ed_phase0"])
        with zipfile.ZipFile(folder / f"{case}.zip") as archive:
            for number, mask in contour_masks(folder, case, image.grid.shape[1:]).items():
                t, z = locate(archive, case, number, image)
                found = result.mask(Structure.LV)[t, z]
                overlap["ED" if t == ed else "ES"].append(dice(found, mask))
                pixels[0] += int(2 * (found & mask).sum())
                pixels[1] += int(found.sum() + mask.sum())
        measured = volumes(result, image)
        slices = overlap["ED"] + overlap["ES"]
        results.append(
            {
                "case": case,
                "contoured_slices": len(slices),
                "dice_mean_over_slices": round(float(np.mean(slices)), 4),
                "dice_pooled": round(pixels[0] / pixels[1], 4),
                "dice_ed": [round(v, 3) for v in overlap["ED"]],
                "dice_es": [round(v, 3) for v in overlap["ES"]],
                "lvef_measured": measured["LVEF"],
                "lvef_reference": float(reference["lv_ef_pct"]),
                "lvedv_measured": measured["LVEDV"],
                "lvedv_reference": float(reference["lv_edv_ml"]),
                "lvesv_measured": measured["LVESV"],
                "lvesv_reference": float(reference["lv_esv_ml"]),
            }
        )
        print(json.dumps(results[-1], indent=1), flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, nargs="*", default=[0])
    parser.add_argument("--model")
    parser.add_argument("--skip-sunnybrook", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    data = data_folder()
    network = Networks().segmentation(View.SAX, Technique.CINE, name=options.model)
    result: dict[str, Any] = {
        "model": network.card.title,
        "sha256": network.card.sha256,
        "training_data": network.card.training_data,
    }
    if options.folds:
        result["acdc"] = score_acdc(data, options.folds, network)
        print(json.dumps(result["acdc"]["summary"], indent=1))
    if not options.skip_sunnybrook:
        result["sunnybrook"] = score_sunnybrook(data, network)
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
