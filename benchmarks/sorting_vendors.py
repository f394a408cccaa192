"""Header styles of four vendors, two dialects each: right names, and how sure they are told.

    python benchmarks/sorting_vendors.py -o benchmarks/sorting_vendors.json
    python benchmarks/sorting_vendors.py --fit src/opencmr/sort/calibration.json

One examination of some thirty stacks is simulated for each heart, and written in the style of each
vendor: pulse sequence, image type, timing, flip angle, and the series descriptions of protocol
trees and hospitals in English, German, French, Spanish and Chinese.  Hearts and dialects are kept
apart: one half is for fitting the probabilities, the other for the figures.  The real series of
``benchmarks/sorting.py`` were never fitted on, and are judged too.

The styles were written by hand from what vendors' protocol trees look like; no private field is
written, as none is read.  Figures on them show how the parts work together, not how well an unseen
scanner does.
"""

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from real_data import data_folder
from scipy.optimize import minimize
from sorting import (
    axial,
    calibration_error,
    changed,
    first_pass,
    one_phase,
    prepared,
    real,
    tagged,
    thinned,
    with_words,
)

from opencmr.anatomy.techniques import SequenceName
from opencmr.anatomy.views import ViewName
from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Beats, Echo
from opencmr.imaging.image import Image, Unit
from opencmr.imaging.study import Series, SeriesHeader, Study
from opencmr.simulate import HeartParameters, Protocol, simulate_study
from opencmr.sort import evidence
from opencmr.sort.calibration import SEQUENCE, VIEW
from opencmr.sort.examination import likeliest, named_stacks
from opencmr.sort.sorting import sort_study

CONDITIONS = {
    "as it is": 4.0,
    "blanked": 1.0,
    "permuted": 1.0,
    "no geometry": 1.0,
    "scanner silent": 2.0,
    "scanner silent, permuted": 0.5,
    "scanner silent, no geometry": 1.0,
    "pictures and shape alone": 1.0,
}
"""What is taken away, and how much it weighs in the fit (a choice: most studies are whole, and
descriptions lie in few).  A silent scanner states no pulse sequence, image type or timing, as after
some de-identification."""
HEARTS = {"fitting": (1, 2, 3), "testing": (11, 12, 13)}
RIDGE = 1.0
"""Weight of the squared weights in the fit."""
BESIDE_MM = 40.0
"""A two-chamber plane of the right ventricle lies so far to the right."""

# What the scanner writes.  Kinds: cine, gre (cine), rt, lge, t1, t2, t2s, perf, flow, tag, db, loc.
SCANNERS = {
    "Siemens": {
        "types": {
            "": ("ORIGINAL", "PRIMARY", "M", "ND", "NORM"),
            "phase": ("ORIGINAL", "PRIMARY", "P", "ND"),
            "psir": ("ORIGINAL", "PRIMARY", "P", "NORM"),
            "t1map": ("DERIVED", "PRIMARY", "T1 MAP", "ND"),
            "t2map": ("DERIVED", "PRIMARY", "T2 MAP", "ND"),
        },
        "names": {
            "cine": "*tfi2d1_14",
            "gre": "*fl2d1_9",
            "rt": "*tfi2d1_64",
            "lge": "*tfl2d1_25",
            "t1": "*tfi2d1_35",
            "t2": "*tfi2d1_34",
            "t2s": "*fl2d12",
            "perf": "*tfl2d1_70",
            "flow": "*fl2d1_v150in",
            "tag": "*fl2d1_tag",
            "db": "*h2d1_64",
            "loc": "*tfi2d1_86",
        },
    },
    "GE": {
        "types": {
            "": ("ORIGINAL", "PRIMARY", "OTHER"),
            "phase": ("ORIGINAL", "PRIMARY", "P"),
            "psir": ("DERIVED", "PRIMARY", "REAL"),
            "t1map": ("DERIVED", "SECONDARY", "T1 MAP"),
            "t2map": ("DERIVED", "SECONDARY", "T2 MAP"),
        },
        "names": {"tag": "fgretag", "cine": "fiesta", "gre": "fgre", "db": "fse-xl"},
    },
    "Philips": {
        "types": {
            "": ("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"),
            "phase": ("ORIGINAL", "PRIMARY", "PHASE MAP", "P", "PCA"),
            "psir": ("ORIGINAL", "PRIMARY", "R_IR", "R", "IR"),
            "t1map": ("ORIGINAL", "PRIMARY", "T1 MAP", "T1", "UNSPECIFIED"),
            "t2map": ("ORIGINAL", "PRIMARY", "T2 MAP", "T2", "UNSPECIFIED"),
        },
        "names": {"cine": "BTFE", "lge": "TFE", "perf": "TFE", "db": "TSE"},
    },
    "Canon": {
        "types": {
            "": ("ORIGINAL", "PRIMARY"),
            "phase": ("ORIGINAL", "PRIMARY", "PHASE"),
            "psir": ("DERIVED", "PRIMARY", "REAL"),
            "t1map": ("DERIVED", "PRIMARY", "T1 MAP"),
            "t2map": ("DERIVED", "PRIMARY", "T2 MAP"),
        },
        "names": {"cine": "SSFP2D", "gre": "FE2D", "db": "FASE", "flow": "FE_PS"},
    },
}

