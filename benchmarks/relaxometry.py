"""Accuracy of the maps on phantoms and beside scipy, and the time of a map beside scipy's.

    python benchmarks/relaxometry.py -o benchmarks/relaxometry.json

Reads ``t1_t2_phantoms`` in the folder of OPENCMR_DATA (by default ../shared/data).  A vial is a
patch of 150 pixels or more (40 of the MOLLI phantom, whose pixels are larger) that the reference
map shows even; pixels that the scanner's own fit left out are none (its colour bar is drawn into
the map).
"""

import argparse
import io
import json
import os
import time
import zipfile
from pathlib import Path
from statistics import median

import numpy as np
import pydicom
from real_data import data_folder
from scipy import ndimage
from scipy.io import loadmat
from scipy.optimize import least_squares

from opencmr.anatomy.map_kinds import MapKind
from opencmr.measure.relaxometry.method import Method, Scheme, map_of
from opencmr.measure.relaxometry.motion import laid_back, motion_between
from opencmr.measure.relaxometry.of_series import middle_of

SIDE = 256
SCIPY_PIXELS = 20
NOISE = 2.0
"""Of a signal of 100."""
TIMES_MS = {
    "MOLLI 5(3)3": [100, 180, 1100, 1180, 2100, 2180, 3100, 4100],
    "MOLLI 4(1)3(1)2": [100, 180, 260, 1000, 1080, 1160, 1900, 1980, 2800],
    "MOLLI 3(3)3(3)5": [100, 200, 350, 950, 1050, 1200, 1800, 1900, 2050, 2900, 3750],
}
MOLLI = Method(MapKind.T1, Scheme.MOLLI)


def molli(times_ms, t1_ms, noise=0.0):
    """Magnitudes (N, ...) of Look-Locker recoveries, B/A = 1.9."""
    times_ms = np.array(times_ms, dtype=float).reshape(-1, *([1] * t1_ms.ndim))
    signals = 100 * (1 - 1.9 * np.exp(-times_ms * 0.9 / t1_ms))
    generator = np.random.default_rng(1)
    return np.abs(signals + noise * generator.standard_normal(signals.shape))


def by_scipy(signals, times_ms):
    """T1 of one pixel of magnitudes: every polarity from one start, the least residual."""
    best = None
    for turned in range(len(times_ms)):
        signed = np.where(np.arange(len(times_ms)) < turned, -signals, signals)

        def left(p, signed=signed):
            return p[0] - p[1] * np.exp(-times_ms / p[2]) - signed

        found = least_squares(
            left,
            (signed[-1], signed[-1] - signed[0], 1000.0),
            bounds=([-1e4, -1e4, 10], [1e4, 1e4, 1e4]),
        )
        if best is None or found.cost < best.cost:
            best = found
    return best.x[2] * (best.x[1] / best.x[0] - 1)


