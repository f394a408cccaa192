"""Stacks from frames made up for the purpose: one test for each way in which they come."""

import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencmr.imaging.axis import Beats, Echo, Heartbeat, Preparation, PreparationKind, Single
from opencmr.imaging.image import Unit
from opencmr.imaging.study import SeriesHeader, StackFacts
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.assemble import Assembled, assemble_series
from opencmr.intake.stacks.in_time import phase_fractions, resample_in_time
from opencmr.intake.stacks.placement import why_unplaceable

SAX = (0.6, 0.8, 0.0, 0.48, -0.36, -0.8)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ROWS, COLUMNS = 6, 8
TEXTURE = 0.25 * (np.arange(ROWS * COLUMNS, dtype=np.float32) - 27).reshape(ROWS, COLUMNS)
"""Nothing at the pixel (3, 3), which tells z and phase."""


def frame(
    z: float = 0.0,
    phase: int = 0,
    *,
    phases: int = 5,
    rr_ms: float | None = 800.0,
    orientation: tuple[float, ...] = SAX,
    series: str = "1.1",
    echo_ms: float = 1.5,
    thickness_mm: float = 8.0,
    series_time: str = "100000",
    **facts: object,
) -> Frame:
    """One picture of a cine, ``z`` mm along the normal; its brightness tells z and phase."""
    normal = np.cross(orientation[:3], orientation[3:])
    corner = normal * z - 20 * np.array(orientation[:3]) - 20 * np.array(orientation[3:])
    values = np.full((ROWS, COLUMNS), 100 + 10 * z + phase, dtype=np.float32) + TEXTURE
    header = SeriesHeader(
        modality="MR",
        series_time=series_time,
        series_number=int(series.rsplit(".", maxsplit=1)[-1]),
        slice_thickness_mm=thickness_mm,
        echo_time_ms=echo_ms,
    )
    stated: dict[str, object] = {
        "sop_instance_uid": f"{series}.{z:g}.{phase}.{series_time}",
        "series_instance_uid": series,
        "frame_of_reference_uid": "9.9",
        "instance_number": round(z) * 100 + phase + 1,
        "pixel_spacing_mm": (1.5, 1.5),
        "image_position_mm": tuple(float(c) for c in corner),
        "image_orientation": orientation,
        "trigger_time_ms": None if rr_ms is None else phase * rr_ms / phases,
        "rr_ms": rr_ms,
        "echo_time_ms": echo_ms,
        "image_type": ("ORIGINAL", "PRIMARY"),
    }
    return Frame(values, header, **(stated | facts))  # type: ignore[arg-type]


def cine(positions: Iterable[float], phases: int = 5, **facts: object) -> list[Frame]:
    """A whole stack, every slice with every phase."""
    return [
        frame(z, t, phases=phases, **facts)  # type: ignore[arg-type]
        for z in positions
        for t in range(phases)
    ]


def shapes(assembled: Assembled) -> list[tuple[int, ...]]:
    return [one.image.values.shape[:2] for one in assembled.series]


def test_one_series_for_the_whole_stack_becomes_one_cine():
    frames = cine([0, 10, 20, 30])
    (one,) = assemble_series(frames).series
    assert one.key == "s01"
    assert one.image.values.shape == (5, 4, ROWS, COLUMNS)
    assert one.image.grid.slice_spacing_mm == pytest.approx(10.0)
    for z in range(4):
        for t in range(5):
            assert one.image.values[t, z, 3, 3] == 100 + 100 * z + t
    assert one.image.sources[1 * 4 + 2] == "1.1.20.1.100000"
    np.testing.assert_allclose(one.image.trigger_ms[:, 0], [0, 160, 320, 480, 640])
    assert one.facts == StackFacts(
        pictures=20,
        cine_slices=4,
        share_at_maximum=pytest.approx(1 / (ROWS * COLUMNS)),
        largest_step=pytest.approx(1.0),
    )


def test_one_series_a_slice_with_its_own_heartbeat_becomes_one_cine():
    frames = [
        f
        for i, rr_ms in enumerate((863.0, 776.0, 831.0))
        for f in cine([i * 10], rr_ms=rr_ms, series=f"1.{i + 1}", series_time=f"10000{i}")
    ]
    (one,) = assemble_series(frames).series
    assert one.image.values.shape[:2] == (5, 3)
    assert len(one.uids) == 3
    np.testing.assert_allclose(one.image.rr_ms, [863, 776, 831])
    np.testing.assert_allclose(one.image.trigger_ms[1], np.array([863, 776, 831]) / 5)