VIEWS = {
    "English": ("SAX", "2CH", "3CH", "4CH", "RV 2CH"),
    "long English": ("short axis", "vertical long axis", "LVOT", "horizontal long axis", "RV VLA"),
    "German": ("KA", "2KB", "3KB", "4KB", "RV 2KB"),
    "long German": ("Kurzachse", "2-Kammer", "3-Kammer", "4-Kammer", "RV 2 Kammer"),
    "French": ("petit axe", "2 cavités", "3 cavités", "4 cavités", "2 cavités VD"),
    "Spanish": ("eje corto", "2 cámaras", "3 cámaras", "4 cámaras", "2 cámaras VD"),
    "Chinese": ("短轴", "两腔心", "三腔心", "四腔心", "右室两腔"),
    "short": ("sa", "2c", "3c", "4c", "rv2c"),
}

# What a hospital types: dialect of the views, then one text a kind; {} is the view.
DIALECTS = {
    "fitting": {
        "Siemens": ("English", {
            "scout": "localizer", "stack": "trufi_loc_multi_tra",
            "black": "haste_db_tra", "cine": "cine_tf2d14_retro_iPAT_{}",
            "gre": "cine_fl2d_{}", "rt": "cine_rt_csh_{}", "mag": "de_tfl_psir_{}_MAG",
            "psir": "de_tfl_psir_{}_PSIR", "t1": "T1_MOLLI_5(3)3_{}", "t1map": "T1Map_MOLLI_{}_T1",
            "ti": "TI_scout", "t2": "T2Map_TrueFISP_{}", "t2map": "T2Map_TrueFISP_{}_T2",
            "t2s": "T2star_8echo_{}", "perf": "perf_stress_tfl_{}", "flow": "fl2d_flow_ao",
            "tag": "cine_grid_tag_{}", "db": "t2_tirm_db_{}",
        }),
        "GE": ("long English", {
            "scout": "3 plane loc", "stack": "Ax FIESTA loc",
            "black": "Ax SSFSE DIR", "cine": "{} FIESTA", "gre": "{} FGRE cine",
            "rt": "Real time {}", "mag": "{} MDE", "psir": "{} PS MDE", "t1": "MOLLI {}",
            "t1map": "T1 map {}", "ti": "Cine IR", "t2": "T2 mapping {}", "t2map": "T2 Map {}",
            "t2s": "StarMap T2* {}", "perf": "First pass {}", "flow": "Phase contrast aorta",
            "tag": "Tagging {}", "db": "Double IR FSE {}",
        }),
        "Philips": ("French", {
            "scout": "repérage", "stack": "BTFE axial",
            "black": "BB SSh axial", "cine": "ciné BTFE {}", "gre": "ciné TFE {}",
            "rt": "ciné temps réel {}", "mag": "retard {}", "psir": "PSIR {}", "t1": "MOLLI {}",
            "t1map": "cartographie T1 {}", "ti": "Look-Locker", "t2": "cartographie T2 {}",
            "t2map": "carte T2 {}", "t2s": "T2* {}", "perf": "premier passage {}",
            "flow": "flux aorte", "tag": "marquage {}", "db": "sang noir {}",
        }),
        "Canon": ("Chinese", {
            "scout": "定位", "stack": "SSFP 轴位", "black": "黑血 轴位",
            "cine": "电影 {}", "gre": "FE 电影 {}",
            "rt": "实时 电影 {}", "mag": "延迟强化 {}", "psir": "相位敏感 延迟强化 {}",
            "t1": "T1 mapping MOLLI {}", "t1map": "T1图 {}", "ti": "TI定位", "t2": "T2定量 {}",
            "t2map": "T2图 {}", "t2s": "T2 star {}", "perf": "首过灌注 {}", "flow": "主动脉 流速",
            "tag": "标记 {}", "db": "黑血 T2 {}",
        }),
    },
    "testing": {
        "Siemens": ("long German", {
            "scout": "Übersicht", "stack": "trufi transversal",
            "black": "haste transversal", "cine": "Cine TrueFISP {}",
            "gre": "Cine Flash {}", "rt": "Echtzeit {}", "mag": "Spätaufnahme {} Mag",
            "psir": "Spätaufnahme {} PSIR", "t1": "MOLLI nativ {}", "t1map": "MOLLI nativ {} Map",
            "ti": "TI-Test", "t2": "T2 Mapping {}", "t2map": "T2 Map {}", "t2s": "T2 Stern {}",
            "perf": "Perfusion Ruhe {}", "flow": "Flussmessung Aorta", "tag": "Tagging {}",
            "db": "STIR {}",
        }),
        "GE": ("short", {
            "scout": "loc", "stack": "ax loc",
            "black": "ax db", "cine": "cine {}", "gre": "spgr cine {}",
            "rt": "rt {}", "mag": "lge {}", "psir": "psir {}", "t1": "smart1 {}",
            "t1map": "t1 map {}", "ti": "ti scout", "t2": "t2prep {}", "t2map": "t2map {}",
            "t2s": "t2s {}", "perf": "perf {}", "flow": "pc ao", "tag": "tag {}", "db": "tse db {}",
        }),
        "Philips": ("English", {
            "scout": "Survey_MST", "stack": "Survey_BTFE_tra",
            "black": "BB_SSh_tra", "cine": "sBTFE_BH_{}",
            "gre": "sTFE_BH_{}", "rt": "RealTime_{}", "mag": "DelEnh_3D_{}", "psir": "PSIR_TFE_{}",
            "t1": "WIP MOLLI_{}", "t1map": "T1 map {}", "ti": "LookLocker_{}", "t2": "T2_GraSE_{}",
            "t2map": "T2 map {}", "t2s": "T2star_mFFE_{}", "perf": "sDYN_Perf_{}",
            "flow": "QFlow_Ao", "tag": "CSPAMM_{}", "db": "T2W_BB_SPIR_{}",
        }),
        "Canon": ("Spanish", {
            "scout": "localizador", "stack": "localizador axial",
            "black": "sangre negra axial", "cine": "cine SSFP {}",
            "gre": "cine FE {}", "rt": "tiempo real {}", "mag": "realce tardío {}",
            "psir": "realce tardío {} real", "t1": "MOLLI {}", "t1map": "mapa T1 {}",
            "ti": "prueba TI", "t2": "serie T2 prep {}", "t2map": "mapa T2 {}", "t2s": "T2 star {}",
            "perf": "perfusión estrés {}", "flow": "flujo aorta", "tag": "rejilla {}",
            "db": "sangre negra {}",
        }),
    },
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, help="the figures")
    parser.add_argument("--fit", type=Path, help="where the fitted probabilities go")
    options = parser.parse_args()
    look_once()
    if options.fit:
        fitted = fit(list(examinations("fitting")))
        options.fit.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
        return
    data = data_folder()
    figures = {
        "hearts": HEARTS,
        **{half: judged(list(examinations(half))) for half in HEARTS},
        "real": judged([(f"{name}/real", *rest) for name, *rest in real(data)]),
    }
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    for half in (*HEARTS, "real"):
        for condition, row in figures[half].items():
            print(half, condition, {k: v for k, v in row.items() if k not in ("errors", "vendors")})