def decay_by_scipy(signals, times_ms):
    found = least_squares(
        lambda p: p[0] * np.exp(-times_ms / p[1]) - signals,
        (signals[0], 40.0),
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    return found.x[1]


def speed_and_agreement():
    """Time of a whole map, and how far it lies from scipy's minimum in some of its pixels."""
    rows = {}
    generator = np.random.default_rng(2)
    t1_ms = generator.uniform(100, 3000, (SIDE, SIDE))
    chosen = generator.choice(SIDE * SIDE, SCIPY_PIXELS, replace=False)
    for name, times in TIMES_MS.items():
        times_ms = np.array(times, dtype=float)
        row = {"pictures": len(times_ms)}
        for label, noise in (("noise_free", 0.0), ("noisy", NOISE)):
            pictures = molli(times, t1_ms, noise)
            walls, cpus = [], []
            for _ in range(3):
                wall, cpu = time.perf_counter(), time.process_time()
                found = map_of(pictures, times_ms, MOLLI, magnitude=True)
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
            flat = pictures.reshape(len(times_ms), -1)
            begun = time.process_time()
            scipys = np.array([by_scipy(flat[:, p], times_ms) for p in chosen])
            scipy_s = (time.process_time() - begun) / SCIPY_PIXELS * SIDE * SIDE
            apart_ms = np.abs(found.values_ms.ravel()[chosen] - scipys)
            row[label] = {
                "map_wall_s": round(min(walls), 3),
                "map_cpu_s": round(median(cpus), 3),
                "scipy_cpu_s_per_map": round(scipy_s, 1),
                "median_apart_from_scipy_ms": float(f"{np.nanmedian(apart_ms):.2g}"),
                "share_within_0.1_ms_of_scipy": round(float(np.mean(apart_ms < 0.1)), 4),
                "nan_pixels": int(np.isnan(found.values_ms).sum()),
            }
            if not noise:
                worst = np.abs(found.values_ms - t1_ms).max()
                row[label]["greatest_error_ms"] = float(f"{worst:.2g}")
        rows[name] = row
    times_ms = np.array([0.0, 25, 35, 55])
    t2_ms = generator.uniform(5, 300, (SIDE, SIDE))
    pictures = 100 * np.exp(-times_ms[:, None, None] / t2_ms)
    begun = time.perf_counter()
    found = map_of(pictures, times_ms, Method(MapKind.T2), magnitude=True)
    wall = time.perf_counter() - begun
    flat = pictures.reshape(4, -1)
    scipys = np.array([decay_by_scipy(flat[:, p], times_ms) for p in chosen])
    rows["T2 preparation"] = {
        "pictures": 4,
        "map_wall_s": round(wall, 3),
        "greatest_error_ms": float(f"{np.abs(found.values_ms - t2_ms).max():.2g}"),
        "greatest_apart_from_scipy_ms": float(
            f"{np.abs(found.values_ms.ravel()[chosen] - scipys).max():.2g}"
        ),
    }
    return rows


def moving_heart(times_ms, shifts_px, noise):
    """Magnitudes (N, SIDE, SIDE) of a heart that moves in a chest that lies still."""
    generator = np.random.default_rng(6)
    row, column = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2

    def soft(distance):
        return 1 / (1 + np.exp(np.clip(2 * distance, -60, 60)))

    chest = soft(np.abs(np.hypot(row, 0.8 * column) - 100) - 8)
    pictures = []
    for time_ms, (down, right) in zip(times_ms, shifts_px, strict=True):
        y, x = row - down, column - right
        cavity, heart = soft(np.hypot(y, x) - 15), soft(np.hypot(y, x) - 25)
        beside = soft(np.hypot(0.8 * y, x + 34) - 16) * (1 - heart)
        muscle, blood, fat = (
            100 * (1 - 1.9 * np.exp(-time_ms * 0.9 / t1_ms)) for t1_ms in (1000, 1600, 300)
        )
        pictures.append(muscle * (heart - cavity) + blood * (cavity + beside) + fat * chest)
    pictures = np.array(pictures)
    return np.abs(pictures + noise * generator.standard_normal(pictures.shape))


def motion_of(pictures, times_ms, method):
    """Return the motion that is found with the defaults of a map, and its time."""
    begun = time.process_time()
    found = motion_between(
        pictures,
        times_ms,
        method,
        magnitude=True,
        region=middle_of(pictures.shape[1:]),
        reach_px=(14, 14),
    )
    return found, time.process_time() - begun


def motion(archive):
    """Before and after on a heart that moves, and that phantoms that lie still stay untouched."""
    times_ms = np.array(TIMES_MS["MOLLI 5(3)3"], dtype=float)
    generator = np.random.default_rng(7)
    still_px = np.zeros((8, 2))
    one_px, breaths_px = still_px.copy(), still_px.copy()
    one_px[3] = 3.4, -1.7
    breaths_px[[1, 4, 6]] = generator.uniform(-4, 4, (3, 2))
    patterns = {
        "still": still_px,
        "one picture": one_px,
        "three pictures": breaths_px,
        "every picture": generator.uniform(-3, 3, (8, 2)),
        "drift": np.outer(np.arange(8), [0.6, -0.3]),
    }
    row, column = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    rows = {}
    for name, shifts_px in patterns.items():
        for noise in (0.0, 3.0):
            pictures = moving_heart(times_ms, shifts_px, noise)
            found, seconds = motion_of(pictures, times_ms, MOLLI)
            # The slice lies where the picture lies that was left: other offsets are as good.
            left = int((~found.shifts_px.any(1)).argmax())
            truth_px = shifts_px - shifts_px[left]
            radius = np.hypot(row - shifts_px[left, 0], column - shifts_px[left, 1])
            ring = (radius > 18) & (radius < 22)
            errors = [
                np.abs(map_of(p, times_ms, MOLLI, magnitude=True).values_ms[ring] / 10 - 100)
                for p in (pictures, laid_back(pictures, found.shifts_px))
            ]
            rows[f"{name}, noise {noise:g} of 100"] = {
                "moved_pictures": int(found.shifts_px.any(1).sum()),
                "greatest_error_of_shift_px": round(
                    float(np.abs(found.shifts_px - truth_px).max()), 2
                ),
                "misfit": [round(one, 2) for one in found.misfit],
                "mean_t1_error_in_ring_percent": [round(float(np.nanmean(e)), 2) for e in errors],
                "p95_t1_error_in_ring_percent": [
                    round(float(np.nanpercentile(e, 95)), 2) for e in errors
                ],
                "cpu_s": round(seconds, 2),
            }
    real = {}
    for part, keyword, method in (
        ("dicomT1/raw/", "InversionTime", Method(MapKind.T1)),
        ("dicomT2/raw/", "EchoTime", Method(MapKind.T2)),
        (
            "Konrad_Shmolli/ShMOLLI_192i_e11_12/",
            "InversionTime",
            Method(MapKind.T1, Scheme.SHMOLLI),
        ),
    ):
        found, seconds = motion_of(*archive.pictures(part, keyword), method)
        real[part] = {
            "moved_pictures": int(found.shifts_px.any(1).sum()),
            "misfit": [round(one, 2) for one in found.misfit],
            "cpu_s": round(seconds, 2),
        }
    return {"moving_heart": rows, "phantoms_that_lie_still": real}


class Archive:
    """The pictures of the phantoms' archive."""

    def __init__(self, path):
        self._archive = zipfile.ZipFile(path)
        self._names = sorted(self._archive.namelist())

    def datasets(self, part):
        """Return the DICOM files whose name holds ``part``."""
        return [
            pydicom.dcmread(io.BytesIO(self._archive.read(name)))
            for name in self._names
            if part in name and not name.endswith("/")
        ]

    def pictures(self, part, keyword):
        """Return pictures and their times, each time once."""
        by_time = {float(d[keyword].value): d.pixel_array for d in self.datasets(part)}
        times_ms = np.array(sorted(by_time))
        return np.stack([by_time[t] for t in times_ms]).astype(float), times_ms


def digital(archive):
    rows = {}
    for part, keyword, method in (
        ("dicomT1", "InversionTime", Method(MapKind.T1)),
        ("dicomT2", "EchoTime", Method(MapKind.T2)),
    ):
        pictures, times_ms = archive.pictures(f"{part}/raw/", keyword)
        truth_ms = archive.datasets(f"{part}/map/")[0].pixel_array
        found = map_of(pictures, times_ms, method, magnitude=True)
        rows[part] = {
            "background_all_nan": bool(np.isnan(found.values_ms[truth_ms == 0]).all()),
            "regions": [
                row_of(found.values_ms, truth_ms, truth_ms == value)
                for value in np.unique(truth_ms)
                if value
            ],
        }
    return rows


def row_of(found_ms, reference_ms, region):
    found, reference = np.nanmedian(found_ms[region]), np.median(reference_ms[region])
    return {
        "pixels": int(region.sum()),
        "reference_ms": round(float(reference), 1),
        "found_ms": round(float(found), 1),
        "apart_percent": round(float(100 * (found / reference - 1)), 2),
    }


def vials_of(reference_ms, seen, least):
    """Return the even patches of a map."""
    mean_ms = ndimage.uniform_filter(reference_ms, 3)
    spread_ms = ndimage.generic_filter(reference_ms, np.std, 3)
    even = seen & (spread_ms < 0.05 * mean_ms)
    labels, count = ndimage.label(ndimage.binary_opening(even, iterations=2))
    regions = (labels == n for n in range(1, count + 1))
    return [region for region in regions if region.sum() >= least]


def shmolli(archive):
    folder = "Konrad_Shmolli/ShMOLLI_192i_e11"
    pictures, times_ms = archive.pictures(f"{folder}_12/", "InversionTime")
    reference_ms = archive.datasets(f"{folder}_T1MAP_14/IM-0003-0002")[0].pixel_array.astype(float)
    explained = archive.datasets(f"{folder}_FITPARAMS_15/IM-0004-0001")[0].pixel_array
    ours = map_of(pictures, times_ms, Method(MapKind.T1, Scheme.SHMOLLI), magnitude=True)
    naive = map_of(pictures, times_ms, MOLLI, magnitude=True)
    rows = []
    for region in vials_of(reference_ms, (explained > 0) & (reference_ms > 80), 150):
        seven = row_of(naive.values_ms, reference_ms, region)["apart_percent"]
        used = np.bincount(ours.pictures[region], minlength=8)
        rows.append(
            {
                **row_of(ours.values_ms, reference_ms, region),
                "all_seven_apart_percent": seven,
                "pixels_by_5_6_7_pictures": used[5:].tolist(),
            }
        )
    return rows


def molli_vials(path):
    held = loadmat(path)
    pictures, times_ms = np.split(held["MOLLIT1wTI"][0, 0], 2)
    reference_ms = 1000 * held["MOLLIoffLineT1Map"][0]
    found = map_of(pictures, 1000 * times_ms[:, 0, 0], MOLLI, magnitude=True)
    seen = (reference_ms > 80) & (reference_ms < 4000)
    return [
        row_of(found.values_ms, reference_ms, region) for region in vials_of(reference_ms, seen, 40)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only-motion", action="store_true", help="renew these figures alone")
    arguments = parser.parse_args()
    output = arguments.output
    data = data_folder() / "t1_t2_phantoms"
    archive = Archive(data / "mapping_testdata.zip")
    if arguments.only_motion:
        figures = json.loads(output.read_text()) if output.is_file() else {}
        figures["motion"] = motion(archive)
        output.write_text(json.dumps(figures, indent=1) + "\n")
        print(json.dumps(figures["motion"], indent=1))
        return
    figures = {
        "digital_phantoms": digital(archive),
        "shmolli_phantom": shmolli(archive),
        "molli_vials": molli_vials(data / "molli_vials.mat"),
        "motion": motion(archive),
        "speed": {"cores": os.cpu_count(), "load": os.getloadavg()[0], **speed_and_agreement()},
    }
    figures["greatest_apart_percent"] = {
        "digital_t1": worst(figures["digital_phantoms"]["dicomT1"]["regions"]),
        "digital_t2": worst(figures["digital_phantoms"]["dicomT2"]["regions"]),
        "shmolli_phantom": worst(figures["shmolli_phantom"]),
        "molli_vials": worst(figures["molli_vials"]),
    }
    output.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures["greatest_apart_percent"]), json.dumps(figures["speed"], indent=1))


def worst(rows):
    return max(abs(row["apart_percent"]) for row in rows)


if __name__ == "__main__":
    main()
