"""Whether a network that learnt the long axes of simulated hearts alone labels those of real ones.

python benchmarks/long_axis.py examples FOLDER [--hearts 240]
opencmr train recipes/cine_lax_simulated.toml --data FOLDER -o RUN
"""

import argparse
import contextlib
import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image as Picture
from real_data import data_folder

from opencmr.anatomy.structures import ACDC, Structure
from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import LONG_AXIS_VIEWS, View
from opencmr.errors import ConfigurationError
from opencmr.imaging.segmentation import Segmentation
from opencmr.imaging.study import Series
from opencmr.intake.nifti.read import read_nifti
from opencmr.intake.studies import read_studies
from opencmr.measure.function.area_length import long_axis_cavity
from opencmr.measure.function.long_axes import measure_long_axes
from opencmr.measure.function.long_axis_view import LongAxisView
from opencmr.measure.ventricles import Unmeasurable, Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.report.long_axis_pictures import same_moment
from opencmr.segment.long_axis import segment_long_axis
from opencmr.segment.short_axis import segment_short_axis
from opencmr.simulate import HeartParameters
from opencmr.simulate.acquire import Scan, acquire, world_of
from opencmr.simulate.heart import HeartShape, heart_shape
from opencmr.simulate.physics import tissue_signals
from opencmr.simulate.study import plane_grid
from opencmr.sort.sorting import choose_sax_cine, sort_study
from opencmr.train.manifest import MANIFESTS
from opencmr.validate.overlap import dice

DATA_SET = "simulated_long_axis"
PIXELS = 224
FOLDS = 5
SEED = 77
TURN_DEG = 18.0
"""How far a plane may be turned about the long axis, from where a protocol puts it."""
TILT_DEG = 7.0
AWAY_MM = 5.0
BRIGHTNESS_LOG = 0.3
"""How far the signal of each tissue may lie from that of its formula."""
OPEN_AND_FULL = 0.965
"""Filling at which the simulated valve is open and the ventricle all but full."""
NEAR_MM = 1.0
"""A pixel of a long axis so near to the middle of a slice lies on it."""
COLOURS = {
    Structure.MYOCARDIUM: (0, 220, 90),
    Structure.LV: (255, 60, 0),
}
VIEWS = {
    View.TWO_CHAMBER: (0.0, "superior"),
    View.THREE_CHAMBER: (-52.0, "superior"),
    View.FOUR_CHAMBER: (90.0, "anterior"),
}
"""Angle of the normal from the septum about the long axis, and what is up in the picture."""


def heart_of(random: np.random.Generator, seed: int) -> HeartParameters:
    """Return a heart, healthy or not: as small, large, thick and weak as hearts of patients are."""
    edv_ml = float(np.exp(random.uniform(np.log(60), np.log(340))))
    return HeartParameters(
        seed=seed,
        edv_ml=edv_ml,
        ef_percent=float(random.uniform(12, 78)),
        lv_mass_g=float(edv_ml * random.uniform(0.45, 1.2)),
        rv_edv_ml=float(edv_ml * random.uniform(0.6, 1.6)),
        rv_ef_percent=float(random.uniform(15, 75)),
        longitudinal_shortening_percent=float(random.uniform(4, 24)),
        papillary_radius_mm=float(random.uniform(2, 6)),
        rv_insertion_deg=float(random.uniform(55, 75)),
        atrial_size=float(random.uniform(0.5, 1.1)),
        atrial_filling_percent=float(random.uniform(0, 55)),
    )


def scan_of(random: np.random.Generator) -> Scan:
    """Return a balanced cine of any scanner."""
    field_t, flip_deg = float(random.choice([1.5, 3.0])), float(random.uniform(30, 75))
    signals = {
        name: signal * float(np.exp(random.uniform(-BRIGHTNESS_LOG, BRIGHTNESS_LOG)))
        for name, signal in tissue_signals(field_t, flip_deg, 3.0).items()
    }
    # Both sides hold blood: they differ by little.
    signals["venous blood"] = signals["blood"] * float(random.uniform(0.8, 1.1))
    return Scan(
        signals=signals,
        gain=600.0 / signals["blood"],
        thickness_mm=float(random.uniform(5, 9)),
        samples=3,
        shading=float(random.uniform(0, 1)),
        noise=600.0 / float(random.uniform(12, 60)),
        acquired=(float(random.uniform(0.6, 1)), float(random.uniform(0.7, 1))),
    )