def judged(studies):
    return {condition: judged_as(studies, condition) for condition in CONDITIONS}


def judged_as(studies, condition):
    """Count what is right; what is named unknown, or of no told view, is never right."""
    counts, vendors, errors, promises = Counter(), {}, Counter(), []
    for vendor, study, truth in studies:
        shown = taken_away(study, condition, len(vendors))
        namings = named_stacks(sort_study(shown))
        tally = vendors.setdefault(vendor, Counter())
        for one, (sequence, view) in zip(shown.series, truth, strict=True):
            naming = namings[one.key]
            right, seen = naming.sequence.value == sequence, view in (None, naming.view.value)
            silent = naming.sequence is SequenceName.UNKNOWN
            row = {"stacks": 1, "sequence": right, "view": seen, "both": right and seen}
            counts.update(row | {"unknown": silent, "named wrongly": not (right or silent)})
            tally.update(row)
            if not silent:
                told = naming.view is not ViewName.OTHER and view is not None
                sure = naming.probability if told else naming.sequence_probability
                promises.append((sure, right and (seen or not told)))
            if not (right and seen):
                found = f"{naming.sequence.value} {naming.view.value}"
                errors[f"{vendor}: {sequence} {view or ''} named {found}"] += 1
    stacks = counts["stacks"]
    return {
        **{key: int(value) for key, value in counts.items()},
        "percent_both": round(100 * counts["both"] / stacks, 1),
        "promises": len(promises),
        "expected_calibration_error": round(calibration_error(promises), 3) if promises else None,
        "vendors": {name: dict(tally) for name, tally in vendors.items()},
        "errors": dict(sorted(errors.items())),
    }


