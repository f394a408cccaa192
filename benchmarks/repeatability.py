"""How far a whole-heart value moves when the same heart is scanned and segmented again.

Each simulated heart, at end-diastole and end-systole, is scanned twice by the default protocol:
the same chest and muscle, with other noise, other breath-holds of each slice, and the first slice
laid elsewhere within one slice spacing.  The packaged cine model segments both.  The repeatability
coefficient is 1.96 sqrt(2) times the within-subject standard deviation (Bland and Altman, Lancet
1986; 1:307; Stat Methods Med Res 1999; 8:135): 95 % of two readings of one heart differ by less.
In percent, each difference is taken over the mean of its pair.

Simulated hearts alone: patients move, arrhythmia and another operator's planes come on top, so
the figures are a lower bound.  Hearts already in RESULT.json are not scanned again.

    python benchmarks/repeatability.py [--hearts N] [-o RESULT.json]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from opencmr.anatomy.techniques import Technique
from opencmr.anatomy.views import View
from opencmr.imaging.axis import untimed
from opencmr.imaging.image import Image
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.study import Demographics
from opencmr.measure.function.ejection import EJECTION
from opencmr.measure.function.mass import MASS
from opencmr.measure.function.volumes import VOLUMES
from opencmr.measure.ventricles import Ventricles
from opencmr.models.runner import SegmentationRunner
from opencmr.models.session import Networks
from opencmr.segment.short_axis import segment_short_axis
from opencmr.simulate import HeartParameters, Protocol
from opencmr.simulate.acquire import Scan, acquire, world_of
from opencmr.simulate.heart import heart_shape
from opencmr.simulate.physics import tissue_signals
from opencmr.simulate.study import BLOOD_VALUE, short_axis_grid
from opencmr.storage import write_json

SYMBOLS = ("LVEDV", "LVESV", "LVSV", "LVEF", "LVM", "RVEDV", "RVESV", "RVSV", "RVEF")
COEFFICIENT = 1.96 * np.sqrt(2)
HEARTS = (
    (150, 60, 115, 165),
    (280, 22, 190, 260),
    (100, 68, 85, 115),
    (210, 38, 150, 200),
    (130, 64, 190, 150),
    (180, 52, 135, 220),
    (85, 58, 70, 95),
    (240, 30, 160, 180),
    (115, 72, 95, 135),
    (165, 45, 120, 175),
    (195, 62, 140, 215),
    (320, 16, 210, 210),
)
"""LV EDV in mL, LVEF in percent, LV mass in g, RV EDV in mL."""


def parameters_of(number: int) -> HeartParameters:
    """Return a heart; the long axis shortens as the ejection fraction allows."""
    edv_ml, ef_percent, mass_g, rv_edv_ml = HEARTS[number]
    return HeartParameters(
        edv_ml=edv_ml,
        ef_percent=ef_percent,
        lv_mass_g=mass_g,
        rv_edv_ml=rv_edv_ml,
        longitudinal_shortening_percent=0.3 * ef_percent,
        seed=100 + number,
    )


def scanned(heart: HeartParameters, random: np.random.Generator) -> Image:
    """Return end-diastole and end-systole of one examination of a heart."""
    plain = Protocol()
    step_mm = plain.thickness_mm + plain.gap_mm
    protocol = Protocol(basal_margin_mm=plain.basal_margin_mm + step_mm * random.uniform(-0.5, 0.5))
    world = world_of(heart)
    grid = short_axis_grid(heart, world.frame, protocol)
    along = np.stack([grid.affines[0, :3, i] for i in range(3)])
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    in_plane, through = protocol.breathing_in_plane_mm, protocol.breathing_through_plane_mm
    spread_mm = np.array([in_plane, in_plane, through])
    shifts_mm = (random.standard_normal((grid.shape[0], 3)) * spread_mm) @ along
    signals = tissue_signals(protocol.field_strength_t, protocol.flip_deg, protocol.tr_ms)
    scan = Scan(
        signals=signals,
        gain=BLOOD_VALUE / signals["blood"],
        thickness_mm=protocol.thickness_mm,
        samples=protocol.samples,
        shading=protocol.coil_shading,
        noise=BLOOD_VALUE / protocol.snr,
        acquired=protocol.acquired,
    )
    shapes = (heart_shape(heart, 1.0, 1.0), heart_shape(heart, 0.0, 0.0))
    values = acquire(world, grid, shapes, scan, random, shifts_mm).values
    return Image(values, grid, untimed(2, grid.shape[0]))


def measured(image: Image, network: SegmentationRunner) -> dict[str, float | None]:
    """Return the whole-heart values of the automatic labels."""
    result = segment_short_axis(image, network)
    assert result is not None
    ventricles = Ventricles(result, image, Demographics(), "s01")
    found = Measurements(
        tuple(m for one in (VOLUMES, EJECTION, MASS) for m in one.measure(ventricles))
    )
    return {symbol: found.value(symbol) for symbol in SYMBOLS}


def coefficients(pairs: list[list[dict[str, float | None]]]) -> dict[str, dict[str, Any]]:
    """Return each quantity's coefficient, in its unit and in percent, over pairs of scans."""
    told = {}
    for symbol in SYMBOLS:
        both = [(one[symbol], other[symbol]) for one, other in pairs]
        values = np.array([pair for pair in both if None not in pair], dtype=float)
        difference = values[:, 1] - values[:, 0]
        percent = 100 * difference / values.mean(1)
        # The variance of one reading is half that of a difference.
        within, within_percent = (np.sqrt(np.mean(d**2) / 2) for d in (difference, percent))
        told[symbol] = {"hearts": len(values), "absolute": round(float(COEFFICIENT * within), 1)}
        if not symbol.endswith("EF"):
            told[symbol]["percent"] = round(float(COEFFICIENT * within_percent), 1)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hearts", type=int, default=len(HEARTS))
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    network = Networks().segmentation(View.SAX, Technique.CINE)
    done: list[Any] = []
    if options.output and options.output.exists():
        done = json.loads(options.output.read_bytes())["scans"]
    result: dict[str, Any] = {}
    for number in range(options.hearts):
        if number >= len(done):
            heart, random = parameters_of(number), np.random.default_rng([20261129, number])
            done.append([measured(scanned(heart, random), network) for _ in range(2)])
        result = {
            "model": network.card.reference,
            "coefficients": coefficients(done),
            "hearts: LV EDV mL, LVEF %, LV mass g, RV EDV mL": HEARTS[: len(done)],
            "scans": done,
        }
        if options.output:
            write_json(options.output, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
