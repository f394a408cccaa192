"""Every admissible reading of the base, and what is not taken from a slice that vanishes."""

from dataclasses import replace

import numpy as np
import pytest

from opencmr.anatomy.structures import Structure
from opencmr.imaging.study import Demographics
from opencmr.measure import measure_all
from opencmr.measure.function.base import DESCENT_MM, BasalSlices, find_base, vanishing_slices

SYMBOLS = ("LVEDV", "LVESV", "LVSV", "LVEF", "LVM", "RVEDV", "RVESV", "RVSV", "RVEF")


def base_of(diastole, systole, wall=None, extent_mm=10.0):
    pool_ml = np.array([diastole, systole], dtype=float)
    wall_ml = np.zeros(pool_ml.shape[1]) if wall is None else np.array(wall, dtype=float)
    return BasalSlices(pool_ml, wall_ml, np.full(pool_ml.shape[1], extent_mm)).read()


def volumes(base):
    return [(reading.edv_ml, reading.esv_ml) for reading in base.readings]


def test_a_slice_lost_at_end_systole_stays_or_was_never_the_ventricle_s() -> None:
    """At 24 of 30 mL that shrink to a half the slice would keep 12."""
    base = base_of([24, 30, 20], [0, 15, 8], wall=[9, 10, 11])
    assert volumes(base) == [(74, 23), (74, 35), (50, 23)]
    assert [reading.wall_ml for reading in base.readings] == [30, 30, 21]
    assert base.slices == (0,)
    low, high = base.interval(lambda reading: reading.ef_percent)
    assert (low, high) == (pytest.approx(100 * (1 - 35 / 74)), pytest.approx(100 * (1 - 23 / 74)))


def test_of_two_lost_slices_one_is_read_differently_at_a_time() -> None:
    base = base_of([20, 24, 30], [0, 0, 15])
    assert volumes(base) == [(74, 15), (74, 27), (54, 15)]
    assert base.slices == (0, 1)


def test_more_slices_than_a_plane_can_pass_are_read_back_to_what_it_can() -> None:
    """Four slices of 10 mm are lost: a plane that descends 18 mm passes the centres of two."""
    base = base_of([10, 10, 10, 10, 10, 10], [0, 0, 0, 0, 5, 5])
    assert volumes(base) == [(60, 10), (60, 20), (40, 10)]
    near = base_of([10, 10, 10, 10, 10, 10], [0, 0, 0, 0, 5, 5], extent_mm=5.0)
    assert volumes(near) == [(60, 10), (60, 15), (50, 10)]


def test_a_slice_that_only_end_systole_shows_counts_at_both_or_at_neither() -> None:
    base = base_of([0, 30, 20], [12, 15, 8], wall=[0, 10, 11])
    assert volumes(base) == [(50, 35), (74, 35), (50, 23)]
    assert [reading.wall_ml for reading in base.readings] == [21, 31, 21]


def test_a_slice_of_which_little_is_left_is_no_slice_that_stands() -> None:
    """A rest of a few pixels must not hide that the slice is lost."""
    base = base_of([24, 30, 20], [1, 15, 8])
    assert volumes(base) == [(74, 24), (74, 35), (74, 23), (50, 23)]


def test_a_slice_that_stands_counts_or_not_at_both_phases_and_moves_ef_little() -> None:
    base = base_of([24, 24, 20], [10, 10, 8])
    assert volumes(base) == [(68, 28), (44, 18)]
    low, high = base.interval(lambda reading: reading.ef_percent)
    assert high - low < 0.5


def test_the_slice_beyond_counts_only_where_the_stack_holds_one() -> None:
    base = base_of([0, 24, 24, 20], [0, 10, 10, 8], wall=[2, 10, 10, 10])
    assert volumes(base) == [(68, 28), (44, 18), (92, 38)]
    assert [reading.wall_ml for reading in base.readings] == [32, 20, 40]
    assert base.slices == (0, 1)


def test_every_interval_holds_its_value_and_names_the_slice_as_the_stack_counts(
    tube_ventricles,
) -> None:
    found = measure_all(tube_ventricles)
    for symbol in SYMBOLS:
        one = found.find(symbol)
        low, high = one.interval
        assert low <= one.value <= high
    assert found.find("LVEF").evidence == "depending on slices 1 and 2"


@pytest.mark.parametrize("flip", [False, True])
def test_the_interval_does_not_ask_how_the_stack_is_ordered(untimed, tube, sax_grid, flip) -> None:
    labels = tube.labels()[[3, 13]]
    labels[1, 1] = 0
    labels[:, 9:] = np.where(labels[:, 9:] == 1, 0, labels[:, 9:])
    grid = sax_grid(tube.shape, tube.spacing_mm)
    if flip:
        labels, grid = labels[:, ::-1], type(grid)(grid.shape, grid.affines[::-1])
    base = find_base(untimed(labels, grid), Structure.LV)
    assert base.text == ("slice 11" if flip else "slice 2")


def test_the_slice_is_continued_as_the_truth_has_it(untimed, tube, sax_grid) -> None:
    """A network that loses the basal slice at end-systole: the truth lies inside."""
    grid, labels = sax_grid(tube.shape, tube.spacing_mm), tube.labels()[[3, 13]]
    truth = measure_all(untimed(labels, grid)).values()
    labels[1, 1] = 0
    found = measure_all(untimed(labels, grid))
    for symbol in ("LVESV", "LVSV", "LVEF"):
        low, high = found.find(symbol).interval
        assert low - 0.01 <= truth[symbol] <= high + 0.01
        assert found.value(symbol) != pytest.approx(truth[symbol], rel=0.05)