def look_once():
    """Look at the same pictures once: no condition and no vendor changes them."""
    looked, look_at = {}, evidence.look_at

    def remembered(image):
        values = image.values
        place = values.__array_interface__["data"][0], values.shape
        if place not in looked:
            looked[place] = look_at(image), values
        return looked[place][0]

    evidence.look_at = remembered


def taken_away(study, condition, seed):
    """Take witnesses away; descriptions are permuted at random."""
    for part in condition.split(", "):
        if part == "permuted":
            study = permuted(study, seed)
        elif part == "scanner silent":
            study = replace(study, series=tuple(map(silenced, study.series)))
        else:
            study = changed(study, part)
    return study


def permuted(study, seed):
    order = np.random.default_rng([7, seed, len(study.series)]).permutation(len(study.series))
    said = [study.series[at].header for at in order]
    series = (
        with_words(one, header.series_description, header.protocol_name)
        for one, header in zip(study.series, said, strict=True)
    )
    return replace(study, series=tuple(series))


def silenced(one):
    """Leave of the header what a human typed, and the modality."""
    kept = ("modality", "series_description", "protocol_name")
    return replace(
        one, header=SeriesHeader(**{name: getattr(one.header, name) for name in kept}), partner=""
    )


def fit(studies):
    """Return a logistic model of right names, from every condition of the fitting half.

    No weight is negative: more votes, one more witness, and a name that stands without one never
    make it less sure.  (scikit-learn's regression knows no bounds, so SciPy minimises.)
    """
    rows = {SEQUENCE: [], VIEW: []}
    for condition, weight in CONDITIONS.items():
        for number, (_, study, truth) in enumerate(studies):
            found = sort_study(taken_away(study, condition, number))
            told = likeliest(found)
            for one, answers in zip(found.series, truth, strict=True):
                for part, guess, answer in zip(rows, told[one.key], answers, strict=True):
                    if answer is not None and guess.name.value not in ("unknown", "other"):
                        rows[part].append((guess.facts, guess.name.value == answer, weight))
    card = {
        "what": "Probability that a name of sequence or view is right: logistic regression, no "
        "weight negative",
        "fitted_on": "simulated studies in four vendors' header styles, witnesses removed alone "
        "and in pairs; no real series",
        "hearts": list(HEARTS["fitting"]),
        "weights_of_conditions": CONDITIONS,
        "command": "python benchmarks/sorting_vendors.py --fit src/opencmr/sort/calibration.json",
        "judged_by": "python benchmarks/sorting_vendors.py -o FIGURES.json",
        "limits": "Frequencies among the simulated studies; on scanners and protocols unlike them "
        "the true share may be lower.",
    }
    return {"card": card, **{part: bounded_logistic(told) for part, told in rows.items()}}


def bounded_logistic(rows):
    names = sorted(rows[0][0])
    table = np.array([[facts[name] for name in names] + [1.0] for facts, _, _ in rows])
    sign = np.array([1.0 if right else -1.0 for _, right, _ in rows])
    weight = np.array([weight for _, _, weight in rows])

    def loss(w):
        return weight @ np.logaddexp(0.0, -sign * (table @ w)) + RIDGE * (w[:-1] @ w[:-1]) / 2

    def slope(w):
        pull = -sign * weight / (1.0 + np.exp(sign * (table @ w)))
        return pull @ table + RIDGE * np.append(w[:-1], 0.0)

    limits = [(0.0, None)] * len(names) + [(None, None)]
    found = minimize(loss, np.zeros(len(names) + 1), jac=slope, bounds=limits, method="L-BFGS-B")
    return {
        "intercept": round(float(found.x[-1]), 3),
        "weights": {name: round(float(w), 3) for name, w in zip(names, found.x, strict=False)},
        "names": len(rows),
        "right": int((sign > 0).sum()),
    }


