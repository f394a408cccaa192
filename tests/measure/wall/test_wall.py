"""Wall thickness, its segments, base and apex."""

import csv

import nibabel as nib
import numpy as np
import pytest

from opencmr.anatomy.aha import Level
from opencmr.geometry.contours import centroid_mm, outline_mm
from opencmr.geometry.grid import grid_from_spacing
from opencmr.measure import measure_all
from opencmr.measure.long_axis import base_to_apex, levels, ring_slices
from opencmr.measure.wall.anchors import insertions
from opencmr.measure.wall.profile import RingOutlines, segment_of
from opencmr.measure.wall.thickness import WALL

ANGLES = np.deg2rad(np.arange(0, 360, 3.0))


def ring_of(inner: np.ndarray, outer: np.ndarray, spacing_mm=(1.0, 1.0)) -> RingOutlines:
    endocardium, epicardium = outline_mm(inner, spacing_mm), outline_mm(outer, spacing_mm)
    assert endocardium is not None
    assert epicardium is not None
    return RingOutlines(endocardium, epicardium, centroid_mm(endocardium))


def ellipse(a_mm: float, b_mm: float, spacing_mm: float = 1.0, turn_deg: float = 0.0) -> np.ndarray:
    """Semi-axes a and b about (60.3, 59.8) mm on a field of 120 mm."""
    rows, columns = np.mgrid[0 : 120 / spacing_mm, 0 : 120 / spacing_mm] * spacing_mm
    down, right = rows - 60.3, columns - 59.8
    turn = np.deg2rad(turn_deg)
    along = np.cos(turn) * down + np.sin(turn) * right
    across = -np.sin(turn) * down + np.cos(turn) * right
    return (along / a_mm) ** 2 + (across / b_mm) ** 2 <= 1


@pytest.mark.parametrize("inner_mm", [12.0, 20.0, 30.0])
@pytest.mark.parametrize("wall_mm", [4.0, 9.0, 18.0])
@pytest.mark.parametrize("spacing_mm", [1.0, 1.4])
def test_a_round_wall_has_its_thickness_within_a_third_of_a_millimetre(
    inner_mm, wall_mm, spacing_mm
) -> None:
    inner = ellipse(inner_mm, inner_mm, spacing_mm)
    outer = ellipse(inner_mm + wall_mm, inner_mm + wall_mm, spacing_mm)
    found = ring_of(inner, outer, (spacing_mm, spacing_mm)).thickness_mm(ANGLES)
    assert found.mean() == pytest.approx(wall_mm, abs=0.3)
    for segment in np.split(found, 6):
        assert segment.mean() == pytest.approx(wall_mm, abs=0.3)


