"""How often `opencmr sort` names a stack rightly, and how far its probabilities are true.

    python benchmarks/sorting.py -o benchmarks/sorting.json

Reads ``siemens_multiview``, ``sunnybrook``, ``t1_t2_phantoms`` and ``lge_native`` in the folder of
OPENCMR_DATA (by default ../shared/data), and simulates studies with the header styles of three
vendors.  Each study is sorted as it is, with descriptions blanked, with descriptions permuted among
its series (lying), without any geometry, and by its pictures and shape alone.  Then every real
input is sorted as a user would, alone and mixed with others (``sorting_inputs.py``).

The styles were written by hand from what vendors document, by the hand that wrote the rules: the
figures on simulated studies show that the parts work together, not how well unseen scanners do.
"""

import argparse
import json
import tempfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from real_data import data_folder
from sorting_inputs import every_input

from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.axis import Beats, Preparation, PreparationKind, Single
from opencmr.imaging.image import Image, Unit
from opencmr.imaging.study import Series, SeriesHeader, Study
from opencmr.intake.studies import read_studies
from opencmr.simulate import HeartParameters, Protocol, simulate_study
from opencmr.sort.examination import named_stacks
from opencmr.sort.sorting import sort_study

BINS = 10
CONDITIONS = ("as it is", "blanked", "lying", "no geometry", "pictures and shape alone")
MULTIVIEW = ("SAX", "4CH", "3CH", "2CH", "RV 2CH", "RVOT")
"""The stacks of that study in their order, by eye; the descriptions of two of them lie."""
VENDORS = {
    "Siemens": {
        "cine": {
            "sequence_name": "*tfi2d1_10",
            "flip_angle_deg": 58.0,
            "called": "cine_trufi_retro",
        },
        "lge": {"sequence_name": "*tfl2d1_25", "called": "de_tfl_psir"},
        "types": (("ORIGINAL", "PRIMARY", "M", "NORM"), ("ORIGINAL", "PRIMARY", "P", "NORM")),
        "flow": {"sequence_name": "*fl2d1_v150in", "called": "fl2d_flow"},
        "db": {"sequence_name": "*h2d1_64", "called": "haste_db"},
        "tag": {"sequence_name": "*fl2d1_tag", "called": "cine_tagging_grid"},
    },
    "GE": {
        "cine": {"sequence_name": "", "flip_angle_deg": 45.0, "called": "FIESTA CINE"},
        "lge": {"sequence_name": "", "called": "2D MDE"},
        "types": (("ORIGINAL", "PRIMARY", "M"), ("ORIGINAL", "PRIMARY", "P")),
        "flow": {"sequence_name": "", "called": "PC flow"},
        "db": {"sequence_name": "", "called": "DOUBLE IR FSE"},
        "tag": {"sequence_name": "", "called": "FGRE TAGGING"},
    },
    "Philips": {
        "cine": {"sequence_name": "", "flip_angle_deg": 60.0, "called": "sBTFE_BH"},
        "lge": {"sequence_name": "", "called": "PSIR_TFE"},
        "types": (
            ("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"),
            ("ORIGINAL", "PRIMARY", "PHASE MAP", "P"),
        ),
        "flow": {"sequence_name": "", "called": "QFLOW_BH"},
        "db": {"sequence_name": "", "called": "BB_TSE"},
        "tag": {"sequence_name": "", "called": "CSPAMM"},
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    output = parser.parse_args().output
    data = data_folder()
    studies = {"real": list(real(data)), "simulated": list(simulated())}
    figures = {
        kind: {condition: judged(them, condition) for condition in CONDITIONS}
        for kind, them in studies.items()
    }
    figures["inputs"] = every_input(data)
    output.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    for kind in studies:
        for condition, row in figures[kind].items():
            print(kind, condition, {k: v for k, v in row.items() if k != "errors"})


def judged(studies, condition):
    """Count what is named rightly; a truth of None is not judged."""
    counts, errors, promises = Counter(), Counter(), []
    for name, whole, truth in studies:
        study = changed(whole, condition)
        namings = named_stacks(sort_study(study))
        for one, (sequence, view) in zip(study.series, truth, strict=True):
            naming = namings[one.key]
            right = naming.sequence.value == sequence
            seen = view is None or naming.view.value == view
            counts.update(stacks=1, sequence=right, view=seen, both=right and seen)
            promises.append((naming.probability, right and seen))
            if not (right and seen):
                found = f"{naming.sequence.value} {naming.view.value}"
                errors[f"{name}: {sequence} {view or ''} named {found}"] += 1
    return {
        "studies": len(studies),
        **{key: int(value) for key, value in counts.items()},
        "mean_probability": round(float(np.mean([p for p, _ in promises])), 3),
        "expected_calibration_error": round(calibration_error(promises), 3),
        "errors": dict(sorted(errors.items())),
    }


def calibration_error(promises):
    """Mean distance of probability and share of right answers, over bins weighted by size."""
    found = np.array(promises, dtype=float)
    bins = np.minimum((found[:, 0] * BINS).astype(int), BINS - 1)
    return float(
        sum(abs(found[bins == b, 0].sum() - found[bins == b, 1].sum()) for b in np.unique(bins))
        / len(found)
    )


def changed(study, condition):
    """Take a witness away."""
    series = study.series
    if condition == "blanked":
        series = [with_words(one, "", "") for one in series]
    elif condition == "lying":
        headers = [one.header for one in series]
        turned = headers[1:] + headers[:1]
        series = [
            with_words(one, h.series_description, h.protocol_name)
            for one, h in zip(series, turned, strict=True)
        ]
    elif condition == "no geometry":
        series = [without_geometry(one) for one in series]
    elif condition == "pictures and shape alone":
        series = [replace(without_geometry(one), header=SeriesHeader()) for one in series]
    return replace(study, series=tuple(series))


def with_words(one, description, protocol):
    header = replace(one.header, series_description=description, protocol_name=protocol)
    return replace(one, header=header)


def without_geometry(one):
    grid = one.image.grid
    gap = grid.slice_spacing_mm or 8.0
    flat = grid_from_spacing(grid.shape, (gap, grid.row_spacing_mm, grid.column_spacing_mm))
    return replace(one, image=replace(one.image, grid=flat), frame_of_reference_uid="")


def real(data):
    """Yield (name, study, truth of each stack in order)."""
    (study,) = read_studies(data / "siemens_multiview" / "patient1.zip")
    yield "siemens_multiview", study, [("cine bSSFP", view) for view in MULTIVIEW]
    for case in ("1", "4", "6"):
        (study,) = read_studies(data / "sunnybrook" / f"SC-HF-I-{case}.zip")
        yield "sunnybrook cine", study, [("cine bSSFP", "SAX")] * len(study.series)
    for study in read_studies(data / "sunnybrook" / "localizers.zip"):
        yield "sunnybrook localizer", study, [("scout", None)] * len(study.series)
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(data / "t1_t2_phantoms" / "mapping_testdata.zip") as archive,
    ):
        for part, sequence in (("e11_12/", "T1 raw"), ("e11_13/", "T1 raw"), ("T1MAP", "T1 map")):
            place = Path(folder) / part.strip("/")
            place.mkdir()
            for name in archive.namelist():
                if f"ShMOLLI_192i_{part}" in name.replace("e11_T1MAP", "T1MAP") and name[-1] != "/":
                    (place / Path(name).name).write_bytes(archive.read(name))
            for study in read_studies(place):
                yield "ShMOLLI phantom", study, [(sequence, None)] * len(study.series)
    for path in sorted((data / "lge_native").glob("*_DE.nii.gz")):
        (study,) = read_studies(path)
        yield "lge_native (NIfTI)", study, [("LGE magnitude", "SAX")]


def simulated():
    """Yield studies of four hearts in three header styles: cines, and what is made of them."""
    for seed in range(1, 5):
        made = simulate_study(
            HeartParameters(seed=seed, ef_percent=35 + 7 * seed, edv_ml=120 + 20 * seed),
            protocol=replace(Protocol.small(), phases=16, pixel_mm=1.8, rows=144, columns=144),
        )
        for vendor, style in VENDORS.items():
            series, truth = examination(made, style, np.random.default_rng(seed))
            keyed = tuple(replace(one, key=f"s{i:02d}") for i, one in enumerate(series, start=1))
            yield vendor, Study("k", keyed), truth


def examination(made, style, rng):
    """Return the series of one examination and what they are."""
    series, truth, grids = [], [], {}

    def add(sequence, view, image, called, **header):
        header = {"modality": "MR", "image_type": ("ORIGINAL", "PRIMARY", "OTHER"), **header}
        header = SeriesHeader(series_description=called, protocol_name=called, **header)
        uid = f"1.{len(series)}"
        series.append(Series("", image, uids=(uid,), frame_of_reference_uid="9", header=header))
        truth.append((sequence, view))
        return series[-1]

    cine = {k: v for k, v in style["cine"].items() if k != "called"}
    for one in made.series:
        for image in one.images:
            if one.sequence.value == "scout":
                continue
            grids[one.view.value] = image
            add(
                "cine bSSFP",
                one.view.value,
                image,
                f"{style['cine']['called']} {one.view.value}",
                **cine,
                scanning_sequence=("GR",),
                sequence_variant=("SS",),
            )
    for view in ("SAX", "2CH", "4CH"):
        still = one_phase(grids[view])
        for name, kind, word in (("LGE magnitude", 0, "MAG"), ("LGE PSIR", 1, "PSIR")):
            add(
                name,
                view,
                still,
                f"{style['lge']['called']} {view} {word}",
                image_type=style["types"][kind],
                sequence_name=style["lge"]["sequence_name"],
                inversion_time_ms=300.0,
                scanning_sequence=("GR", "IR"),
                contrast_agent="GD",
            )
    three = thinned(grids["SAX"])
    add("T1 raw", "SAX", prepared(three, 8, 500.0), "T1_MOLLI SAX", inversion_time_ms=120.0)
    add("TI scout", "SAX", prepared(three, 25, 25.0), "TI_scout", inversion_time_ms=85.0)
    maps = replace(one_phase(three), unit=Unit.MILLISECONDS)
    add("T1 map", "SAX", maps, "T1Map_MOLLI SAX", image_type=("DERIVED", "PRIMARY", "T1 MAP"))
    add("T2 map", "SAX", maps, "T2Map_SAX", image_type=("DERIVED", "PRIMARY", "T2 MAP"))
    add("perfusion", "SAX", first_pass(three, rng), "perfusion_stress", contrast_agent="GD")
    add(
        "black blood",
        "SAX",
        one_phase(three),
        f"{style['db']['called']} SAX",
        sequence_name=style["db"]["sequence_name"],
        scanning_sequence=("SE", "IR"),
        echo_time_ms=45.0,
    )
    add(
        "tagging",
        "SAX",
        tagged(three),
        f"{style['tag']['called']} SAX",
        sequence_name=style["tag"]["sequence_name"],
        flip_angle_deg=12.0,
    )
    flow = style["flow"]
    for name, kind in (("phase-contrast magnitude", 0), ("phase-contrast phase", 1)):
        add(
            name,
            None,
            replace(grids["SAX"], venc_cm_s=150.0),
            f"{flow['called']} AO",
            image_type=style["types"][kind],
            sequence_name=flow["sequence_name"],
        )
    normal = axial(grids["SAX"])
    add("localiser stack", "transaxial", normal, "localizer tra", scanning_sequence=("GR",))
    return series, truth


def one_phase(image):
    grid = image.grid
    silent = Single(np.full((1, grid.shape[0]), np.nan), np.full(grid.shape[0], np.nan))
    return Image(image.values[:1], grid, silent)


def thinned(image):
    """Three slices of a stack."""
    chosen = np.linspace(2, image.grid.shape[0] - 3, 3).astype(int)
    grid = Grid((3, *image.grid.shape[1:]), image.grid.affines[chosen])
    along = type(image.along)(image.trigger_ms[:, chosen], image.rr_ms[chosen])
    return Image(image.values[:, chosen], grid, along)


def prepared(image, pictures, step_ms):
    slices = image.grid.shape[0]
    times = 85.0 + step_ms * np.arange(pictures)[:, None] * np.ones(slices)
    gain = np.abs(1 - 2 * np.exp(-times / 900.0))[:, :, None, None]
    along = Preparation(
        PreparationKind.INVERSION, times, np.full(times.shape, np.nan), np.full(slices, np.nan)
    )
    return Image((image.values[:1] * gain).astype(np.float32), image.grid, along)


def first_pass(image, rng):
    slices = image.grid.shape[0]
    times = 850.0 * np.arange(40)[:, None] * np.ones(slices)
    gain = np.interp(np.arange(40), [0, 8, 14, 40], [0.3, 0.35, 1.0, 0.6])[:, None, None, None]
    values = image.values[:1] * gain + rng.normal(0, 5, (40, *image.grid.shape))
    along = Beats(times, np.full(times.shape, 100.0), np.full(slices, 850.0))
    return Image(values.astype(np.float32), image.grid, along)


def tagged(image):
    y, x = np.indices(image.grid.shape[1:])
    lines = np.maximum((x + y) % 4 < 1, (x - y) % 4 < 1)
    return replace(image, values=(image.values * (1 - 0.8 * lines)).astype(np.float32))


def axial(image):
    """Twenty transaxial slices about the heart."""
    grid = image.grid
    middle = grid.affines[grid.shape[0] // 2, :3, 3]
    affines = np.tile(np.eye(4), (20, 1, 1))
    affines[:, :3, 0], affines[:, :3, 1] = [0, 2.6, 0], [2.6, 0, 0]
    affines[:, :3, 2] = [0, 0, 1]
    affines[:, :3, 3] = middle + np.arange(20)[:, None] * np.array([0, 0, 8.0])
    still = one_phase(image)
    values = np.repeat(still.values[:, :1], 20, axis=1)
    nothing = Single(np.full((1, 20), np.nan), np.full(20, np.nan))
    return Image(values, Grid((20, *grid.shape[1:]), affines), nothing)


if __name__ == "__main__":
    main()