def examinations(half):
    """Yield (vendor, study, truth of each stack) of the hearts and dialects of one half."""
    for seed in HEARTS[half]:
        random = np.random.default_rng([seed, 38])
        made = simulate_study(
            HeartParameters(
                seed=seed,
                ef_percent=float(random.uniform(30, 65)),
                edv_ml=float(random.uniform(110, 230)),
                heart_rate_bpm=float(random.uniform(55, 90)),
            ),
            protocol=replace(Protocol.small(), phases=16, pixel_mm=1.8, rows=144, columns=144),
        )
        images = pictures_of(made, random)
        for vendor, (views, called) in DIALECTS[half].items():
            study, truth = examination(images, SCANNERS[vendor], VIEWS[views], called, random)
            yield vendor, study, truth


def pictures_of(made, random):
    """Return what every vendor's examination of one heart is made of, by kind and view."""
    cines = {one.view.value: one.images[0] for one in made.series if one.view.value != "other"}
    cines["RV 2CH"] = to_the_right(cines["2CH"])
    three = thinned(cines["SAX"])
    still = {view: one_phase(image) for view, image in cines.items()}
    scouts = next(one.images for one in made.series if one.view.value == "other")
    return {
        "cine": cines,
        "scout": scouts,
        "stack": axial(cines["SAX"]),
        "rt": several_beats(three),
        "late": still,
        "few": one_phase(three),
        "t1": prepared(three, 8, 500.0),
        "ti": prepared(three, 25, 25.0),
        "t2": t2_prepared(three),
        "t2s": echoes(three),
        "map": replace(one_phase(three), unit=Unit.MILLISECONDS),
        "perf": first_pass(three, random),
        "flow": replace(turned_to_the_aorta(cines["SAX"]), venc_cm_s=150.0),
        "tag": tagged(three),
    }


def examination(images, scanner, views, called, random):
    """Return one study in a style, and what its stacks are."""
    series, truth = [], []
    spoken = dict(zip(("SAX", "2CH", "3CH", "4CH", "RV 2CH"), views, strict=True))

    def add(kind, sequence, view, image, word, *, typed="", uid=None, **header):
        text = called[word].format(spoken.get(view, view or ""))
        stated = {
            "modality": "MR",
            "image_type": scanner["types"][typed],
            "sequence_name": scanner["names"].get(kind, ""),
            "scanning_sequence": ("GR",),
            **header,
        }
        key = f"s{len(series) + 1:02d}"
        series.append(
            Series(
                key,
                image,
                uids=(uid or f"1.{key}",),
                frame_of_reference_uid="9",
                header=SeriesHeader(series_description=text, protocol_name=text, **stated),
            )
        )
        truth.append((sequence, view))
        return key

    for image in images["scout"]:
        add("loc", "scout", plane_of(image), image, "scout", uid="1.scout", flip_angle_deg=70.0)
    add("loc", "localiser stack", "transaxial", images["stack"], "stack", flip_angle_deg=70.0)
    spin = {"scanning_sequence": ("SE", "IR"), "sequence_variant": ("SK", "SP"), "echo_time_ms": 60}
    add("db", "black blood", "transaxial", images["stack"], "black", **spin)
    steady = {"sequence_variant": ("SS", "SK"), "repetition_time_ms": 3.1}
    for view, image in images["cine"].items():
        flip = float(random.uniform(42, 70))
        add("cine", "cine bSSFP", view, image, "cine", flip_angle_deg=flip, **steady)
    spoiled = {"flip_angle_deg": float(random.uniform(10, 18)), "sequence_variant": ("SP",)}
    add("gre", "cine GRE", "SAX", images["cine"]["SAX"], "gre", **spoiled)
    add("rt", "real-time cine", "SAX", images["rt"], "rt", flip_angle_deg=50.0, **steady)
    late = {"scanning_sequence": ("GR", "IR"), "contrast_agent": "GD", "flip_angle_deg": 25.0}
    for view in ("SAX", "2CH", "3CH", "4CH"):
        late["inversion_time_ms"] = float(random.uniform(230, 380))
        add("lge", "LGE magnitude", view, images["late"][view], "mag", **late)
        add("lge", "LGE PSIR", view, images["late"][view], "psir", typed="psir", **late)
    add("t1", "T1 raw", "SAX", images["t1"], "t1", inversion_time_ms=120.0, flip_angle_deg=35.0)
    add("t1", "T1 map", "SAX", images["map"], "t1map", typed="t1map")
    add("lge", "TI scout", "SAX", images["ti"], "ti", inversion_time_ms=85.0, contrast_agent="GD")
    add("t2", "T2 raw", "SAX", images["t2"], "t2", flip_angle_deg=70.0)
    add("t2", "T2 map", "SAX", images["map"], "t2map", typed="t2map")
    add("t2s", "T2*", "SAX", images["t2s"], "t2s", echo_time_ms=2.0)
    add("perf", "perfusion", "SAX", images["perf"], "perf", contrast_agent="GD")
    first = add("flow", "phase-contrast magnitude", None, images["flow"], "flow")
    other = add("flow", "phase-contrast phase", None, images["flow"], "flow", typed="phase")
    by_key = {one.key: one for one in series}
    by_key[first] = replace(by_key[first], partner=other)
    by_key[other] = replace(by_key[other], partner=first)
    series[:] = by_key.values()
    add("tag", "tagging", "SAX", images["tag"], "tag", flip_angle_deg=12.0)
    add("db", "black blood", "SAX", images["few"], "db", **spin)
    return Study("k", tuple(series)), truth


