"""Volumes: discs, slices, phases; voxelised and analytic truth."""

import csv
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencmr.anatomy.structures import EMIDEC, MNMS
from opencmr.errors import GeometryError
from opencmr.geometry.grid import Grid, grid_from_spacing
from opencmr.imaging.image import untimed_image
from opencmr.imaging.segmentation import Author, AuthorKind, Segmentation
from opencmr.imaging.study import Demographics
from opencmr.measure import Ventricles, measure_all
from opencmr.measure.ventricles import stands_out


def whole_heart(ventricles: Ventricles) -> dict[str, float | None]:
    return measure_all(ventricles).values()


def reasons(ventricles: Ventricles) -> dict[str, str]:
    return {m.quantity.symbol: m.reason.code if m.reason else "" for m in measure_all(ventricles)}


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), slices=st.integers(2, 7))
def test_a_volume_is_the_sum_of_its_voxels_on_any_uneven_stack(untimed, seed, slices) -> None:
    rng = np.random.default_rng(seed)
    row_mm, column_mm = rng.uniform(0.5, 3, 2)
    positions_mm = np.cumsum(rng.uniform(2, 15, slices))
    affines = np.zeros((slices, 4, 4))
    affines[:, 1, 0], affines[:, 0, 1] = row_mm, column_mm
    affines[:, 2, 3], affines[:, 3, 3] = positions_mm, 1
    labels = rng.integers(0, 4, (2, slices, 9, 7)).astype(np.uint8)
    found = whole_heart(untimed(labels, Grid((slices, 9, 7), affines)))
    # The truth, voxel by voxel: each slice reaches half the way to its neighbours.
    edges = np.concatenate(
        [
            [positions_mm[0] - np.diff(positions_mm)[0] / 2],
            (positions_mm[1:] + positions_mm[:-1]) / 2,
            [positions_mm[-1] + np.diff(positions_mm)[-1] / 2],
        ]
    )
    for label, chamber in ((3, "LV"), (1, "RV")):
        truth_ml = [
            sum(
                row_mm * column_mm * (edges[z + 1] - edges[z]) / 1000
                for z, row, column in np.ndindex(stack.shape)
                if stack[z, row, column] == label
            )
            for stack in labels
        ]
        assert found[f"{chamber}EDV"] == pytest.approx(max(truth_ml), rel=1e-4)
        assert found[f"{chamber}ESV"] == pytest.approx(min(truth_ml), rel=1e-4)


def half_ellipsoids(
    radius_mm: float, length_mm: float, wall_mm: float, offset_mm: float = 0.0
) -> np.ndarray:
    """A half-ellipsoid cavity in a half-ellipsoid wall on a 1 mm grid, base at slice 0."""
    z = (np.arange(110) + 0.5)[:, None, None]
    row = (np.arange(96) - 47.3 - offset_mm)[:, None]
    column = np.arange(96) - 48.1
    labels = np.zeros((110, 96, 96), dtype=np.uint8)
    for grown_mm, label in ((wall_mm, 2), (0.0, 3)):
        radius, length = radius_mm + grown_mm, length_mm + grown_mm
        labels[(row**2 + column**2) / radius**2 + z**2 / length**2 <= 1] = label
    return labels


def half_ellipsoid_ml(radius_mm: float, length_mm: float) -> float:
    return 2 / 3 * np.pi * radius_mm**2 * length_mm / 1000


@pytest.mark.parametrize("offset_mm", [0.0, 0.21])
def test_half_ellipsoids_on_a_1_mm_grid_are_within_one_percent(untimed, offset_mm) -> None:
    labels = np.stack(
        [half_ellipsoids(18, 70, 12, offset_mm), half_ellipsoids(26, 85, 9, offset_mm)]
    )
    found = whole_heart(untimed(labels))
    edv_ml, esv_ml = half_ellipsoid_ml(26, 85), half_ellipsoid_ml(18, 70)
    assert found["LVEDV"] == pytest.approx(edv_ml, rel=0.01)
    assert found["LVESV"] == pytest.approx(esv_ml, rel=0.01)
    assert found["LVEF"] == pytest.approx(100 * (1 - esv_ml / edv_ml), abs=0.5)
    assert found["LVM"] == pytest.approx(1.05 * (half_ellipsoid_ml(35, 94) - edv_ml), rel=0.01)
    assert found["LVED_PHASE"] == 1


