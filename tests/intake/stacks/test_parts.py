"""A heart in parts: joined where it is certain, named where it is not, left alone otherwise."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from opencmr.imaging.study import Series, SeriesHeader
from opencmr.intake.dicom.frame import Frame
from opencmr.intake.stacks.assemble import assemble_series
from opencmr.intake.stacks.placement import affine_of

RIGHT, DOWN = np.array([0.6, 0.8, 0.0]), np.array([0.48, -0.36, -0.8])
NORMAL = np.cross(RIGHT, DOWN)
MIDDLE = np.array([12.0, -30.0, 55.0])
PHASES = 6
HALF_MM = 45.0
"""Of the field of view."""


def scene(points_mm: np.ndarray) -> np.ndarray:
    """A smooth brightness in the patient: linear, so that linear sampling keeps it."""
    apart = points_mm - MIDDLE
    return 500 + 4 * (apart @ RIGHT) + 2 * (apart @ DOWN) + apart @ NORMAL


def cine(
    positions_mm: list[float],
    *,
    series: str = "1.1",
    pixel_mm: float = 1.5,
    tilt_deg: float = 0.0,
    turn: int = 0,
    mirrored: bool = False,
    beside_mm: float = 0.0,
    phases: int = PHASES,
    reference: str = "9.9",
    thickness_mm: float | None = 8.0,
    echo_ms: float | None = 1.5,
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "M"),
) -> list[Frame]:
    """Pictures of the scene, sampled as said; the phase adds to the brightness."""
    angle = np.radians(tilt_deg)
    right, down = RIGHT, np.cos(angle) * DOWN + np.sin(angle) * NORMAL
    for _ in range(turn):
        right, down = down, -right
    if mirrored:  # the normal points the other way
        right, down = down, right
    size = round(2 * HALF_MM / pixel_mm)
    orientation = tuple(float(c) for c in (*right, *down))
    frames = []
    for z in positions_mm:
        corner = (
            MIDDLE + z * NORMAL + beside_mm * RIGHT - (size - 1) / 2 * pixel_mm * (right + down)
        )
        for t in range(phases):
            header = SeriesHeader(
                modality="MR",
                series_time="100000",
                slice_thickness_mm=thickness_mm,
                image_type=image_type,
            )
            frame = Frame(
                np.zeros((size, size), np.float32),
                header,
                sop_instance_uid=f"{series}.{z:g}.{t}",
                series_instance_uid=series,
                frame_of_reference_uid=reference,
                pixel_spacing_mm=(pixel_mm, pixel_mm),
                image_position_mm=tuple(float(c) for c in corner),  # type: ignore[arg-type]
                image_orientation=orientation,  # type: ignore[arg-type]
                trigger_time_ms=t * 800.0 / phases,
                rr_ms=800.0,
                echo_time_ms=echo_ms,
                image_type=image_type,
            )
            rows, columns = np.indices((size, size))
            pixels = np.stack([rows, columns, 0 * rows, 0 * rows + 1])
            points = np.einsum("ij,jrc->rci", affine_of(frame), pixels)[..., :3]
            frames.append(replace(frame, values=(scene(points) + 10 * t).astype(np.float32)))
    return frames


BASE, APEX = [0.0, 10.0, 20.0, 30.0], [40.0, 50.0, 60.0, 70.0]


def assembled(*parts: list[Frame]) -> tuple[Series, ...]:
    return assemble_series(frame for part in parts for frame in part).series


def shows_the_scene(one: Series) -> None:
    """Every pixel away from the border shows what lies where its affine says."""
    rows, columns = np.indices(one.image.grid.shape[1:])
    inner = (slice(4, -4), slice(4, -4))
    for z, affine in enumerate(one.image.grid.affines):
        pixels = np.stack([rows, columns, 0 * rows, 0 * rows + 1])
        points = np.einsum("ij,jrc->rci", affine, pixels)[..., :3]
        difference = one.image.values[2, z] - (scene(points) + 20)
        assert np.abs(difference[inner]).max() < 0.05


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"tilt_deg": 1.5}, "tilt"),
        ({"tilt_deg": 3.0}, "tilt"),
        ({"pixel_mm": 1.2}, "matrix"),
        ({"pixel_mm": 2.0, "tilt_deg": -2.0}, "pixel spacing"),
        ({"turn": 1}, "direction of rows"),
        ({"turn": 2, "tilt_deg": 2.0}, "direction of rows"),
        ({"turn": 3, "pixel_mm": 1.2}, "direction of rows"),
        ({"mirrored": True}, "direction of rows"),
        ({"thickness_mm": 6.0}, "slice thickness"),
        ({"echo_ms": 1.8}, "series"),
    ],
)
@pytest.mark.parametrize("turned_round", [False, True])
def test_parts_that_continue_each_other_are_one_heart_and_it_is_said(other, said, turned_round):
    first, second = (APEX, BASE) if turned_round else (BASE, APEX)
    (one,) = assembled(cine(first), cine(second, series="1.2", **other))
    assert one.image.values.shape[:2] == (PHASES, 8)
    assert one.facts is not None
    assert (one.facts.joined_parts, one.facts.parts_apart) == (2, ())
    assert said in " ".join(one.facts.parts_differ)
    shows_the_scene(one)
    assert one.image.grid.slice_gaps_mm == pytest.approx(np.full(7, 10.0), abs=1.0)
    spacings = np.linalg.norm(one.image.grid.affines[:, :3, :2], axis=1)
    np.testing.assert_allclose(spacings, min(1.5, float(other.get("pixel_mm", 1.5))), rtol=1e-6)


def test_pixels_lie_over_each_other_after_joining():
    (one,) = assembled(cine(BASE), cine(APEX, series="1.2", turn=1, pixel_mm=1.2, beside_mm=15.0))
    middle = np.array([one.image.grid.position_mm(z, 37, 37) for z in range(8)]) - MIDDLE
    across = middle - np.outer(middle @ NORMAL, NORMAL)
    assert np.ptp(across, axis=0).max() < 0.1


def test_slices_on_the_finest_grid_are_not_touched():
    fine = cine(BASE, pixel_mm=1.2)
    (one,) = assembled(fine, cine(APEX, series="1.2"))
    for z in range(4):
        np.testing.assert_array_equal(one.image.values[0, z], fine[z * PHASES].values)
    assert one.facts is not None
    assert one.facts.realigned_slices == 4


def test_a_field_of_view_that_moved_within_a_series_is_moved_back():
    (one,) = assembled(cine(BASE), cine(APEX, beside_mm=30.0))
    assert one.facts is not None
    assert (one.facts.joined_parts, one.facts.realigned_slices) == (1, 4)
    assert one.image.grid.shape[0] == 8


def test_a_scout_s_pictures_stay_as_they_were_acquired():
    (one,) = assembled(cine(BASE, phases=1), cine(APEX, phases=1, beside_mm=30.0))
    assert one.facts is not None
    assert one.facts.realigned_slices == 0


def test_more_cines_than_a_study_has_are_not_compared():
    found = assembled(
        *(cine([10.0 * z], series=f"1.{z}", pixel_mm=9.0 + z / 10, phases=5) for z in range(70))
    )
    assert len(found) == 70


@pytest.mark.parametrize("silent", [{"thickness_mm": None}, {"echo_ms": None}, {"image_type": ()}])
def test_silence_contradicts_nobody(silent):
    (one,) = assembled(cine(BASE), cine(APEX, series="1.2", **silent))
    assert one.image.grid.shape[0] == 8
    (one,) = assembled(cine(BASE), cine(APEX, **silent))
    assert one.image.grid.shape[0] == 8
    assert one.facts is not None
    assert one.facts.joined_parts == 1


def test_silence_that_fits_two_kinds_belongs_to_neither():
    silent = cine([100.0], series="1.3", echo_ms=None)
    found = assembled(
        cine(BASE, echo_ms=1.2), cine([z + 3 for z in BASE], series="1.2", echo_ms=2.4), silent
    )
    assert sorted(one.image.grid.shape[0] for one in found) == [1, 4, 4]


def test_one_gap_that_is_wider_by_a_little_splits_nothing():
    (one,) = assembled(cine(BASE), cine([z + 1.5 for z in APEX], series="1.2"))
    assert one.image.grid.shape[0] == 8


def test_a_slice_planned_anew_fills_the_hole_that_it_left():
    (one,) = assembled(cine([0, 10, 30, 40, 50]), cine([20], series="1.2", tilt_deg=2.0))
    assert one.image.grid.slice_gaps_mm == pytest.approx(np.full(5, 10.0), abs=0.1)


def test_parts_of_one_slice_each_are_one_heart():
    slices = [
        cine([10.0 * i], series=f"1.{i}", tilt_deg=1.5 * (i % 3), pixel_mm=(1.5, 1.2)[i % 2])
        for i in range(8)
    ]
    (one,) = assembled(*slices)
    assert one.image.grid.shape[0] == 8


@pytest.mark.parametrize(
    ("place", "other", "said"),
    [
        (0.0, {"tilt_deg": 6.0}, "tilted"),
        (10.0, {"pixel_mm": 1.2}, "lie between"),
        (0.0, {"pixel_mm": 1.2, "phases": 12}, "cardiac phases"),
        (0.0, {"reference": "8.8"}, "common space"),
        (300.0, {"reference": "8.8"}, "common space"),
        (0.0, {"reference": "8.8", "tilt_deg": 2.0}, "common space"),
    ],
)
def test_parts_of_which_it_is_not_certain_are_named_and_not_joined(place, other, said):
    found = assembled(cine(BASE), cine([z + place for z in APEX], series="1.2", **other))
    assert [one.image.grid.shape[0] for one in found] == [4, 4]
    for one in found:
        assert one.facts is not None
        assert one.facts.joined_parts == 1
        assert said in " ".join(one.facts.parts_apart)


def test_parts_without_any_frame_of_reference_are_not_joined():
    found = assembled(
        cine(BASE, reference=""), cine(APEX, series="1.2", reference="", tilt_deg=2.0)
    )
    assert len(found) == 2
    assert all(one.facts is not None and one.facts.parts_apart for one in found)


WHOLE = [10.0 * z for z in range(10)]
NO_PARTS: dict[str, Callable[[], list[Frame]]] = {
    "acquired again": lambda: cine(WHOLE, series="1.2", pixel_mm=1.2),
    "acquired again, tilted": lambda: cine(WHOLE, series="1.2", tilt_deg=2.0),
    "acquired again elsewhere": lambda: cine(WHOLE, series="1.2", reference="8.8"),
    "interleaving": lambda: cine([z + 5 for z in WHOLE], series="1.2", tilt_deg=2.0),
    "overlapping": lambda: cine([z + 34 for z in WHOLE], series="1.2", pixel_mm=1.2),
    "three slices under stress": lambda: cine([30, 50, 70], series="1.2", pixel_mm=2.0),
    "another orientation": lambda: cine([100, 110, 120, 130], series="1.2", tilt_deg=30.0),
    "far away": lambda: cine([140, 150, 160], series="1.2", tilt_deg=2.0),
    "beside": lambda: cine([100, 110], series="1.2", pixel_mm=1.2, beside_mm=60.0),
    "another kind of picture": lambda: cine(
        [100, 110], series="1.2", image_type=("ORIGINAL", "PRIMARY", "P")
    ),
    "another echo": lambda: cine([100, 110], series="1.2", echo_ms=4.8),
    "single pictures": lambda: cine([100, 110, 120], series="1.2", pixel_mm=1.2, phases=1),
}


@pytest.mark.parametrize("name", NO_PARTS)
def test_what_is_no_part_is_neither_joined_nor_named(name):
    found = assembled(cine(WHOLE), NO_PARTS[name]())
    assert len(found) == 2
    for one in found:
        assert one.facts is not None
        assert (one.facts.joined_parts, one.facts.parts_apart) == (1, ())


def test_long_axis_views_planned_beside_each_other_stay_views():
    found = assembled(cine([0]), cine([10], series="1.2", tilt_deg=2.0))
    assert [one.image.grid.shape[0] for one in found] == [1, 1]
    assert all(one.facts is not None and not one.facts.parts_apart for one in found)


def test_the_order_of_frames_changes_nothing():
    frames = cine(BASE) + cine(APEX, series="1.2", turn=1) + cine([80], series="1.3", tilt_deg=3.0)
    (one,) = assembled(frames)
    (again,) = assembled(frames[::-1])
    np.testing.assert_array_equal(one.image.values, again.image.values)
    assert one.facts == again.facts