def test_two_series_that_interleave_evenly_become_one_cine():
    frames = cine([0, 20, 40], series="1.1") + cine([10, 30, 50], series="1.2")
    assert shapes(assemble_series(frames)) == [(5, 6)]


def test_two_series_that_continue_each_other_become_one_cine():
    frames = cine([0, 10, 20], series="1.1") + cine([30, 40, 50], series="1.2")
    assert shapes(assemble_series(frames)) == [(5, 6)]


def test_a_stack_planned_anew_in_between_stays_a_stack_of_its_own():
    frames = cine([0, 10, 20], series="1.1") + cine([3, 13, 23], series="1.2")
    assert shapes(assemble_series(frames)) == [(5, 3), (5, 3)]


def test_a_whole_stack_acquired_again_stays_a_series_of_its_own():
    frames = cine([0, 10, 20], series="1.1")
    frames += cine([0, 10, 20], series="1.2", series_time="101500")
    assembled = assemble_series(frames)
    assert shapes(assembled) == [(5, 3), (5, 3)]
    assert [one.header.series_time for one in assembled.series] == ["100000", "101500"]


def _slice_a_series(order: Iterable[tuple[int, int]]) -> list[Frame]:
    """Cines of one series each: (position, minute) in their order of acquisition."""
    return [
        f
        for number, (z, minute) in enumerate(order)
        for f in cine([z], series=f"1.{number}", series_time=f"10{minute:02d}{number:02d}")
    ]


def test_rest_and_stress_of_one_series_a_slice_are_two_cines():
    rest = [(z, 0) for z in (0, 10, 20, 30, 40)]
    stress = [(z, 20) for z in (10, 20, 30)]
    assembled = assemble_series(_slice_a_series([*rest[:2], (10, 1), *rest[2:], *stress]))
    assert sorted(shapes(assembled)) == [(5, 3), (5, 5)]
    assert sorted(one.header.series_time[:4] for one in assembled.series) == ["1001", "1020"]
    assert [row.reason.code for row in assembled.left_out] == ["REPEATED_SLICE"]


def test_slices_that_were_each_repeated_at_once_are_one_cine():
    assembled = assemble_series(
        _slice_a_series([(z, z + again) for z in (0, 10, 20, 30) for again in (0, 1)])
    )
    assert shapes(assembled) == [(5, 4)]


@pytest.mark.parametrize(("map_at", "series"), [("100007.5", 2), ("100500.0", 1)])
def test_a_map_is_no_repeat_of_the_fit_that_was_made_of_the_same_pictures(
    map_at: str, series: int
) -> None:
    """What was acquired again has another time, the scanner's results have the same."""
    results = cine([0.0], 4, rr_ms=None, series="1.1", acquisition_time="100007.5")
    the_map = cine([0.0], 1, rr_ms=None, series="1.2", acquisition_time=map_at)
    assert len(assemble_series([*results, *the_map]).series) == series


def test_two_acquisitions_that_no_time_tells_apart_are_not_split():
    frames = [
        f
        for number, z in enumerate((0, 10, 20, 0, 10, 20))
        for f in cine([z], series=f"1.{number}.7", series_time="")
    ]
    assert shapes(assemble_series(frames)) == [(5, 3)]


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_shuffled_files_and_instance_numbers_change_nothing(shuffler: random.Random):
    frames = cine([0, 10, 20]) + cine([5], 1, orientation=AXIAL, series="1.2")
    numbers = list(range(len(frames)))
    shuffler.shuffle(numbers)
    shuffled = [replace(f, instance_number=n) for f, n in zip(frames, numbers, strict=True)]
    shuffler.shuffle(shuffled)
    expected, found = assemble_series(frames), assemble_series(shuffled)
    assert len(expected.series) == len(found.series)
    for one, other in zip(expected.series, found.series, strict=True):
        np.testing.assert_array_equal(one.image.values, other.image.values)
        np.testing.assert_array_equal(one.image.grid.affines, other.image.grid.affines)
        np.testing.assert_array_equal(one.image.trigger_ms, other.image.trigger_ms)
        assert (one.key, one.facts, one.image.sources) == (
            other.key,
            other.facts,
            other.image.sources,
        )


def test_a_scout_of_three_orientations_in_the_cines_own_series_is_separated():
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    sagittal = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    frames = cine([0, 10, 20])
    for orientation in (AXIAL, coronal, sagittal):
        frames += cine([0, 18, 36], 1, orientation=orientation, rr_ms=None)
    assembled = assemble_series(frames)
    assert sorted(shapes(assembled)) == [(1, 3), (1, 3), (1, 3), (5, 3)]