def test_mass_is_exactly_the_density_times_the_voxels(untimed) -> None:
    labels = np.zeros((2, 4, 9, 9), dtype=np.uint8)
    labels[:, :, 2:7, 2:7] = 2
    labels[0, :, 3:6, 3:6] = 3
    labels[1, :, 4, 4] = 3
    found = whole_heart(untimed(labels))
    assert found["LVM"] == pytest.approx(1.05 * 4 * 16 / 1000, rel=1e-12)
    assert found["LVM_ES"] == pytest.approx(1.05 * 4 * 24 / 1000, rel=1e-12)


def test_the_distance_of_slices_counts_and_never_their_thickness(untimed) -> None:
    labels = np.zeros((2, 5, 9, 9), dtype=np.uint8)
    labels[0, :, 2:7, 2:7] = 3
    labels[1, :, 4, 4] = 3
    ten_mm = grid_from_spacing((5, 9, 9), (10.0, 2.0, 2.0))  # slices may be 8 mm thick
    assert whole_heart(untimed(labels, ten_mm))["LVEDV"] == pytest.approx(5 * 25 * 4 * 10 / 1000)


def test_oblong_pixels_give_the_analytic_volume_and_wall(tube_of) -> None:
    tube = tube_of(shape=(12, 128, 64), spacing_mm=(8.0, 1.0, 2.0))
    found = whole_heart(tube.ventricles())
    assert found["LVEDV"] == pytest.approx(tube.lv_ml(3), rel=0.01)
    assert found["LVM"] == pytest.approx(tube.mass_g(), rel=0.01)
    assert found["WT_MEAN"] == pytest.approx(tube.wall_mm(3), abs=0.3)
    # Either outline may lie half a pixel, 1 mm, off over a whole stretch along the columns.
    assert found["WT_MAX"] == pytest.approx(tube.wall_mm(3), abs=1.0)


def test_a_single_phase_gives_its_volume_and_says_why_not_more(untimed, tube) -> None:
    ventricles = untimed(tube.labels()[3:4])
    given = {curve.quantity.symbol: curve.values[0] for curve in measure_all(ventricles).curves}
    truth = {"LVV": tube.lv_ml(3), "RVV": tube.rv_ml(3), "LVMASS": tube.mass_g()}
    voxel_share = 1 / (tube.spacing_mm[0] * tube.spacing_mm[1] * tube.spacing_mm[2])
    assert given == pytest.approx({s: v * voxel_share for s, v in truth.items()}, rel=0.01)
    for symbol in ("LVEDV", "LVESV", "LVEF", "LVM", "RVEDV", "WT_MEAN"):
        assert reasons(ventricles)[symbol] == "SINGLE_PHASE"


def test_a_pair_needs_no_order(untimed, tube) -> None:
    pair = tube.labels()[[13, 3]]
    found = whole_heart(untimed(pair))
    assert found["LVED_PHASE"] == 1
    assert found == pytest.approx(
        whole_heart(untimed(pair[::-1])) | {k: found[k] for k in found if "PHASE" in k},
        nan_ok=True,
    )


def test_nothing_labelled_gives_reasons_and_no_number(untimed) -> None:
    ventricles = untimed(np.zeros((4, 3, 8, 8), dtype=np.uint8))
    assert {m.value for _, m in measure_all(ventricles).points()} == {None}
    assert reasons(ventricles)["LVEDV"] == "NO_HEART_FOUND"


def test_a_single_slice_has_no_volume(untimed) -> None:
    ventricles = untimed(np.full((3, 1, 8, 8), 3, dtype=np.uint8))
    assert reasons(ventricles)["LVEDV"] == "NO_GEOMETRY"
    assert reasons(ventricles)["LVV"] == "NO_GEOMETRY"


def test_a_scheme_without_a_right_ventricle_measures_the_left_one(tube) -> None:
    labels = tube.labels()[[3, 13]]
    grid = grid_from_spacing(labels.shape[1:], tube.spacing_mm)
    ventricles = Ventricles(
        Segmentation(
            np.choose(labels, [0, 0, 2, 1]).astype(np.uint8),
            EMIDEC,
            grid,
            tube.ventricles().segmentation.policy,
            Author(AuthorKind.READER, "a reader"),
        ),
        untimed_image(np.zeros(labels.shape, dtype=np.float32), grid),
        Demographics(),
        "s01",
    )
    assert whole_heart(ventricles)["LVEDV"] == pytest.approx(tube.lv_ml(3), rel=0.01)
    assert reasons(ventricles)["RVEDV"] == "NO_HEART_FOUND"