def phases_of(
    heart: HeartParameters, random: np.random.Generator
) -> Iterator[tuple[str, HeartShape]]:
    """Yield end-diastole, end-systole and a moment between.

    The simulated valve is open between fillings of 0.6 and 0.97; that of patients still is in the
    last pictures of diastole, so it mostly is here.
    """
    full = float(random.choice([OPEN_AND_FULL, 1.0]))
    filling = random.uniform(0.15, 0.6) if random.random() < 0.3 else random.uniform(0.6, 0.96)
    for phase, share in (("ed", full), ("es", 0.0), ("between", float(filling))):
        yield phase, heart_shape(heart, share, share)


def write_heart(number: int, folder: Path) -> None:
    """Write each view of one heart at three moments, with its labels."""
    random = np.random.default_rng([SEED, number])
    while True:
        try:
            heart = heart_of(random, 5000 + number)
            shapes = dict(phases_of(heart, random))
            break
        except ConfigurationError:  # no such heart: muscle that leaves no cavity, for instance
            continue
    world, scan = world_of(heart), scan_of(random)
    x, y, z = world.frame.axes
    pixel_mm = float(random.uniform(1.2, 1.9))
    for view, (angle_deg, up) in VIEWS.items():
        angle = np.deg2rad(angle_deg + random.uniform(-TURN_DEG, TURN_DEG))
        tilt = np.tan(np.deg2rad(random.uniform(-TILT_DEG, TILT_DEG)))
        normal = np.cos(angle) * x + np.sin(angle) * y + tilt * z
        middle = np.array([8.0, 0.0, heart.long_axis_mm * 0.75])
        grid = plane_grid(
            world.frame.to_patient(middle) + random.uniform(-AWAY_MM, AWAY_MM) * normal,
            normal,
            np.array([0.0, 0.0, 1.0]) if up == "superior" else np.array([0.0, -1.0, 0.0]),
            shape=(1, PIXELS, PIXELS),
            pixel_mm=pixel_mm,
        )
        taken = acquire(world, grid, tuple(shapes.values()), scan, random)
        for phase, values, labels in zip(shapes, taken.values, taken.labels, strict=True):
            stem = f"{number:03}_{view.value.lower()}_{phase}"
            for name, array in ((stem, values), (f"{stem}_gt", labels)):
                stored = array[0].T[:, :, None].astype(np.int16)
                file = nibabel.Nifti1Image(stored, np.diag([pixel_mm, pixel_mm, 8.0, 1.0]))
                file.header.set_xyzt_units("mm")
                nibabel.save(file, folder / f"{name}.nii.gz")


