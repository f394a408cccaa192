"""What is usual in reference masks, what each quality check sees and how often it errs.

Measures the ED and ES reference masks of ACDC (Bernard et al., IEEE TMI 2018): the percentiles
that opencmr.quality.limits names, the flags on the masks as they are, on masks damaged in one
known way, and on masks of networks that never saw the patient (``out_of_fold.py`` makes MASKS).

    python benchmarks/reference_limits.py MASKS [-o RESULT.json]
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from label_damages import CUTS, RV_DAMAGES, Damage
from real_data import acdc_rows, data_folder, read_labels, read_patient
from scipy.ndimage import gaussian_filter

from opencmr.anatomy.policy import ACDC_POLICY
from opencmr.anatomy.structures import ACDC, Structure
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.flag import QualityFlag, Severity
from opencmr.imaging.image import untimed_image
from opencmr.imaging.measurements import Measurements
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics, Series
from opencmr.measure import Ventricles
from opencmr.measure.function.ejection import EJECTION
from opencmr.measure.function.mass import MASS
from opencmr.measure.function.volumes import VOLUMES
from opencmr.measure.long_axis import base_to_apex
from opencmr.measure.ventricles import Unmeasurable
from opencmr.quality import limits
from opencmr.quality.alternation import alternation_percent
from opencmr.quality.checks import check
from opencmr.quality.ends import ends_of, length_and_width_mm
from opencmr.quality.labels import fragment_percent, open_ring_percent, rv_inside_percent
from opencmr.quality.pixels import blur_flags, border_width_mm
from opencmr.quality.right_ventricle import growth_percent, rv_shape

PERCENTILES = (0, 2.5, 5, 50, 95, 97.5, 100)
OF_A_CUT = {"APEX_CUT", "BOTH_ENDS_CUT", "STACK_TOO_SHORT", "BASE_AT_STACK_END"}
OF_A_RIGHT_VENTRICLE = {
    "RV_INCOMPLETE",
    "RV_UNEVEN",
    "RV_OFF_SEPTUM",
    "RV_SIZE_DISAGREES",
    "SV_DISAGREE",
    "LABEL_SCATTERED",
    "SLICE_EMPTY",
    "RV_INSIDE_LV",
    "EF_IMPLAUSIBLE",
}
OF_TWO_HEARTS = {"SLICES_ALTERNATE", "RV_UNEVEN"}
NEW = {"APEX_CUT", "BOTH_ENDS_CUT", "STACK_TOO_SHORT", "RV_INCOMPLETE", "RV_UNEVEN"} | {
    *("RV_OFF_SEPTUM", "SLICES_ALTERNATE", "BLURRED")
}
"""Codes that came with these limits, severity info aside."""
MOVED_EF_POINTS, MOVED_EDV_PERCENT = 3.0, 10.0
GROSS_EDV_PERCENT, GROSS_SV_PERCENT = 20.0, 30.0
MASS_FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.4, 1.67, 2.0)


@dataclass(frozen=True)
class Masks:
    """Labels, pictures ``(2, Z, Y, X)`` of one patient: ED and ES, base first, near the heart."""

    patient: str
    fold: int
    labels: np.ndarray
    values: np.ndarray
    spacing_mm: tuple[float, float, float]

    def ventricles(
        self,
        labels: np.ndarray | None = None,
        values: np.ndarray | None = None,
        *,
        lying: bool = False,
    ) -> Ventricles:
        """Return what is measured; ``lying``: in a patient whose axes are stated.

        Other labels come without pictures, of which they are not.
        """
        if labels is None:
            labels, values = self.labels, self.values if values is None else values
        elif values is None:
            values = np.zeros(labels.shape)
        grid = grid_from_spacing(labels.shape[1:], self.spacing_mm)
        grid = _lying(grid) if lying else grid
        author = Author(AuthorKind.READER, "reference")
        masks = Segmentation(labels, ACDC, grid, ACDC_POLICY, author)
        image = untimed_image(values.astype(np.float32), grid)
        return Ventricles(masks, image, Demographics(), "s01")


def _lying(grid: Grid) -> Grid:
    """Return the grid as a usual short axis: base first, septum left, anterior up."""
    apex = np.array([0.6, -0.6, -0.53]) / np.linalg.norm([0.6, -0.6, -0.53])
    right = np.array([0.6, 0.7, 0.0]) - (np.array([0.6, 0.7, 0.0]) @ apex) * apex
    right /= np.linalg.norm(right)
    affines = np.zeros((grid.shape[0], 4, 4))
    affines[:, :3, 0] = np.cross(apex, right) * grid.row_spacing_mm
    affines[:, :3, 1] = right * grid.column_spacing_mm
    affines[:, :3, 3] = np.arange(grid.shape[0])[:, None] * grid.slice_spacing_mm * apex
    affines[:, 3, 3] = 1
    return Grid(grid.shape, affines)


def load(folder: Path, patient: str, fold: int, made: Path | None = None) -> Masks:
    """Return the reference masks of one patient, or those in another folder."""
    image, reference = read_patient(folder, patient)
    grid, labels = image.grid, reference.labels
    if made:
        labels, _ = read_labels(made, f"{patient}_{{}}.nii.gz")
    assert grid.slice_spacing_mm is not None
    spacing_mm = grid.slice_spacing_mm, grid.row_spacing_mm, grid.column_spacing_mm
    near = near_heart(labels)
    return Masks(patient, fold, labels[near], image.values[near], spacing_mm)


def near_heart(labels: np.ndarray, margin: int = 24) -> tuple[slice, ...]:
    """Return where the heart is, with a margin of pixels."""
    sides = [np.flatnonzero(labels.any((0, 1, axis))) for axis in (3, 2)]
    return (
        *(slice(None), slice(None)),
        *(slice(max(s[0] - margin, 0), s[-1] + margin + 1) for s in sides),
    )


def judged(ventricles: Ventricles) -> tuple[dict[str, float], tuple[QualityFlag, ...]]:
    """Return the values of volumes, ejection and mass, and every flag."""
    found = Measurements(
        tuple(m for one in (VOLUMES, EJECTION, MASS) for m in one.measure(ventricles))
    )
    return found.values(), check(Series("s01", ventricles.image), ventricles, found)


def loud(flags: tuple[QualityFlag, ...]) -> set[str]:
    """Return the codes that are more than an info."""
    return {flag.code for flag in flags if flag.severity is not Severity.INFO}


def is_withheld(flags: tuple[QualityFlag, ...]) -> bool:
    """Whether the volumes of the left ventricle, and with them all, are withheld."""
    return any(
        flag.severity is Severity.DO_NOT_REPORT
        and (not flag.about.symbols or "LVEDV" in flag.about.symbols)
        for flag in flags
    )


def figures(ventricles: Ventricles, value: Mapping[str, float]) -> dict[str, float]:
    """Return every figure that a quality check limits."""
    length_mm, width_mm = length_and_width_mm(ventricles, 0)
    found = {
        "LVEDV": value["LVEDV"],
        "LVEF": value["LVEF"],
        "RVEF": value["RVEF"],
        "SVDIFF_PERCENT": value["SVDIFF_PERCENT"],
        "RVEDV over LVEDV, percent": 100 * value["RVEDV"] / value["LVEDV"],
        "the same, LVEF at least 40": 100 * value["RVEDV"] / value["LVEDV"]
        if value["LVEF"] >= limits.RV_SIZE_LVEF_PERCENT
        else np.nan,
        "RVEDV over LVSV, percent": 100 * value["RVEDV"] / value["LVSV"],
        "LVM_ES over LVM, percent": 100 * value["LVM_ES"] / value["LVM"],
        "the same, factor either way": 100
        * float(np.exp(abs(np.log(value["LVM_ES"] / value["LVM"])))),
        "LV length over width": length_mm / width_mm,
        "RV growth": growth_percent(ventricles),
        "border of blood and muscle ED, mm": border_width_mm(ventricles, 0) or np.nan,
    }
    for phase, name in enumerate(("ED", "ES")):
        for structure in (Structure.LV, Structure.MYOCARDIUM, Structure.RV):
            found[f"fragments {structure.value} {name}"] = fragment_percent(
                ventricles, phase, structure
            )
        found[f"open ring {name}"] = open_ring_percent(ventricles, phase)
        found[f"RV inside LV {name}"] = rv_inside_percent(ventricles, phase)
        left = ventricles.lv_voxels[phase].astype(int) + ventricles.myocardium_voxels[phase]
        found[f"slices by turns {name}"], _ = alternation_percent(left)
        ends, shape = ends_of(ventricles, phase), rv_shape(ventricles, phase)
        found[f"basal end slice {name}"] = ends.basal
        found[f"last apical slice {name}"] = ends.last_shown
        found[f"RV lead {name}, mm"] = shape.lead_mm
        found[f"RV apical end {name}"] = shape.apical_end_percent
        found[f"RV thinned {name}"] = shape.thinned_percent
        found[f"RV off septum {name}, mm"] = shape.off_septum_mm
    return found


def percentiles(table: list[dict[str, float]]) -> dict[str, list[float]]:
    """Return the percentiles of every figure."""
    return {
        name: [round(float(v), 2) for v in np.nanpercentile([r[name] for r in table], PERCENTILES)]
        for name in table[0]
    }


Measured = list[tuple[Masks, dict[str, float]]]


def cut_row(everyone: Measured, damage: Damage) -> dict[str, Any]:
    """Return what a cut moves, and what is said about it."""
    count: Counter[str] = Counter()
    for one, before in everyone:
        labels = damage(one.labels)
        if labels is None:
            continue
        value, flags = judged(one.ventricles(labels, lying=True))
        moved = is_moved(value, before)
        codes = {flag.code for flag in flags} & OF_A_CUT
        count["hearts"] += 1
        count["moved"] += moved
        count["moved, named at review or withheld"] += moved and bool(codes & loud(flags))
        count["moved, named by an info"] += moved and bool(codes) and not codes & loud(flags)
        count["moved, not named"] += moved and not codes
        count["withheld"] += is_withheld(flags)
        for code in codes:
            count[code] += 1
        for name, lying in (("base right, axes stated", True), ("base right, no axes", False)):
            with suppress(Unmeasurable):
                ventricles = one.ventricles(labels, lying=lying)
                count[name] += bool(
                    base_to_apex(ventricles, 0)
                    @ ventricles.segmentation.grid.normal
                    * np.diff(ventricles.segmentation.grid.slice_positions_mm)[0]
                    > 0
                )
    return dict(count)


def is_moved(value: dict[str, float], before: dict[str, float]) -> bool:
    """Whether a damage moved a number that counts, or left none."""
    return (
        "LVEF" not in value
        or abs(value["LVEF"] - before["LVEF"]) > MOVED_EF_POINTS
        or abs(value["LVEDV"] / before["LVEDV"] - 1) > MOVED_EDV_PERCENT / 100
    )


def rv_row(everyone: Measured, damage: Damage) -> dict[str, Any]:
    """Return how often a damage of the right ventricle is seen, and by which checks."""
    count: Counter[str] = Counter()
    for one, before in everyone:
        labels = damage(one.labels)
        if labels is None:
            continue
        value, flags = judged(one.ventricles(labels))
        codes = loud(flags) & OF_A_RIGHT_VENTRICLE
        gross = (
            "RVSV" not in value
            or abs(value["RVEDV"] / before["RVEDV"] - 1) > GROSS_EDV_PERCENT / 100
            or abs(value["RVSV"] / before["RVSV"] - 1) > GROSS_SV_PERCENT / 100
        )
        count["hearts"] += 1
        count["seen"] += bool(codes)
        count["gross"] += gross
        count["gross, seen"] += gross and bool(codes)
        for code in codes:
            count[code] += 1
    return dict(count)


def blur_row(everyone: list[Masks], sigma_mm: float) -> dict[str, Any]:
    """Return how wide borders are under the same masks when pictures are smoothed by a Gaussian."""
    widths_mm, named = [], 0
    for one in everyone:
        sigma = (0, 0, sigma_mm / one.spacing_mm[1], sigma_mm / one.spacing_mm[2])
        ventricles = one.ventricles(values=gaussian_filter(one.values.astype(float), sigma))
        widths_mm.append(border_width_mm(ventricles, 0) or np.nan)
        named += any(blur_flags(ventricles, 0))
    return {
        "hearts": len(everyone),
        "border, mm": [round(float(v), 2) for v in np.nanpercentile(widths_mm, PERCENTILES)],
        "named": named,
    }


def mixed_row(everyone: list[Masks], values: list[dict[str, float]], step: int) -> dict[str, Any]:
    """Return how often every second slice of another heart moves a number, and is named.

    The other heart is that of the patient so many rows further; its slices are taken at the same
    share of its length.
    """
    count: Counter[str] = Counter()
    for at, (one, before) in enumerate(zip(everyone, values, strict=True)):
        other = everyone[(at + step) % len(everyone)]
        labels = one.labels.copy()
        own, others = (np.flatnonzero(m.labels[0].any((1, 2))) for m in (one, other))
        for z in own[1::2]:
            share = (z - own[0]) / max(own[-1] - own[0], 1)
            theirs = other.labels[:, round(others[0] + share * (others[-1] - others[0]))]
            labels[:, z] = onto(theirs, labels.shape[2:], other.spacing_mm, one.spacing_mm)
        value, flags = judged(one.ventricles(labels))
        moved = is_moved(value, before)
        codes = loud(flags) & OF_TWO_HEARTS
        count["hearts"] += 1
        count["moved"] += moved
        count["moved, named"] += moved and bool(codes)
        for code in codes:
            count[code] += 1
    return dict(count)


def onto(
    labels: np.ndarray,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, ...],
    wanted_mm: tuple[float, ...],
) -> np.ndarray:
    """Return labels ``(2, Y, X)`` on other pixels, their middle on the middle there."""
    axes = []
    for have, want, mm, wanted in zip(
        labels.shape[1:], shape, spacing_mm[1:], wanted_mm[1:], strict=True
    ):
        place = (np.arange(want) - (want - 1) / 2) * wanted / mm + (have - 1) / 2
        axes.append(np.rint(place).astype(int))
    inside = [
        (axis >= 0) & (axis < have) for axis, have in zip(axes, labels.shape[1:], strict=True)
    ]
    rows, columns = (np.clip(a, 0, n - 1) for a, n in zip(axes, labels.shape[1:], strict=True))
    taken = labels[:, rows[:, None], columns[None]]
    return np.where(inside[0][:, None] & inside[1][None], taken, 0).astype(labels.dtype)


def mass_row(ratios: np.ndarray, factor: float) -> float:
    """Return the share of hearts flagged when the mass at ES is changed by a factor, percent."""
    low, high = limits.MASS_RATIO_LIMITS_PERCENT
    changed = ratios * factor
    return round(100.0 * float(((changed < low) | (changed > high)).mean()), 1)


def automatic(folder: Path, made: Path, everyone: Measured) -> dict[str, Any]:
    """Return the flags on masks of networks that never saw the patient, and the error of the RV."""
    rows = {}
    for one, truth in everyone:
        value, flags = judged(load(folder, one.patient, one.fold, made).ventricles())
        rows[one.patient] = {"codes": sorted(loud(flags))} | {
            f"{symbol} error, percent": round(100 * (value[symbol] / truth[symbol] - 1), 1)
            for symbol in ("RVEDV", "RVSV")
            if symbol in value
        }
    return rows


def alarms(codes_of: list[set[str]]) -> dict[str, int]:
    """Return how many hearts bear each code, and how many any new one."""
    count = Counter(code for codes in codes_of for code in codes)
    return {
        "hearts": len(codes_of),
        "any new code": sum(bool(codes & NEW) for codes in codes_of),
        "any": sum(bool(codes) for codes in codes_of),
        **dict(sorted(count.items())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("masks", type=Path, help="of networks that never saw the patient")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    folder = data_folder() / "acdc"
    everyone = [load(folder, row["patient"], int(row["fold"])) for row in acdc_rows()]
    whole = [judged(one.ventricles()) for one in everyone]
    measured = [(one, values) for one, (values, _) in zip(everyone, whole, strict=True)]
    table = [
        figures(one.ventricles(), values) for one, (values, _) in zip(everyone, whole, strict=True)
    ]
    ratios = np.array([row["LVM_ES over LVM, percent"] for row in table])
    made = automatic(folder, options.masks, measured)
    result = {
        "percentiles": list(PERCENTILES),
        "reference masks": percentiles(table),
        "flags on reference masks": alarms([loud(flags) for _, flags in whole]),
        "withheld of the reference masks": [
            one.patient
            for one, (_, flags) in zip(everyone, whole, strict=True)
            if is_withheld(flags)
        ],
        "flags on masks of networks that never saw the patient": alarms(
            [set(row["codes"]) for row in made.values()]
        ),
        "masks of networks that never saw the patient": made,
        "stacks cut": {name: cut_row(measured, damage) for name, damage in CUTS.items()},
        "right ventricles damaged, every second heart": {
            name: rv_row(measured[::2], damage) for name, damage in RV_DAMAGES.items()
        },
        "pictures smoothed by a Gaussian": {
            f"{sigma:g} mm": blur_row(everyone, sigma) for sigma in (1.5, 3.0, 5.0)
        },
        "every second slice of another heart": {
            f"the patient {step} rows further": mixed_row(everyone, [v for v, _ in whole], step)
            for step in (1, 7, 31)
        },
        "mass at ES changed by a factor, percent flagged": {
            f"{factor:g}": mass_row(ratios, factor) for factor in MASS_FACTORS
        },
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