def test_the_numbers_do_not_depend_on_the_label_scheme(tube_ventricles) -> None:
    of_acdc = tube_ventricles.segmentation
    of_mnms = Segmentation(
        of_acdc.to_scheme(MNMS), MNMS, of_acdc.grid, of_acdc.policy, of_acdc.author
    )
    other = Ventricles(of_mnms, tube_ventricles.image, tube_ventricles.demographics, "s01")
    assert list(measure_all(other).points()) == list(measure_all(tube_ventricles).points())


def test_an_image_of_other_phases_is_refused(tube_ventricles) -> None:
    image = untimed_image(np.zeros((1, 12, 128, 128), dtype=np.float32), tube_ventricles.image.grid)
    with pytest.raises(GeometryError, match="phases"):
        Ventricles(tube_ventricles.segmentation, image, Demographics(), "s01")


def test_a_phase_that_lost_a_middle_slice_is_not_end_systole(untimed, tube) -> None:
    labels = tube.labels()
    labels[8, 3:8] = 0
    damaged = untimed(labels)
    assert damaged.lv.curve_ml.argmin() == 8
    assert damaged.lv.es_phase == 13
    assert damaged.rv.es_phase == 15
    evidence = next(m.evidence for m in measure_all(damaged) if m.quantity.symbol == "LVESV")
    assert "1 phases passed over" in evidence


def test_an_empty_phase_is_never_end_systole(untimed, tube) -> None:
    labels = tube.labels()
    labels[0] = 0
    assert untimed(labels).lv.es_phase == 13


def test_a_phase_that_stands_out_is_passed_over(untimed, tube) -> None:
    labels = tube.labels()
    labels[17, 1:11][labels[3, 1:11] == 2] = 3  # one frame whose wall is called cavity
    damaged = untimed(labels)
    assert damaged.lv.curve_ml.argmax() == 17
    assert damaged.lv.ed_phase == 3


def test_phases_between_unlabelled_ones_are_chosen(untimed, tube) -> None:
    whole = untimed(tube.labels()).lv
    labels = tube.labels()
    drawn = [whole.ed_phase, (whole.ed_phase + 1) % len(labels), whole.es_phase]
    labels[np.setdiff1d(np.arange(len(labels)), drawn)] = 0
    few = untimed(labels).lv
    assert (few.ed_phase, few.es_phase) == (whole.ed_phase, whole.es_phase)


def test_no_phase_of_an_ordinary_curve_stands_out() -> None:
    time = np.arange(20) / 20
    curve_ml = 150 - 45 * (1 - np.cos(2 * np.pi * np.clip(time / 0.7, 0, 1)))
    assert not stands_out(curve_ml).any()


def test_a_cavity_that_vanishes_in_a_slice_stays_a_complete_phase(untimed, tube) -> None:
    labels = tube.labels()
    labels[13, 9][labels[13, 9] == 3] = 2  # obliterated near the apex, muscle all through
    assert untimed(labels).lv.es_phase == 13


def test_the_heart_rate_of_the_cine_goes_before_that_of_the_headers(tube_of) -> None:
    stated_too = Demographics("M", 60.0, 180.0, 80.0, 50.0)
    assert whole_heart(tube_of(demographics=stated_too).ventricles())["HR"] == 75.0


def test_the_heart_rate_that_the_caller_gives_wins_everywhere(tube_ventricles) -> None:
    given = replace(tube_ventricles, given_heart_rate_bpm=150.0)
    before, after = whole_heart(tube_ventricles), whole_heart(given)
    assert after["HR"] == 150.0
    for symbol in ("LVCO", "RVCO", "LVCI", "RVCI", "LVPER", "LVPFR", "LVPER_EDV", "LVPFR_EDV"):
        assert after[symbol] == pytest.approx(2 * before[symbol]), symbol  # the cine says 75
    for symbol in ("LVEDV", "LVEF", "LVM"):
        assert after[symbol] == before[symbol]
    evidence = {m.quantity.symbol: m.evidence for m in measure_all(given)}
    assert evidence["HR"] == "heart rate given by the caller"
    assert evidence["LVCO"].endswith("heart rate given by the caller")