def make_examples(folder: Path, hearts: int) -> None:
    """Write the hearts, and the table of their folds."""
    place = folder / DATA_SET
    place.mkdir(parents=True)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for number, done in enumerate(
            [pool.submit(write_heart, number, place) for number in range(hearts)]
        ):
            done.result()
            print(f"heart {number + 1} of {hearts}", end="\r")
    with (place / "hearts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["heart", "fold"])
        table.writerows([f"{number:03}", number % FOLDS] for number in range(hearts))


def on_simulated(folder: Path, network: SegmentationRunner) -> dict[str, Any]:
    """Return agreement with the truth on the hearts of fold 0."""
    rows = MANIFESTS[DATA_SET].rows(folder, (0,))
    overlaps = defaultdict[str, list[float]](list)
    hinges_mm, lost = list[float](), 0
    for row in rows:
        image, truth = (read_nifti(folder / path).image for path in (row.image, row.labels))
        found = segment_long_axis(image, network)
        view = Path(row.image).name.split("_")[1]
        if found is None:
            lost += 1
            continue
        drawn = truth.values[0, 0].astype(np.uint8)
        for structure in (Structure.LV, Structure.MYOCARDIUM):
            overlaps[f"{view} {structure.value}"].append(
                dice(found.mask(structure)[0, 0], ACDC.mask(drawn, structure))
            )
        spacing_mm = image.grid.row_spacing_mm, image.grid.column_spacing_mm
        with contextlib.suppress(Unmeasurable):
            ends = [
                long_axis_cavity(
                    ACDC.mask(labels, Structure.LV), ACDC.mask(labels, Structure.MYOCARDIUM),
                    spacing_mm,
                ).hinges_mm
                for labels in (found.labels[0, 0], drawn)
            ]  # fmt: skip
            apart = [np.linalg.norm(a - ends[1], axis=1).mean() for a in (ends[0], ends[0][::-1])]
            hinges_mm.append(float(min(apart)))
    return {
        "pictures": len(rows),
        "heart not found": lost,
        "Dice": {key: round(float(np.nanmean(values)), 4) for key, values in overlaps.items()},
        "hinge points, mm off, median and 90th percentile": [
            round(float(v), 2) for v in np.percentile(hinges_mm, [50, 90])
        ],
        "pictures with a valve in both": len(hinges_mm),
    }


def where_planes_cross(
    stack: Segmentation, across: int, view: Segmentation, along: int, structure: Structure
) -> tuple[np.ndarray, np.ndarray]:
    """Return what both planes hold ``(N,) bool`` at the long axis's pixels in labelled slices."""
    rows, columns = np.indices(view.grid.shape[1:])
    ones = np.ones(rows.size)
    points = view.grid.affines[0] @ np.stack([rows.ravel(), columns.ravel(), 0 * ones, ones])
    of_stack, of_view = [], []
    for z in np.flatnonzero(stack.labels[across].any((1, 2))):
        row, column, off, _ = np.linalg.inv(stack.grid.affines[z]) @ points
        off_mm = off * np.linalg.norm(stack.grid.affines[z, :3, 2])
        row, column = np.rint(row).astype(int), np.rint(column).astype(int)
        near = (np.abs(off_mm) <= NEAR_MM) & (row >= 0) & (column >= 0)
        near &= (row < stack.grid.shape[1]) & (column < stack.grid.shape[2])
        of_stack.append(stack.mask(structure)[across, z][row[near], column[near]])
        of_view.append(view.mask(structure)[along, 0].ravel()[near])
    return np.concatenate(of_stack), np.concatenate(of_view)


def on_real(path: Path, network: SegmentationRunner, pictures: Path | None) -> dict[str, Any]:
    """Return agreement of the long axes of one study with its short-axis stack."""
    (study,) = read_studies(path)
    study = sort_study(study)
    chosen = choose_sax_cine(study).series
    assert chosen is not None
    stack = segment_short_axis(chosen.image, Networks().segmentation(View.SAX, Technique.CINE))
    assert stack is not None
    areas = stack.mask(Structure.LV).sum((1, 2, 3))
    moments = {"ED": int(areas.argmax()), "ES": int(areas.argmin())}
    result: dict[str, Any] = {}
    views = []
    for one in study.series:
        if one.view not in LONG_AXIS_VIEWS or one.sequence is not Technique.CINE:
            continue
        found = segment_long_axis(one.image, network)
        if found is None:
            result[f"{one.key} {one.view.value}"] = "no heart found"
            continue
        row = {}
        for name, across in moments.items():
            along = same_moment(one.image, chosen.image, across)
            for structure in (Structure.LV, Structure.MYOCARDIUM):
                held = where_planes_cross(stack, across, found, along, structure)
                row[f"Dice {structure.value} {name}"] = round(dice(*held), 3)
            if pictures is not None:
                show(one, found, along, pictures / f"{one.key}_{one.view.value}_{name}.png")
        result[f"{one.key} {one.view.value}"] = row
        if one.view is not View.THREE_CHAMBER:
            views.append(LongAxisView(one.view.value, one.key, found))
    for measured in measure_long_axes(views):
        result[measured.quantity.symbol] = (
            measured.text if measured.reason is None else measured.reason.code
        )
    ventricles = Ventricles(stack, chosen.image, study.demographics, chosen.key)
    result["stack"] = {
        name: round(value)
        for name, value in (
            ("LVEDV", ventricles.lv.edv_ml),
            ("LVESV", ventricles.lv.esv_ml),
            ("LVEF", ventricles.lv.ef_percent),
        )
    }
    return result


def show(series: Series, found: Segmentation, phase: int, file: Path) -> None:
    """Write one picture with its labels in colour beside the picture as it is."""
    grey = series.image.values[phase, 0]
    low, high = np.percentile(grey, [1, 99])
    plain = np.repeat((255 * np.clip((grey - low) / (high - low), 0, 1))[..., None], 3, 2)
    coloured = plain.copy()
    for structure, colour in COLOURS.items():
        mask = found.mask(structure)[phase, 0]
        coloured[mask] = 0.6 * plain[mask] + 0.4 * np.array(colour)
    file.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.hstack([plain, coloured]).astype(np.uint8)).save(file)


def judge(folder: Path, model: str, output: Path, pictures: Path | None) -> None:
    """Write the figures of a model."""
    network = Networks().segmentation(View.LONG_AXIS, Technique.CINE, name=model)
    result = {
        "model": network.card.title,
        "simulated hearts, fold 0": on_simulated(folder, network),
        "Siemens study": on_real(
            data_folder() / "siemens_multiview" / "patient1.zip", network, pictures
        ),
    }
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    examples = commands.add_parser("examples")
    examples.add_argument("folder", type=Path)
    examples.add_argument("--hearts", type=int, default=240)
    judging = commands.add_parser("judge")
    judging.add_argument("folder", type=Path)
    judging.add_argument("--model", required=True)
    judging.add_argument("-o", "--output", type=Path, required=True)
    judging.add_argument("--pictures", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.command == "examples":
        make_examples(options.folder, options.hearts)
    else:
        judge(options.folder, options.model, options.output, options.pictures)


if __name__ == "__main__":
    main()
