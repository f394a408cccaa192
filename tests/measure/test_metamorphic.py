"""The same heart, told in another way, has the same numbers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from opencmr.geometry.grid import Grid
from opencmr.imaging.axis import Heartbeat
from opencmr.imaging.image import Image
from opencmr.imaging.measurement import Measurement
from opencmr.measure import Ventricles, measure_all

Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def numbers(ventricles: Ventricles, skip: tuple[str, ...] = ()) -> dict[tuple, float | None]:
    return {
        (m.quantity.symbol, m.segment): m.value
        for m in measure_all(ventricles)
        if isinstance(m, Measurement) and not m.quantity.symbol.endswith("_PHASE")
        if m.quantity.symbol not in skip
    }


def assert_same(found: Ventricles, expected: Ventricles, skip: tuple[str, ...] = ()) -> None:
    left, right = numbers(found, skip), numbers(expected, skip)
    assert left.keys() == right.keys()
    for key, value in right.items():
        if value is None:
            assert left[key] is None
        else:
            assert left[key] == pytest.approx(value, rel=1e-6, abs=1e-6), key


def told(
    ventricles: Ventricles,
    labels: np.ndarray,
    affines: np.ndarray,
    trigger_ms: np.ndarray | None = None,
    rr_ms: np.ndarray | None = None,
) -> Ventricles:
    grid = Grid(labels.shape[1:], affines)
    image = ventricles.image
    return Ventricles(
        replace(ventricles.segmentation, labels=np.ascontiguousarray(labels), grid=grid),
        Image(
            np.zeros(labels.shape, dtype=np.float32),
            grid,
            Heartbeat(
                image.trigger_ms if trigger_ms is None else trigger_ms,
                image.rr_ms if rr_ms is None else rr_ms,
            ),
        ),
        ventricles.demographics,
        ventricles.series,
    )


def flip_rows(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = affines.copy()
    moved[:, :, 3] += (labels.shape[2] - 1) * affines[:, :, 0]
    moved[:, :, 0] *= -1
    return labels[:, :, ::-1], moved


def flip_columns(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = affines.copy()
    moved[:, :, 3] += (labels.shape[3] - 1) * affines[:, :, 1]
    moved[:, :, 1] *= -1
    return labels[..., ::-1], moved


def transpose(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return labels.swapaxes(2, 3), affines[:, :, [1, 0, 2, 3]]


def quarter_turn(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return flip_rows(*transpose(labels, affines))


def reverse_slices(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return labels[:, ::-1], affines[::-1]


def walk_through_the_room(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = affines.copy()
    moved[:, :3, 3] += (113.0, -57.0, 31.0)
    return labels, moved


def crop(labels: np.ndarray, affines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved = affines.copy()
    moved[:, :, 3] += 4 * affines[:, :, 0] + 9 * affines[:, :, 1]
    return labels[:, :, 4:, 9:], moved


@pytest.mark.parametrize(
    "change",
    [
        flip_rows,
        flip_columns,
        transpose,
        quarter_turn,
        reverse_slices,
        walk_through_the_room,
        crop,
    ],
)
def test_a_change_of_array_and_geometry_together_changes_nothing(
    tube_ventricles, change: Change
) -> None:
    segmentation = tube_ventricles.segmentation
    other = told(tube_ventricles, *change(segmentation.labels, segmentation.grid.affines))
    assert_same(other, tube_ventricles)


def test_a_mirrored_image_names_no_segment(tube_ventricles) -> None:
    segmentation = tube_ventricles.segmentation
    mirrored = told(tube_ventricles, segmentation.labels[..., ::-1], segmentation.grid.affines)
    segments = [m for m in measure_all(mirrored) if m.quantity.symbol == "WT" and m.segment < 17]
    assert {m.reason.code for m in segments} == {"CHIRALITY_CONFLICT"}
    assert_same(mirrored, tube_ventricles, skip=("WT", "WTH"))


@pytest.mark.parametrize("k", [0.7, 1.9])
def test_spacing_times_k_scales_volumes_by_k_cubed_and_thickness_by_k(tube_ventricles, k) -> None:
    segmentation = tube_ventricles.segmentation
    scaled = segmentation.grid.affines.copy()
    scaled[:, :3, [0, 1, 3]] *= k
    found = numbers(told(tube_ventricles, segmentation.labels, scaled))
    before = numbers(tube_ventricles)
    unchanged = {
        "BSA", "BSA_DUBOIS", "HR", "LVEF", "RVEF", "SVDIFF_PERCENT", "WTH", "WTH_MEAN",
        "LVPER_EDV", "LVPFR_EDV",
    }  # fmt: skip
    for (symbol, segment), value in before.items():
        power = 0 if symbol in unchanged else 1 if symbol.startswith("WT") else 3
        if value is None:
            assert found[symbol, segment] is None
        else:
            assert found[symbol, segment] == pytest.approx(value * k**power, rel=1e-9), symbol


@pytest.mark.parametrize("by", [1, 7, 13])
def test_a_cyclic_shift_of_phases_shifts_the_phases_alone(tube_ventricles, by) -> None:
    segmentation = tube_ventricles.segmentation
    other = told(
        tube_ventricles, np.roll(segmentation.labels, by, axis=0), segmentation.grid.affines
    )
    assert_same(other, tube_ventricles)
    assert other.lv.ed_phase == (3 + by) % 20
    assert other.rv.es_phase == (15 + by) % 20


def test_an_empty_slice_beyond_base_or_apex_changes_nothing(tube_ventricles) -> None:
    segmentation, image = tube_ventricles.segmentation, tube_ventricles.image
    without = told(
        tube_ventricles,
        segmentation.labels[:, 1:-1],
        segmentation.grid.affines[1:-1],
        image.trigger_ms[:, 1:-1],
        image.rr_ms[1:-1],
    )
    assert_same(without, tube_ventricles)


def test_a_phase_told_twice_changes_no_volume(tube_ventricles) -> None:
    segmentation, image = tube_ventricles.segmentation, tube_ventricles.image
    order = [0, 1, 2, 3, 3, *range(4, 14), 13, *range(14, 20)]
    twice = told(
        tube_ventricles,
        segmentation.labels[order],
        segmentation.grid.affines,
        image.trigger_ms[order],
    )
    assert_same(twice, tube_ventricles, skip=("LVPER", "LVPFR", "LVPER_EDV", "LVPFR_EDV"))


def test_measuring_changes_nothing_it_was_given(tube_ventricles) -> None:
    before = tube_ventricles.segmentation.labels.copy()
    measure_all(tube_ventricles)
    assert np.array_equal(before, tube_ventricles.segmentation.labels)


def test_measuring_twice_gives_the_same(tube_ventricles) -> None:
    once, again = (list(measure_all(tube_ventricles).points()) for _ in range(2))
    assert once == again