@pytest.mark.parametrize("turn_deg", [0.0, 33.0, 70.0])
def test_an_oval_wall_is_measured_across_and_not_along_the_ray(turn_deg) -> None:
    """The outer outline is at 9 mm from the oval inner one everywhere."""
    inner = ellipse(30, 18, turn_deg=turn_deg)
    points = np.deg2rad(np.arange(0, 360, 0.5))
    curve = np.column_stack([30 * np.cos(points), 18 * np.sin(points)])
    normal = np.column_stack([np.cos(points) / 30, np.sin(points) / 18])
    parallel = curve + 9 * normal / np.linalg.norm(normal, axis=1, keepdims=True)
    turn = np.deg2rad(turn_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    from skimage.draw import polygon2mask

    outer = polygon2mask((120, 120), parallel @ rotation + (60.3, 59.8))
    found = ring_of(inner, outer).thickness_mm(ANGLES)
    assert found.mean() == pytest.approx(9.0, abs=0.3)
    for segment in np.split(found, 12):
        assert segment.mean() == pytest.approx(9.0, abs=0.4)


def test_an_uneven_wall_is_thick_where_it_is_thick() -> None:
    """A cavity 4 mm off the centre of its outer circle: 8 mm and 16 mm on the two sides."""
    rows, columns = np.mgrid[0:120, 0:120]
    inner = (rows - 60.3) ** 2 + (columns - 59.8) ** 2 <= 20**2
    outer = (rows - 64.3) ** 2 + (columns - 59.8) ** 2 <= 32**2
    found = ring_of(inner, outer).thickness_mm(np.deg2rad([0.0, 180.0]))
    assert found == pytest.approx([16.0, 8.0], abs=0.5)


def test_the_insertions_are_the_ends_of_the_septum(tube) -> None:
    labels = tube.labels()[3, 3]
    epicardium = outline_mm(labels >= 2, (1.0, 1.0))
    cavity = outline_mm(labels == 3, (1.0, 1.0))
    assert epicardium is not None
    assert cavity is not None
    found = insertions(epicardium, centroid_mm(cavity), labels == 1, (1.0, 1.0))
    assert found is not None
    assert np.rad2deg(found.half_width) == pytest.approx(60, abs=4)
    # The septum lies towards falling columns: 270 degrees from down towards right.
    assert np.rad2deg(found.middle) % 360 == pytest.approx(270, abs=1)


def test_no_right_ventricle_no_insertion(tube) -> None:
    labels = tube.labels()[3, 3]
    epicardium = outline_mm(labels >= 2, (1.0, 1.0))
    assert epicardium is not None
    centre = np.asarray(tube.centre_mm)
    assert insertions(epicardium, centre, np.zeros_like(labels, dtype=bool), (1.0, 1.0)) is None
    assert insertions(epicardium, centre, labels < 2, (1.0, 1.0)) is None  # all round: no septum


@pytest.mark.parametrize("level", [Level.BASAL, Level.MID])
def test_six_segments_run_from_anterior_over_the_septum_to_lateral(level) -> None:
    first = 1 if level is Level.BASAL else 7
    degrees = np.arange(-180, 180, 1.0) + 0.5
    numbers = segment_of(np.deg2rad(degrees), level, np.deg2rad(50))
    for low, high, number in (
        (-50, 0, 2),  # inferoseptal
        (0, 50, 1),  # anteroseptal
        (50, 115, 0),  # anterior
        (115, 180, 5),  # anterolateral
        (-180, -115, 4),  # inferolateral
        (-115, -50, 3),  # inferior
    ):
        inside = (degrees > low) & (degrees < high)
        assert set(numbers[inside]) == {first + number}


def test_four_segments_at_the_apex() -> None:
    numbers = segment_of(np.deg2rad([90, 0, -90, 180]), Level.APICAL, np.deg2rad(60))
    assert numbers.tolist() == [13, 14, 15, 16]


def thickness_with_a_bulge(tube_of, untimed, sax_grid, direction, slices) -> dict[int, float]:
    """Wall thickness by segment where one side of some slices carries 5 mm more muscle."""
    tube = tube_of(phases=2, lv_ed=0, rv_ed=0)
    labels = tube.labels()
    rows, columns = np.mgrid[0:128, 0:128]
    down, right = rows - tube.centre_mm[0], columns - tube.centre_mm[1]
    reach = np.hypot(down, right)
    near = (down * direction[0] + right * direction[1]) / np.maximum(reach, 1) > np.cos(np.pi / 9)
    bulge = near & (reach > 30) & (reach <= np.sqrt(tube.outer2(0)) + 5)
    for z in slices:
        labels[0, z][bulge] = 2
    grid = sax_grid(tube.shape, tube.spacing_mm)
    found = measure_all(untimed(labels, grid))
    return {
        m.segment: m.value
        for m in found
        if m.quantity.symbol == "WT" and m.value is not None and m.segment is not None
    }


ANTERIOR, INFERIOR, LATERAL, SEPTAL = (-1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, -1.0)


@pytest.mark.parametrize(
    ("direction", "slices", "expected"),
    [
        (ANTERIOR, (1, 2, 3), {1}),
        (INFERIOR, (1, 2, 3), {4}),
        (LATERAL, (1, 2, 3), {5, 6}),
        (SEPTAL, (8, 9, 10), {14}),
        (ANTERIOR, (5, 6), {7}),
        (INFERIOR, (5, 6), {10}),
        (ANTERIOR, (8, 9, 10), {13}),
        (INFERIOR, (8, 9, 10), {15}),
        (LATERAL, (8, 9, 10), {16}),
    ],
)
def test_a_bulge_shows_in_the_segment_that_it_is_in(
    tube_of, untimed, sax_grid, direction, slices, expected
) -> None:
    """Shown as usual, septum left and anterior up: the grid's axes say so, not the array's."""
    found = thickness_with_a_bulge(tube_of, untimed, sax_grid, direction, slices)
    thickest = sorted(found, key=lambda segment: -found[segment])
    assert set(thickest[: len(expected)]) == expected


def test_an_unknown_orientation_names_no_segment_but_measures_the_wall(untimed, tube) -> None:
    labels = tube.labels()[[3, 13]]
    ventricles = untimed(labels, grid_from_spacing(labels.shape[1:], tube.spacing_mm))
    found = measure_all(ventricles)
    segments = [m for m in found if m.quantity.symbol in {"WT", "WTH"} and m.segment != 17]
    assert {m.reason.code for m in segments} == {"ORIENTATION_UNKNOWN"}
    assert found.value("WT_MEAN") == pytest.approx(tube.wall_mm(3), abs=0.3)
    assert found.value("WT_MAX") == pytest.approx(tube.wall_mm(3), abs=0.3)


def test_without_a_right_ventricle_the_wall_is_measured_and_no_segment_named(
    untimed, tube, sax_grid
) -> None:
    labels = tube.labels()[[3, 13]]
    labels[labels == 1] = 0
    labels[:, 10] = 0
    found = measure_all(untimed(labels, sax_grid(tube.shape, tube.spacing_mm)))
    segments = [m for m in found if m.quantity.symbol == "WT" and m.segment != 17]
    assert {m.reason.code for m in segments} == {"NO_INSERTION_POINTS"}
    mean = next(m.value for m in found if m.quantity.symbol == "WT_MEAN")
    assert mean == pytest.approx(tube.wall_mm(3), abs=0.3)


def test_an_open_ring_is_no_ring(untimed, tube) -> None:
    labels = tube.labels()[[3, 13]]
    labels[:, 1, 63, 80:] = 0  # an outflow tract at the base
    assert 1 not in ring_slices(untimed(labels), 0)
    assert 2 in ring_slices(untimed(labels), 0)


def test_levels_are_thirds_of_the_rings_from_base_to_apex(tube_ventricles) -> None:
    found = levels(tube_ventricles, 3)
    assert list(found) == list(range(1, 11))
    assert [found[z] for z in (1, 2, 3)] == [Level.BASAL] * 3
    assert [found[z] for z in (4, 5, 6, 7)] == [Level.MID] * 4
    assert [found[z] for z in (8, 9, 10)] == [Level.APICAL] * 3


def test_too_few_rings_give_a_reason(untimed, tube) -> None:
    labels = tube.labels()[[3, 13]]
    labels[:, 3:] = 0
    reasons = {m.quantity.symbol: m.reason for m in measure_all(untimed(labels))}
    assert reasons["WT_MEAN"].code == "TOO_FEW_RINGS"


def test_a_cavity_of_one_pixel_gives_no_outline_and_no_crash(untimed) -> None:
    labels = np.zeros((2, 5, 9, 9), dtype=np.uint8)
    labels[:, :, 3:6, 3:6] = 2
    labels[:, :, 4, 4] = 3
    reasons = {m.quantity.symbol: m.reason for m in measure_all(untimed(labels))}
    assert reasons["WT_MEAN"].code == "TOO_FEW_RINGS"


@pytest.mark.real_data
def test_base_and_wall_of_reference_masks_are_what_anatomy_says(data_folder, untimed) -> None:
    """ACDC: the base is at slice 0; hypertrophic hearts have 15 mm somewhere, normal ones not."""
    folder = data_folder / "acdc"
    with (folder / "metadata.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        pair = [nib.load(folder / f"{row['patient']}_{p}_gt.nii.gz") for p in ("ed", "es")]
        labels = np.stack([np.asarray(p.dataobj).T for p in pair])
        spacing_mm = tuple(float(mm) for mm in pair[0].header.get_zooms()[::-1])
        ventricles = untimed(labels, grid_from_spacing(labels.shape[1:], spacing_mm))
        first_to_last = np.diff(ventricles.image.grid.slice_positions_mm)[0]
        for phase in (0, 1):
            towards_apex = base_to_apex(ventricles, phase) @ ventricles.image.grid.normal
            assert towards_apex * first_to_last > 0
        if row["group"] in {"HCM", "NOR"}:
            found = {m.quantity.symbol: m.value for m in WALL.measure(ventricles)}
            assert (found["WT_MAX"] > 15) == (row["group"] == "HCM")