@pytest.mark.parametrize(
    "other",
    [
        {"echo_ms": 3.0},
        {"pixel_spacing_mm": (1.2, 1.2)},
        {"image_type": ("ORIGINAL", "PRIMARY", "P")},
        {"thickness_mm": 5.0},
        {"frame_of_reference_uid": "9.8", "series": "1.2"},
    ],
    ids=["echo time", "spacing", "image type", "thickness", "frame of reference"],
)
def test_what_differs_in_kind_is_another_stack(other):
    frames = cine([0, 10, 20])
    more = cine([0, 10, 20], **({"series_time": "100500"} | other))
    assert shapes(assemble_series(frames + more)) == [(5, 3), (5, 3)]


def test_another_matrix_is_another_stack():
    frames = cine([0, 10, 20])
    small = [replace(f, values=f.values[:4].copy()) for f in cine([10], series="1.2")]
    assert len(assemble_series(frames + small).series) == 2


def test_a_series_whose_every_file_names_another_frame_of_reference_stays_whole():
    frames = [replace(f, frame_of_reference_uid=f"9.{i}") for i, f in enumerate(cine([0, 10, 20]))]
    (one,) = assemble_series(frames).series
    assert one.image.values.shape[:2] == (5, 3)
    assert one.frame_of_reference_uid == ""


def test_one_series_a_slice_is_joined_when_no_frame_of_reference_survived():
    frames = [f for i in range(4) for f in cine([i * 10], series=f"1.{i + 1}")]
    frames = [replace(f, frame_of_reference_uid=f"9.{i}") for i, f in enumerate(frames)]
    assert shapes(assemble_series(frames)) == [(5, 4)]


def test_single_pictures_are_not_joined_with_a_cine():
    frames = cine([0, 10, 20]) + cine([30, 40, 50], 1, series="1.2")
    assert sorted(shapes(assemble_series(frames))) == [(1, 3), (5, 3)]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"pixel_spacing_mm": None}, "BAD_SPACING"),
        ({"pixel_spacing_mm": (0.0, 1.0)}, "BAD_SPACING"),
        ({"pixel_spacing_mm": (-1.0, 1.0)}, "BAD_SPACING"),
        ({"pixel_spacing_mm": (float("nan"), 1.0)}, "BAD_SPACING"),
        ({"pixel_spacing_mm": (1e9, 1.0)}, "BAD_SPACING"),
        ({"image_position_mm": None}, "NO_GEOMETRY"),
        ({"image_position_mm": (0.0, float("nan"), 0.0)}, "NO_GEOMETRY"),
        ({"image_orientation": None}, "NO_GEOMETRY"),
        ({"image_orientation": (2.0, 0.0, 0.0, 0.0, 1.0, 0.0)}, "BAD_ORIENTATION"),
        ({"image_orientation": (1.0, 0.0, 0.0, 0.02, 0.9998, 0.0)}, "BAD_ORIENTATION"),
        ({"image_orientation": (float("nan"), 0.0, 0.0, 0.0, 1.0, 0.0)}, "BAD_ORIENTATION"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "M", "MOSAIC")}, "MOSAIC"),
    ],
)
def test_pictures_without_usable_geometry_are_left_out_and_named(facts, code):
    good = cine([0, 10, 20])
    bad = [replace(f, **facts) for f in cine([30], series="1.2")]
    assembled = assemble_series(good + bad)
    assert shapes(assembled) == [(5, 3)]
    assert [(one.reason.code, one.count) for one in assembled.left_out] == [(code, 5)]


def test_a_picture_of_more_than_a_metre_has_no_believable_spacing():
    (one,) = cine([0], phases=1)
    wide = replace(one, values=np.zeros((40, 30), np.float32))
    assert why_unplaceable(replace(wide, pixel_spacing_mm=(1.0, 33.0))) is None
    for spacing_mm in ((26.0, 1.0), (1.0, 34.0)):
        reason = why_unplaceable(replace(wide, pixel_spacing_mm=spacing_mm))
        assert reason.code == "BAD_SPACING"


def test_spacing_is_the_distance_of_positions_and_never_the_thickness():
    frames = cine([0, 10, 20], thickness_mm=8.0)
    frames = [replace(f, spacing_between_slices_mm=8.0) for f in frames]
    (one,) = assemble_series(frames).series
    np.testing.assert_allclose(one.image.grid.slice_extents_mm, [10, 10, 10])