def plane_of(image):
    """Return across which body axis a scout lies."""
    return ("sagittal", "coronal", "transaxial")[int(np.abs(image.grid.normal).argmax())]


def to_the_right(image):
    """Shift a two-chamber plane to the right ventricle (its pictures stay those of the left)."""
    affines = image.grid.affines.copy()
    normal = image.grid.normal
    affines[:, :3, 3] += BESIDE_MM * (normal if normal[0] < 0 else -normal)
    return replace(image, grid=Grid(image.grid.shape, affines))


def turned_to_the_aorta(image):
    """One slice across the ascending aorta: 20 degrees from transaxial."""
    angle = np.radians(20)
    affine = np.eye(4)
    affine[:3, 0] = [0, 1.8 * np.cos(angle), 1.8 * np.sin(angle)]
    affine[:3, 1] = [1.8, 0, 0]
    affine[:3, 2] = np.cross(affine[:3, 0], affine[:3, 1]) / 1.8**2
    affine[:3, 3] = image.grid.affines[0, :3, 3] + [0, 0, 60]
    along = type(image.along)(image.trigger_ms[:, :1], image.rr_ms[:1])
    grid = Grid((1, *image.grid.shape[1:]), affine[None])
    return Image(image.values[:, :1], grid, along)


def several_beats(image):
    """Two heartbeats and a half in real time, one after another."""
    beats = np.arange(40) % image.phases
    slices = image.grid.shape[0]
    times = 50.0 * np.arange(40)[:, None] * np.ones(slices)
    along = Beats(times, np.full(times.shape, np.nan), np.full(slices, 800.0))
    return Image(image.values[beats], image.grid, along)


def t2_prepared(image):
    """Three T2 preparations, each in a heartbeat of its own: DICOM does not state their times."""
    slices = image.grid.shape[0]
    echo_ms, start_ms = np.array([0.0, 25.0, 55.0]), 2500.0 * np.arange(3)
    along = Beats(
        start_ms[:, None] * np.ones(slices), np.full((3, slices), 600.0), np.full(slices, 850.0)
    )
    gain = np.exp(-echo_ms / 50.0)[:, None, None, None]
    return Image((image.values[:1] * gain).astype(np.float32), image.grid, along)


def echoes(image):
    slices = image.grid.shape[0]
    times = np.linspace(2.0, 18.0, 8)[:, None] * np.ones(slices)
    along = Echo(times, np.full(times.shape, 500.0), np.full(slices, 850.0))
    gain = np.exp(-times / 30.0)[:, :, None, None]
    return Image((image.values[:1] * gain).astype(np.float32), image.grid, along)


if __name__ == "__main__":
    main()