def test_the_right_ventricle_has_its_own_base(untimed, tube, sax_grid) -> None:
    labels = tube.labels()[[3, 15]]
    labels[1, 1][labels[1, 1] == 1] = 0
    ventricles = untimed(labels, sax_grid(tube.shape, tube.spacing_mm))
    assert find_base(ventricles, Structure.RV).text == "slice 2"
    assert find_base(ventricles, Structure.LV).text == "slices 1 and 2"
    assert DESCENT_MM[Structure.RV] > DESCENT_MM[Structure.LV]


def test_index_and_output_have_the_interval_of_what_they_are_made_of(tube) -> None:
    """170 cm and 61.2 kg are 1.7 m2 (Mosteller)."""
    labels, ventricles = vanishing_tube(tube)
    size = Demographics(height_cm=170, weight_kg=61.2)
    sized = replace(with_labels(ventricles, labels), demographics=size, given_heart_rate_bpm=50.0)
    found = measure_all(sized)
    for base, derived, factor in (
        ("LVEDV", "LVEDVi", 1 / 1.7),
        ("LVM", "LVMi", 1 / 1.7),
        ("LVSV", "LVCO", 0.05),
        ("RVSV", "RVCI", 0.05 / 1.7),
    ):
        low, high = found.find(base).interval
        assert found.find(derived).interval == pytest.approx((factor * low, factor * high))


def test_one_phase_or_one_slice_has_no_interval(untimed, tube) -> None:
    labels = tube.labels()
    assert measure_all(untimed(labels[:1])).find("LVEDV").interval is None
    alone = np.zeros_like(labels[[3, 13]])
    alone[:, 4] = labels[[3, 13], 4]
    found = measure_all(untimed(alone)).find("LVEF")
    assert found.value is not None
    assert found.interval is None
    assert found.evidence == ""


def vanishing_tube(tube):
    """The tube whose basal slice is lost about end-systole, phases 9 to 17."""
    ventricles = tube.ventricles()
    labels = ventricles.segmentation.labels.copy()
    labels[9:18, 1] = 0
    return labels, ventricles


def with_labels(ventricles, labels):
    return replace(ventricles, segmentation=replace(ventricles.segmentation, labels=labels))


def test_no_rate_is_made_of_a_slice_that_vanishes(tube) -> None:
    labels, whole = vanishing_tube(tube)
    lost = with_labels(whole, labels)
    assert vanishing_slices(whole) == frozenset()
    assert vanishing_slices(lost) == {1}
    before, after = measure_all(whole).values(), measure_all(lost).values()
    for symbol in ("LVPER", "LVPFR"):
        share = after["LVSV"] / before["LVSV"]
        assert after[symbol] == pytest.approx(before[symbol] * share, rel=0.02)


def test_the_maximal_wall_is_not_that_of_a_slice_that_vanishes(tube) -> None:
    labels, whole = vanishing_tube(tube)
    thick = labels[3, 1]
    rows, columns = np.nonzero(thick == 3)
    inner = np.hypot(rows - tube.centre_mm[0], columns - tube.centre_mm[1]) > 15
    labels[3, 1, rows[inner], columns[inner]] = 2  # an oblique cut through the valve ring
    found = measure_all(with_labels(whole, labels)).find("WT_MAX")
    assert found.value == pytest.approx(tube.wall_mm(3), abs=0.5)
    assert "slice 2," not in found.evidence


def test_an_apex_that_closes_is_no_slice_that_vanishes(tube) -> None:
    """Hypertrophy at the apex is thickest where the cavity is squeezed away."""
    whole = tube.ventricles()
    labels = whole.segmentation.labels.copy()
    labels[9:18, 10][labels[9:18, 10] == 3] = 2
    assert vanishing_slices(with_labels(whole, labels)) == frozenset()


@pytest.mark.parametrize(
    ("pool_ml", "texts"),
    [
        (
            [[20.0, 20.0, 15.0], [0.0, 10.0, 5.0]],
            ["with slice 1 at end-systole too", "without slice 1 at both phases"],
        ),
        (
            [[0.0, 20.0, 15.0], [8.0, 10.0, 5.0]],
            ["with slice 1 at end-diastole too", "without slice 1 at both phases"],
        ),
        (
            [[20.0, 20.0, 15.0], [3.0, 10.0, 5.0]],
            [
                "with slice 1 whole at end-systole",
                "without slice 1 at end-systole",
                "without slice 1 at both phases",
            ],
        ),
        (
            [[0.0, 20.0, 15.0], [0.0, 10.0, 5.0]],
            ["without slice 2 at both phases", "with slice 1 at both phases"],
        ),
    ],
)
def test_every_reading_but_the_first_says_what_it_counts_otherwise(
    pool_ml: list[list[float]], texts: list[str]
) -> None:
    base = BasalSlices(np.array(pool_ml), np.ones(3), np.full(3, 10.0)).read()
    assert base.readings[0].choice is None
    assert [one.choice.text for one in base.readings[1:] if one.choice] == texts


def test_a_reading_without_a_slice_holds_what_the_labels_hold_less_that_slice() -> None:
    pool_ml = np.array([[20.0, 20.0, 15.0], [0.0, 10.0, 5.0]])
    base = BasalSlices(pool_ml, np.zeros(3), np.full(3, 10.0)).read()
    (without,) = (one for one in base.readings if one.choice and not one.choice.counts)
    assert (without.edv_ml, without.esv_ml) == (35.0, 15.0)