def test_rows_and_columns_of_pixels_that_are_not_square_are_told_apart():
    frames = cine([0, 10, 20], pixel_spacing_mm=(2.0, 1.0), orientation=AXIAL)
    grid = assemble_series(frames).series[0].image.grid
    assert (grid.row_spacing_mm, grid.column_spacing_mm) == pytest.approx((2.0, 1.0))
    np.testing.assert_allclose(grid.position_mm(0, 1, 0) - grid.position_mm(0, 0, 0), [0, 2, 0])
    np.testing.assert_allclose(grid.position_mm(0, 0, 1) - grid.position_mm(0, 0, 0), [1, 0, 0])


def test_slices_lie_along_the_normal_whatever_the_order_of_acquisition():
    frames = cine([30, 0, 20, 10], orientation=AXIAL)
    grid = assemble_series(frames).series[0].image.grid
    np.testing.assert_allclose(grid.slice_positions_mm, [0, 10, 20, 30], atol=1e-9)


def test_a_slice_that_lacks_one_phase_is_resampled_and_stated():
    frames = [f for f in cine(range(0, 50, 10), 25) if f.sop_instance_uid != "1.1.20.7.100000"]
    (one,) = assemble_series(frames).series
    assert one.image.values.shape[:2] == (25, 5)
    assert one.facts.other_phases == (24,)
    assert not one.facts.other_phases_stated
    np.testing.assert_allclose(one.image.values[:, 2, 3, 3], 300 + np.arange(25), atol=1e-3)
    np.testing.assert_allclose(one.image.trigger_ms[:, 2], 32.0 * np.arange(25))


def test_a_phase_lost_without_trigger_times_is_found_by_instance_numbers():
    frames = [f for f in cine([0, 10, 20], 25, rr_ms=None) if "1.10.7." not in f.sop_instance_uid]
    (one,) = assemble_series(frames).series
    np.testing.assert_allclose(one.image.values[:, 1, 3, 3], 200 + np.arange(25), atol=1e-3)
    assert one.facts.other_phases == (24,)
    assert (one.facts.untimed_slices, one.facts.cine_slices) == (3, 3)


def test_a_slice_that_lacks_too_many_phases_is_left_out_and_stated():
    frames = [
        f
        for f in cine(range(0, 50, 10), 20)
        if not (".40." in f.sop_instance_uid and f.trigger_time_ms >= 400)
    ]
    assembled = assemble_series(frames)
    (one,) = assembled.series
    assert one.image.values.shape[:2] == (20, 4)
    assert (one.facts.short_slices, one.facts.other_phases) == (1, ())
    assert [(left.reason.code, left.count) for left in assembled.left_out] == [
        ("MISSING_FRAMES", 10)
    ]


def test_a_slice_planned_with_other_phases_is_resampled_as_the_header_meant():
    frames = cine([0, 10, 20, 30], 25) + cine([40], 20, series="1.2")
    frames = [
        replace(f, cardiac_number_of_images=20 if f.series_instance_uid == "1.2" else 25)
        for f in frames
    ]
    (one,) = assemble_series(frames).series
    assert one.image.values.shape[:2] == (25, 5)
    assert (one.facts.other_phases, one.facts.other_phases_stated) == ((20,), True)
    assert one.facts.declared_phases == 0


def test_phases_that_every_slice_lacks_are_known_by_the_declared_number():
    frames = [replace(f, cardiac_number_of_images=25) for f in cine([0, 10, 20], 24)]
    (one,) = assemble_series(frames).series
    assert one.facts.declared_phases == 25


@pytest.mark.parametrize("trigger", [None, 12.0])
def test_without_telling_trigger_times_instance_numbers_order_the_phases(trigger):
    frames = [replace(f, trigger_time_ms=trigger, rr_ms=None) for f in cine([0, 10, 20])]
    (one,) = assemble_series(frames[::-1]).series
    assert one.image.values.shape[:2] == (5, 3)
    np.testing.assert_array_equal(one.image.values[:, 0, 3, 3], 100 + np.arange(5))
    assert one.facts.untimed_slices == 3
    assert np.isnan(one.image.trigger_ms).all()
    assert np.isnan(one.image.rr_ms).all()