def test_an_impossible_heart_rate_given_by_the_caller_is_no_heart_rate(tube_ventricles) -> None:
    assert reasons(replace(tube_ventricles, given_heart_rate_bpm=3.0))["LVCO"] == (
        "HEART_RATE_UNKNOWN"
    )


@pytest.mark.parametrize(("given_bpm", "found_bpm"), [(60.0, 60.0), (None, None), (3.0, None)])
def test_without_heartbeats_the_given_heart_rate_counts(
    untimed, tube, given_bpm, found_bpm
) -> None:
    pair = tube.labels()[[3, 13]]
    ventricles = untimed(pair, demographics=Demographics(heart_rate_bpm=given_bpm))
    assert whole_heart(ventricles)["HR"] == found_bpm
    assert (whole_heart(ventricles)["LVCO"] is None) == (found_bpm is None)


@pytest.mark.parametrize(
    ("height_cm", "weight_kg"),
    [
        (None, 80.0),
        (180.0, None),
        (0.0, 80.0),
        (180.0, 0.0),
        (1.80, 80.0),  # metres
        (70.9, 176.0),  # inches and pounds
        (1800.0, 80.0),  # millimetres
        (180.0, 1700.0),
        (180.0, 80000.0),  # grams
        (-180.0, -80.0),
        (float("nan"), 80.0),
        (float("inf"), 80.0),
    ],
)
def test_an_implausible_body_gives_no_index(untimed, tube, height_cm, weight_kg) -> None:
    body = Demographics("F", 50.0, height_cm, weight_kg)
    ventricles = untimed(tube.labels()[[3, 13]], demographics=body)
    found, why = whole_heart(ventricles), reasons(ventricles)
    for symbol in ("BSA", "BSA_DUBOIS", "LVEDVi", "LVESVi", "LVSVi", "LVMi", "RVEDVi", "RVSVi"):
        assert found[symbol] is None
        assert why[symbol] == "BSA_UNKNOWN"
    assert found["LVEDV"] is not None


def test_rates_need_enough_phases_and_a_heartbeat(tube_of, untimed, tube) -> None:
    assert reasons(tube_of(phases=8).ventricles())["LVPER"] == "TOO_FEW_PHASES"
    assert reasons(untimed(tube.labels()))["LVPER"] == "HEART_RATE_UNKNOWN"


def test_rates_hold_on_a_coarse_cine(tube_of) -> None:
    tube = tube_of(phases=12)
    rate = (tube.lv_ml(3) - tube.lv_ml(9)) / 2 * 2 * np.pi / 0.8
    assert whole_heart(tube.ventricles())["LVPER"] == pytest.approx(rate, rel=0.02)


@pytest.mark.real_data
def test_reference_masks_give_the_published_reference_volumes(data_folder, untimed) -> None:
    """All 80 ACDC patients; the table rounds volumes to 0.001 mL and EF to 0.01."""
    folder = data_folder / "acdc"
    columns = {
        "lv_edv_ml": ("LVEDV", 1.0),
        "lv_esv_ml": ("LVESV", 1.0),
        "lv_ef_pct": ("LVEF", 1.0),
        "rv_edv_ml": ("RVEDV", 1.0),
        "rv_esv_ml": ("RVESV", 1.0),
        "rv_ef_pct": ("RVEF", 1.0),
        "myo_ed_ml": ("LVM", 1.05),
        "myo_es_ml": ("LVM_ES", 1.05),
    }
    with (folder / "metadata.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 80
    for row in rows:
        pair = [nib.load(folder / f"{row['patient']}_{p}_gt.nii.gz") for p in ("ed", "es")]
        labels = np.stack([np.asarray(p.dataobj).T for p in pair])
        spacing_mm = tuple(float(mm) for mm in pair[0].header.get_zooms()[::-1])
        ventricles = untimed(labels, grid_from_spacing(labels.shape[1:], spacing_mm))
        scalars = {
            m.quantity.symbol: m.value for group in (0, 1, 2) for m in _group(ventricles, group)
        }
        for column, (symbol, scale) in columns.items():
            rounding = 0.006 if column.endswith("pct") else 0.0006
            assert scalars[symbol] / scale == pytest.approx(float(row[column]), abs=rounding)


def _group(ventricles: Ventricles, number: int):
    from opencmr.measure import MEASURES

    return MEASURES[number].measure(ventricles)