@pytest.mark.parametrize("trigger", [None, 0.0, "told"])
def test_instance_numbers_by_phase_or_by_slice_give_the_same_cine(trigger):
    """GE numbers a multi-phase series slice by slice or phase by phase."""
    frames = cine([0, 10, 20])
    if trigger != "told":
        frames = [replace(f, trigger_time_ms=trigger, rr_ms=None) for f in frames]
    by_slice = [replace(f, instance_number=n + 1) for n, f in enumerate(frames)]
    by_phase = [replace(f, instance_number=(n % 5) * 3 + n // 5 + 1) for n, f in enumerate(frames)]
    (one,) = assemble_series(by_slice).series
    (other,) = assemble_series(by_phase).series
    np.testing.assert_array_equal(one.image.values, other.image.values)
    np.testing.assert_array_equal(one.image.values[:, 1, 3, 3], 200 + np.arange(5))


def test_trigger_times_in_seconds_are_recognised():
    frames = [replace(f, trigger_time_ms=f.trigger_time_ms / 1000) for f in cine([0, 10, 20])]
    (one,) = assemble_series(frames).series
    np.testing.assert_allclose(one.image.trigger_ms[:, 0], [0, 160, 320, 480, 640])
    assert (one.facts.slices_in_seconds, one.facts.untimed_slices) == (3, 0)


def test_a_heartbeat_shorter_than_its_own_last_phase_is_not_believed():
    frames = [replace(f, rr_ms=300.0) for f in cine([0, 10, 20])]
    (one,) = assemble_series(frames).series
    assert np.isnan(one.image.rr_ms).all()


def test_a_slice_acquired_again_in_its_own_series_is_used_once_and_the_latest():
    frames = [
        f
        for i, z in enumerate((0, 10, 20))
        for f in cine([z], series=f"1.{i + 1}", series_time=f"10000{i}")
    ]
    again = cine([10], series="1.9", series_time="101000")
    again = [replace(f, values=f.values + 500) for f in again]
    assembled = assemble_series(frames + again)
    (one,) = assembled.series
    assert one.image.values.shape[:2] == (5, 3)
    assert one.image.values[0, 1, 3, 3] == 700
    assert (one.facts.repeated_slices, one.facts.pictures) == (1, 20)
    assert [(left.reason.code, left.count) for left in assembled.left_out] == [
        ("REPEATED_SLICE", 5)
    ]


def test_of_two_acquisitions_the_complete_one_is_used_even_if_earlier():
    frames = [
        f
        for i, z in enumerate((0, 10, 20))
        for f in cine([z], series=f"1.{i + 1}", series_time=f"10000{i}")
    ]
    again = cine([10], series="1.9", series_time="101000")[:3]
    (one,) = assemble_series(frames + again).series
    assert one.image.values[0, 1, 3, 3] == 200
    assert one.image.sources[1] == "1.2.10.0.100001"


def test_a_slice_acquired_twice_within_one_series_is_no_longer_cine():
    frames = [replace(f, acquisition_number=1) for f in cine([0, 10, 20])]
    again = [
        replace(f, acquisition_number=2, values=f.values + 500)
        for f in cine([10], series_time="100100")
    ]
    (one,) = assemble_series(frames + again).series
    assert one.image.values.shape[:2] == (5, 3)
    assert one.image.values[0, 1, 3, 3] == 700


def test_a_scout_acquired_again_is_used_once_and_is_no_cine():
    frames = cine([0, 18, 36], 1, rr_ms=None, orientation=AXIAL)
    again = cine([18], 1, rr_ms=None, orientation=AXIAL, series_time="100200")
    (one,) = assemble_series(frames + again).series
    assert one.image.values.shape[:2] == (1, 3)
    assert (one.facts.repeated_slices, one.facts.cine_slices) == (1, 0)


def test_pictures_of_one_phase_at_several_inversion_times_are_kept_together():
    frames = [
        replace(f, inversion_time_ms=100.0 * t, trigger_time_ms=600.0, sop_instance_uid=f"7.{t}")
        for t, f in enumerate(cine([0], 8))
    ]
    (one,) = assemble_series(frames).series
    assert one.image.values.shape[:2] == (8, 1)


def molli(positions: list[float], *, timed: bool) -> list[Frame]:
    """Eight pictures of each slice after different inversion times, at one time of the beat."""
    return [
        replace(
            f,
            inversion_time_ms=100.0 + 500.0 * (number % 8),
            trigger_time_ms=600.0 if timed else None,
            sop_instance_uid=f"7.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        )
        for number, f in enumerate(cine(positions, 8))
    ]


@pytest.mark.parametrize("timed", [True, False])
def test_pictures_after_different_inversion_times_lie_along_their_preparation(timed):
    (one,) = assemble_series(molli([0, 10, 20], timed=timed)).series
    along = one.image.along
    assert isinstance(along, Preparation)
    assert along.kind is PreparationKind.INVERSION
    assert sorted(along.times_ms[:, 1]) == [100.0 + 500.0 * n for n in range(8)]
    for n, row in enumerate(one.image.instances):
        for z, instance in enumerate(row):
            number = int(instance.sop_instance_uid.split(".")[1])
            assert along.times_ms[n, z] == 100.0 + 500.0 * (number % 8)


@pytest.mark.parametrize("stated", [(0.0, 25.0, 55.0), (0.0, 24.0, 24.0, 55.0)])
@pytest.mark.parametrize("timed", [True, False])
def test_pictures_after_t2_preparations_lie_along_their_length(stated, timed):
    frames = [
        replace(
            f,
            t2_preparation_ms=stated[number % len(stated)],
            trigger_time_ms=600.0 if timed else None,
            sop_instance_uid=f"7.{number}",
        )
        for number, f in enumerate(cine([0, 10], len(stated)))
    ]
    (one,) = assemble_series(frames).series
    along = one.image.along
    assert isinstance(along, Preparation)
    assert along.kind is PreparationKind.T2_PREPARATION
    assert np.array_equal(along.times_ms, np.repeat(np.array(stated)[:, None], 2, axis=1))


def test_a_t2_preparation_that_one_picture_of_four_does_not_state_is_not_known():
    stated = (None, 25.0, 40.0, 55.0)
    frames = [
        replace(f, t2_preparation_ms=ms, trigger_time_ms=600.0)
        for f, ms in zip(cine([0], 4), stated, strict=True)
    ]
    (one,) = assemble_series(frames).series
    assert np.isnan(one.image.along.times_ms).ravel().tolist() == [True, False, False, False]


@pytest.mark.parametrize("make", ["molli", "t2_star"])
def test_pictures_that_share_one_moment_of_the_heartbeat_keep_it(make):
    frames = molli([0, 10], timed=True) if make == "molli" else t2_star([0, 10])
    (one,) = assemble_series(frames).series
    assert (one.image.trigger_ms == frames[0].trigger_time_ms).all()


def test_a_cine_whose_pictures_all_state_one_trigger_time_has_no_times():
    frames = [replace(f, trigger_time_ms=600.0) for f in cine([0, 10], 8)]
    (one,) = assemble_series(frames).series
    assert isinstance(one.image.along, Heartbeat)
    assert np.isnan(one.image.trigger_ms).all()


def t2_star(positions: Iterable[float], echoes: int = 8) -> list[Frame]:
    """Eight echoes of each slice, all at one time of the beat, numbered last echo first."""
    return [
        replace(
            f,
            echo_time_ms=2.0 + 1.5 * (number % echoes),
            trigger_time_ms=300.0,
            instance_number=1000 - number,
            sop_instance_uid=f"7.{number}",
        )
        for number, f in enumerate(cine(positions, echoes))
    ]


@pytest.mark.parametrize("positions", [[0], [0, 10, 20]])
def test_the_echoes_of_one_series_are_one_image_along_the_echo(positions):
    (one,) = assemble_series(t2_star(positions)).series
    assert isinstance(one.image.along, Echo)
    assert one.image.values.shape[:2] == (8, len(positions))
    assert (one.image.along.times_ms == 2.0 + 1.5 * np.arange(8)[:, None]).all()
    assert not one.image.is_cine
    assert one.facts is not None
    assert (one.facts.cine_slices, one.facts.untimed_slices) == (0, 0)


def test_a_cine_at_three_echo_times_stays_three_cines():
    frames = [
        replace(f, echo_time_ms=echo, sop_instance_uid=f"{f.sop_instance_uid}.{echo}")
        for echo in (1.5, 3.0, 4.5)
        for f in cine([0, 10], 6)
    ]
    found = assemble_series(frames).series
    assert [one.image.values.shape[:2] for one in found] == [(6, 2)] * 3
    assert all(one.image.is_cine for one in found)


def test_a_slice_that_lacks_an_echo_is_left_out_and_never_resampled():
    assembled = assemble_series(t2_star([0, 10, 20])[:-1])
    (one,) = assembled.series
    assert one.image.values.shape[:2] == (8, 2)
    assert [row.reason.code for row in assembled.left_out] == ["MISSING_FRAMES"]


def perfusion(positions: Iterable[float], *, trigger: bool, step_s: float) -> list[Frame]:
    """Twelve heartbeats of each slice, each picture a little later in its beat; over midnight."""
    frames = []
    for number, f in enumerate(cine(positions, 12)):
        clock_s = (86_395.0 + step_s * (number % 12)) % 86_400
        minutes = int(clock_s // 60)
        frames.append(
            replace(
                f,
                acquisition_time=f"{minutes // 60:02d}{minutes % 60:02d}{clock_s % 60:09.6f}",
                trigger_time_ms=100.0 + (number * 7) % 12 if trigger else None,
                instance_number=1000 - number,
            )
        )
    return frames


@pytest.mark.parametrize(("trigger", "step_s"), [(True, 0.9), (False, 0.9), (False, 0.35)])
def test_pictures_of_one_heartbeat_after_another_lie_along_the_beats(trigger, step_s):
    (one,) = assemble_series(perfusion([0, 10, 20], trigger=trigger, step_s=step_s)).series
    assert isinstance(one.image.along, Beats)
    expected = np.repeat(1000 * step_s * np.arange(12)[:, None], 3, 1)
    assert one.image.along.times_ms == pytest.approx(expected, abs=0.1)
    assert (np.diff(one.image.values[:, :, 3, 3], axis=0) > 0).all()
    assert one.facts is not None
    assert one.facts.untimed_slices == 0


@pytest.mark.parametrize(("timed", "step_ms"), [(True, 600), (False, 40)])
def test_a_cine_whose_pictures_state_their_own_clock_stays_a_cine(timed, step_ms):
    frames = [
        replace(
            f,
            acquisition_time=f"1000{step_ms / 1000 * (number % 12):09.6f}",
            trigger_time_ms=f.trigger_time_ms if timed else None,
        )
        for number, f in enumerate(cine([0, 10], 12))
    ]
    (one,) = assemble_series(frames).series
    assert isinstance(one.image.along, Heartbeat)


def test_one_picture_of_each_slice_is_single():
    (one,) = assemble_series(cine([0, 10, 20], 1)).series
    assert isinstance(one.image.along, Single)


def flow(magnitude: str, velocity: str, positions: Iterable[float] = (0,)) -> list[Frame]:
    """Magnitude and velocity of one acquisition, in the two named series."""
    return [
        replace(
            f,
            image_type=("ORIGINAL", "PRIMARY", kind),
            header=replace(
                f.header,
                image_type=("ORIGINAL", "PRIMARY", kind),
                acquisition_time="100000.5",
            ),
            venc_cm_s=150.0,
            sop_instance_uid=f"{kind}.{f.sop_instance_uid}",
        )
        for kind, uid in (("M", magnitude), ("P", velocity))
        for f in cine(positions, 10, series=uid)
    ]


@pytest.mark.parametrize("velocity", ["1.1", "1.2"])
def test_magnitude_and_velocity_of_one_acquisition_are_a_pair(velocity):
    one, two = assemble_series(flow("1.1", velocity)).series
    assert {one.header.image_type[2], two.header.image_type[2]} == {"M", "P"}
    assert (one.partner, two.partner) == (two.key, one.key)
    assert one.image.venc_cm_s == two.image.venc_cm_s == 150.0


def test_what_could_belong_to_two_acquisitions_belongs_to_none():
    positions = (0, 10, 20)
    frames = [*flow("1.1", "1.2", positions), *flow("1.3", "1.4", positions)]
    found = assemble_series(frames).series
    assert len(found) == 4
    assert {one.partner for one in found} == {""}


@pytest.mark.parametrize(
    "change",
    [
        {"image_position_mm": (3.0, 4.0, 5.0)},
        {"trigger_time_ms": None},
        {"image_type": ("ORIGINAL", "PRIMARY", "M")},
    ],
)
def test_another_place_time_or_kind_is_no_pair(change):
    frames = [
        replace(
            f,
            header=replace(f.header, image_type=change.get("image_type", f.image_type)),
            **change,
        )
        if f.image_type[2] == "P"
        else f
        for f in flow("1.1", "1.2")
    ]
    assert {one.partner for one in assemble_series(frames).series} == {""}


def test_every_picture_of_an_enhanced_cine_has_its_own_frame_number():
    frames = [
        replace(f, sop_instance_uid="9.1", frame_number=number)
        for number, f in enumerate(cine([0, 10, 20], 20), start=1)
    ]
    (one,) = assemble_series(frames).series
    found = {(i.sop_instance_uid, i.frame_number) for row in one.image.instances for i in row}
    assert len(found) == 60
    assert isinstance(one.image.along, Heartbeat)


def test_a_slice_resampled_in_time_points_at_the_nearest_pictures():
    (one,) = assemble_series(cine([0, 10, 20], 20) + cine([30], 19)).series
    picture = one.image.instances[10][3]
    (frame,) = (f for f in cine([30], 19) if f.sop_instance_uid == picture.sop_instance_uid)
    assert frame.trigger_time_ms == pytest.approx(one.image.trigger_ms[10, 3], abs=25)


def test_a_scanner_s_map_keeps_its_unit():
    maps = [replace(f, rescale_type="ms") for f in cine([0, 10], 1)]
    (one,) = assemble_series(maps).series
    assert one.image.unit is Unit.MILLISECONDS
    (other,) = assemble_series(cine([0, 10], 1)).series
    assert other.image.unit is Unit.ARBITRARY


def test_slices_without_signal_are_left_out_and_stated():
    dead = [replace(f, values=np.zeros_like(f.values)) for f in cine([30])]
    assembled = assemble_series(cine([0, 10, 20]) + dead)
    (one,) = assembled.series
    assert one.image.values.shape[:2] == (5, 3)
    assert (one.facts.silent_pictures, one.facts.pictures) == (5, 20)
    assert [(left.reason.code, left.count) for left in assembled.left_out] == [("NO_SIGNAL", 5)]


def test_a_stack_without_any_signal_is_left_out():
    frames = [replace(f, values=np.full_like(f.values, np.nan)) for f in cine([0, 10, 20])]
    assembled = assemble_series(frames)
    assert not assembled.series
    assert [(left.reason.code, left.count) for left in assembled.left_out] == [("NO_SIGNAL", 15)]


def test_one_dead_phase_is_replaced_by_its_neighbours():
    frames = [
        replace(f, values=np.zeros_like(f.values)) if ".10.7." in f.sop_instance_uid else f
        for f in cine([0, 10, 20], 25)
    ]
    (one,) = assemble_series(frames).series
    np.testing.assert_allclose(one.image.values[7, 1, 3, 3], 207, atol=1e-3)
    assert (one.facts.silent_pictures, one.facts.other_phases) == (1, (24,))


def test_a_stack_of_thresholded_pictures_is_left_out():
    frames = [
        replace(f, values=(f.values > f.values.mean()) * np.float32(255)) for f in cine([0, 10, 20])
    ]
    assembled = assemble_series(frames)
    assert not assembled.series
    assert [(left.reason.code, left.count) for left in assembled.left_out] == [("NO_SIGNAL", 15)]


def test_the_clipped_share_of_a_stack_is_counted():
    frames = [
        replace(f, values=np.minimum(f.values, np.percentile(f.values, 80)))
        for f in cine([0, 10, 20])
    ]
    (one,) = assemble_series(frames).series
    assert one.facts.share_at_maximum == pytest.approx(0.2, abs=0.02)


def test_nothing_at_all_makes_no_series():
    assert assemble_series([]) == Assembled(())


def test_values_cannot_be_changed_after_assembly():
    (one,) = assemble_series(cine([0, 10, 20])).series
    with pytest.raises(ValueError, match="read-only"):
        one.image.values[0] = 0


@given(st.integers(3, 30), st.integers(3, 30))
def test_resampling_over_a_heartbeat_keeps_a_constant_picture(found, wanted):
    at, to = np.arange(found) / found, np.arange(wanted) / wanted
    resampled = resample_in_time(np.full((found, 2, 2), 7.0), at, to)
    np.testing.assert_allclose(resampled, 7.0)


@given(st.integers(3, 30))
def test_resampling_at_the_same_times_changes_nothing(phases):
    at = np.arange(phases) / phases
    values = np.random.default_rng(phases).normal(size=(phases, 2, 3))
    np.testing.assert_allclose(resample_in_time(values, at, at), values, atol=1e-9)


def test_a_heartbeat_that_nearly_ends_with_its_last_phase_still_has_growing_fractions():
    from opencmr.intake.stacks.passes import passes_of

    frames = [replace(f, rr_ms=610.0) for f in cine([0], 5, rr_ms=800.0)]
    (one,) = passes_of(frames)
    fractions = phase_fractions(one, 5)
    assert (np.diff(fractions) > 0).all()
    assert np.ptp(fractions) < 1
